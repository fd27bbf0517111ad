"""The host of a world: service, runner and issuer as they are, over a store in memory; a process that may die.

Sockets are the world's (`Speak`), time is the scene's, and every commit, every word to the issuer and every answer is a
point at which a fault may strike. What a crash leaves is the store.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from functools import lru_cache
from typing import Any, cast

from host.checker.books import HostBooks
from host.clock import Clock
from host.connection import Connection
from host.deviations import named, needs_with, with_bugs
from host.engine.context import Context, Settings
from host.engine.decide import decide
from host.engine.events import Ask, CloseBatch, Cutover, Decision, Event, IssuerAnswer, Request
from host.engine.needs import needs
from host.engine.working import WorkingSet
from host.errors import StoreUnavailable
from host.faults import FaultTable
from host.flight import InFlight
from host.issuer.cards import index_test_cards
from host.issuer.link import FaultKind, ImmediateLink, LinkFault
from host.rows import Batch, BatchState, IssuerAccount, Posting, Txn, TxnState
from host.rows import Row as HostRow
from host.rows import Terminal as TerminalRow
from host.runner import Runner
from host.server import SWEEP_S, Server
from host.service import Service
from host.store.store import Store, open_store
from specs.codes import Refusal
from specs.dialect import Dialect
from specs.endpoint import Endpoint
from specs.faults import Facts, Fault
from specs.faults.checking import params_of
from specs.operation import Kind
from specs.profile import profile_of
from terminal_sim.lab.world.agenda import FrameOverdue, HostTick, HostUp, ToHost
from terminal_sim.lab.world.host_rim import Edge, Loop, NoSocket, Transport
from terminal_sim.lab.world.reading import EachAsItComes, OneAtATime, Piece
from terminal_sim.lab.world.record import Lane
from terminal_sim.lab.world.scene import HostCrash, Scene

LIVE = (BatchState.OPEN, BatchState.DISPUTED)
FRAME_LIMIT = "frame_s"
"""The one limit of a line that is counted here (host.limits): a frame, from its first to its last byte."""
Speak = Callable[[int, bytes], bool]
"""Line and frame -> whether the line was there."""
Hang = Callable[[int, bool], None]
"""Line, and whether it is reset -> nothing: the host has ended it."""


@dataclass(frozen=True)
class HostShot:
    """A host at rest, as a value."""

    db: bytes = field(repr=False)
    ids: Mapping[str, int]
    keys_drawn: int
    legs: Mapping[int, Any]
    on_the_way: tuple[Any, ...]
    order: int
    swept: tuple[str, datetime | None]
    told: Any
    untold: Any
    refused: int
    skew_s: float
    latest: datetime
    began_at: int


class HostParty:
    """See the module. `speak` and `hang` are how it puts frames on lines and ends them."""

    def __init__(
        self,
        scene: Scene,
        dialects: Mapping[str, Dialect],
        start: datetime,
        cutoff: time_of_day | None,
        settings: Settings,
        *,
        seed: int,
        bugs: tuple[str, ...],
        speak: Speak,
        hang: Hang,
    ) -> None:
        self.scene = scene
        self.start = start
        self.skew_s = 0.0
        self.clock = Clock(UTC, start, running=False, cutoff=cutoff)
        self._profiles = {d.name: profile_of(d.name, d.profile) for d in dialects.values()}
        self._endpoints = {name: Endpoint(dialect, "127.0.0.1", 1) for name, dialect in dialects.items()}
        self._settings = settings
        self._bugs = bugs
        self._speak, self._hang = speak, hang
        self.store = fresh_store(seed)
        self.cards = index_test_cards(self.store.pan_hash_key)
        self.up = False
        self.lines: dict[int, Connection] = {}
        self._units: dict[int, str] = {}
        self._ticks_at: float | None = None
        self._doing: tuple[Event | None, Decision | None] = (None, None)
        one_line = any(deviation.one_line for deviation in named(bugs))
        self._reading = OneAtATime(self._read, self._begun) if one_line else EachAsItComes(self._read)
        self.boot()

    # ---- the process

    def boot(self) -> None:
        """A new process over the same disk; what it finds unfinished it undoes before anything else (RH7)."""
        self.up = True
        self._set_clock()
        self.service = Service(FaultTable(), self.store.pan_hash_key, monotonic=lambda: self.scene.now)
        self.server = Edge(self._payload, self.service.broken, self.scene)
        self.link = _Link(cast(Store, _Commits(self.store, self, issuer=True)), self.cards, world=self)
        self.runner = Runner(
            *(cast(Store, _Commits(self.store, self)), self.clock, self._settings, self.link),
            decide=self._deciding_since(self.store.last_ids().get(Txn.__name__, 0)),
            needs=needs_with(needs, self._bugs),
            before_commit=self.service.rows,
            profiles=self._profiles,
            monotonic=lambda: self.scene.now,
        )
        self.service.start(self.runner, cast(Any, Loop()))
        self._run(self.runner.run_until_quiet)

    def die(self, restart_s: float) -> None:
        """The process is gone: every line ends, nothing more is decided until it is up again."""
        self.up = False
        for line in list(self.lines):
            self._hang(line, True)
        self.lines.clear()
        self._reading.forget()
        self.scene.tell(Lane.HOST, "H", "the host process is gone", fault=True)
        self.scene.agenda.put(self.scene.now + restart_s, HostUp())

    def come_up(self) -> None:
        """Started again."""
        if not self.up:
            self.scene.tell(Lane.HOST, "H", "the host starts again")
            self.boot()

    def _run(self, act: Callable[[], object]) -> None:
        """Anything that the host does: a crash inside ends the process; deadlines are looked at when they are due."""
        self._set_clock()
        try:
            act()
        except HostCrash as crash:
            self.die(crash.restart_s)
            return
        if self.up:
            due = (self.runner.next_due() - self.start).total_seconds() - self.skew_s
            if self._ticks_at is None or due < self._ticks_at or self._ticks_at <= self.scene.now:
                self._ticks_at = max(due, self.scene.now)
                self.scene.agenda.put(self._ticks_at, HostTick())

    def _set_clock(self) -> None:
        self.clock.set(self.start + timedelta(seconds=self.scene.now + self.skew_s))

    def skew(self, seconds: float) -> None:
        """Somebody moves the host's clock forward."""
        self.skew_s += max(0.0, seconds)
        self.tick()

    def tick(self) -> None:
        """Look at every deadline."""
        if not self.up:
            return
        if self._ticks_at is not None and self._ticks_at <= self.scene.now:
            self._ticks_at = None

        def look() -> None:
            self.runner.tick()
            self.runner.run_until_quiet()

        self._run(look)

    # ---- lines

    def hear(self, line: int, unit: str, dialect: str, data: bytes) -> None:
        """Bytes arrive on a line. A line that the host does not know of any more is there again: what was held up on
        the way comes in on it."""
        if not self.up:
            return
        self._reading.hear(Piece(line, unit, dialect, data))

    def _read(self, piece: Piece) -> None:
        line, unit = piece.line, piece.unit
        connection = self.lines.get(line)
        if connection is None:
            endpoint = self._endpoints[piece.dialect]
            connection = Connection(
                *(cast(Server, self.server), endpoint, endpoint.dialect.frame, cast(Any, NoSocket()), unit)
            )
            self.lines[line], self._units[line] = connection, unit
            connection.connection_made(cast(Any, Transport(line, self)))
        self._run(lambda: self._receive(connection, piece.data))
        if connection._first_byte_at == self.scene.now:  # a frame has begun of which more is to come
            at = self.scene.now + self.server.limits.frame_s + SWEEP_S
            self.scene.agenda.put(at, FrameOverdue(line))

    def _begun(self) -> int:
        """The line that is inside a frame: of a host that reads one at a time there is one at most. 0 = none."""
        return next((line for line, connection in self.lines.items() if connection._reader._buffer), 0)

    def _receive(self, connection: Connection, data: bytes) -> None:
        connection.data_received(data)
        self.runner.run_until_quiet()

    def frame_overdue(self, line: int) -> None:
        """End a line whose frame has not come whole in its time; what is still on its way there finds nobody."""
        connection = self.lines.get(line)
        if not self.up or connection is None or connection.overdue(self.scene.now) != FRAME_LIMIT:
            return
        self.scene.tell(Lane.HOST, "H", f"a frame of {self._units[line]} did not come in time: its line is ended")
        self.scene.agenda.drop(lambda errand: isinstance(errand, ToHost) and errand.line == line)
        self._run(lambda: self.server._end(connection, FRAME_LIMIT))
        self._run(self.runner.run_until_quiet)
        self._reading.go_on()

    def _payload(self, connection: Connection, payload: bytes) -> None:
        """A whole frame was read."""
        self._doing = (None, None)
        self._crosses("recv", "before")
        self.service.received(connection, payload)
        self._crosses("recv", "after")

    def line_ended(self, line: int, *, broken: bool) -> None:
        """The other end is gone."""
        connection = self.lines.pop(line, None)
        if connection is not None and self.up:
            self._run(lambda: connection.connection_lost(ConnectionResetError() if broken else None))
            self._run(self.runner.run_until_quiet)
            self._reading.go_on()

    def write(self, line: int, frame: bytes) -> None:
        """An answer leaves."""
        self._crosses("reply", "before")
        self._speak(line, frame)
        self._crosses("reply", "after")

    def end_line(self, line: int, *, broken: bool) -> None:
        """The host ends a line by itself."""
        if self.lines.pop(line, None) is not None:
            self._hang(line, broken)

    # ---- points

    def _crosses(self, step: str, when: str) -> None:
        """A point of the process; does not come back from a crash."""
        fault = self.scene.point(f"crash/H/{step}.{when}", self._facts())
        if fault is not None:
            self.scene.tell(Lane.HOST, "H", f"crash {step}.{when}", fault=True, point=f"crash/H/{step}.{when}")
            raise HostCrash(_restart(fault))

    def _facts(self) -> Facts:
        event, decision = self._doing
        if isinstance(event, Request):
            op = event.operation
            return Facts(
                op.tid, "", op.kind.value, op.stan, -1 if op.amount is None else op.amount, "", self.scene.step_id
            )
        txn = _booked(decision)
        if txn is not None:
            return Facts(txn.tid, "", str(txn.kind), txn.stan, txn.amount, "", self.scene.step_id)
        return Facts(step=self.scene.step_id)

    def _deciding_since(self, last: int) -> Any:
        """last: the id of the last transaction when this process began; a deviation may know nothing older."""
        self._began_at = last
        return self._deciding(with_bugs(decide, self._bugs, last))

    def _deciding(self, decide_: Any) -> Any:
        def decided(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
            self._doing = (event, None)
            decision: Decision = decide_(ws, event, ctx)
            self._doing = (event, decision)
            return decision

        return decided

    def commit(self, store: Store, puts: Iterable[HostRow], *, issuer: bool) -> None:
        """Every commit of acquirer and issuer."""
        name = "" if issuer else _name_of(*self._doing)
        if name:
            self._crosses(name, "before")
        fault = self.scene.point(f"store/H/{'issuer-commit' if issuer else 'commit'}", self._facts())
        if fault is not None and fault.action in ("disk-full", "lost-write", "torn-write"):
            self.scene.tell(Lane.HOST, "H", f"the store refuses: {fault.action}", fault=True)
            raise StoreUnavailable("no room")
        store.commit(puts)
        if name:
            self._crosses(name, "after")

    # ---- what people do at the host

    def close_batches(self, reason: str, tid: str = "") -> None:
        """The back office closes what is open, of one terminal or all."""
        for batch in self.store.reader().select(Batch, {"state": LIVE}):
            if tid in ("", batch.tid):
                self.scene.tell(Lane.HOST, "H", f"back office closes batch {batch.number} of {batch.tid}: {reason}")
                self._submit(CloseBatch(batch.id, batch.tid, reason))

    def cutoff_now(self) -> None:
        """The business day ends now for every open batch (rules.md, section 7)."""
        self.scene.tell(Lane.HOST, "H", "cutoff")
        day, at = self.clock.business_date().isoformat(), self.clock.now().isoformat()
        for batch in self.store.reader().select(Batch, {"state": LIVE}):
            self._submit(Cutover(batch.id, batch.tid, "cutoff", day=day, ended_at=at))

    def reset_terminal(self, tid: str) -> None:
        """`POST /reset` of one terminal, its history kept."""
        self._run(lambda: self.runner.reset("terminal", tid, keep_history=True))

    def ask_digit(self, tid: str, digit: str) -> None:
        """People at the host want something of a terminal (header digit 6)."""
        rows = [replace(t, request=digit) for t in self.store.reader().select(TerminalRow, {"tid": tid})]
        self._run(lambda: self.runner.call(lambda store, _: store.commit(rows)))

    def _submit(self, event: CloseBatch) -> None:
        if self.up:
            self.runner.submit(event)
            self._run(self.runner.run_until_quiet)

    def told(self) -> object:
        """What it knows besides its books: the requests that it has answered «system trouble» without a row."""
        return self.runner._work.told.keys()

    def books(self) -> HostBooks:
        """All rows as of now."""
        return self.store.reader().load_books()

    def balance(self) -> int:
        """Σ of all accounts: zero after each commit (A10)."""
        return sum(posting.amount for posting in self.store.reader().select(Posting, {}))

    def accounts(self) -> list[IssuerAccount]:
        """The issuer's cards."""
        return self.store.reader().select(IssuerAccount, {})

    # ---- at rest

    @property
    def quiet(self) -> bool:
        """Whether nothing waits for anything but time: then it can be copied."""
        r = self.runner
        waiting = r._waiters or r._deferred or r.queued or r._calls
        return self.up and not (waiting or self._begun() or self.service.under_way or self.link.pending)

    def shot(self) -> HostShot:
        """Copy it; only while `quiet`. The only place, with `put_back`, that knows what a runner keeps in memory."""
        r = self.runner
        order = next(self.link._order)
        self.link._order = _counting(order)
        return HostShot(
            db=_connection(self.store).serialize(),
            ids=dict(r.ids.next_by_table),
            keys_drawn=r._chance._counter,
            legs={key: replace(leg) for key, leg in r._flight._legs.items()},
            on_the_way=tuple(self.link._on_the_way),
            order=order,
            swept=(r._sweep._day, r._sweep._look_at),
            told=r._work.told.copy(),
            untold=r._untold,
            refused=r._refused,
            skew_s=self.skew_s,
            latest=self.clock.now(),
            began_at=self._began_at,
        )

    def put_back(self, shot: HostShot) -> None:
        """Be what was copied; whatever was since is gone."""
        _connection(self.store).deserialize(shot.db)
        self.store._kept.forget()
        self.lines.clear()
        self._reading.forget()
        self._ticks_at = None
        self.skew_s = shot.skew_s
        self.clock = Clock(UTC, shot.latest, running=False, cutoff=self.clock.cutoff)
        if not self.up:
            self.up = True
        r = self.runner
        r._requests.clear()
        r._internal.clear()
        r._calls.clear()
        r._waiters.clear()
        r._deferred.clear()
        r.clock = self.clock
        r._sweep._clock = self.clock
        r.ids.next_by_table = dict(shot.ids)
        r._chance._counter = shot.keys_drawn
        r._flight = InFlight()
        r._flight._legs = {key: replace(leg) for key, leg in shot.legs.items()}
        r._sweep._found.clear()
        r._sweep._day, r._sweep._look_at = shot.swept
        r._work.forget()
        if shot.began_at != self._began_at:  # another process than the one that was copied
            r._work._decide = self._deciding_since(shot.began_at)
        r._work.told = shot.told.copy()
        r._untold, r._refused = shot.untold, shot.refused
        r.trouble = ""
        self.link._sent.clear()
        self.link._on_the_way = list(shot.on_the_way)
        heapq.heapify(self.link._on_the_way)
        self.link._order = _counting(shot.order)
        self.service._under_way.clear()
        self.service._outbox.clear()
        self.service._flush_is_due = False


def _counting(start: int) -> Any:
    from itertools import count

    return count(start)


def _connection(store: Store) -> sqlite3.Connection:
    return cast(sqlite3.Connection, cast(Any, store)._driver._c)


def _name_of(event: Event | None, decision: Decision | None) -> str:
    """The step of the catalogue that a commit is; "" for one that books nothing, or only hands over to the issuer (a
    crash before and after it is that of recv and issuer-sent)."""
    if decision is None:
        return ""
    if isinstance(event, CloseBatch):
        return "close"
    kind = event.operation.kind if isinstance(event, Request) else None
    if kind is Kind.REVERSAL:
        return "rev-commit"
    if kind is Kind.UPLOAD:
        return "stage"
    if kind in (Kind.SETTLE, Kind.UPLOAD_END):
        closed = any(isinstance(row, Batch) and row.state not in LIVE for row in decision.puts)
        return "close" if closed else "compare"
    booked = _booked(decision)
    return "commit" if booked is not None and booked.state is not TxnState.PENDING else ""


def _booked(decision: Decision | None) -> Txn | None:
    """The transaction that a decision is about, as it leaves it."""
    rows = decision.puts if decision is not None else ()
    return next((row for row in reversed(rows) if isinstance(row, Txn)), None)


class _Commits:
    """A store whose commits are points; everything else is the real one's."""

    def __init__(self, store: Store, host: HostParty, *, issuer: bool = False) -> None:
        self._store, self._host, self._issuer = store, host, issuer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, puts: Iterable[HostRow]) -> None:
        self._host.commit(self._store, puts, issuer=self._issuer)


