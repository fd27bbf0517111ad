"""What the host has said but could not write down: requests told 96 because the store refused.

The terminal takes 96 as final and drops its reversal; were a late copy of the same request decided anew, the card would
be charged for nothing (rules.md, section 2: a declined request is final for its key). So the copy gets the same 96,
from memory. A host that loses its memory too forgets it: a full disk, a copy and a crash are three faults.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from host.engine.events import Request
from host.engine.identity import stored_content
from specs.operation import Kind

KEPT_MAX = 10_000
"""The oldest go first; far more than a full disk can leave in the time below."""
KEPT_FOR = timedelta(hours=24)
"""As long as a copy may be taken for a repeat (rules.md, section 1, dup_hours)."""
_ORIGINALS = frozenset({Kind.SALE, Kind.VOID, Kind.BALANCE})

Key = tuple[str, str, str, str]


class ToldTrouble:
    """Keys of originals that were told 96 without a row. The writer's thread only."""

    def __init__(self) -> None:
        self._told: OrderedDict[Key, datetime] = OrderedDict()

    def note(self, request: Request, now: datetime) -> None:
        """This request is told 96 now. Nothing but originals: advices and settlements come again on purpose."""
        key = _key(request)
        if key is None:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        while len(self._told) > KEPT_MAX:
            self._told.popitem(last=False)

    def holds(self, request: Request, now: datetime) -> bool:
        """Whether this very request was told 96 before."""
        if not self._told:
            return False
        key = _key(request)
        told = self._told.get(key) if key is not None else None
        return told is not None and now - told <= KEPT_FOR

    def copy(self) -> ToldTrouble:
        """Another one that holds the same."""
        made = ToldTrouble()
        made._told = self._told.copy()
        return made

    def keys(self) -> tuple[Key, ...]:
        """What is held, oldest first: TID, STAN, batch, what it says."""
        return tuple(self._told)

    def clear(self) -> None:
        """The books were cleared: every key is free again."""
        self._told.clear()


def _key(request: Request) -> Key | None:
    operation = request.operation
    if operation.kind not in _ORIGINALS or operation.advice or not operation.stan:
        return None
    return operation.tid, operation.stan, operation.batch or "", stored_content(request)
