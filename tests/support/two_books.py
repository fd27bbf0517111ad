"""Both ends in one thread, with everything between them that can fail, and their books held against each other.

    world = TwoBooks("cup")
    world.play(Step(SignOn()))
    world.play(Step(Sell(100), wire=("drop-answer",)))         # the terminal ends unknown, the host has captured
    world.play(Step(Sell(200), cut=("journal", "before", 1)))  # the reversal first; then the power fails
    world.heal()
    world.settled()

The machine, its memory flash, the service, the runner and an SQLite store in memory are the real ones; sockets, clock
and power are not. A schedule is a list of steps and nothing else, so a run can be repeated from what it prints.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import Any, Protocol, cast

from host.checker import report
from host.checker.books import HostBooks
from host.checker.compare import Pair, Verdict, compare, unsettled
from host.clock import Clock
from host.engine.context import Settings
from host.engine.events import CloseBatch
from host.engine.identity import LIVE_BATCH
from host.errors import StoreUnavailable
from host.faults import FaultTable
from host.issuer.cards import index_test_cards
from host.issuer.link import FaultKind, ImmediateLink, LinkFault
from host.pan_hash import pan_hash
from host.rows import Row as HostRow
from host.rows import Terminal as TerminalRow
from host.rows import TxnState
from host.runner import Runner
from host.server import Connection
from host.service import Service
from host.store.reader import Reader
from host.store.store import Store, open_store
from specs.dialect import Dialect, load
from specs.endpoint import Endpoint
from specs.families.nac_answers import NUMBER_CODE
from specs.framing import FrameReader
from specs.journal import TerminalBook
from specs.operation import ADJUSTMENTS, DEBITS, RESERVATIONS, Card, Kind
from specs.profile import profile_of
from terminal_sim.book import book
from terminal_sim.cards import card_from
from terminal_sim.driver import Driver
from terminal_sim.errors import LineLost, NotConnected, PowerCut
from terminal_sim.flash import CutPower, MemoryFlash, Power, SteadyPower
from terminal_sim.jobs.closing import to_settle
from terminal_sim.moves import (
    Balance,
    Boot,
    Download,
    Echo,
    End,
    Key,
    Order,
    Result,
    Sale,
    SendStored,
    Settle,
    SignOff,
    SignOn,
)
from terminal_sim.moves import Void as VoidOrder
from terminal_sim.state import Config, Memory, Row, RowState
from terminal_sim.terminal import Terminal
from terminal_sim.wire import Wire
from tests.support.till import Screen

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
TID, MID = "12345678", "123456789012345"
STEP_S = 5.0
"""How far the clock goes at a time while a terminal waits."""
REVERSAL_S = 29 * 86_400
"""Nearly as long as a host looks back for what a reversal names."""
LONG_S = 300.0
"""A longer wait is made in one leap and the rest in steps."""
SETTLES_MAX = 6
"""Settlement orders until a healed terminal must have closed its batch (L1)."""
VERY_LATE = 4
"""Messages of the terminal that overtake a very late one."""


def card(name: str, entry: str = "swipe") -> Card:
    """A documented test card."""
    return card_from(name, entry)


def dialect_of(name: str, capture: str = "HC") -> Dialect:
    """A built-in dialect under a capture profile."""
    dialect = load(name)
    return replace(dialect, profile={**dialect.profile, "capture": capture})


# ---- a schedule


class Deed(Protocol):
    """Something that somebody at the terminal may ask of it."""

    def order(self, memory: Memory) -> Order | None:
        """The order that it comes to, with what the flash holds now; None when there is nothing that it could mean."""


class Typed:
    """A repr that is the call which makes it again, without what is as it would be anyway."""

    def __repr__(self) -> str:
        return typed(self)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """So that hypothesis prints it like this too."""
        printer.text(repr(self))


def typed(value: object) -> str:
    """What has to be typed to have this value of a dataclass again."""
    assert is_dataclass(value)
    given = {f.name: getattr(value, f.name) for f in fields(value) if getattr(value, f.name) != f.default}
    return f"{type(value).__name__}({', '.join(f'{name}={worth!r}' for name, worth in given.items())})"


@dataclass(frozen=True, repr=False)
class Sell(Typed):
    """A sale. card: the name of a documented test card (a schedule is printed, and shows no number)."""

    amount: int
    card: str = "credit1"
    entry: str = "swipe"
    pin: str = ""
    tip: int = 0
    cash: int = 0

    def order(self, memory: Memory) -> Order:
        return Sale(self.amount, card(self.card, self.entry), self.tip, self.cash, self.pin)


@dataclass(frozen=True, repr=False)
class Inquire(Typed):
    """A balance inquiry."""

    card: str = "credit1"
    pin: str = ""

    def order(self, memory: Memory) -> Order:
        return Balance(card(self.card), self.pin)


@dataclass(frozen=True, repr=False)
class Void(Typed):
    """Void the nth sale, completion or refund of the open journal, whatever has become of it."""

    nth: int

    def order(self, memory: Memory) -> Order | None:
        row = nth_row(memory.rows, DEBITS | {Kind.REFUND}, self.nth)
        return VoidOrder(stan=row.stan) if row else None


def nth_row(rows: Iterable[Row], kinds: Iterable[Kind], nth: int) -> Row | None:
    """One of the rows of these kinds, counted round and round; None when there is none."""
    wanted = frozenset(kinds)
    found = [row for row in rows if row.kind in wanted]
    return found[nth % len(found)] if found else None


@dataclass(frozen=True)
class Wait:
    """Nobody does anything for a while."""

    seconds: float


@dataclass(frozen=True)
class Meddle:
    """Somebody puts the books apart. what: "clear-reversal" (FC 21), "phantom" (a row that the host never saw, 38),
    "missing" (the newest sale is wiped out of the journal)."""

    what: str


@dataclass(frozen=True)
class ForceClose:
    """The back office closes the terminal's open batch (rules.md, section 7)."""


