"""What stands under a number is replayed, whatever else the request says."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import match_of, replayed
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import Prior, prior_of
from host.engine.working import WorkingSet
from host.group import Decide


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        match = match_of(ws, event, ctx)
        other = match is not None and not match.same and match.live and prior_of(match) is Prior.ANSWERED
        if match is None or not other or not isinstance(event, Request):
            return decide(ws, event, ctx)
        return replayed(ws, event, match.txn, ctx)

    return deviant


DEVIATION = Deviation(
    name="twin-replay",
    what="The content of a request is not compared: two units with one TID get each other's answers.",
    cases=(47,),
    rule="RH1",
    wrap=_wrap,
)
