"""A 0500 for a closed number gets the 0510 that was stored for it, whatever its totals."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import sender, told
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import LIVE_BATCH, batch_of_number
from host.engine.items import totals_of
from host.engine.working import WorkingSet
from host.group import Decide
from specs.operation import Kind
from specs.totals import Totals


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        stored = _stored(ws, event)
        if stored is not None and isinstance(event, Request):
            # «final», so that items in the open batch do not make the number a stale one (NAC 80).
            event = told(event, totals=stored, final=True)
        return decide(ws, event, ctx)

    return deviant


def _stored(ws: WorkingSet, event: Event) -> Totals | None:
    """What the terminal claimed when the batch of this number was closed."""
    terminal = sender(ws, event)
    if terminal is None or not isinstance(event, Request) or event.operation.kind is not Kind.SETTLE:
        return None
    batch = batch_of_number(ws, terminal, event.operation.batch or "")
    return totals_of(batch.claimed) if batch is not None and batch.state not in LIVE_BATCH else None


DEVIATION = Deviation(
    name="replay-any-totals",
    what="A settlement under a closed number is told the stored answer, whatever totals it carries.",
    cases=(31, 47),
    rule="RH5",
    wrap=_wrap,
)
