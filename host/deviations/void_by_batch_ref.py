"""A void names its sale by the place in the batch: after the settlement that is the place of another one."""

from __future__ import annotations

from host.deviations.model import Deviation, NeedsOf
from host.deviations.tools import told
from host.engine.context import Context
from host.engine.events import Decision, Event, IssuerAnswer, Request
from host.engine.identity import is_live
from host.engine.originals import named_by_void
from host.engine.working import Needs, WorkingSet
from host.group import Decide
from host.rows import Txn
from specs.kinds import DEBITS, VOIDS, Kind
from specs.operation import OriginalRef
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        hit = _hit(ws, event)
        if hit is not None and isinstance(event, Request):
            named = OriginalRef(
                stan=hit.stan, batch=hit.wire_batch, rrn=hit.rrn, invoice=hit.invoice, transmitted=hit.transmitted
            )
            event = told(event, original=named, amount=hit.approved_amount, rrn="", invoice=hit.invoice)
        return _in_its_own_words(ws, event, decide(ws, event, ctx))

    return deviant


def _hit(ws: WorkingSet, event: Event) -> Txn | None:
    """What stands in the open batch where the settled sale stood in its own (or last, when that is shorter)."""
    if not isinstance(event, Request) or event.operation.kind is not Kind.VOID:
        return None
    terminal, batch = ws.terminal(event.operation.tid), ws.open_batch(event.operation.tid)
    named = named_by_void(ws, terminal, event) if terminal is not None else None
    if named is None or batch is None or is_live(ws, named):
        return None
    place = len([t for t in ws.txns_of_batch(named.batch_id) if t.kind in DEBITS and t.id < named.id])
    sales = [t for t in ws.txns_of_batch(batch.id) if t.kind in DEBITS]
    return sales[min(place, len(sales) - 1)] if sales else None


def _in_its_own_words(ws: WorkingSet, event: Event, decision: Decision) -> Decision:
    """The answer to a void shows the amount that the terminal asked for, whatever was voided."""
    txn = ws.txn(event.txn_id) if isinstance(event, IssuerAnswer) else None
    if decision.outcome is None or txn is None or txn.kind not in VOIDS:
        return decision
    return replace(decision, outcome=replace(decision.outcome, amount=None))


def _needs(needs: NeedsOf) -> NeedsOf:
    def deviant(event: Event) -> Needs:
        found = needs(event)
        if isinstance(event, Request) and event.operation.kind is Kind.VOID:
            found.items_of_tids.add(event.operation.tid)
        return found

    return deviant


DEVIATION = Deviation(
    name="void-by-batch-ref",
    what="The void of a settled sale takes back the sale that has its place in the open batch.",
    cases=(53,),
    rule="RH1",
    wrap=_wrap,
    needs=_needs,
)