@dataclass(frozen=True)
class HostAsks:
    """The people at the host want something of the terminal. digit: the header's sixth (cup.md, section 1)."""

    digit: str


Act = Deed | Order | ForceClose | HostAsks | Wait | Meddle

WIRE_FAULTS = (
    *("deliver", "refuse", "reset", "drop-request", "drop-answer"),
    *("duplicate", "duplicate-late", "late-answer", "late-request", "very-late-request"),
    *("corrupt-request", "corrupt-answer", "bad-mac-request", "bad-mac-answer"),
)
HOST_POINTS = ("commit", "issuer")
"""The acquirer's own commits, and those of the issuer's books."""
HOST_FAULTS = ("crash", "full", "unknown")


@dataclass(frozen=True)
class HostFault:
    """Something goes wrong at the nth commit of a point.

    what: "crash" (before or after it), "full" (refused, and so is the next), "unknown" (written, but reported as an
    error of which nobody knows whether it was).
    """

    point: str
    when: str = "before"
    nth: int = 1
    what: str = "crash"


@dataclass(frozen=True, repr=False)
class Step(Typed):
    """One deed and what goes wrong meanwhile.

    wire: a fault for each message that the terminal sends in it; the rest is delivered. cut: (flash step, when, nth).
    refuse: the flash step that cannot be written. issuer: (kind, on, times, seconds) of a LinkFault, gone afterwards.
    """

    deed: Act | None
    wire: tuple[str, ...] = ()
    cut: tuple[str, str, int] | None = None
    refuse: str = ""
    host: HostFault | None = None
    issuer: tuple[str, str, int, float] | None = None

    def __repr__(self) -> str:
        """What has to be typed to have it again."""
        deed = typed(self.deed) if self.deed is not None else "None"
        wrong = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "deed"}
        return f"Step({', '.join([deed, *(f'{name}={value!r}' for name, value in wrong.items() if value)])})"


class HostCrash(BaseException):
    """The host process is gone. No handler of its own may catch it."""


# ---- the host


