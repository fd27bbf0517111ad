"""The issuer's yes comes after the terminal was told no, and is captured all the same."""

from __future__ import annotations

from host.deviations.gives_up import without_0420
from host.deviations.model import Deviation
from host.deviations.tools import over, shown
from host.engine.asks import ASKING, DONE, OVERDUE, UNDO
from host.engine.context import Context
from host.engine.events import Decision, Event, IssuerAnswer
from host.engine.identity import is_live
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Leg, Row, TxnState
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        as_in_time = _as_in_time(ws, event)
        if as_in_time:
            return over(decide, ws, shown(ws, instead=as_in_time), event, ctx)
        return without_0420(decide, ws, event, ctx)  # it is still waited for

    return deviant


def _as_in_time(ws: WorkingSet, event: Event) -> tuple[Row, ...]:
    """The leg and its transaction as though nobody had said no yet; () when the answer is no late yes."""
    if not isinstance(event, IssuerAnswer) or not event.approved or event.purpose == UNDO:
        return ()
    leg, txn = ws.get(Leg, event.leg_id), ws.txn(event.txn_id)
    if leg is None or txn is None or (leg.state, leg.result) != (DONE, OVERDUE):
        return ()
    if txn.state is not TxnState.DECLINED or not is_live(ws, txn):
        return ()
    waits = replace(txn, state=TxnState.PENDING, response_code="", refusal="", undone_by="", answered_at="")
    return replace(leg, state=ASKING, result=""), waits


DEVIATION = Deviation(
    name="late-captured",
    what="A yes of the issuer that comes after the no to the terminal is captured, not undone.",
    cases=(20,),
    rule="RH7",
    wrap=_wrap,
)
