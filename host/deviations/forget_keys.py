"""The table of duplicates is in memory: what came before a restart is not known after it."""

from __future__ import annotations

from host.deviations.dup_posts import unseen
from host.deviations.model import Deviation
from host.engine.context import Context
from host.engine.events import Decision, Event
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn


def _wrap(decide: Decide, since: int | None) -> Decide:
    began = since

    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        nonlocal began
        if began is None:
            began = ctx.ids.peek(Txn.__name__)
        return unseen(decide, ws, event, ctx, began)

    return deviant


DEVIATION = Deviation(
    name="forget-keys",
    what="After a restart the host does not know what it has answered: a repeat is booked again.",
    cases=(18, 69),
    rule="RH1",
    wrap_from=_wrap,
)
