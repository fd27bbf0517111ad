"""«Today» is what the terminal's clock says: a void of another date than the sale's business date comes too late."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, sender, shown
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.originals import named_by_void
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn, TxnState
from specs.kinds import Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        sale = _of_another_day(ws, event)
        if sale is None:
            return decide(ws, event, ctx)
        return over(decide, ws, shown(ws, instead=[replace(sale, state=TxnState.VOIDED)]), event, ctx)

    return deviant


def _of_another_day(ws: WorkingSet, event: Event) -> Txn | None:
    """The sale that a void names, when DE 13 of the void is not the day that the host has the sale under."""
    terminal = sender(ws, event)
    if terminal is None or not isinstance(event, Request) or event.operation.kind is not Kind.VOID:
        return None
    sale, day = named_by_void(ws, terminal, event), event.operation.local_date
    if sale is None or not day:
        return None
    return sale if day != sale.business_date[5:].replace("-", "") else None


DEVIATION = Deviation(
    name="today-by-terminal",
    what="Whether a void is of today is judged by the terminal's date: after a clock that is wrong it is refused (12).",
    cases=(52,),
    rule="E5",
    wrap=_wrap,
)
