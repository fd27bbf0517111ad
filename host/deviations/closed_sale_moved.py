"""An online sale under the number of a closed batch is booked in the next one, and nobody is told."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import is_closed_number, told
from host.engine.context import Context
from host.engine.effects import EFFECTS
from host.engine.events import Decision, Event, Request
from host.engine.identity import under_wire_batch
from host.engine.working import WorkingSet
from host.group import Decide
from specs.kinds import Kind
from specs.profile import KeyScheme


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, Request) and _is_moved(ws, event):
            batch = ws.open_batch(event.operation.tid)
            event = told(event, batch=batch.number) if batch is not None else event
        return decide(ws, event, ctx)

    return deviant


def _is_moved(ws: WorkingSet, request: Request) -> bool:
    """A request that the closed batch does not know, or the reversal of what was moved."""
    operation, terminal = request.operation, ws.terminal(request.operation.tid)
    if terminal is None or request.profile.key_scheme is not KeyScheme.WIRE_BATCH or operation.happened:
        return False
    if operation.kind not in (*EFFECTS, Kind.REVERSAL) or not is_closed_number(ws, request):
        return False
    there = under_wire_batch(ws, terminal, operation.batch or "", operation.stan)
    if operation.kind is not Kind.REVERSAL:
        return not there
    batch = ws.open_batch(terminal.tid)
    return not there and batch is not None and bool(under_wire_batch(ws, terminal, batch.number, operation.stan))


DEVIATION = Deviation(
    name="closed-sale-moved",
    what="A sale under a closed batch number (CUP) is booked in the next batch, without a word.",
    cases=(29,),
    rule="RH6",
    wrap=_wrap,
)
