"""A refund is never more than what is left of its sale: not here, and it needs no sale either."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, sender, shown, told
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.originals import named_by_refund
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn
from specs.kinds import ADJUSTMENTS, DEBITS, Kind
from specs.values import replace

_BOUNDLESS = 10**12


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        terminal = sender(ws, event)
        if terminal is None or not isinstance(event, Request) or event.operation.kind is not Kind.REFUND:
            return decide(ws, event, ctx)
        if named_by_refund(ws, terminal, event, ctx.now, lambda _: _BOUNDLESS).txn is None:
            bare = told(event, original=None, rrn="")
            return decide(ws, replace(bare, profile=replace(event.profile, refund_unreferenced="accept")), ctx)
        sales = (t for t in ws.all(Txn) if t.kind in DEBITS | ADJUSTMENTS and t.approved_amount)
        endless = [replace(t, approved_amount=t.approved_amount + _BOUNDLESS) for t in sales]
        return over(decide, ws, shown(ws, instead=endless), event, ctx)

    return deviant


DEVIATION = Deviation(
    name="refund-unlimited",
    what="A refund is accepted without its sale, and beyond what is left of it.",
    cases=(56,),
    rule="A11",
    wrap=_wrap,
)
