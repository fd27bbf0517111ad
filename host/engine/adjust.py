"""Tip and settlement adjustment: the sale's final amount, told after the sale (rules.md, sections 1, 5, 8 and 9).

`amount` is the new total. The adjustment is a transaction of its own that stands in the place of the sale, or of an
earlier adjustment; its entries are the difference. Nobody waits for the issuer, who does not refuse it.
"""

from __future__ import annotations

from host.engine import asks, batches, originals, related
from host.engine.asks import CREDIT, DEBIT, HOLD
from host.engine.case import Case, Plan
from host.engine.draft import Draft
from host.engine.events import Ask
from host.engine.identity import is_live
from host.engine.related import LIVE
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import DEBITS
from specs.values import replace


def names(case: Case) -> Refusal | None:
    """25 no such sale, 12 of one that was taken back, 64 another original amount.

    Of a sale in a closed batch: the difference is carried into the open one.
    """
    draft, operation = case.draft, case.operation
    found = originals.named_by_adjust(draft.ws, case.known_terminal, case.request, case.draft.ctx.now)
    if found is None:
        return Refusal.ORIGINAL_NOT_FOUND
    sale = related.root(draft.ws, found)
    if sale.kind not in DEBITS:
        return Refusal.ORIGINAL_NOT_FOUND
    if sale.state not in LIVE or related.in_flight(draft.ws, sale):
        return Refusal.ADJUST_NOT_POSSIBLE
    standing = related.standing(draft.ws, sale)
    stated = operation.original.amount if operation.original else None
    if stated not in (None, 0, sale.amount, sale.approved_amount, standing.approved_amount):
        return Refusal.AMOUNT_DIFFERS
    refunded = sum(t.approved_amount or t.amount for t in related.refunds(draft.ws, sale))
    if (operation.amount or 0) < refunded:
        return Refusal.ADJUST_NOT_POSSIBLE
    if (operation.amount or 0) < sale.cash:
        return Refusal.INVALID_AMOUNT  # the cash has left the till: no total is below it
    case.original = sale
    case.carried = sale.carried or not is_live(draft.ws, sale)  # where its sale is, whatever its own time says
    return None


def plan(case: Case) -> Plan:
    """Captured: the difference. Held only (TC): the new total in place of what is held. Owed, without a limit check."""
    amount = case.operation.amount or 0
    standing = related.standing(case.draft.ws, case.known_original)
    if standing.state is TxnState.AUTHORISED:
        return Plan(HOLD, amount, amount, release=standing.held, owed=True)
    more = amount - standing.approved_amount
    return Plan(DEBIT if more > 0 else CREDIT, amount, abs(more), owed=True)


def takes(draft: Draft, adjustment: Txn) -> None:
    """What stood before gives way. A settled item stays as it was settled: the difference is an adjustment (RH4)."""
    stood = related.before(draft.ws, adjustment)
    if not (is_live(draft.ws, stood) and adjustment.batch_id == stood.batch_id and stood.carried == adjustment.carried):
        return
    after = draft.put(replace(stood, replaced_by=adjustment.id, held=0))
    batches.change(draft, stood, after)


def withdrawn(draft: Draft, adjustment: Txn) -> tuple[Ask, ...]:
    """The adjustment was reversed: what it stood in the place of stands again, at its own amount. What the issuer is
    owed for that: under TC a captured adjustment was debited for both, and its reversal left the old hold behind."""
    stood = related.before(draft.ws, adjustment)
    if stood.replaced_by != adjustment.id:
        return ()
    held = stood.approved_amount if stood.state is TxnState.AUTHORISED else 0
    after = draft.put(replace(stood, replaced_by=0, held=held))
    batches.change(draft, stood, after)
    was_held = any(leg.purpose == HOLD for leg in draft.ws.legs_of(adjustment.id))
    if not (was_held and stood.state is TxnState.CAPTURED):
        return ()
    return asks.owe(draft, after, DEBIT, after.approved_amount, release=after.approved_amount)
