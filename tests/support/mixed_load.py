"""Real terminals that shop at random over real TCP while a host comes and goes, and the verdict over all books then.

    watch = Watch()
    shoppers = [Shopper(host.url("cup"), "KILLC001", seed=7, watch=watch), …]
    for shopper in shoppers: shopper.start()
    watch.wish("settle", 3.0)            # until some terminal has sent a 0500
    …
    watch.stop(); [shopper.close_day() for shopper in shoppers]
    sold = Verdict(host).over(shoppers)

The machine, its line and its rules are the real ones; its flash is in memory. What a shopper does follows from its
seed; when it does it does not, since the host dies at times.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from host.checker import report
from host.checker.books import HostBooks
from host.checker.compare import unsettled
from host.pan_hash import pan_hash
from host.rows import TxnState
from host.store.store import open_reader
from specs.codec import decode_payload
from specs.endpoint import parse
from specs.families import family
from specs.operation import ADJUSTMENTS, DEBITS, Kind, Operation
from terminal_sim.clock import SystemClock
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.verdict import judge
from terminal_sim.link import TcpLine
from terminal_sim.moves import Download, Echo, End, Order, Result, SendStored, Settle, SignOn
from terminal_sim.state import ARCHIVE_MAX, Memory, Row, RowState
from tests.support.shopping import Collect, GiveBack, Increase, Release, Reserve, Retotal, SellOffline, Tip
from tests.support.tcp_till import ANSWER_S, TcpTill
from tests.support.two_books import Deed, Inquire, Sell, Void, card

PAUSE_S = 0.1
"""The longest pause of a shopper between two orders."""
AWAY_S = 0.1
"""How long it waits when nobody answers its call."""
PATIENCE_S = 30.0
"""How long it waits for an answer when it closes its day: a settlement waits for what is still at the issuer."""
SETTLES_MAX = 8
"""Settlement orders until a terminal whose host stays up must have closed its batch (L1)."""
ARCHIVE_END = ARCHIVE_MAX - 6
"""A terminal with so many archived batches shops no more: its book must stay whole for the verdict."""
PHANTOM = 4_200
"""Of a row that the host never saw."""

Make = Callable[[Random], Deed | Order]


@dataclass(frozen=True)
class Phantom:
    """Somebody writes a sale into the journal that never was: the next settlement is disputed, and uploads."""


def _nth(chance: Random) -> int:
    return chance.randrange(4)


def _amount(chance: Random) -> int:
    return chance.choice((1, 100, 2_500, 7_000, 99_999))


def _card(chance: Random) -> str:
    return chance.choice(("credit1", "credit1", "debit1", "foreign1", "partial"))


def _entry(chance: Random) -> str:
    return chance.choice(("swipe", "swipe", "chip", "tap", "manual"))


DEEDS: dict[str, tuple[int, Make]] = {
    "sale": (30, lambda c: Sell(_amount(c), _card(c), _entry(c))),
    "void": (9, lambda c: Void(_nth(c))),
    "refund": (6, lambda c: GiveBack(_nth(c), c.choice((30, 100)), c.choice(("stan", "rrn", "card")))),
    "pre-auth": (6, lambda c: Reserve(_amount(c), _card(c), _entry(c))),
    "pre-auth-increment": (2, lambda c: Increase(_nth(c), 500)),
    "pre-auth-void": (2, lambda c: Release(_nth(c))),
    "completion": (6, lambda c: Collect(_nth(c), c.choice((60, 100)), c.random() < 0.3)),
    "offline-sale": (6, lambda c: SellOffline(_amount(c), "credit1", "manual")),
    "adjust": (3, lambda c: Retotal(_nth(c), c.choice((50, 130)))),
    "tip": (3, lambda c: Tip(_nth(c), 10)),
    "stored": (3, lambda c: SendStored()),
    "balance": (2, lambda c: Inquire()),
    "echo": (1, lambda c: Echo()),
    "sign-on": (2, lambda c: SignOn()),
    "settle": (4, lambda c: Settle()),
    "download": (1, lambda c: Download("parameters")),
}
"""Name -> (how often in a hundred or so, the deed). The names are those of the message that it sends first."""
NOT_IN = {"cup": (), "nac": ("pre-auth-increment", "download"), "iso87": ("download",)}
"""What a dialect has no message for."""
LEADS_TO = {"upload": "settle", "upload-end": "settle", "settle final": "settle", "tc-upload": "settle"}
"""Messages that no order asks for -> the order that has them behind it."""


class Watch:
    """What the killer and the shoppers know of each other."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.wanted = ""
        self.in_flight: dict[str, str] = {}
        """TID -> what it has sent and awaits the answer to."""
        self._seen = threading.Event()

    def wish(self, kind: str, wait_s: float) -> bool:
        """Wait until a terminal has sent a message of this kind; the shoppers hurry. False when none did in time."""
        self._seen.clear()
        self.wanted = kind
        seen = self._seen.wait(wait_s)
        self.wanted = ""
        return seen

    def sent(self, tid: str, kind: str) -> None:
        """A request has left."""
        self.in_flight[tid] = kind
        if kind == self.wanted:
            self._seen.set()

    def heard(self, tid: str) -> None:
        """The answer came, or the line ended."""
        self.in_flight.pop(tid, None)

    def stop(self) -> None:
        """The shoppers go home after the order that they are at."""
        self.stopping.set()