class _Commits:
    """A store of which a commit may go wrong; everything else is the real one's."""

    def __init__(self, store: Store, point: str, plan: Callable[[str], tuple[str, str]]) -> None:
        self._store = store
        self._point = point
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, puts: Iterable[HostRow]) -> None:
        what, when = self._plan(self._point)
        if what == "crash" and when == "before":
            raise HostCrash
        if what == "full":
            raise StoreUnavailable("no room")
        self._store.commit(puts)
        if what == "crash":
            raise HostCrash
        if what == "unknown":
            raise StoreUnavailable("the disk did not say", unknown=True)


class Host:
    """The host process: all but the store dies in a crash."""

    def __init__(self, clock: Clock, dialect: Dialect, seed: int = 7) -> None:
        self.clock = clock
        self.dialect = dialect
        self.store = open_store("sqlite://", seed=seed, created_at=START.isoformat())
        self.cards = index_test_cards(self.store.pan_hash_key)
        self.link_faults: list[LinkFault] = []
        self.crashes = 0
        self.commits: Counter[str] = Counter()
        self.room: int | None = None
        """Commits until the disk is full for good; None = never."""
        self._fault: HostFault | None = None
        self._left = 0
        self._start()

    def plan(self, fault: HostFault | None) -> None:
        self._fault, self._left = fault, fault.nth if fault else 0

    def receive(self, connection: object, payload: bytes) -> None:
        self.service.received(cast(Connection, connection), payload)
        self.runner.run_until_quiet()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.runner.tick()
        self.runner.run_until_quiet()

    def restart(self) -> None:
        """A new process over the same disk; what it finds unfinished it undoes before anything else."""
        self.crashes += 1
        self._fault = None
        self._start()
        self.runner.run_until_quiet()

    def books(self) -> HostBooks:
        return self.store.reader().load_books()

    def _start(self) -> None:
        self.service = Service(FaultTable(), self.store.pan_hash_key)
        link = ImmediateLink(cast(Store, _Commits(self.store, "issuer", self._strike)), self.cards, self.link_faults)
        store = cast(Store, _Commits(self.store, "commit", self._strike))
        self.runner = Runner(
            *(store, self.clock, Settings(magic=False), link),
            before_commit=self.service.rows,
            profiles={self.dialect.name: profile_of(self.dialect.name, self.dialect.profile)},
        )
        self.service.start(self.runner, cast(Any, _Loop()))

    def _strike(self, point: str) -> tuple[str, str]:
        """What goes wrong with this commit: ("", "") for nothing."""
        self.commits[point] += 1
        if self.room is not None:
            self.room -= 1
            if self.room < 0:
                return "full", "before"
        fault = self._fault
        if fault is None or fault.point != point:
            return "", ""
        self._left -= 1
        if self._left == 0 or (self._left == -1 and fault.what == "full"):
            return fault.what, fault.when
        return "", ""


class _Loop:
    """As much of an event loop as the service uses: what is to be done soon is done now."""

    def call_soon_threadsafe(self, act: Callable[[], None]) -> None:
        act()


# ---- the line


class _Connection:
    """What the service knows of one request's line. sink: where the answer's payload goes; False = it is gone."""

    peer = "192.0.2.1:1024"
    latest = b""

    def __init__(self, endpoint: Endpoint, sink: Callable[[bytes], bool]) -> None:
        self.endpoint = endpoint
        self._sink = sink

    def send(self, frame: bytes) -> bool:
        return self._sink(FrameReader(self.endpoint.dialect.frame).feed(frame)[0])

    def close(self) -> None:
        self._sink = lambda _payload: False

    reset = close

    def request_ended(self) -> None:
        """Nothing waits on this line."""


