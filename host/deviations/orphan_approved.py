"""A reversal of something unseen leaves nothing behind: the original that comes late is decided like any other."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import asks_for, over, shown
from host.engine.context import Context
from host.engine.effects import EFFECTS
from host.engine.events import Decision, Event
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Row, Txn, TxnState


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not asks_for(event, *EFFECTS):
            return decide(ws, event, ctx)
        return over(decide, ws, shown(ws, without=_is_tombstone), event, ctx)

    return deviant


def _is_tombstone(row: Row) -> bool:
    return isinstance(row, Txn) and row.state is TxnState.TOMBSTONE


DEVIATION = Deviation(
    name="orphan-approved",
    what="A sale that its own reversal has overtaken is approved.",
    cases=(6,),
    rule="RH3",
    wrap=_wrap,
)
