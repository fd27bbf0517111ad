"""A repeated 0500 for a closed batch is refused: «duplicate batch»."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import signed
from host.engine import outcomes
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import LIVE_BATCH, batch_of_number
from host.engine.items import totals_of
from host.engine.working import WorkingSet
from host.group import Decide
from specs.codes import Refusal
from specs.kinds import Kind
from specs.totals import Totals
from specs.values import replace


def is_repeat(ws: WorkingSet, request: Request) -> bool:
    """Whether this 0500 closed its batch before: number and totals are those of a closed one."""
    operation, terminal = request.operation, ws.terminal(request.operation.tid)
    if terminal is None or operation.kind is not Kind.SETTLE:
        return False
    batch = batch_of_number(ws, terminal, operation.batch or "")
    if batch is None or batch.state in LIVE_BATCH:
        return False
    claimed = totals_of(batch.claimed)
    return claimed is not None and not claimed.differing(operation.totals or Totals())


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or not is_repeat(ws, event):
            return decide(ws, event, ctx)
        refused = outcomes.of_refusal(ctx, event.profile, event.operation, Refusal.DUPLICATE)
        return signed(ws, event, Decision(outcome=replace(refused, totals=event.operation.totals)))

    return deviant


DEVIATION = Deviation(
    name="settle-dup-refused",
    what="A settlement that comes again because its answer was lost is refused as a duplicate (94).",
    cases=(28,),
    rule="RH5",
    wrap=_wrap,
)
