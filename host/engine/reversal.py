"""Reversals (0400, 0420 and their repeats): the table of rules.md, section 3, and what each row does to the books.

The answer is decided by the acquirer's own books at once. The issuer is told by a leg in flight that is durable in the
same commit and repeated until acked, so the terminal never waits for it: what the terminal is told is already true, and
what the issuer still has to learn cannot be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from host.engine import batches, ledger, legs, outcomes
from host.engine.admission import new_txn
from host.engine.checks import Case
from host.engine.events import Ask, Decision
from host.engine.identity import is_live
from host.engine.originals import Named, batch_id_of_number, named_by_reversal
from host.rows import Adjustment, Leg, Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind
from specs.profile import KeyScheme

BY_REVERSAL = "reversal"


class Found(StrEnum):
    """«H finds», one member a row."""

    LIVE_OPEN = "approved, live, batch open"
    LIVE_CLOSED = "approved, live, batch closed"
    REVERSED = "already reversed (repeat)"
    PENDING = "still at the issuer"
    NEVER_APPROVED = "known, never approved"
    VOIDED = "approved but voided since"
    VOID_OPEN = "a void"
    VOID_CLOSED = "a void, batch closed"
    UNSEEN = "unseen"
    TOMBSTONE = "unseen (repeat)"
    OTHER_AMOUNT = "k known, amount differs"
    OTHER_CLOSED = "k known in a closed batch only and free for a new transaction, amount differs"


Act = Callable[[Case, Txn], tuple[Ask, ...]]


@dataclass(frozen=True, slots=True)
class _Row:
    """refusal None = 00. act: what it does to the books; None = nothing."""

    refusal: Refusal | None
    act: Act | None = None


def decide(case: Case) -> Decision:
    """Answer a reversal; it never books anything new but an undo, an adjustment or a tombstone."""
    draft, operation = case.draft, case.operation
    named = named_by_reversal(draft.ws, case.known_terminal, case.request, draft.ctx.now)
    found = what(case, named)
    if named.other is not None and found is Found.OTHER_CLOSED:
        _alarm_near_miss(case, named.other)
    if found in (Found.UNSEEN, Found.OTHER_CLOSED):
        return _answer(case, _unseen(case), Refusal.ORIGINAL_NOT_FOUND)
    txn = named.txn or named.tombstone or named.other
    assert txn is not None, found
    if found is Found.TOMBSTONE:
        return _answer(case, txn, Refusal.ORIGINAL_NOT_FOUND)
    row = TABLE[found]
    asks = row.act(case, txn) if row.act else ()
    draft.note(f"reversal of {txn.kind} {txn.id} (STAN {operation.stan}): {found}")
    return replace(_answer(case, txn, row.refusal), asks=asks)


def what(case: Case, named: Named) -> Found:
    """Which row of the table this reversal meets."""
    if named.other is not None:
        # By the host's batch (NAC) a number of a closed batch serves again: the original may still come and be taken
        # for a new sale, so it needs its tombstone. By the wire's number (CUP) it would be refused 22.
        free = case.profile.key_scheme is KeyScheme.HOST_BATCH and not is_live(case.draft.ws, named.other)
        return Found.OTHER_CLOSED if free else Found.OTHER_AMOUNT
    if named.txn is None:
        return Found.TOMBSTONE if named.tombstone else Found.UNSEEN
    txn = named.txn
    if txn.kind not in (Kind.SALE, Kind.VOID):
        return Found.NEVER_APPROVED  # an inquiry, whatever its state
    if txn.state is TxnState.CAPTURED:
        live = is_live(case.draft.ws, txn)
        if txn.kind == Kind.VOID:
            return Found.VOID_OPEN if live else Found.VOID_CLOSED
        return Found.LIVE_OPEN if live else Found.LIVE_CLOSED
    return _BY_STATE[txn.state]


_BY_STATE: Mapping[TxnState, Found] = {
    TxnState.REVERSED: Found.REVERSED,
    TxnState.PENDING: Found.PENDING,
    TxnState.DECLINED: Found.NEVER_APPROVED,
    TxnState.VOIDED: Found.VOIDED,
}


def _answer(case: Case, txn: Txn, refusal: Refusal | None) -> Decision:
    """Rows that were never seen are answered as the tombstone was: `reversal.unseen` may have changed since."""
    ctx = case.draft.ctx
    if txn.state is TxnState.TOMBSTONE:
        code = txn.response_code
        refusal = None if code == outcomes.APPROVED else refusal
    else:
        code = outcomes.code_of(case.profile, refusal) if refusal else outcomes.APPROVED
    return Decision(outcome=outcomes.of_reversal(ctx, case.operation, refusal, code, txn), txn_id=txn.id)


# ---- what each row does


def _undo(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """Undone: out of the totals, postings back, the issuer owed a 0420.

    All one commit. A crash just before it: the terminal has no answer and sends the same 0400 again. Just after: its
    repeat finds `reversed` and gets 00; the leg is found undoing and the 0420 goes out at the restart.
    """
    draft = case.draft
    after = draft.put(replace(txn, state=TxnState.REVERSED, undone_by=BY_REVERSAL, settlement="none"))
    ledger.post(draft, ledger.UNDO, after, after.approved_amount, after.batch_id)
    batches.change(draft, txn, after)
    return (legs.undo(draft, _first_leg(case, txn)),)


def _adjust(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """RH4: the closed batch stays as it was settled; its opposite lands in the open one, out of its comparison."""
    after = case.draft.put(replace(txn, state=TxnState.REVERSED, undone_by=BY_REVERSAL))
    _book_adjustment(case, after, -after.approved_amount)
    return (legs.undo(case.draft, _first_leg(case, txn)),)


def _mark_pending(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """k is reversed while the issuer thinks. Its leg stays asking: a yes, or the timeout, is met with 0420 (legs.py),
    and only then is the waiting original answered 12. A crash in between: the restart finds the leg and undoes it."""
    draft = case.draft
    draft.put(
        replace(
            txn,
            state=TxnState.REVERSED,
            undone_by=BY_REVERSAL,
            refusal=Refusal.ORIGINAL_REVERSED.value,
            response_code=outcomes.code_of(case.profile, Refusal.ORIGINAL_REVERSED),
            answered_at=outcomes.host_time(draft.ctx),
        )
    )
    return ()


def _revive(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """The void is undone, the sale lives again, the issuer debits again."""
    draft = case.draft
    after = _void_undone(case, txn, settlement="none")
    ledger.post(draft, ledger.DEBIT_AGAIN, after, after.approved_amount, after.batch_id)
    batches.change(draft, txn, after)
    return (legs.debit_again(draft, after),)


def _revive_closed(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """As `_revive`, but sale and void were settled as zero together: the sale's amount comes as an adjustment."""
    after = _void_undone(case, txn, settlement=txn.settlement)
    _book_adjustment(case, after, after.approved_amount)
    return (legs.debit_again(case.draft, after),)


