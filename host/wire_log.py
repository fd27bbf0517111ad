"""How the message log keeps within its bounds while the host runs: a step at a time, when nobody waits.

The newest `rows` messages stay, and none older than `days`, but for what host.store.pruning keeps as evidence. Days are
counted on the machine's own clock only: a host whose clock was set or stands still plays with days, and keeps its log.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from host.clock import Clock, monotonic
from host.errors import StoreUnavailable
from host.rows import MessageRow
from host.store.store import Store

log = structlog.get_logger("host.store")

LOOK_S = 60.0
"""How often the age of the oldest message is looked at."""
REVISIT_S = 600.0
"""How often what was kept as evidence is looked at again."""
REST_S = 30.0
"""After a store that refused."""
SLACK_MAX = 512
"""Messages beyond the bound until a round begins: not a deletion for each sale."""


class WireLog:
    """Shape: `turn` does one bounded step; the writer's thread only. rows, days: 0 = no bound. hit: counts a round."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        rows: int = 0,
        days: int = 0,
        hit: Callable[[str], None] = lambda name: None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rows = rows
        self._days = days
        self._hit = hit
        self._now = now
        self._slack = min(SLACK_MAX, rows // 100)
        self._after = 0
        self._through = self._done_through = 0
        self._look_at = self._revisit_at = self._rest_until = 0.0
        self._counted = self._running = False

    def turn(self) -> bool:
        """Whether there is more to do at once. A store that refuses is left alone for a while."""
        if self._now() < self._rest_until or not (self._running or self._begins()):
            return False
        try:
            self._step()
        except StoreUnavailable as error:
            self._running = False
            self._rest_until = self._now() + REST_S
            log.warning("messages are not pruned", error=str(error))
        return self._running

    def _begins(self) -> bool:
        """A round begins when there are too many, or now and then for the sake of their age."""
        if not self._rows and not self._days:
            return False
        now = self._now()
        through = self._store.newest(MessageRow) - self._rows if self._rows else 0
        due = bool(self._days) and not self._clock.moved and now >= self._look_at
        if through <= self._done_through + self._slack and not due:
            return False
        self._look_at = now + LOOK_S
        self._through = max(0, through)
        pruned = self._store.pruned()
        self._after = pruned.through if pruned is not None and now < self._revisit_at else 0
        if not self._after:
            self._revisit_at = now + REVISIT_S
        self._counted, self._running = False, True
        return True

    def _step(self) -> None:
        before = None
        if self._days and not self._clock.moved:
            before = self._clock.now() - timedelta(days=self._days)
        chunk = self._store.prune(self._after, self._through, before)
        self._after, self._running = chunk.looked, chunk.more
        if chunk.gone and not self._counted:
            self._counted = True
            self._hit("wire_log_rows" if self._through and self._after <= self._through else "wire_log_days")
        if not chunk.more:
            self._done_through = self._through


def prune_all(store: Store, clock: Clock, *, rows: int = 0, days: int = 0) -> int:
    """Prune to the end at once, evidence looked at again; how many messages went. Raises StoreUnavailable."""
    through = max(0, store.newest(MessageRow) - rows) if rows else 0
    before = clock.now() - timedelta(days=days) if days else None
    after = gone = 0
    while True:
        chunk = store.prune(after, through, before)
        after, gone = chunk.looked, gone + chunk.gone
        if not chunk.more:
            return gone
