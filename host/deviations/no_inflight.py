"""There is no log of what was asked of the issuer: what a restart finds without an outcome is dropped."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.engine import asks, booking
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Decision, Event, LegOverdue
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Leg, TxnState
from specs.codes import Refusal


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        leg = ws.get(Leg, event.leg_id) if isinstance(event, LegOverdue) and event.restart else None
        if leg is None or leg.state == asks.DONE:
            return decide(ws, event, ctx)
        draft, txn = Draft(ws, ctx), ws.txn(leg.txn_id)
        asks.done(draft, leg, leg.result or asks.OVERDUE)
        if txn is not None and txn.state is TxnState.PENDING:
            booking.decline(draft, txn, Refusal.OWN_TROUBLE)
        return Decision(puts=draft.puts, txn_id=leg.txn_id)

    return deviant


DEVIATION = Deviation(
    name="no-inflight",
    what="A restart forgets what the issuer was asked, and undoes none of it.",
    cases=(17,),
    rule="RH7",
    wrap=_wrap,
)
