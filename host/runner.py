"""The writer: one thread that takes events in groups, decides, saves, and only then speaks.

    submit ─► queue ─► load ─► decide each ─► one durable commit ─► link.send, speak ─► link.work ─► queue …

A group is whatever came while the last commit ran: no timer. An exception while deciding one event drops that event's
changes; a commit that fails is undone and each event is tried once more alone; what still fails is answered 96, and
nothing is ever approved that is not on disk.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from threading import Condition, RLock, Thread, current_thread
from typing import TypeVar

import structlog

from host import clock as host_clock
from host.chance import Chance
from host.clock import Clock
from host.engine.context import Context, Ids, Settings
from host.engine.events import Ask, Decision, Event, IssuerAnswer, LegOverdue, Record, Request
from host.engine.working import Needs
from host.errors import Busy as Busy
from host.errors import HostError, LedgerBroken, StoreUnavailable
from host.flight import InFlight
from host.group import BeforeCommit, Counters, Decide, Group, Job, OnDone, Work
from host.issuer.link import IssuerLink
from host.limits import LimitCounters
from host.reset import reset_terminals
from host.rows import Alarm, Leg, Row, Terminal
from host.store.store import Store
from host.sweep import Sweep
from host.wire_log import WireLog
from specs.masking import mask_text
from specs.operation import Outcome
from specs.profile import Profile

log = structlog.get_logger("host.runner")
T = TypeVar("T")

QUEUE_MAX = 20_000
"""Requests that may wait: more than there can be connections (15,000), each with one request in flight."""
GROUP_MAX = 512
"""Events of one commit: beyond a few hundred a group gains nothing and everybody in it waits longer."""
ALONE_S = 3.0
"""For the single tries after a group that could not be saved: each may wait for a lock (host.store.sqlite), and the
terminals of all that is queued behind wait meanwhile. What is left then is answered without a try."""
SWEEP_S = 1.0
"""How often overdue legs are looked for; the issuer timeout is counted in tens of seconds."""
STOP_S = 30.0
STORE_TROUBLE = "store-trouble"
"""Code of the alarm that tells of commits that failed."""


def _log_nothing(
    ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
) -> Iterable[Row]:
    return ()


class Runner:
    """Shape: `start` and `stop` a thread, or call `run_once` and `tick` yourself (tests, the virtual world): same path.

    Bounds: QUEUE_MAX requests, GROUP_MAX events a commit; what comes back from the issuer is bounded by the legs in
    flight. Waiting requests are bounded by their connections.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Settings,
        link: IssuerLink,
        *,
        decide: Decide | None = None,
        needs: Callable[[Event], Needs] | None = None,
        before_commit: BeforeCommit = _log_nothing,
        on_broken: Callable[[HostError], None] | None = None,
        profiles: Mapping[str, Profile] | None = None,
        queue_max: int = QUEUE_MAX,
        hits: LimitCounters | None = None,
        wire_log: WireLog | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        if decide is None or needs is None:
            from host.engine.decide import decide as engine_decide
            from host.engine.needs import needs as engine_needs

            decide, needs = decide or engine_decide, needs or engine_needs
        self.store = store
        self.clock = clock
        self.settings = settings
        self.link = link
        self.counters = Counters()
        self.trouble = ""
        """Why the last commit failed; "" when it did not."""
        self._untold: tuple[datetime, str] | None = None
        """When commits began to fail, and why, until an alarm on disk says so."""
        self._refused = 0
        """How many groups were refused since then."""
        last_ids = store.last_ids()
        seed = int(store.meta()["seed"])
        self.ids = Ids(last_ids, seed)
        self._chance = Chance(seed, start=sum(last_ids.values()))
        self._work = Work(store, decide, needs, before_commit, self.counters)
        store.keep_profiles(profiles or {})
        self._profiles = store.profiles()
        """Of earlier runs too: what they left at an issuer ends under the switches it began with."""
        self._on_broken = on_broken
        self._queue_max = queue_max
        self._hits = hits
        self._wire_log = wire_log
        self._monotonic = monotonic or (lambda: host_clock.monotonic())
        self._requests: deque[Job] = deque()
        self._internal: deque[Job] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = RLock()
        self._ready = Condition(self._lock)
        self._asleep = False
        """Whether the writer waits on `_ready`: only then has it to be woken."""
        self._thread: Thread | None = None
        self._stopping = self._woken = self._unsaved_pages = False
        self._more = False
        """Old messages are left to prune, a step whenever nobody waits."""
        self._broken: HostError | None = None
        self._waiters: dict[int, list[Job]] = {}
        self._deferred: dict[str, list[Job]] = {}
        self._flight = InFlight()
        self._sweep = Sweep(clock)
        link.connect(self._deliver)
        self._recover()

    # ---- from any thread

    def submit(self, event: Event, on_done: OnDone | None = None) -> None:
        """Queue an event. Raises: Busy when the queue is full or the host stops; the answer is then 96."""
        self._put(Job(event, on_done))

    def submit_and_wait(self, event: Event, timeout_s: float = 10.0) -> Decision:
        """Queue an event that asks nothing of the issuer, and wait for its commit. Raises: Busy, StoreUnavailable."""
        done: Future[Decision] = Future()
        self._put(Job(event, lambda _, decision, __: done.set_result(decision), done.set_exception))
        return self._await(done, timeout_s)

    def call(self, act: Callable[[Store, Context], T], timeout_s: float = 30.0) -> T:
        """Run something on the writer between two groups, and wait for it; its exception comes out here."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(act(self.store, self.context()))
            except Exception as error:
                done.set_exception(error)

        with self._lock:
            self._refuse_when_closed()
            self._calls.append(run)
            self._wake()
        return self._await(done, timeout_s)

    def wake(self) -> None:
        """The clock was moved: look at the deadlines now."""
        with self._lock:
            self._woken = True
            self._wake()

    @property
    def queued(self) -> int:
        """Events that wait for a group, for /metrics and readiness."""
        return len(self._requests) + len(self._internal)

    @property
    def broken(self) -> HostError | None:
        """The broken invariant that stopped the writer; None while all is well."""
        return self._broken

    @property
    def alive(self) -> bool:
        """Whether events will be decided: the thread runs, or the caller runs the groups."""
        return self._broken is None and not self._stopping and (self._thread is None or self._thread.is_alive())

    def start(self) -> None:
        """Start the writer thread, once; without it the caller runs the groups (tests, tools)."""
        assert self._thread is None, "started twice"
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing new, decide, commit and answer what is queued, end the thread. Legs in flight stay for the
        restart, which undoes them; their requests hear nothing."""
        with self._lock:
            self._stopping = True
            self._wake()
        if self._thread is None:
            self._finish()
        else:
            self._thread.join(STOP_S)

    def context(self) -> Context:
        """What a decision may know besides the books, as of now."""
        now = self.clock.now()
        return Context(
            now, self.clock.business_date(now), self.settings, self.ids, self._chance.new_key, self._profiles
        )

    def _put(self, job: Job) -> None:
        with self._lock:
            self._refuse_when_closed()
            if len(self._requests) >= self._queue_max:
                if self._hits is not None:
                    self._hits.hit("queue", waiting=self._queue_max)
                raise Busy(f"{self._queue_max} requests are waiting already")
            self._requests.append(job)
            self._wake()

    def _refuse_when_closed(self) -> None:
        if self._broken is not None:
            raise Busy(f"the host has stopped: {self._broken}")
        if self._stopping:
            raise Busy("the host is stopping")

    def _deliver(self, event: Event) -> None:
        """An answer from the issuer, or a deadline: before new requests, and never refused."""
        with self._lock:
            self._internal.append(Job(event))
            self._wake()

    def _wake(self) -> None:
        """Under the lock: end the writer's wait, if it waits."""
        if self._asleep:
            self._asleep = False
            self._ready.notify()

    def _await(self, done: Future[T], timeout_s: float) -> T:
        if self._thread is None or self._thread is current_thread():
            while not done.done() and self.run_once():
                pass
        return done.result(timeout_s)

    # ---- on the writer thread

    def tick(self, now: datetime | None = None) -> None:
        """Look at every deadline once: late answers of the issuer, overdue legs, waits that have to end, days that have
        turned."""
        present = now or self.clock.now()
        self.link.work(self.context)
        for leg_id, txn_id in self._flight.due(present if now else self.clock.steady()):
            self._deliver(LegOverdue(leg_id, txn_id))
        for tid, jobs in list(self._deferred.items()):
            if any(j.give_up_at is not None and j.give_up_at <= present for j in jobs):
                self._decide_again(tid)
        for event in self._sweep.due(self.store.reader(), self.context()):
            self._deliver(event)
        if self._untold is not None:
            self._sound_the_alarm(*self._untold)

    def _sound_the_alarm(self, since: datetime, why: str) -> None:
        """An alarm that is written as soon as the store takes it: also the try that finds out, on a host that nobody
        sells at, that it does."""

        def rows(ctx: Context) -> tuple[Row, ...]:
            if self._untold is None:
                return ()
            first, last = (t.isoformat(timespec="seconds") for t in (since, ctx.now))
            text = f"the store refused {self._refused} commits from {first} to {last}, told 96 or nothing: {why}"
            return (Alarm(ctx.ids.new(Alarm.__name__), ctx.now.isoformat(), "", STORE_TROUBLE, text, 0, 0),)

        def written(*_: object) -> None:
            self._untold = None
            self._refused = 0

        with self._ready:
            self._internal.append(Job(Record(rows), written, failed=lambda _error: None))

    def next_due(self) -> datetime:
        """The moment of the next `tick` that has something to do, for who runs the groups and moves the clock."""
        context = self.context()
        dues = [self._sweep.next_due(context), self._flight.next_due(), self.link.next_due()]
        dues += [job.give_up_at for jobs in self._deferred.values() for job in jobs]
        return min(due for due in dues if due is not None)

    def run_once(self) -> int:
        """Calls that wait, then one group, then the issuer's work. How many events and calls were handled."""
        calls, jobs = self._take()
        for call in calls:
            self._work.forget()
            call()
        if jobs:
            self._handle(jobs)
            self.link.work(self.context)
        return len(calls) + len(jobs)

    def run_until_quiet(self) -> int:
        """Groups until nothing is queued; without a thread only."""
        handled = 0
        while step := self.run_once():
            handled += step
        return handled

    def reset(self, scope: str, key: str = "", *, keep_history: bool = False) -> None:
        """`POST /reset`: books and messages go; of everything ("all"), of the terminal or of the merchant `key`.

        keep_history: the terminals start a new epoch in place of that, as after a re-flash (rules.md, section 4).
        Raises: Busy while a terminal concerned has a request at its issuer; StoreUnavailable.
        """
        if scope == "all":
            self._clear_books()
            return
        tids = {t.tid for t in self.store.reader().select(Terminal, {"tid" if scope == "terminal" else "mid": key})}
        self.call(lambda store, ctx: reset_terminals(store, ctx, tids, keep_history=keep_history))

    def _clear_books(self) -> None:
        """The books, what is in flight, and who waits for it (they hear nothing)."""

        def clear(store: Store, _: Context) -> None:
            store.clear()
            self.link.reset()
            self._flight.clear()
            self._sweep.clear()
            self._work.told.clear()
            self._internal.clear()
            self._dismiss_waiting()

        self.call(clear)

    def _recover(self) -> None:
        """RH7: whatever a crash left without an outcome is undone, before anything new is decided."""
        unfinished = self._unfinished()
        now = self.clock.now()
        for leg in unfinished:
            self._flight.note(leg, now, self.clock.steady())
            self._internal.append(Job(LegOverdue(leg.id, leg.txn_id, restart=True)))
        if unfinished:
            log.info("legs without an outcome are undone", legs=len(unfinished))

    def _take(self) -> tuple[list[Callable[[], None]], list[Job]]:
        with self._lock:
            calls = list(self._calls)
            self._calls.clear()
            jobs: list[Job] = []
            for source in (self._internal, self._requests):
                if len(jobs) + len(source) <= GROUP_MAX:
                    jobs += source
                    source.clear()
                while source and len(jobs) < GROUP_MAX:
                    jobs.append(source.popleft())
        return calls, jobs

    def _run(self) -> None:
        next_sweep = self._monotonic() + SWEEP_S
        try:
            while self._broken is None:
                with self._ready:
                    idle = not (self._internal or self._requests or self._calls)
                    if idle and self._stopping:
                        break
                    if idle and not self._woken and not self._more:
                        self._asleep = True
                        self._ready.wait(max(0.0, next_sweep - self._monotonic()))
                        self._asleep = False
                    woken, self._woken = self._woken, False
                if woken or self._monotonic() >= next_sweep:
                    next_sweep = self._monotonic() + SWEEP_S
                    self.tick()
                if not self.run_once():
                    self._housekeeping()
        except Exception as error:  # our own mistake outside any decision: nothing more may be promised
            log.critical("the writer ends", trace=mask_text(traceback.format_exc()))
            self._break(
                error if isinstance(error, HostError) else HostError(f"the writer ended: {type(error).__name__}")
            )
        self._finish()

    def _housekeeping(self) -> None:
        if self._unsaved_pages:
            self._unsaved_pages = False
            try:
                self.store.checkpoint()
            except StoreUnavailable as error:
                self._unsaved_pages = True
                log.warning("no checkpoint", error=str(error))
        if self._wire_log is not None and not self.trouble:
            self._more = self._wire_log.turn()

    def _finish(self) -> None:
        if self._broken is None:
            self.run_until_quiet()
        self._dismiss_waiting()

    def _dismiss_waiting(self) -> None:
        """Who still waits hears nothing: the outcome is not known, and a terminal that hears nothing undoes."""
        waiting = [j for jobs in (*self._waiters.values(), *self._deferred.values()) for j in jobs]
        self._waiters.clear()
        self._deferred.clear()
        for job in waiting:
            self._tell(job, Decision(), None)

    # ---- one group

    def _handle(self, jobs: list[Job]) -> None:
        self.counters.groups += 1
        self.counters.events += len(jobs)
        try:
            group = self._work.decide_and_save(jobs, self.context(), self._waiters)
            self.trouble = ""
        except LedgerBroken as error:
            self._break(error, jobs)
            return
        except StoreUnavailable as error:
            self._one_by_one(jobs, error)
            return
        self._speak(group)

    def _one_by_one(self, jobs: list[Job], error: StoreUnavailable) -> None:
        """The group was rolled back: each event once more, alone, decided anew on what is on disk."""
        self.counters.commits_failed += 1
        self.trouble = str(error)
        self._untold = self._untold or (self.clock.now(), str(error))
        self._refused += 1
        log.error("commit failed, each event is tried alone", error=str(error), events=len(jobs))
        self._found_again(error)
        self._housekeeping()  # a log that fills its own disk gives room once it is moved into the books
        give_up_at = self._monotonic() + ALONE_S
        for at, job in enumerate(jobs):
            if self._monotonic() >= give_up_at:
                self._give_up(job, error)
                continue
            try:
                group = self._work.decide_and_save([job], self.context(), self._waiters)
            except LedgerBroken as broken:
                self._break(broken, jobs[at:])
                return
            except StoreUnavailable as again:
                self.trouble = str(again)
                # Once unknown, always unknown: what the group's commit may have left on disk, no later refusal undoes.
                self._give_up(job, error if error.unknown else again)
                self._found_again(again)
            else:
                self._speak(group)

    def _found_again(self, error: StoreUnavailable) -> None:
        """A commit that may be on disk all the same: legs in it were never sent, and must have a deadline here too, or
        their terminal waits for ever. Should the store refuse this as well, the restart finds them (RH7)."""
        if not error.unknown:
            return
        now = self.clock.now()
        try:
            for leg in self._unfinished():
                self._flight.note(leg, now, self.clock.steady())
        except StoreUnavailable as again:
            log.error("legs in flight cannot be looked up", error=str(again))

    def _unfinished(self) -> list[Leg]:
        return self.store.reader().select(Leg, {"state": ("asking", "undoing", "owing")})

    def _give_up(self, job: Job, error: StoreUnavailable) -> None:
        """96, since nothing was written; silence where that is not certain. An issuer's answer is dropped: its leg is
        still in flight on disk, and becomes overdue."""
        if isinstance(job.event, LegOverdue | IssuerAnswer):
            self._flight.again(job.event.leg_id, self.clock.steady())
        if job.failed is not None:
            job.failed(error)
            return
        self._refuse(job, silent=error.unknown)

    def _refuse(self, job: Job, *, silent: bool = False) -> None:
        """96, encoded by the edge as every answer but not logged: the log is in the store that does not work."""
        decision = Decision()
        if not silent:
            ctx = self.context()
            decision = self._work.own_trouble(job, ctx)
            self._work.rows_of(job, decision, ctx, waited=False)
        self._tell(job, decision, decision.outcome)

    # ---- after the commit

    def _speak(self, group: Group) -> None:
        """Everything here is on disk. First the issuer is asked, then the terminals hear their answers."""
        self._unsaved_pages = True
        now, steady = self.clock.now(), self.clock.steady()
        asks: list[Ask] = []
        for _, decision in group.decided:
            asks += decision.asks
            for row in decision.puts:
                if type(row) is Leg:
                    self._flight.note(row, now, steady)
        for txn_id in group.answered:
            self._waiters.pop(txn_id, None)
        for txn_id, jobs in group.joins.items():
            self._waiters.setdefault(txn_id, []).extend(jobs)
        for job in group.deferred:
            self._deferred.setdefault(job.tid, []).append(job)
        for tid in group.moved_tids:
            self._decide_again(tid)
        if asks:
            # The legs are durable: a crash from here on makes the restart undo them at the issuer (RH7, FC 17).
            self.link.send(tuple(asks), now)
        for job, decision in group.speak:
            self._tell(job, decision, decision.outcome)

    def _decide_again(self, tid: str) -> None:
        with self._ready:
            self._internal.extend(self._deferred.pop(tid, ()))

    def _tell(self, job: Job, decision: Decision, outcome: Outcome | None) -> None:
        if job.on_done is None:
            return
        self.counters.answers += outcome is not None
        try:
            job.on_done(job.event, decision, outcome)
        except Exception:
            log.error("an answer cannot be handed over", trace=mask_text(traceback.format_exc()))

    def _break(self, error: HostError, jobs: Iterable[Job] = ()) -> None:
        """A broken invariant: nothing of the group was written, nothing more is decided, the process has to end."""
        log.critical("the host stops", error=str(error))
        self._broken = error
        self.trouble = str(error)
        with self._ready:
            left = [*jobs, *self._internal, *self._requests]
            self._internal.clear()
            self._requests.clear()
        for job in left:
            if job.failed is not None:
                job.failed(error)
            else:
                self._refuse(job)
        if self._on_broken is not None:
            self._on_broken(error)
