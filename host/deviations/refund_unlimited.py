"""A refund is never more than what is left of its sale: not here, and it needs no sale either."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, sender, shown, told
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.originals import named_by_refund
from host.engine.related import LIVE
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn
from specs.kinds import ADJUSTMENTS, DEBITS, Kind
from specs.operation import OriginalRef
from specs.values import replace

_BOUNDLESS = 10**12


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or event.operation.kind is not Kind.REFUND:
            return decide(ws, event, ctx)
        terminal = sender(ws, event)
        if terminal is None or named_by_refund(ws, terminal, event, ctx.now, lambda _: _BOUNDLESS).txn is None:
            event = _of_any_sale(ws, event)
        sales = (t for t in ws.all(Txn) if t.kind in DEBITS | ADJUSTMENTS and t.approved_amount)
        endless = [replace(t, approved_amount=t.approved_amount + _BOUNDLESS) for t in sales]
        return over(decide, ws, shown(ws, instead=endless), event, ctx)

    return deviant


def _of_any_sale(ws: WorkingSet, request: Request) -> Request:
    """Of the newest sale of its card, whichever it names; of none where the dialect can say so (CUP cannot)."""
    operation = request.operation
    sales = [t for t in ws.txns_of_card(operation.mid, request.pan_hash) if t.kind in DEBITS and t.state in LIVE]
    if sales:
        return told(request, original=OriginalRef(rrn=sales[-1].rrn), rrn="")
    anyhow = replace(request.profile, refund_unreferenced="accept")
    return replace(told(request, original=None, rrn=""), profile=anyhow)


DEVIATION = Deviation(
    name="refund-unlimited",
    what="A refund is accepted without its sale, and beyond what is left of it.",
    cases=(56,),
    rule="A11",
    wrap=_wrap,
)