class Line:
    """The terminal's line (terminal_sim.driver.Line), one fault a message, over the manual clock."""

    def __init__(self, endpoint: Endpoint, host: Host, wire: Wire) -> None:
        self.faults: deque[str] = deque()
        self.messages = 0
        self.said = sha256()
        """Of every byte that the two ends put on the line, in their order."""
        self._endpoint = endpoint
        self._host = host
        self._wire = wire
        self._fault = "deliver"
        self._inbox: deque[bytes] = deque()
        self._late: list[bytes] = []
        self._held: list[tuple[int, bytes]] = []
        self._generation = 0

    def open(self) -> None:
        self._fault = self.faults.popleft() if self.faults else "deliver"
        if self._fault == "refuse":
            raise NotConnected("refused")

    def send(self, payload: bytes, timeout_s: float) -> None:
        self.messages += 1
        self.said.update(b">" + payload)
        self._inbox.extend(self._late)
        self._late.clear()
        held, self._held = self._held, []
        fault = self._fault
        if fault in ("late-request", "very-late-request"):
            self._held.append((1 if fault == "late-request" else VERY_LATE, payload))
        elif fault != "drop-request":
            self._deliver(_spoiled_request(fault, payload, self._wire), self._sink(fault))
        if fault == "duplicate":
            self._deliver(payload, self._sink("deliver"))
        if fault == "duplicate-late":
            self._held.append((VERY_LATE, payload))
        if fault == "reset":
            self.close()
            raise LineLost("reset")
        for left, request in held:
            if left > 1:
                self._held.append((left - 1, request))
            else:
                self._deliver(request, self._sink("deliver"))

    def receive(self, deadline: float) -> bytes | None:
        while not self._inbox:
            left = deadline - self._seconds()
            if left <= 0:
                return None
            self._on_host(lambda left=left: self._host.advance(min(left, STEP_S)))  # type: ignore[misc]
        return self._inbox.popleft()

    def close(self) -> None:
        self._generation += 1
        self._inbox.clear()

    def release(self) -> None:
        """Everything that is still on its way arrives."""
        held, self._held = self._held, []
        for _, request in held:
            self._deliver(request, self._sink("deliver"))

    def _deliver(self, payload: bytes, sink: Callable[[bytes], bool]) -> None:
        connection = _Connection(self._endpoint, sink)
        self._on_host(lambda: self._host.receive(connection, payload))

    def _on_host(self, act: Callable[[], None]) -> None:
        try:
            act()
        except HostCrash:
            self.close()
            self._host.restart()
            raise LineLost("the host has crashed") from None

    def _sink(self, fault: str) -> Callable[[bytes], bool]:
        generation = self._generation

        def arrive(payload: bytes) -> bool:
            self.said.update(b"<" + payload)
            if fault == "late-answer":
                self._late.append(payload)
            elif fault != "drop-answer" and generation == self._generation:
                self._inbox.append(_spoiled_answer(fault, payload, self._wire))
            return fault == "late-answer" or generation == self._generation

        return arrive

    def _seconds(self) -> float:
        return (self._host.clock.now() - START).total_seconds()


def _spoiled_request(fault: str, payload: bytes, wire: Wire) -> bytes:
    return {"corrupt-request": _corrupt, "bad-mac-request": _bad_mac}.get(fault, _as_it_is)(payload, wire)


def _spoiled_answer(fault: str, payload: bytes, wire: Wire) -> bytes:
    return {"corrupt-answer": _corrupt, "bad-mac-answer": _bad_mac}.get(fault, _as_it_is)(payload, wire)


def _as_it_is(payload: bytes, wire: Wire) -> bytes:
    return payload


def _corrupt(payload: bytes, wire: Wire) -> bytes:
    """One byte that no checksum saw. With a MAC it may lie anywhere (here: in the middle); without one nobody could
    tell a wrong amount, so there it lies where it makes the message unreadable."""
    at = wire.dialect.frame.prefix_bytes
    if _has_mac(payload, wire):
        at = (at + len(payload)) // 2
        return payload[:at] + bytes([payload[at] ^ 0x11]) + payload[at + 1 :]
    return payload[:at] + b"\xff" + payload[at + 1 :]


def _bad_mac(payload: bytes, wire: Wire) -> bytes:
    """DE 64 is the last element; a message without one arrives as it is."""
    return payload[:-1] + bytes([payload[-1] ^ 0x01]) if _has_mac(payload, wire) else payload


def _has_mac(payload: bytes, wire: Wire) -> bool:
    """Bit 64 of the bitmap behind prefix and MTI."""
    last = wire.dialect.frame.prefix_bytes + 2 + 7
    return bool(wire.profile.mac) and bool(payload[last] & 1)


