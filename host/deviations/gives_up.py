"""The issuer says nothing: the terminal is told no, and the issuer is told nothing either."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, unasked
from host.engine.asks import ASKING, OVERDUE
from host.engine.context import Context
from host.engine.events import Decision, Event, LegOverdue
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Leg


def without_0420(decide: Decide, ws: WorkingSet, event: Event, ctx: Context) -> Decision:
    """Decide; the leg of a request that the issuer did not answer in time just ends."""
    leg = ws.get(Leg, event.leg_id) if isinstance(event, LegOverdue) and not event.restart else None
    if leg is None or leg.state != ASKING:
        return decide(ws, event, ctx)

    def change(_: WorkingSet, decision: Decision) -> Decision:
        return unasked(decision, lambda ask: OVERDUE if ask.undo and ask.leg.id == leg.id else "")

    return over(decide, ws, shown(ws), event, ctx, change)


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        return without_0420(decide, ws, event, ctx)

    return deviant


DEVIATION = Deviation(
    name="gives-up",
    what="No 0420 follows when the issuer does not answer in time.",
    cases=(19,),
    rule="RH7",
    wrap=_wrap,
)
