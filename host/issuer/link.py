"""The link H>I: how the acquirer asks the issuer. Answers come back as events, in a later group or never.

    runner: commit -> link.send(asks) -> speak -> link.work(now): the issuer decides, commits its own books, answers

`send` only hands over, so nobody waits for the issuer's disk. A crash between the two commits is real: the issuer may
have debited what the acquirer never heard of, and the leg's row makes the acquirer undo it after the restart (RH7).
"""

from __future__ import annotations

import heapq
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Protocol

import structlog

from host.engine.context import Context
from host.engine.events import Ask, Event, IssuerAnswer
from host.engine.working import Needs, WorkingSet
from host.errors import StoreUnavailable
from host.issuer.cards import CardIndex
from host.issuer.decide import REFUSE, CardData, Known, answer
from host.issuer.scripts import ScriptTable
from host.rows import Row
from host.store.store import Store
from specs.bins import Bins
from specs.codes import Refusal
from specs.masking import mask_text

log = structlog.get_logger("host.issuer")


class IssuerLink(Protocol):
    """What the runner needs of a link. All calls come from the writer thread."""

    def connect(self, deliver: Callable[[Event], None]) -> None:
        """Where answers go; called once, before the first ask."""

    def send(self, asks: tuple[Ask, ...], now: datetime) -> None:
        """Hand messages over. Their legs are durable already."""

    def work(self, context: Callable[[], Context]) -> None:
        """Do what is due: the issuer's side of what was sent, and answers whose time has come."""

    def next_due(self) -> datetime | None:
        """When `work` has something to do next; None = not before it is sent something."""

    def reset(self) -> None:
        """Forget what is on its way: the books were cleared."""


class FaultKind(StrEnum):
    """What can go wrong at H>I; the names are those of the failure catalogue where it has one."""

    SILENT = "silent"  # the message never reaches the issuer
    LATE = "late"  # the issuer acts at once, its answer takes `seconds`
    OUTAGE = "outage"  # the link is down: nothing is sent, and the acquirer knows it
    LOSE_AFTER_ISSUER = "lose-after-issuer"  # the issuer acts, its answer is lost


@dataclass(slots=True)
class LinkFault:
    """A fault of the link. on: "ask" | "undo" | "any". times: how often it still strikes, -1 = until it is removed."""

    kind: FaultKind
    on: str = "any"
    times: int = -1
    seconds: float = 0.0

    def strikes(self, ask: Ask) -> bool:
        """Whether it hits this message; counts down `times` when it does."""
        if self.times == 0 or self.on not in ("any", "undo" if ask.undo else "ask"):
            return False
        self.times -= self.times > 0
        return True


_Sent = tuple[Ask, LinkFault | None]
"""A message on its way, and the fault that strikes it."""
UNTOLD = CardData("", "")


