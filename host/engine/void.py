"""Void: a person takes a sale, a completion or a refund of the open batch back, once and whole (rules.md, 1 and 8).

The void of an adjusted sale is one of its new total, and takes the adjustments along. A completion that is voided gives
its pre-authorisation back.
"""

from __future__ import annotations

from host.engine import asks, batches, originals, preauth, related
from host.engine.asks import CREDIT, DEBIT, DEBIT_AGAIN, HOLD_AGAIN, RELEASE
from host.engine.case import Case, Plan
from host.engine.draft import Draft
from host.engine.events import Ask
from host.engine.identity import is_live
from host.engine.related import COMPLETIONS, LIVE
from host.engine.working import WorkingSet
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import DEBITS, FINANCIAL, Kind
from specs.values import replace

VOID_OF_REFUND = "22"
"""DE 3, digits 1-2, NAC and ISO 87."""


def names(case: Case) -> Refusal | None:
    """25 not found or of another kind, 12 no longer voidable, 64 another amount (rules.md, section 8)."""
    ws, operation = case.draft.ws, case.operation
    found = originals.named_by_void(ws, case.known_terminal, case.request)
    if found is None:
        return Refusal.ORIGINAL_NOT_FOUND
    original = related.root(ws, found)
    if _another_kind(case, original):
        return Refusal.ORIGINAL_NOT_FOUND
    standing = related.standing(ws, original)
    if not _voidable(ws, original, standing):
        return Refusal.VOID_NOT_POSSIBLE
    stated = operation.original.amount if operation.original else None
    if operation.amount not in (None, 0, standing.approved_amount):
        return Refusal.AMOUNT_DIFFERS
    if stated not in (None, 0, standing.approved_amount, original.approved_amount):
        return Refusal.AMOUNT_DIFFERS
    case.original = original
    case.carried = original.carried
    return None


def _another_kind(case: Case, original: Txn) -> bool:
    """A refund is voided by 22 alone, and 22 voids nothing else; a completion void voids completions."""
    if case.kind is Kind.COMPLETION_VOID:
        return original.kind not in COMPLETIONS
    of_refund = case.operation.processing_code[:2] == VOID_OF_REFUND
    return original.kind in FINANCIAL and of_refund != (original.kind == Kind.REFUND)


def _voidable(ws: WorkingSet, original: Txn, standing: Txn) -> bool:
    """Approved, in a batch that is open, and nobody busy with it; what was refunded cannot be given back once more."""
    return (
        original.kind in DEBITS | {Kind.REFUND}
        and original.state in LIVE
        and is_live(ws, original)
        and is_live(ws, standing)
        and not related.in_flight(ws, original)
        and not related.refunds(ws, original)
    )


def plan(case: Case) -> Plan:
    """The opposite of what the original did at the issuer. The void has its original's amount, whatever DE 4 says (a
    NAC void may carry 0), and goes to the card that was debited, not to one that the message may show."""
    ws, original = case.draft.ws, case.known_original
    standing = related.standing(ws, original)
    amount = standing.approved_amount
    back = preauth.held_again(ws, original) if original.kind in COMPLETIONS else 0
    captured = original.state is TxnState.CAPTURED
    if original.kind == Kind.REFUND:
        return Plan(DEBIT_AGAIN if captured else "", amount, amount)
    if captured:
        return Plan(CREDIT, amount, amount, release=-back)
    if back:
        return Plan(HOLD_AGAIN, amount, back, release=standing.held)
    return Plan(RELEASE, amount, standing.held)


def stands(ws: WorkingSet, void: Txn) -> Refusal | None:
    """Reversed, adjusted or settled while the credit was at the issuer: the void came too late."""
    original = ws.txn(void.original_id)
    assert original is not None, f"void {void.id}: original {void.original_id} is not loaded"
    same = original.state in LIVE and is_live(ws, original)
    same = same and related.standing(ws, original).approved_amount == void.amount
    return None if same else Refusal.VOID_NOT_POSSIBLE


def takes(draft: Draft, void: Txn) -> None:
    """The original is voided, its adjustments with it; a completed pre-authorisation is authorised again."""
    original = draft.ws.txn(void.original_id)
    assert original is not None, f"void {void.id}: original {void.original_id} is not loaded"
    mark = _mark(void)
    for txn in related.chain(draft.ws, original):
        voided = draft.put(replace(txn, state=TxnState.VOIDED, undone_by=mark, settlement="none", held=0))
        batches.change(draft, txn, voided)
    if original.kind in COMPLETIONS:
        preauth.reopen(draft, original)


# ---- the void itself is reversed: what it took back lives again


def revive(draft: Draft, void: Txn, *, live: bool) -> tuple[tuple[Ask, ...], int]:
    """Everything that this void had voided stands again. live: the batch of both is open.

    Gives back what the issuer is owed for it, and what the merchant is owed more (signed minor units).
    """
    ws = draft.ws
    original = ws.txn(void.original_id)
    assert original is not None, f"void {void.id}: original {void.original_id} is not loaded"
    weight = related.weight(ws, void)
    only_held = weight == 0  # TC: nothing was captured when it was voided
    members = [original, *(t for t in ws.acting_on(original.id) if t.undone_by == _mark(void))]
    for txn in members:
        holds = only_held and live and txn is members[-1]
        _stand_again(draft, txn, captured=not (only_held and live), holds=holds, live=live)
    drop = preauth.complete_again(draft, original) if original.kind in COMPLETIONS else 0
    owed = _issuer_again(draft, void, original, drop)
    if only_held and not live:
        # Its batch was settled without it: there is no capture to come, so it is captured now, as an adjustment.
        amount, newest = void.approved_amount, members[-1]
        if original.kind == Kind.REFUND:
            return (*owed, *asks.owe(draft, newest, CREDIT, amount)), -amount
        return (*owed, *asks.owe(draft, newest, DEBIT, amount, release=amount)), amount
    return owed, -weight


def _issuer_again(draft: Draft, void: Txn, original: Txn, drop: int) -> tuple[Ask, ...]:
    """The opposite of the void's legs. drop: what a pre-authorisation holds by now goes with it."""
    if original.kind in COMPLETIONS:
        captured = any(leg.purpose == CREDIT for leg in draft.ws.legs_of(void.id))
        return asks.owe(draft, void, DEBIT_AGAIN if captured else HOLD_AGAIN, void.approved_amount, release=drop)
    return asks.take_back(draft, void)


def _stand_again(draft: Draft, txn: Txn, *, captured: bool, holds: bool, live: bool) -> None:
    revived = draft.put(
        replace(
            txn,
            state=TxnState.CAPTURED if captured else TxnState.AUTHORISED,
            undone_by="",
            # A void in an open batch has its sale there too; in a closed one both are settled.
            settlement="open" if live else "settled",
            held=txn.approved_amount if holds and txn.kind != Kind.REFUND else 0,
        )
    )
    batches.change(draft, txn, revived)


def _mark(void: Txn) -> str:
    return f"void:{void.id}"
