"""Refund: money back for an earlier sale of the same merchant, never more than is left of it (FC 56, A11)."""

from __future__ import annotations

from host.engine import originals, related
from host.engine.asks import CREDIT
from host.engine.case import Case, Plan
from host.engine.related import LIVE
from host.engine.working import WorkingSet
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import DEBITS

_NEVER_SOLD = frozenset({TxnState.DECLINED, TxnState.PENDING, TxnState.TOMBSTONE})


def names(case: Case) -> Refusal | None:
    """25 no such sale, 64 more than is left of it. A voided or reversed sale has nothing left."""
    draft = case.draft
    found = originals.named_by_refund(
        draft.ws, case.known_terminal, case.request, draft.ctx.now, lambda txn: left(draft.ws, txn)
    )
    if found.txn is None:
        return _without_original(case, found.by_rule)
    sale = related.root(draft.ws, found.txn)
    if found.by_rule:
        draft.note(f"refund without a reference: given back from {sale.kind} {sale.id}, the newest of this card")
    if sale.kind not in DEBITS or sale.state in _NEVER_SOLD:
        return Refusal.ORIGINAL_NOT_FOUND
    if (case.operation.amount or 0) > left(draft.ws, sale):
        return Refusal.REFUND_OVER_ORIGINAL
    case.original = sale
    return None


def _without_original(case: Case, by_rule: bool) -> Refusal | None:
    if not by_rule or case.profile.refund_unreferenced != "accept":
        return Refusal.ORIGINAL_NOT_FOUND
    if case.operation.card is None or not case.operation.card.pan:
        return Refusal.INVALID_CARD  # nobody to give it to
    case.draft.note("refund without an original: accepted as this dialect's profile says")
    return None


def left(ws: WorkingSet, txn: Txn) -> int:
    """What may still be refunded of a sale, minor units: its final amount less all refunds, those in flight too."""
    sale = related.root(ws, txn)
    if sale.kind not in DEBITS or sale.state not in LIVE or related.in_flight(ws, sale):
        return 0
    given = sum(t.approved_amount or t.amount for t in related.refunds(ws, sale))
    return max(0, related.standing(ws, sale).approved_amount - given)


def plan(case: Case) -> Plan:
    """HC: the card is credited. TC: the issuer hears of it at the capture."""
    amount = case.operation.amount or 0
    if case.profile.capture == "TC" and not case.carried:
        return Plan("", amount)
    return Plan(CREDIT, amount, amount)


def stands(ws: WorkingSet, refund: Txn) -> Refusal | None:
    """The sale may have been reversed while the credit was at the issuer."""
    sale = ws.txn(refund.original_id)
    gone = sale is not None and sale.state not in LIVE
    return Refusal.REFUND_OVER_ORIGINAL if gone else None