# ---- the world


class _CountedPower(SteadyPower):
    """Steady, and it remembers which steps were reached."""

    def __init__(self) -> None:
        self.reached: Counter[tuple[str, str]] = Counter()

    def at(self, step: str, when: str) -> None:
        super().at(step, when)
        self.reached[step, when] += 1


class _TillClock:
    """The terminal's clock: the host's, since here they agree."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> str:
        return self._clock.now().isoformat()

    def monotonic(self) -> float:
        return (self._clock.now() - START).total_seconds()


class TwoBooks:
    """See the module. results: what each step came to, None where the power failed."""

    def __init__(self, dialect: str = "cup", capture: str = "HC", *, stan: str = "000100", watch: bool = True) -> None:
        config = Config(TID, MID, f"{dialect}://127.0.0.1:1")
        self.wire = Wire.of(dialect_of(dialect, capture))
        self.clock = Clock(UTC, START, running=False)
        self.host = Host(self.clock, self.wire.dialect)
        self.line = Line(Endpoint(self.wire.dialect, "127.0.0.1", 1), self.host, self.wire)
        self.flash = MemoryFlash(Memory(config, stan=stan))
        self.screen = Screen()
        self.results: list[Result | None] = []
        self.meddled = False
        self.forced = False
        self._watch = watch
        self._driver: Driver | None = None

    # ---- playing

    @property
    def memory(self) -> Memory:
        """What is on flash."""
        return self.flash.load()

    def journal(self) -> TerminalBook:
        return book(self.memory)

    def play(self, step: Step, power: Power | None = None) -> Result | None:
        """One step, then every invariant. None: the power failed, or nobody asked the terminal for anything.

        power: in place of the step's cut.
        """
        self.line.faults = deque(step.wire)
        self.host.link_faults[:] = [
            LinkFault(FaultKind(kind), on, times, s) for kind, on, times, s in _one(step.issuer)
        ]
        self.host.plan(step.host)
        self.flash.power = power or (CutPower(*step.cut) if step.cut else SteadyPower())
        self.flash.refuse = step.refuse
        try:
            result = self._do(step.deed)
        except PowerCut:
            result = None
            self.power_off()
        if step.refuse:
            self.power_off()  # a machine that could not save must not go on from what it believes
        self._calm()
        self.results.append(result)
        self._quietly(lambda: self.host.advance(1.0))
        if self._watch:
            self.check()
        return result

    def power_off(self) -> None:
        self.line.close()
        self._driver = None

    def _calm(self) -> None:
        self.line.faults.clear()
        self.host.link_faults.clear()
        self.host.plan(None)
        self.flash.power = SteadyPower()
        self.flash.refuse = ""

    def _quietly(self, act: Callable[[], None]) -> None:
        try:
            act()
        except HostCrash:
            self.line.close()
            self.host.restart()
        except LineLost:
            pass

    def _do(self, deed: Act | None) -> Result | None:
        match deed:
            case Wait(seconds):
                self._wait(seconds)
                return None
            case Meddle(what):
                self._meddle(what)
                return None
            case ForceClose():
                self._quietly(self._force_close)
                return None
            case HostAsks(digit):
                asked = partial(self.host.runner.call, lambda store, _: store.commit(_asking(store.reader(), digit)))
                with suppress(StoreUnavailable):  # of people at the host, who try again another day
                    self._quietly(asked)
                return None
            case None | SignOn() | SignOff() | Echo() | Settle() | SendStored() | Download():
                return self._order(deed)
            case _:
                order = cast(Deed, deed).order(self.memory)
                return self._order(order) if order is not None else None

    def _order(self, order: Order | None) -> Result:
        """On the living machine, or the boot of a new one."""
        if self._driver is not None and order is not None:
            return self._driver.run(Key(order))
        terminal = Terminal(self.wire, self.memory)
        self._driver = Driver(terminal, self.flash, self.line, _TillClock(self.clock), self.screen)
        return self._driver.run(Boot(order))

    def _force_close(self) -> None:
        last = self.host.books().batches[-1:]
        if last and last[0].state in LIVE_BATCH:
            self.forced = True
            self.host.runner.submit(CloseBatch(last[0].id, TID, "back office"))
            self.host.runner.run_until_quiet()

    def _meddle(self, what: str) -> None:
        """By hand on the flash, as a service menu would; never while a settlement has its totals."""
        memory = self.memory
        if memory.settlement is not None:
            return
        if what == "clear-reversal" and memory.pending is not None:
            changed = replace(memory.noted("rev-abandoned", stan=memory.pending.stan), pending=None)
        elif what == "phantom":
            stan = memory.next_stan()
            row = Row(
                *(stan, memory.batch, Kind.SALE, 4_200, card("credit1").pan, "3012"),
                at="0302090000",
                organisation="CUP",
                invoice=stan,
            )
            changed = replace(memory, stan=stan, rows=(*memory.rows, row))
        elif what == "missing" and (row_ := _last_plain_sale(memory)) is not None:
            # As if an older copy of the flash had been put back: nothing is left that speaks of it.
            events = tuple(event for event in memory.events if event.stan != row_.stan)
            changed = replace(memory, rows=tuple(row for row in memory.rows if row is not row_), events=events)
        else:
            return
        self.meddled = True
        self.power_off()
        self._calm()
        self.flash.save("journal", changed)

    # ---- what must hold

    def check(self) -> HostBooks:
        """After every step: A1-A10, the audit, double entry."""
        books = self.host.books()
        assert sum(posting.amount for posting in books.postings) == 0
        found = report.check(books, {TID: self.journal()})
        assert not found, report.render(found)
        assert self.host.runner.counters.decisions_failed == 0, "an event could not be decided: see the log"
        assert self.host.runner.broken is None
        return books

    def heal(self) -> None:
        """No more faults; what is on its way arrives; the terminal boots, and its people settle until it is closed."""
        self._calm()
        self._quietly(self.line.release)
        self._wait(200)
        self._order(None)
        self._close()
        if self.wire.profile.requires_sign_on:
            self._order(SignOn())
        if self.meddled:
            # What only the host has is not settled by a terminal that has nothing: one sale more, and both must say.
            self._order(Sale(1, card("credit1")))
            self._close()

    def _close(self) -> None:
        for _ in range(SETTLES_MAX):
            if self._settled():
                break
            if self.wire.profile.requires_sign_on:
                self._order(SignOn())
            self._order(Settle())
            self._wait(100)
        assert self._settled(), f"not closed after {SETTLES_MAX} settlements: {self.screen.lines[-6:]}"

    def _settled(self) -> bool:
        """ISO 87: a batch of nothing but a sale and its reversal wants its settlement too, for both count there."""
        memory = self.memory
        waiting = memory.live_rows or to_settle(memory, self.wire)
        return not (waiting or memory.pending or memory.settlement or memory.script)

    def _wait(self, seconds: float) -> None:
        """Nothing stays on its way for hours. A reversal that is owed for longer than the host looks back finds nothing
        (rules.md, section 1: `reversal_days`; CUP names the batch): what it was to undo stands at the host alone."""
        if seconds > REVERSAL_S and self.memory.pending is not None and self.wire.name != "cup":
            self.meddled = True
        if seconds > LONG_S:
            self._quietly(self.line.release)
            self._quietly(lambda: self.host.advance(seconds - LONG_S))
        for _ in range(int(min(seconds, LONG_S) // STEP_S)):
            self._quietly(lambda: self.host.advance(STEP_S))

    def settled(self) -> None:
        """The end of a day (E1, E2, E6, L1): both books alike or the difference listed, no charge without sale."""
        books = self.check()
        self.forced = self.forced or any(batch.forced for batch in books.batches)  # a cutoff does it too
        compared = compare(books, self.journal())
        lossy = self.forced and self.wire.profile.capture == "TC"  # what the terminal has not shown is not captured
        for pair in compared.differing:
            assert self.meddled or lossy, f"nobody meddled, but {pair}"
            # A reservation whose reversal was cleared by hand is in no batch: it holds until it expires.
            assert pair.kind in RESERVATIONS or _listed(books, pair), (
                f"{pair} is on no exception list: {books.exceptions}"
            )
        if not (self.meddled or lossy):
            assert compared.agrees, (compared.terminal_totals, compared.host_totals)
            if not self.forced:
                assert not books.exceptions, books.exceptions
                assert not unsettled(books), [item.why for item in unsettled(books)]
            assert self._sold() == self._charged(books)
        assert self._captured(books) == self._charged(books) == self._posted(books)
        assert self._reserved(books) == self._held(books)
        assert all(leg.state == "done" for leg in books.legs), books.legs
        waiting = [txn for txn in books.txns if txn.settlement == "open" and not txn.carried]
        assert not waiting, f"captured and in no closed batch: {waiting}"
        if self.wire.name != "iso87":  # its wire has no number, so each end counts its own (rules.md, section 4)
            self._numbers_alike(books)

    def _numbers_alike(self, books: HostBooks) -> None:
        closed = Counter(batch.number for batch in books.batches if batch.closed_at)
        archived = Counter(archived.batch for archived in self.memory.archive)
        assert archived <= closed if self.forced else archived == closed, (archived, closed)

    def nothing_held(self) -> None:
        """E6: no hold outlives its expiry."""
        books = self.check()
        assert not self._held(books), [txn for txn in books.txns if txn.held]
        assert not self._reserved(books)

    def again(self) -> None:
        """The next day works: a sale, and a settlement that agrees."""
        if self.wire.profile.requires_sign_on:
            self._order(SignOn())
        sold = self._order(Sale(321, card("credit1")))
        assert sold.end is End.APPROVED, sold
        closed = self._order(Settle())
        for _ in range(SETTLES_MAX):
            # NAC moves its number on three times a settlement; the host's may have gone further with nobody there.
            if (closed.end, closed.code) != (End.PENDING, NUMBER_CODE):
                break
            closed = self._order(Settle())
        assert closed.end is End.AGREED, closed
        self._wait(20)
        self.settled()
        assert all(txn.settlement != "open" for txn in self.host.books().txns), "carried, and never closed"

    def _sold(self) -> dict[str, int]:
        """Card hash -> what the terminal's people have sold to it for good, less what they gave back."""
        net: Counter[str] = Counter()
        for row in (row for archived in self.memory.archive for row in archived.rows):
            if row.state is RowState.JOURNALED and not row.adjusted:
                net[pan_hash(self.host.store.pan_hash_key, row.pan)] += _SIGN.get(row.kind, 0) * row.amount
        return _not_zero(net)

    def _captured(self, books: HostBooks) -> dict[str, int]:
        """Card hash -> what the host's transactions come to; the newest change of a sale says what it is worth."""
        worth: dict[int, tuple[str, int]] = {}
        for txn in books.txns:
            if txn.state is TxnState.CAPTURED:
                sale = txn.original_id if txn.kind in ADJUSTMENTS else txn.id
                worth[sale] = (txn.pan_hash, _SIGN.get(Kind(txn.kind), 0) * txn.approved_amount)
        net: Counter[str] = Counter()
        for pan, amount in worth.values():
            net[pan] += amount
        return _not_zero(net)

    def _posted(self, books: HostBooks) -> dict[str, int]:
        """Card hash -> what the acquirer's ledger has against the card's issuer."""
        net: Counter[str] = Counter()
        for posting in books.postings:
            if posting.book == "acquirer" and posting.account.startswith("issuer-clearing"):
                net[books.txn_by_id[posting.txn_id].pan_hash] += posting.amount
        return _not_zero(net)

    def _charged(self, books: HostBooks) -> dict[str, int]:
        return _not_zero({account.pan_hash: account.debited for account in books.accounts})

    def _reserved(self, books: HostBooks) -> dict[str, int]:
        """Card hash -> what the open pre-authorisations still keep for it."""
        net: Counter[str] = Counter()
        for txn in books.txns:
            net[txn.pan_hash] += txn.held if txn.state is TxnState.AUTHORISED else 0
        return _not_zero(net)

    def _held(self, books: HostBooks) -> dict[str, int]:
        assert all(account.held >= 0 for account in books.accounts)
        return _not_zero({account.pan_hash: account.held for account in books.accounts})


