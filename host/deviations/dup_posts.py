"""Nobody looks whether a request was there before: the same 0200 posts again."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import asks_for, beside, over, shown
from host.engine.context import Context
from host.engine.effects import EFFECTS
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Row, Txn, TxnState


def unseen(decide: Decide, ws: WorkingSet, event: Event, ctx: Context, newest: int) -> Decision:
    """Decide an original as though nothing up to this transaction id had ever come under its STAN; tombstones stay."""
    if not isinstance(event, Request) or not asks_for(event, *EFFECTS):
        return decide(ws, event, ctx)
    operation = event.operation

    def is_hidden(row: Row) -> bool:
        if not isinstance(row, Txn) or row.id > newest or row.state is TxnState.TOMBSTONE:
            return False
        return (row.tid, row.stan) == (operation.tid, operation.stan)

    return over(decide, ws, shown(ws, without=is_hidden), event, ctx, lambda _, decision: beside(ws, decision))


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        return unseen(decide, ws, event, ctx, ctx.ids.peek(Txn.__name__))

    return deviant


DEVIATION = Deviation(
    name="dup-posts",
    what="There is no search for duplicates: a request that is delivered twice is booked twice.",
    cases=(9,),
    rule="RH1",
    wrap=_wrap,
)
