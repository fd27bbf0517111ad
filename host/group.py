"""One group of events: loaded, decided, saved.

What comes out is on disk and may be spoken; when it raises, nothing of the group has happened.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Protocol

import structlog

from host.engine import outcomes
from host.engine.context import Context
from host.engine.events import CloseBatch, Decision, Event, Expire, IssuerAnswer, LegOverdue, Request
from host.engine.working import Needs, WorkingSet
from host.rows import MessageRow, Row, Txn
from host.store.store import Store
from host.told import ToldTrouble
from specs.codes import Refusal
from specs.masking import mask_text
from specs.operation import Outcome
from specs.values import replace

log = structlog.get_logger("host.runner")

Decide = Callable[[WorkingSet, Event, Context], Decision]
_OF_LEG = (IssuerAnswer, LegOverdue)
OnDone = Callable[[Event, Decision, Outcome | None], None]
"""Told after the commit, from the writer's thread. Outcome None = say nothing: nobody knows what the books hold, or an
event that asked for no answer."""


class BeforeCommit(Protocol):
    """Rows to commit with a request's decision: the edge encodes the answer here and logs the messages.

    Called when a request is decided (outcome None: it waits) and, with `waited`, again when its outcome comes. After a
    commit that failed it is called anew for the same request, and what it encoded before is void.
    """

    def __call__(
        self, ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
    ) -> Iterable[Row]: ...


@dataclass(slots=True)
class Counters:
    """For /metrics. Plain integers that only the writer changes."""

    groups: int = 0
    events: int = 0
    answers: int = 0
    decisions_failed: int = 0
    commits_failed: int = 0
    answered_own_trouble: int = 0


@dataclass(slots=True)
class Job:
    """An event in the queue and who wants to know."""

    event: Event
    on_done: OnDone | None = None
    failed: Callable[[Exception], None] | None = None
    give_up_at: datetime | None = None
    """For an event that waits until its terminal has nothing in flight: when that wait ends."""

    @property
    def tid(self) -> str:
        """The terminal that it waits for."""
        assert isinstance(self.event, Request | CloseBatch | Expire), self.event
        return self.event.operation.tid if isinstance(self.event, Request) else self.event.tid


Waiters = Mapping[int, list[Job]]
"""Transaction id -> requests that wait for its outcome."""


@dataclass(slots=True)
class Group:
    """What one group came to, before it is spoken.

    joins: requests that wait from now on. answered: transactions whose waiting requests are in `speak`. moved_tids:
    terminals of which a leg ended, so that what waits for them is decided again.
    """

    decided: list[tuple[Job, Decision]] = field(default_factory=list)
    speak: list[tuple[Job, Decision]] = field(default_factory=list)
    joins: dict[int, list[Job]] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    deferred: list[Job] = field(default_factory=list)
    moved_tids: set[str] = field(default_factory=set)
    rows: list[Row] = field(default_factory=list)


class Work:
    """How a group is decided and saved. Pure but for the store and the edge's hook."""

    def __init__(
        self,
        store: Store,
        decide: Decide,
        needs: Callable[[Event], Needs],
        before_commit: BeforeCommit,
        counters: Counters,
    ) -> None:
        self._store = store
        self._decide = decide
        self._needs = needs
        self._before_commit = before_commit
        self._counters = counters
        self.told = ToldTrouble()
        self._warm: list[Row] = []
        self._made: frozenset[int] = frozenset()

    def forget(self) -> None:
        """Somebody else is about to change the books: the next group reads all it needs."""
        self._warm, self._made = [], frozenset()

    def decide_and_save(self, jobs: list[Job], ctx: Context, waiters: Waiters) -> Group:
        """Load, decide, write, commit. Raises StoreUnavailable or LedgerBroken, and nothing has happened then."""
        cold = [job for job in jobs if not self._is_warm(job.event)]
        needs = union(self._needs(job.event) for job in cold)
        ws = self._store.load(needs)
        loaded, warm = ws.rows(), self._warm if len(cold) < len(jobs) else []
        ws.apply(warm)
        known = ws.ids(Txn)
        self.forget()  # until this group is on disk
        group = Group()
        for job in jobs:
            try:
                decision = self._decide_one(ws, job, ctx, group)
            except Exception:
                # Whatever half of a decision it left in the working set goes: read again, with what was decided so far.
                self._counters.decisions_failed += 1
                log.error("an event cannot be decided", trace=mask_text(traceback.format_exc()))
                ws = self._store.load(needs)
                ws.apply(warm)
                ws.apply(group.rows)
                decision = self.own_trouble(job, ctx)
                group.rows += self.rows_of(job, decision, ctx, waited=False)
            self._sort(job, decision, ws, ctx, group, waiters)
        # SAVE, THEN SPEAK. A crash before this commit returns: nobody was told anything, terminals reverse what they
        # sent and find it unseen. A crash just after it: the books hold answers that nobody heard; a repeat gets the
        # stored one, a reversal undoes it (FC 18).
        self._store.commit(group.rows)
        self._keep_warm(loaded, group.rows, known)
        return group

    def _is_warm(self, event: Event) -> bool:
        """Whether all that the event needs is still at hand: its transaction was made by the last group."""
        return isinstance(event, IssuerAnswer) and event.txn_id in self._made

    def _keep_warm(self, loaded: list[Row], puts: list[Row], known: Collection[int]) -> None:
        """What this group has read and written, for the answers of the issuer that come next: one writer, so it is what
        is on disk. Of transactions that name no other: what belongs to the others may be more than was read here.

        Bound: what one group reads and writes; what came warm itself is not kept again.
        """
        made = [row for row in puts if type(row) is Txn and row.id not in known and not row.original_id]
        if made:
            self._warm = [*loaded, *(row for row in puts if type(row) is not MessageRow)]
            self._made = frozenset(row.id for row in made)

    def _decide_one(self, ws: WorkingSet, job: Job, ctx: Context, group: Group) -> Decision:
        """One event's decision; its rows are the group's from here on."""
        event = job.event
        if isinstance(event, Request) and self.told.holds(event, ctx.now):
            note = "a copy of what was answered 96 before: final for its key"
            decision = replace(self.own_trouble(job, ctx), notes=(note,))
        else:
            decision = self._decide(ws, event, ctx)
        more: Iterable[Row] = ()
        if isinstance(event, Request) and not decision.waits_tid:
            more = [*self._before_commit(ctx, event, decision, decision.outcome, False)]
        group.rows += decision.puts
        group.rows += more
        return decision

    def _sort(self, job: Job, decision: Decision, ws: WorkingSet, ctx: Context, group: Group, waiters: Waiters) -> None:
        """Who is to be told what after the commit, and who goes on waiting."""
        event = job.event
        group.decided.append((job, decision))
        if decision.waits_tid:
            self._defer(job, ctx, group)
            return
        if isinstance(event, Request):
            if decision.outcome is None and decision.waits_txn:
                group.joins.setdefault(decision.waits_txn, []).append(job)
            else:
                group.speak.append((job, decision))
            return
        group.speak.append((job, decision))
        if isinstance(event, _OF_LEG):
            txn = ws.txn(event.txn_id)
            if txn is not None:
                group.moved_tids.add(txn.tid)
        if decision.outcome is not None and decision.txn_id:
            waiting = [] if decision.txn_id in group.answered else waiters.get(decision.txn_id, [])
            group.answered.add(decision.txn_id)
            for waiter in [*waiting, *group.joins.pop(decision.txn_id, [])]:
                group.rows += self.rows_of(waiter, decision, ctx, waited=True)
                group.speak.append((waiter, decision))

    def _defer(self, job: Job, ctx: Context, group: Group) -> None:
        """It waits for its terminal's legs in flight; the wait has an end, since each leg has a deadline."""
        if job.give_up_at is None:
            job.give_up_at = ctx.now + timedelta(seconds=ctx.settings.issuer_timeout_s)
        elif job.give_up_at <= ctx.now:
            decision = self.own_trouble(job, ctx)
            group.rows += self.rows_of(job, decision, ctx, waited=False)
            group.speak.append((job, decision))
            return
        group.deferred.append(job)

    def rows_of(self, job: Job, decision: Decision, ctx: Context, *, waited: bool) -> list[Row]:
        """The edge's rows; without them the answer still goes out."""
        if not isinstance(job.event, Request):
            return []
        try:
            return list(self._before_commit(ctx, job.event, decision, decision.outcome, waited))
        except Exception:
            log.error("an answer cannot be logged", trace=mask_text(traceback.format_exc()))
            return []

    def own_trouble(self, job: Job, ctx: Context) -> Decision:
        """96 for a request that could not be decided; nothing to say for any other event."""
        if not isinstance(job.event, Request):
            return Decision()
        self._counters.answered_own_trouble += 1
        request = job.event
        self.told.note(request, ctx.now)
        return Decision(outcome=outcomes.of_refusal(ctx, request.profile, request.operation, Refusal.OWN_TROUBLE))


def union(many: Iterable[Needs]) -> Needs:
    """The needs of a whole group."""
    return Needs(*(set().union(*keys) for keys in zip(*map(_every_key, many), strict=True)))


_every_key = attrgetter(*Needs.__slots__)
"""The sets of one event's needs, in the order of the constructor."""
