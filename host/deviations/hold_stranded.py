"""A pre-authorisation expires in the host's books alone: its issuer is never told to let the hold go."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, unasked
from host.engine.asks import APPROVED
from host.engine.context import Context
from host.engine.events import Decision, Event, Expire
from host.engine.working import WorkingSet
from host.group import Decide


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Expire):
            return decide(ws, event, ctx)
        return over(decide, ws, shown(ws), event, ctx, lambda _, decision: unasked(decision, lambda _: APPROVED))

    return deviant


DEVIATION = Deviation(
    name="hold-stranded",
    what="A pre-authorisation that expires is forgotten: its hold is not released at the issuer.",
    cases=(57,),
    rule="E6",
    wrap=_wrap,
)