_SIGN = dict.fromkeys(DEBITS | ADJUSTMENTS, 1) | {Kind.REFUND: -1}
"""What a transaction that stands adds to what was sold."""


def _asking(books: Reader, digit: str) -> list[HostRow]:
    return [replace(terminal, request=digit) for terminal in books.select(TerminalRow, {"tid": TID})]


def _not_zero(sums: Mapping[str, int]) -> dict[str, int]:
    return {key: value for key, value in sums.items() if value}


def _last_plain_sale(memory: Memory) -> Row | None:
    """The newest sale that nothing hangs on."""
    named = {row.original_stan for row in memory.rows}
    plain = (r for r in reversed(memory.rows) if r.kind is Kind.SALE and r.state is RowState.JOURNALED)
    return next((row for row in plain if not row.adjusted and row.stan not in named), None)


def run(dialect: str, steps: Iterable[Step], *, capture: str = "HC", watch: bool = True) -> TwoBooks:
    """A whole schedule from first contact to the second settlement. watch: every invariant after every step as well."""
    world = TwoBooks(dialect, capture, watch=watch)
    for step in steps:
        world.play(step)
    world.heal()
    world.settled()
    world.again()
    return world


def _listed(books: HostBooks, pair: Pair) -> bool:
    """Whether some exception tells of this difference: by its STAN (NAC may upload under a later number), or that of
    the void or sale that goes with it (NAC uploads no void, CUP lists the void that the terminal lacks and not the sale
    that it undid). Of a batch that the host had closed before, the figures (NAC) or the batch itself are all it has."""
    kin = {pair.txn_id} if pair.txn_id else set()
    if pair.verdict in (Verdict.STATE, Verdict.HOST_ONLY):
        kin |= {txn.id for txn in books.voids_by_sale.get(pair.txn_id, ())}
        kin |= {books.txn_by_id[pair.txn_id].original_id} - {0}
    if any(e.item_key.endswith(f"/{pair.stan}") or e.txn_id in kin for e in books.exceptions):
        return True
    if any(e.reason == "report-after-close" for e in books.exceptions):
        return True
    if any(e.reason == "totals-differ" for e in books.exceptions):  # ISO 87: figures are all that its wire has
        return True
    txn = books.txn_by_id.get(pair.txn_id)
    return txn is not None and books.batch_by_id[txn.batch_id].forced != ""


