"""What only the passing of days brings: cutovers of open batches and the end of old pre-authorisations.

The books say what is due; this looks there when the business date turns, at the start, and again while something was
left. It decides nothing: each thing found is an event for the engine (host.engine.cutover; rules.md, section 7).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import structlog

from host.clock import Clock
from host.engine.booking import profile_of
from host.engine.context import Context
from host.engine.cutover import CUTOFF, started
from host.engine.events import Cutover, Event, Expire
from host.errors import StoreUnavailable
from host.rows import Batch, Txn
from host.store.reader import Reader
from specs.errors import SpecError

log = structlog.get_logger("host.sweep")

AGAIN = timedelta(seconds=30)
"""How long until a batch is looked at again that is in its grace, or whose terminal had something in flight."""
AT_ONCE_MAX = 256
"""Events handed over in one sweep: the close of every terminal of a large host must not keep its sales waiting."""


class Sweep:
    """Shape: `due` gives the events of this moment. The writer's thread only. Bound: one event a batch and a hold."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._day = ""
        self._look_at: datetime | None = None
        self._found: deque[Event] = deque()

    def due(self, reader: Reader, context: Context) -> list[Event]:
        """What is to be decided now, at most AT_ONCE_MAX of it. A store that cannot be read is asked again later."""
        now, today = context.now, context.business_date.isoformat()
        again = self._look_at is not None and self._look_at <= now
        if not self._found and (today != self._day or again):
            try:
                self._look(reader, context, turned=today != self._day)
                self._day = today
            except StoreUnavailable as error:
                self._look_at = now + AGAIN
                log.warning("the books cannot be swept", error=str(error))
        return [self._found.popleft() for _ in range(min(AT_ONCE_MAX, len(self._found)))]

    def next_due(self, context: Context) -> datetime:
        """When it has to look again: at once, for what is left, or when the business date turns."""
        if self._found or context.business_date.isoformat() != self._day:
            return context.now
        turns = self._clock.end_of(context.business_date)
        return turns if self._look_at is None else min(turns, self._look_at)

    def clear(self) -> None:
        """The books were cleared: nothing found before is due."""
        self._found.clear()
        self._day, self._look_at = "", None

    def _look(self, reader: Reader, context: Context, *, turned: bool) -> None:
        today = context.business_date.isoformat()
        live = reader.select(Batch, {"state": ("open", "disputed")})
        old = [b for b in live if started(b) and started(b) < today]
        left = [b for b in old if not b.stale_since]
        # Who is stale already is spoken of again when a day turns, not when the host starts or looks twice.
        reminded = old if turned and self._day else left
        self._found.extend(self._cutover(batch) for batch in reminded)
        self._look_at = context.now + AGAIN if left else None
        if turned:
            self._found.extend(Expire(t.id, t.tid) for t in over(reader.live_preauths(), context))

    def _cutover(self, batch: Batch) -> Cutover:
        day = date.fromisoformat(started(batch))
        if batch.stale_since:
            day = self._clock.business_date() - timedelta(days=1)
        ended_at = self._clock.end_of(day).isoformat()
        return Cutover(batch.id, batch.tid, CUTOFF, day=day.isoformat(), ended_at=ended_at)


def over(held: Iterable[Txn], context: Context) -> list[Txn]:
    """Pre-authorisations that are older than their dialect's `preauth_days`."""
    found = []
    for txn in held:
        try:
            days = profile_of(context, txn.dialect).preauth_days
        except SpecError:  # of a user's dialect that this host does not listen to any more
            continue
        if datetime.fromisoformat(txn.created_at) + timedelta(days=days) <= context.now:
            found.append(txn)
    return found