def _void_undone(case: Case, void: Txn, *, settlement: str) -> Txn:
    draft = case.draft
    sale = draft.ws.txn(void.original_id)
    assert sale is not None, f"void {void.id}: original {void.original_id} is not loaded"
    # A void in an open batch has its sale there too; in a closed one both are settled.
    revived = replace(
        sale, state=TxnState.CAPTURED, undone_by="", settlement="settled" if settlement != "none" else "open"
    )
    batches.change(draft, sale, draft.put(revived))
    return draft.put(replace(void, state=TxnState.REVERSED, undone_by=BY_REVERSAL, settlement=settlement))


def _alarm_voided(case: Case, txn: Txn) -> tuple[Ask, ...]:
    text = f"reversal of sale {txn.id}, which was undone by {txn.undone_by}: the void stands, undo that one instead"
    case.draft.alarm(txn.tid, "reversal-of-voided", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


def _alarm_near_miss(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """The price of 25 is that the terminal thinks it has undone something (FC 79)."""
    asked = case.operation.amount
    text = f"reversal of {asked} with STAN {txn.stan} answered 25, but {txn.kind} {txn.id} of {txn.amount} has that key"
    case.draft.alarm(txn.tid, "near-miss", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


TABLE: Mapping[Found, _Row] = {
    Found.LIVE_OPEN: _Row(None, _undo),
    Found.LIVE_CLOSED: _Row(None, _adjust),
    Found.REVERSED: _Row(None),
    Found.PENDING: _Row(None, _mark_pending),
    Found.NEVER_APPROVED: _Row(Refusal.NOTHING_TO_REVERSE),
    Found.VOIDED: _Row(Refusal.NOTHING_TO_REVERSE, _alarm_voided),
    Found.VOID_OPEN: _Row(None, _revive),
    Found.VOID_CLOSED: _Row(None, _revive_closed),
    Found.OTHER_AMOUNT: _Row(Refusal.ORIGINAL_NOT_FOUND, _alarm_near_miss),
}
"""UNSEEN, OTHER_CLOSED and TOMBSTONE answer as `reversal.unseen` says. OTHER_AMOUNT leaves no tombstone: k exists."""


# ---- parts


def _unseen(case: Case) -> Txn:
    """The tombstone: the key as the reversal names it. An original that fits it later is refused (RH3).

    A crash just before the commit: nothing was answered and the same 0400 comes again. Just after: its repeat meets the
    tombstone and gets the same code.
    """
    draft, profile = case.draft, case.profile
    row = replace(
        new_txn(case, TxnState.TOMBSTONE, amount=case.operation.amount or 0),
        batch_id=batch_id_of_number(draft.ws, case.known_terminal, case.request),
        response_code=profile.reversal_unseen,
        refusal=Refusal.ORIGINAL_NOT_FOUND.value,
        content="{}",
        answered_at=outcomes.host_time(draft.ctx),
        note="tombstone: the reversal came, its original did not",
    )
    draft.note(f"reversal of an unseen transaction (STAN {row.stan}): tombstone")
    return draft.put(row)


def _first_leg(case: Case, txn: Txn) -> Leg:
    found = [leg for leg in case.draft.ws.legs_of(txn.id) if leg.number == 1]
    assert found, f"transaction {txn.id} was captured without a leg"
    return found[0]


def _book_adjustment(case: Case, txn: Txn, amount: int) -> None:
    draft = case.draft
    batch = batches.current(draft, case.known_terminal, None)
    draft.put(Adjustment(draft.new_id(Adjustment), txn.id, batch.id, amount, BY_REVERSAL, draft.now))
    ledger.post(draft, ledger.ADJUSTMENT, txn, amount, batch.id)
