"""What a void gave back is never debited again: neither when the void is reversed, nor when its own leg is undone."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, unasked
from host.engine.asks import APPROVED, CREDIT, DEBIT_AGAIN, HOLD_AGAIN, OWING, RELEASE, UNDONE
from host.engine.context import Context
from host.engine.events import Ask, Decision, Event
from host.engine.working import WorkingSet
from host.group import Decide
from specs.kinds import VOIDS, Kind

_GIVING_BACK = (*VOIDS, Kind.PRE_AUTH_VOID)


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        return over(decide, ws, shown(ws), event, ctx, _never_again)

    return deviant


def _never_again(seen: WorkingSet, decision: Decision) -> Decision:
    def believed(ask: Ask) -> str:
        txn, leg = seen.txn(ask.leg.txn_id), ask.leg
        if txn is None or txn.kind not in _GIVING_BACK:
            return ""
        if ask.undo:
            return UNDONE if leg.purpose in (CREDIT, RELEASE) else ""
        return APPROVED if leg.state == OWING and leg.purpose in (DEBIT_AGAIN, HOLD_AGAIN) else ""

    return unasked(decision, believed)


DEVIATION = Deviation(
    name="void-rev-release",
    what="The reversal of a void, and the undo of its leg, debit nothing at the issuer again.",
    cases=(55,),
    rule="RH7",
    wrap=_wrap,
)