class _Link(ImmediateLink):
    """The link H>I whose messages are points."""

    def __init__(self, store: Store, cards: Any, *, world: HostParty) -> None:
        super().__init__(store, cards)
        self._world = world

    @property
    def pending(self) -> bool:
        return bool(self._sent)

    def send(self, asks: tuple[Ask, ...], now: datetime) -> None:
        host, scene = self._world, self._world.scene
        host._crosses("issuer-sent", "before")
        for ask in asks:
            mti = "0420" if ask.undo else "0200"
            fault = scene.point(f"wire/H>I/{mti}", host._facts())
            action = fault.action if fault else ""
            scene.tell(
                Lane.ISSUER, "I", f"H>I {mti} {ask.leg.purpose} {ask.leg.amount} {action}".rstrip(), fault=bool(fault)
            )
            if action == "outage":
                if not ask.undo:  # an undo is simply tried again
                    self._answer_at(now, _down(ask))
            elif action in ("", "late", "lose-after-issuer"):
                self._sent.append((ask, _spoilt(fault)))
        host._crosses("issuer-sent", "after")

    def _answer_at(self, when: datetime, told: IssuerAnswer) -> None:
        host, scene = self._world, self._world.scene
        mti = "0430" if told.purpose == "undo" else "0210"
        fault = scene.point(f"wire/I>H/{mti}", host._facts())
        action = fault.action if fault else ""
        verdict = "yes" if told.approved else f"no {told.refusal}"
        scene.tell(Lane.ISSUER, "I", f"I>H {mti} {verdict} {action}".rstrip(), fault=bool(fault))
        if action in ("drop", "silence", "outage"):
            return
        if action in ("late", "delay"):
            assert fault is not None
            when += timedelta(seconds=float(params_of(fault)["seconds"]))
        super()._answer_at(when, told)

    def _deliver_due(self, now: datetime) -> None:
        while self._on_the_way and self._on_the_way[0][0] <= now:
            self._world._crosses("issuer-got", "before")
            self._deliver(heapq.heappop(self._on_the_way)[2])
            self._world._crosses("issuer-got", "after")


def _spoilt(fault: Fault | None) -> LinkFault | None:
    if fault is None:
        return None
    if fault.action == "late":
        return LinkFault(FaultKind.LATE, "any", 1, float(params_of(fault)["seconds"]))
    return LinkFault(FaultKind.LOSE_AFTER_ISSUER, "any", 1)


def _restart(fault: Fault) -> float:
    return float(params_of(fault)["seconds"])


def _down(ask: Ask) -> IssuerAnswer:
    return IssuerAnswer(ask.leg.id, ask.leg.txn_id, ask.leg.purpose, False, 0, Refusal.ISSUER_DOWN.value)


@lru_cache(maxsize=8)
def _empty(seed: int) -> bytes:
    store = open_store("sqlite://", seed=seed, created_at="2026-03-02T09:00:00+00:00")
    try:
        return _connection(store).serialize()
    finally:
        store.close()


def fresh_store(seed: int) -> Store:
    """A new store in memory, made once for each seed and copied."""
    made = _empty(seed)
    store = open_store("sqlite://", seed=seed, created_at="2026-03-02T09:00:00+00:00")
    _connection(store).deserialize(made)
    store._kept.forget()
    return store