class _WatchedLine(TcpLine):
    """A line that tells what is on its way."""

    def __init__(self, connect: str, tid: str, watch: Watch) -> None:
        super().__init__(parse(connect), SystemClock(), connect_timeout_s=ANSWER_S, tries=1)
        self._dialect = parse(connect).dialect
        self._tid = tid
        self._watch = watch
        self.heard: list[tuple[bool, object]] = []

    def send(self, payload: bytes, timeout_s: float) -> None:
        super().send(payload, timeout_s)
        self._watch.sent(self._tid, self._kind(payload))

    def receive(self, deadline: float) -> bytes | None:
        try:
            return super().receive(deadline)
        finally:
            self._watch.heard(self._tid)

    def _kind(self, payload: bytes) -> str:
        read = family(self._dialect.family).read_request(decode_payload(payload, self._dialect), self._dialect)
        if not isinstance(read, Operation):
            return "other"
        return f"{read.kind} final" if read.kind is Kind.SETTLE and read.final else str(read.kind)


class Shopper(threading.Thread):
    """One terminal and the people at it. results: what its orders came to. trouble: what must never be.

    deeds: the names of what it does, () = everything. waits_s: how long it waits for an answer.
    """

    def __init__(
        self,
        connect: str,
        tid: str,
        *,
        seed: int,
        watch: Watch,
        deeds: Collection[str] = (),
        waits_s: float = ANSWER_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        super().__init__(daemon=True, name=tid)
        self.till = TcpTill(connect, tid, mid=f"8981000{tid}")
        line: object = _WatchedLine(connect, tid, watch)
        assert isinstance(line, TcpLine)
        self.till._line = line  # type: ignore[assignment]
        self.results: list[Result] = []
        self.trouble: list[str] = []
        self.phantoms: set[str] = set()
        self._chance = Random(seed)
        self._watch = watch
        self._waits_s = waits_s
        self._pause_s = pause_s
        left_out = NOT_IN[self.till.wire.name]
        self._signs_on = self.till.wire.profile.requires_sign_on
        self._names = [
            name
            for name, (often, _) in DEEDS.items()
            if name not in left_out and (not deeds or name in deeds)
            for _ in range(often)
        ]

    @classmethod
    def of(cls, till: TcpTill) -> Shopper:
        """The people at a terminal that somebody else has worked with so far."""
        shopper = cls(till.connect, till.tid, seed=0, watch=Watch())
        shopper.till = till
        return shopper

    @property
    def tid(self) -> str:
        return self.till.tid

    @property
    def ends(self) -> Counter[str]:
        """How its orders ended: "approved" …, "declined 96" with the code."""
        return Counter(
            f"{said.end} {said.code}" if said.end is End.DECLINED else str(said.end) for said in self.results
        )

    def run(self) -> None:
        """Shop until told to stop."""
        try:
            if self._signs_on:
                self._press(SignOn())
            while not self._watch.stopping.is_set() and len(self.till.memory.archive) < ARCHIVE_END:
                self._one()
                self._watch.stopping.wait(self._chance.uniform(0.0, self._pause_s))
        except Exception as error:
            self.trouble.append(f"{self.tid}: {type(error).__name__}: {error}")
            raise

    def _one(self) -> None:
        order = self._order(self.till.memory)
        if order is None:
            return
        said = self._press(order)
        if said.end in (End.NOT_SENT, End.UNKNOWN, End.UNANSWERED):
            self._watch.stopping.wait(AWAY_S)
        elif self._signs_on and (said.code in ("22", "A0") or "sign on" in said.text.lower()):
            self._press(SignOn())

    def _order(self, memory: Memory) -> Order | None:
        if memory.settlement is not None:
            return Settle()
        wanted = self._watch.wanted
        name = LEADS_TO.get(wanted, wanted)
        if wanted in ("upload", "settle final") and self.till.wire.name != "iso87" and self._chance.random() < 0.3:
            self.write_phantom()
            return Settle()
        if name not in self._names or self._chance.random() < 0.5:
            name = self._chance.choice(self._names)
        deed = DEEDS[name][1](self._chance)
        return deed.order(memory) if hasattr(deed, "order") else deed

    def _press(self, order: Order | None) -> Result:
        said = self.till.press(order, waits_s=self._waits_s)
        self.results.append(said)
        return said

    def write_phantom(self) -> None:
        """Put a row into the journal that the host never saw, so that the batch cannot agree."""
        memory = self.till.memory
        if memory.settlement is not None or memory.pending is not None:
            return
        stan, plastic = memory.next_stan(), card("credit1")
        row = Row(
            *(stan, memory.batch, Kind.SALE, PHANTOM, plastic.pan, plastic.expiry),
            at=datetime.now().astimezone().strftime("%m%d%H%M%S"),
            organisation="CUP",
            invoice=stan,
        )
        self.phantoms.add(stan)
        self.till.flash.save("journal", replace(memory, stan=stan, rows=(*memory.rows, row)))

    # ---- the end of its day, the host stays up

    def close_day(self) -> None:
        """What is owed goes out, and the batch is settled until it is closed at both ends (L1)."""
        self._waits_s = PATIENCE_S
        for _ in range(SETTLES_MAX):
            self._press(None)
            if self._signs_on:
                self._press(SignOn())
            memory = self.till.memory
            if not (memory.live_rows or memory.pending or memory.settlement or memory.script):
                return
            self._press(Settle())
        raise AssertionError(f"{self.tid}: not closed after {SETTLES_MAX} settlements: {self.till.screen.lines[-6:]}")

    def sold(self, key: bytes) -> Counter[str]:
        """Card hash -> what its people have sold to it for good, less what they gave back."""
        memory = self.till.memory
        assert len(memory.archive) < ARCHIVE_MAX, "the archive is not whole any more"
        net: Counter[str] = Counter()
        for row in (row for archived in memory.archive for row in archived.rows):
            if row.state is RowState.JOURNALED and not row.adjusted and row.stan not in self.phantoms:
                net[pan_hash(key, row.pan)] += SIGN.get(row.kind, 0) * row.amount
        return net


SIGN = dict.fromkeys(DEBITS | ADJUSTMENTS, 1) | {Kind.REFUND: -1}
"""What a transaction that stands adds to what was sold."""


@dataclass
class Verdict:
    """All books of one store held against each other. sold: card hash -> what all terminals so far have sold to it."""

    host: HostProcess
    sold: Counter[str] = field(default_factory=Counter)

    def over(self, shoppers: Sequence[Shopper]) -> list[str]:
        """What is wrong now that these terminals have closed their day; [] when all is as it must be."""
        books = open_reader(self.host.store).load_books()
        journals = {shopper.tid: shopper.till.book() for shopper in shoppers}
        wrong = [str(finding) for finding in report.check(books, journals)]
        for shopper in shoppers:
            self.sold.update(shopper.sold(self._key()))
            wrong += self._of_one(books, shopper)
        wrong += self._money(books)
        wrong += [f"leg {leg.id} is {leg.state}" for leg in books.legs if leg.state != "done"]
        for shopper in shoppers:
            shopper.till.hand_over(self.host.api)
        wrong += [f"/findings: {found}" for found in self.host.api.whole("/findings")]
        return wrong

    def _of_one(self, books: HostBooks, shopper: Shopper) -> Iterable[str]:
        judgement = judge(books, shopper.till.book())
        if not judgement.agree:
            yield judgement.sentence
        if shopper.phantoms:
            return
        for entry in books.exceptions:
            if entry.tid == shopper.tid:
                yield f"{shopper.tid}: nobody meddled, but the host lists {entry.item_key} as {entry.reason}"
        for waiting in unsettled(books):
            if waiting.tid == shopper.tid:
                yield f"{shopper.tid}: unsettled: {waiting.why}"

    def _money(self, books: HostBooks) -> Iterable[str]:
        """By card: what the terminals believe, what the transactions come to, both ledgers, the issuer's accounts."""
        figures = {
            "terminals": _not_zero(self.sold),
            "transactions": _captured(books),
            "ledger": _posted(books),
            "issuer": _not_zero(Counter({a.pan_hash: a.debited for a in books.accounts})),
        }
        for name, sums in figures.items():
            if sums != figures["issuer"]:
                yield f"{name}: {sums}, the issuer {figures['issuer']}"
        held = _not_zero(Counter({a.pan_hash: a.held for a in books.accounts}))
        reserved: Counter[str] = Counter()
        for txn in books.txns:
            reserved[txn.pan_hash] += txn.held if txn.state is TxnState.AUTHORISED else 0
        if held != _not_zero(reserved):
            yield f"held {held}, of open pre-authorisations {_not_zero(reserved)}"
        if sum(posting.amount for posting in books.postings):
            yield "the postings do not sum to zero"

    def _key(self) -> bytes:
        path = self.host.store.removeprefix("sqlite:///")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
            return bytes.fromhex(connection.execute("SELECT value FROM meta WHERE name = 'pan_hash_key'").fetchone()[0])


def _captured(books: HostBooks) -> dict[str, int]:
    worth: dict[int, tuple[str, int]] = {}
    for txn in books.txns:
        if txn.state is TxnState.CAPTURED:
            sale = txn.original_id if txn.kind in ADJUSTMENTS else txn.id
            worth[sale] = (txn.pan_hash, SIGN.get(Kind(txn.kind), 0) * txn.approved_amount)
    net: Counter[str] = Counter()
    for pan, amount in worth.values():
        net[pan] += amount
    return _not_zero(net)


def _posted(books: HostBooks) -> dict[str, int]:
    net: Counter[str] = Counter()
    for posting in books.postings:
        if posting.book == "acquirer" and posting.account.startswith("issuer-clearing"):
            net[books.txn_by_id[posting.txn_id].pan_hash] += posting.amount
    return _not_zero(net)


def _not_zero(sums: Counter[str]) -> dict[str, int]:
    return {key: value for key, value in sums.items() if value}


def morning_zone() -> str:
    """A POSIX time zone in which it is between six and seven now: the day does not turn while a test runs."""
    east = (6 - time.gmtime().tm_hour + 12) % 24 - 12
    return f"LAB{-east:+d}"