@dataclass(slots=True)
class ImmediateLink:
    """The issuer lives in this process and answers at once, unless a fault says otherwise.

    Bound: what is on its way is at most one message a leg in flight.
    """

    store: Store
    cards: CardIndex
    faults: list[LinkFault] = field(default_factory=list)
    bins: Bins = field(default_factory=Bins)
    scripts: ScriptTable = field(default_factory=ScriptTable)
    by_rule: Callable[[Ask, datetime], LinkFault | None] | None = None
    """What the fault rules of users do to a message (host.link_faults); asked before `faults`."""
    _sent: list[_Sent] = field(default_factory=list)
    _on_the_way: list[tuple[datetime, int, IssuerAnswer]] = field(default_factory=list)
    _deliver: Callable[[Event], None] = field(default=lambda _event: None)
    _order: count[int] = field(default_factory=count)

    def connect(self, deliver: Callable[[Event], None]) -> None:
        """Where answers go: the writer's queue."""
        self._deliver = deliver

    def send(self, asks: tuple[Ask, ...], now: datetime) -> None:
        """Take messages whose legs are durable; a fault may lose or delay them. Never waits, never raises."""
        if not self.faults and self.by_rule is None:
            self._sent += [(ask, None) for ask in asks]
            return
        for ask in asks:
            fault = self.by_rule(ask, now) if self.by_rule is not None else None
            fault = fault or next((f for f in self.faults if f.strikes(ask)), None)
            kind = fault.kind if fault is not None else None
            if kind is FaultKind.OUTAGE and not ask.undo:
                self._answer_at(now, _link_down(ask))  # an undo is simply tried again
            elif kind not in (FaultKind.OUTAGE, FaultKind.SILENT):
                self._sent.append((ask, fault))

    def work(self, context: Callable[[], Context]) -> None:
        """Let the issuer act on what has arrived and hand over what is due. Called by the writer between groups."""
        if self._sent:
            self._issuer_acts(context())
        if self._on_the_way:
            self._deliver_due(context().now)

    def next_due(self) -> datetime | None:
        """When the next answer arrives that is on its way; None = none is."""
        return self._on_the_way[0][0] if self._on_the_way else None

    def reset(self) -> None:
        """Lose everything under way: the books it belongs to were cleared."""
        self._sent.clear()
        self._on_the_way.clear()

    def _issuer_acts(self, ctx: Context) -> None:
        """The issuer's own group: load, decide, commit its own books, and only then answer."""
        batch, self._sent = self._sent, []
        scripts: list[int] = []
        try:
            ws = self.store.load(_needs(batch))
            said, puts = self._decide(batch, ws, self._cards_of(batch, ws, ctx), ctx, scripts)
            self.store.commit(puts)
        except StoreUnavailable as error:
            self.scripts.sent(scripts, -1)
            log.warning("the issuer's store refuses: it stays silent", error=str(error), messages=len(batch))
            return
        # A crash here: the issuer has acted and nobody knows; the leg is undone after the restart.
        for fault, told in said:
            if fault is None:
                self._answer_at(ctx.now, told)
            elif fault.kind is not FaultKind.LOSE_AFTER_ISSUER:
                late = fault.seconds if fault.kind is FaultKind.LATE else 0.0
                self._answer_at(ctx.now + timedelta(seconds=late), told)

    def _cards_of(self, batch: list[_Sent], ws: WorkingSet, ctx: Context) -> dict[int, CardData]:
        """What the messages say of cards, by transaction: of those only that the issuer has to look at, since it has no
        account of them yet or refuses strangers."""
        strict = ctx.settings.unknown_cards == REFUSE
        asked = {ask.leg.txn_id for ask, _ in batch if strict or ws.account(ask.leg.pan_hash) is None}
        return {txn_id: CardData(*said) for txn_id, said in self.store.cards_of(asked).items()}

    def _decide(
        self, batch: list[_Sent], ws: WorkingSet, cards: dict[int, CardData], ctx: Context, scripts: list[int]
    ) -> tuple[list[tuple[LinkFault | None, IssuerAnswer]], list[Row]]:
        said: list[tuple[LinkFault | None, IssuerAnswer]] = []
        puts: list[Row] = []
        plain = Known(self.cards, self.bins)
        for ask, fault in batch:
            card = cards.get(ask.leg.txn_id, UNTOLD)
            script = self.scripts.due(ask.leg.pan_hash)
            known = plain if script is None else Known(self.cards, self.bins, script)
            try:
                decision = answer(ws, ask, card, known, ctx)
            except Exception:
                log.error("the issuer cannot decide a leg", leg=ask.leg.id, trace=mask_text(traceback.format_exc()))
                continue
            puts += decision.puts
            if decision.scripts:
                scripts += decision.scripts
                self.scripts.sent(decision.scripts)
            said.append((fault, decision.answer))
        return said, puts

    def _answer_at(self, when: datetime, told: IssuerAnswer) -> None:
        heapq.heappush(self._on_the_way, (when, next(self._order), told))

    def _deliver_due(self, now: datetime) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._deliver(heapq.heappop(self._on_the_way)[2])


def _needs(batch: list[_Sent]) -> Needs:
    """The issuer's own books."""
    return Needs(issuer_txn_ids={ask.leg.txn_id for ask, _ in batch}, pan_hashes={ask.leg.pan_hash for ask, _ in batch})


def _link_down(ask: Ask) -> IssuerAnswer:
    return IssuerAnswer(ask.leg.id, ask.leg.txn_id, ask.leg.purpose, False, 0, Refusal.ISSUER_DOWN.value)
