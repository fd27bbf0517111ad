"""An advice of a batch that is closed is answered yes, and booked nowhere."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, signed
from host.engine import outcomes
from host.engine.context import Context
from host.engine.effects import EFFECTS
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Terminal, Txn, TxnState
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or not event.operation.happened or event.operation.kind not in EFFECTS:
            return decide(ws, event, ctx)
        request = event

        def answered(seen: WorkingSet, decision: Decision) -> Decision:
            carried = _carried(ws, decision)
            return _only_answered(seen, request, decision, carried, ctx) if carried is not None else decision

        return over(decide, ws, shown(ws), event, ctx, answered)

    return deviant


def _carried(ws: WorkingSet, decision: Decision) -> Txn | None:
    """The row of an advice that has just been accepted into a later batch than its own."""
    rows = (row for row in decision.puts if isinstance(row, Txn) and ws.txn(row.id) is None)
    return next((row for row in rows if row.carried and row.state is not TxnState.DECLINED), None)


def _only_answered(seen: WorkingSet, request: Request, decision: Decision, txn: Txn, ctx: Context) -> Decision:
    row = replace(
        txn,
        state=TxnState.DECLINED,
        approved_amount=0,
        held=0,
        settlement="none",
        response_code=outcomes.APPROVED,
        auth_code=txn.auth_code or outcomes.auth_code_of(ctx, txn.id),
        answered_at=ctx.host_time,
        note="answered, and booked nowhere",
    )
    kept = tuple(put for put in decision.puts if isinstance(put, Terminal))
    outcome = outcomes.of_txn(ctx, row, request.profile.key_scheme)
    said = Decision(puts=(*kept, row), outcome=outcome, txn_id=row.id, notes=decision.notes)
    return signed(seen, request, said)


DEVIATION = Deviation(
    name="drops-carried",
    what="A stored sale that comes after the close is answered 00 and booked nowhere.",
    cases=(44,),
    rule="RH6",
    wrap=_wrap,
)
