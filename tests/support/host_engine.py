"""A whole host without sockets: a real store, the runner without its thread, the immediate link, a clock that stands.

host = EngineHost(url)
said = host.ask(Kind.SALE, stan=1, amount=10_000)       # every answer that the request got, in order
host.faults.append(LinkFault(FaultKind.SILENT)); host.later(21)
host = host.crash_and_restart()
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from host.checker.books import HostBooks
from host.clock import Clock
from host.deviations import needs_with, with_bugs
from host.engine.context import Settings
from host.engine.decide import decide
from host.engine.events import Decision, Event, Request
from host.engine.needs import needs
from host.issuer.cards import index_test_cards
from host.issuer.link import ImmediateLink, LinkFault
from host.pan_hash import pan_hash
from host.rows import Posting, Txn
from host.runner import Runner
from host.store.store import Store, open_store
from specs.operation import Kind, Outcome
from specs.profile import Profile
from tests.support.engine import CUP, a_request

R = TypeVar("R")

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)


class EngineHost:
    """One host process in miniature. heard: (request, outcome) of everything that was spoken."""

    def __init__(
        self,
        url: str,
        *,
        profile: Profile = CUP,
        clock: Clock | None = None,
        wrap: Callable[[Store], Store] | None = None,
        bugs: tuple[str, ...] = (),
    ) -> None:
        self.url = url
        self.profile = profile
        self.bugs = bugs
        self.clock = clock or Clock(UTC, START, running=False)
        opened = open_store(url, seed=7, created_at=START.isoformat())
        self.store = wrap(opened) if wrap else opened
        self.link = ImmediateLink(self.store, index_test_cards(self.store.pan_hash_key))
        self.settings = Settings(magic=False)
        profiles = {profile.family: profile}
        self.runner = Runner(
            *(self.store, self.clock, self.settings, self.link),
            decide=with_bugs(decide, bugs),
            needs=needs_with(needs, bugs),
            profiles=profiles,
        )
        self.heard: list[tuple[Request, Outcome | None]] = []

    @property
    def faults(self) -> list[LinkFault]:
        return self.link.faults

    def request(self, kind: Kind, **changes: Any) -> Request:
        made = a_request(kind, self.profile, **changes)
        card = made.operation.card
        return replace(made, pan_hash=pan_hash(self.store.pan_hash_key, card.pan) if card else "")

    def submit(self, request: Request) -> None:
        self.runner.submit(request, self._hear)

    def _hear(self, event: Event, _decision: Decision, outcome: Outcome | None) -> None:
        assert isinstance(event, Request)
        self.heard.append((event, outcome))

    def run(self) -> None:
        self.runner.run_until_quiet()

    def ask(self, kind: Kind, **changes: Any) -> list[str]:
        """Send one request, run until nothing moves: the codes that came back for it by then."""
        request = self.request(kind, **changes)
        self.submit(request)
        self.run()
        return [o.code for r, o in self.heard if r is request and o is not None]

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.runner.tick()
        self.run()

    def crash(self) -> None:
        """The process is gone between two steps: nothing more is decided, said or written; its hold is given back."""
        self.store.close()

    def crash_and_restart(self) -> EngineHost:
        self.crash()
        again = EngineHost(self.url, profile=self.profile, clock=self.clock, bugs=self.bugs)
        again.run()
        return again

    # ---- the books, as the checker reads them

    def books(self) -> HostBooks:
        return self.store.reader().load_books()

    def rows(self, table: type[R], **where: object) -> list[R]:
        return self.store.reader().select(table, where)

    def txn(self, stan: int) -> Txn:
        return self.rows(Txn, stan=f"{stan:06d}")[-1]

    def balance(self, book: str, account: str) -> int:
        return sum(p.amount for p in self.rows(Posting, book=book) if p.account.partition(":")[0] == account)

    def money(self) -> tuple[int, int]:
        """(what the acquirer owes merchants, what cardholders owe the issuer); the two books must agree."""
        acquirer, issuer = -self.balance("acquirer", "merchant-payable"), self.balance("issuer", "cardholder")
        assert sum(p.amount for p in self.rows(Posting)) == 0
        assert self.balance("acquirer", "issuer-clearing") == acquirer
        assert self.balance("issuer", "issuer-clearing") == -issuer
        return acquirer, issuer
