"""Each of two sites has its keys for itself: the one that takes over finds nothing that the other one has booked.

Beyond `forget-keys`, which knows no requests but finds what a reversal names. The books are those of both: batches and
totals are shared, and what names a sale by its slip (a void, a refund, an uploaded item) finds it.
"""

from __future__ import annotations

from host.deviations.dup_posts import unseen
from host.deviations.model import Deviation
from host.deviations.tools import asks_for, over, shown
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.named_reversal import key_named_by_reversal
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn
from specs.operation import Kind


def _wrap(decide: Decide, since: int | None) -> Decide:
    began = since

    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        nonlocal began
        if began is None:
            began = ctx.ids.peek(Txn.__name__)
        if isinstance(event, Request) and asks_for(event, Kind.REVERSAL):
            return over(decide, ws, _without(ws, event, began), event, ctx)
        return unseen(decide, ws, event, ctx, began)

    return deviant


def _without(ws: WorkingSet, reversal: Request, newest: int) -> WorkingSet:
    """The books without what the other site has under the STAN that a reversal names: 25, and a tombstone beside it."""
    key = (reversal.operation.tid, key_named_by_reversal(reversal).stan)
    return shown(ws, without=lambda row: isinstance(row, Txn) and row.id <= newest and (row.tid, row.stan) == key)


DEVIATION = Deviation(
    name="site-b-alone",
    what="The site that takes over knows no key of the other: a repeat is booked again, a reversal finds nothing.",
    cases=(69,),
    rule="RH1",
    wrap_from=_wrap,
)