def _one(value: Any) -> tuple[Any, ...]:
    return () if value is None else (value,)


def singles(dialect: str, day: Sequence[Step], *, since: int = 0) -> Iterator[list[Step]]:
    """The day once for each point that it passes and each fault that fits there (failure-catalogue.md, section 4).

    since: the first step that is spoiled.
    """
    world = TwoBooks(dialect)
    for at, step in enumerate(day):
        power = _CountedPower()
        messages, commits = world.line.messages, Counter(world.host.commits)
        world.play(step, power)
        if at < since:
            continue
        for wrong in _wrongs(world.line.messages - messages, power.reached, world.host.commits - commits):
            yield [*day[:at], replace(step, **wrong), *day[at + 1 :]]


def _wrongs(messages: int, power: Counter[tuple[str, str]], commits: Counter[str]) -> Iterator[dict[str, Any]]:
    for nth in range(messages):
        yield from ({"wire": ("deliver",) * nth + (fault,)} for fault in WIRE_FAULTS[1:])
    for (step, when), count in power.items():
        yield from ({"cut": (step, when, nth)} for nth in range(1, count + 1))
    yield from ({"refuse": step} for step in {step for step, _ in power} - {"send", "recv", "print"})
    for point, count in commits.items():
        for nth in range(1, count + 1):
            yield {"host": HostFault(point, "before", nth)}
            yield from ({"host": HostFault(point, "after", nth, what)} for what in HOST_FAULTS)
    if commits["issuer"]:
        yield from ({"issuer": (kind.value, "any", times, 25.0)} for kind in FaultKind for times in (1, -1))
