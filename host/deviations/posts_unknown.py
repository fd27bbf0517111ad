"""An uploaded item that the host never saw is booked, and the card pays."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import sold_offline
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from specs.kinds import Kind


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, Request) and event.operation.kind is Kind.UPLOAD:
            tid = event.operation.tid
            event = sold_offline(event, lambda item: not ws.txns_by_stan(tid, item.ref.stan))
        return decide(ws, event, ctx)

    return deviant


DEVIATION = Deviation(
    name="posts-unknown",
    what="An uploaded item that the host never saw is captured, and its card debited.",
    cases=(38,),
    rule="RH8",
    wrap=_wrap,
)
