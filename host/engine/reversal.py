"""Reversals (0400, 0420 and their repeats): the table of rules.md, section 3, and what each row does to the books.

The answer is decided by the acquirer's own books at once. The issuer is told by a leg in flight that is durable in the
same commit and repeated until acked, so the terminal never waits for it: what the terminal is told is already true, and
what the issuer still has to learn cannot be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from host.engine import adjust, asks, batches, booking, explain, ledger, outcomes, preauth, related, void
from host.engine.admission import new_txn
from host.engine.case import Case
from host.engine.draft import Draft
from host.engine.events import Ask, Decision
from host.engine.identity import is_live
from host.engine.originals import Named, batch_id_of_number, key_named_by_reversal, named_by_reversal
from host.engine.related import COMPLETIONS
from host.rows import Adjustment, Txn, TxnState
from specs.codes import Refusal
from specs.operation import ADJUSTMENTS, DEBITS, FINANCIAL, RESERVATIONS, VOIDS, Kind
from specs.profile import KeyScheme
from specs.values import replace

BY_REVERSAL = "reversal"


class Found(StrEnum):
    """«H finds», one member a row."""

    LIVE_OPEN = "approved, live, batch open"
    LIVE_CLOSED = "approved, live, batch closed"
    RESERVED = "a live pre-authorisation, its increment or its void"
    COMPLETED = "a pre-authorisation that was completed since, or its increment"
    ADJUSTED = "an adjustment that was adjusted since"
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
        explain.unseen(case)
        return _answer(case, _unseen(case), Refusal.ORIGINAL_NOT_FOUND)
    txn = named.txn or named.tombstone or named.other
    assert txn is not None, found
    if found is Found.TOMBSTONE:
        return _answer(case, txn, Refusal.ORIGINAL_NOT_FOUND)
    row = TABLE[found]
    asks = row.act(case, txn) if row.act else ()
    draft.note(f"reversal of {txn.kind} {txn.id} (STAN {operation.stan}): {found}")
    decision = replace(_answer(case, txn, row.refusal), asks=asks)
    if named.by_invoice and row.act is None:
        _also_unseen(case, decision)
    return decision


def what(case: Case, named: Named) -> Found:
    """Which row of the table this reversal meets."""
    if named.other is not None:
        # By the host's batch (NAC) a number of a closed batch serves again: the original may still come and be taken
        # for a new sale, so it needs its tombstone. By the wire's number (CUP) it would be refused 22.
        # ISO 87 tells them by their time.
        free = case.profile.key_scheme is KeyScheme.HOST_BATCH and not is_live(case.draft.ws, named.other)
        return Found.OTHER_CLOSED if free else Found.OTHER_AMOUNT
    if named.txn is None:
        return Found.TOMBSTONE if named.tombstone else Found.UNSEEN
    txn = named.txn
    if txn.kind not in FINANCIAL | RESERVATIONS:
        return Found.NEVER_APPROVED  # an inquiry, whatever its state
    return _live(case.draft, txn) if txn.state in related.LIVE else _BY_STATE[txn.state]


def _live(draft: Draft, txn: Txn) -> Found:
    if txn.kind in RESERVATIONS:
        return Found.COMPLETED if _is_completed(txn) else Found.RESERVED
    live = is_live(draft.ws, txn)
    if txn.kind in VOIDS:
        return Found.VOID_OPEN if live else Found.VOID_CLOSED
    if txn.kind in ADJUSTMENTS and related.standing(draft.ws, related.root(draft.ws, txn)).id != txn.id:
        return Found.ADJUSTED
    return Found.LIVE_OPEN if live else Found.LIVE_CLOSED


def _is_completed(txn: Txn) -> bool:
    """A pre-auth void is captured too, and that is the best it can be."""
    return txn.kind != Kind.PRE_AUTH_VOID and txn.state is TxnState.CAPTURED


_BY_STATE: Mapping[TxnState, Found] = {
    TxnState.REVERSED: Found.REVERSED,
    TxnState.PENDING: Found.PENDING,
    TxnState.DECLINED: Found.NEVER_APPROVED,
    TxnState.VOIDED: Found.VOIDED,
    TxnState.EXPIRED: Found.NEVER_APPROVED,  # its hold is gone already: nothing is left to undo
}


def _answer(case: Case, txn: Txn, refusal: Refusal | None) -> Decision:
    """Rows that were never seen are answered as the tombstone was: `reversal.unseen` may have changed since."""
    ctx = case.draft.ctx
    if txn.state is TxnState.TOMBSTONE:
        code = txn.response_code
        refusal = None if code == outcomes.APPROVED else refusal
    else:
        code = outcomes.code_of(case.profile, refusal) if refusal else outcomes.APPROVED
    outcome = outcomes.of_reversal(ctx, case.operation, refusal, code, txn)
    if case.profile.key_scheme is KeyScheme.LOCAL_TIME and txn.batch_id:
        outcome = replace(outcome, business_date=batches.day_of(case.draft, txn.batch_id))
    return Decision(outcome=outcome, txn_id=txn.id)


# ---- what each row does


def _take_back(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """Undone, and all that hangs on it: out of the totals, entries back, the issuer owed the opposite of each leg.

    A sale takes its adjustments along, a pre-authorisation its increments. In a closed batch nothing changes (RH4): the
    opposite lands in the open one, out of its comparison. All one commit. A crash just before it: the terminal has no
    answer and sends the same 0400 again. Just after: its repeat finds `reversed` and gets 00; what the issuer is owed
    is found undoing or owing and goes out at the restart.
    """
    ws = case.draft.ws
    weights = {t.id: related.weight(ws, t) for t in _with_it(case.draft, txn)}
    owed: list[Ask] = []
    for txn_id in sorted(weights, reverse=True):
        member = ws.txn(txn_id)
        assert member is not None, f"transaction {txn_id} was there a moment ago"
        owed += asks.take_back(case.draft, member)
        _reversed(case, member, weights[txn_id])
    owed += _release(case.draft, txn)
    _alarm_refunded(case, txn, txn)
    return tuple(owed)


def _with_it(draft: Draft, txn: Txn) -> list[Txn]:
    """What falls together."""
    if txn.kind in DEBITS:
        return related.chain(draft.ws, txn)
    return [txn, *related.increments(draft.ws, txn)] if txn.kind == Kind.PRE_AUTH else [txn]


def _release(draft: Draft, txn: Txn) -> tuple[Ask, ...]:
    """What it had taken the place of, or changed, is as it was before; what the issuer is owed for that."""
    if txn.kind in COMPLETIONS:
        return preauth.reopened(draft, txn)
    if txn.kind in ADJUSTMENTS:
        return adjust.withdrawn(draft, txn)
    if txn.kind == Kind.PRE_AUTH_INCREMENT:
        preauth.grown(draft, txn, -txn.approved_amount)
    elif txn.kind == Kind.PRE_AUTH_VOID:
        preauth.void_reversed(draft, txn)
    return ()


def _reversed(case: Case, txn: Txn, weight: int) -> None:
    draft = case.draft
    live = is_live(draft.ws, txn)
    settlement = "none" if live else txn.settlement
    after = draft.put(replace(txn, state=TxnState.REVERSED, undone_by=BY_REVERSAL, held=0, settlement=settlement))
    if weight and live and not booking.is_rh4(txn):
        ledger.post(draft, ledger.UNDO, after, -weight, after.batch_id)
    elif weight:
        _book_adjustment(case, after, -weight)
    batches.change(draft, txn, after)


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
            answered_at=draft.ctx.host_time,
        )
    )
    batches.date_batch(draft, txn.batch_id)  # ISO 87 shows it: a sale and its undoing
    return ()


def _revive(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """The void is undone, what it voided lives again, the issuer is owed the opposite. Of a closed batch, where both
    were settled as zero together, the amount comes as an adjustment."""
    draft, live = case.draft, is_live(case.draft.ws, txn)
    owed, amount = void.revive(draft, txn, live=live)
    settlement = "none" if live else txn.settlement
    after = draft.put(replace(txn, state=TxnState.REVERSED, undone_by=BY_REVERSAL, settlement=settlement))
    if amount and live:
        ledger.post(draft, ledger.DEBIT_AGAIN if amount > 0 else ledger.UNDO, after, amount, after.batch_id)
    elif amount:
        _book_adjustment(case, after, amount)
    batches.change(draft, txn, after)
    _alarm_refunded(case, txn, draft.ws.txn(txn.original_id))
    return owed


def _alarm_refunded(case: Case, undone: Txn, of: Txn | None) -> None:
    """A sale that now comes to less than was given back of it (A11). of: the sale, its adjustment or its refund."""
    ws = case.draft.ws
    found = ws.txn(of.original_id) if of is not None and of.kind == Kind.REFUND else of and related.root(ws, of)
    sale = found and ws.txn(found.id)  # as this decision has left it
    if sale is None or sale.kind not in DEBITS:
        return
    given = sum(t.approved_amount or t.amount for t in related.refunds(ws, sale))
    final = related.standing(ws, sale).approved_amount if sale.state in related.LIVE else 0
    if given > final:
        text = f"{undone.kind} {undone.id} was reversed: {sale.kind} {sale.id} comes to {final}, {given} is refunded"
        case.draft.alarm(undone.tid, "reversal-of-refunded", text, txn_id=undone.id, batch_id=undone.batch_id)


def _alarm_voided(case: Case, txn: Txn) -> tuple[Ask, ...]:
    text = (
        f"reversal of {txn.kind} {txn.id}, which was undone by {txn.undone_by}: the void stands, undo that one instead"
    )
    case.draft.alarm(txn.tid, "reversal-of-voided", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


def _alarm_adjusted(case: Case, txn: Txn) -> tuple[Ask, ...]:
    text = f"reversal of {txn.kind} {txn.id}, which was adjusted since: the newer adjustment stands"
    case.draft.alarm(txn.tid, "reversal-of-adjusted", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


def _alarm_completed(case: Case, txn: Txn) -> tuple[Ask, ...]:
    text = f"reversal of {txn.kind} {txn.id}, which was completed since: the completion stands, undo that one instead"
    case.draft.alarm(txn.tid, "reversal-of-completed", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


def _alarm_near_miss(case: Case, txn: Txn) -> tuple[Ask, ...]:
    """The price of 25 is that the terminal thinks it has undone something (FC 79)."""
    asked = case.operation.amount
    text = f"reversal of {asked} with STAN {txn.stan} answered 25, but {txn.kind} {txn.id} of {txn.amount} has that key"
    case.draft.alarm(txn.tid, "near-miss", text, txn_id=txn.id, batch_id=txn.batch_id)
    return ()


TABLE: Mapping[Found, _Row] = {
    Found.LIVE_OPEN: _Row(None, _take_back),
    Found.LIVE_CLOSED: _Row(None, _take_back),
    Found.RESERVED: _Row(None, _take_back),
    Found.COMPLETED: _Row(Refusal.NOTHING_TO_REVERSE, _alarm_completed),
    Found.ADJUSTED: _Row(Refusal.NOTHING_TO_REVERSE, _alarm_adjusted),
    Found.REVERSED: _Row(None),
    Found.PENDING: _Row(None, _mark_pending),
    Found.NEVER_APPROVED: _Row(Refusal.NOTHING_TO_REVERSE),
    Found.VOIDED: _Row(Refusal.NOTHING_TO_REVERSE, _alarm_voided),
    Found.VOID_OPEN: _Row(None, _revive),
    Found.VOID_CLOSED: _Row(None, _revive),
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
    key = key_named_by_reversal(case.request)
    row = replace(
        new_txn(case, TxnState.TOMBSTONE, amount=case.operation.amount or 0),
        stan=key.stan,
        transmitted=key.transmitted,
        batch_id=batch_id_of_number(draft.ws, case.known_terminal, case.request),
        response_code=profile.reversal_unseen,
        refusal=Refusal.ORIGINAL_NOT_FOUND.value,
        content="{}",
        answered_at=draft.ctx.host_time,
        note="tombstone: the reversal came, its original did not",
    )
    draft.note(f"reversal of an unseen transaction (STAN {row.stan}): tombstone")
    return draft.put(row)


def _also_unseen(case: Case, decision: Decision) -> None:
    """What was found by its invoice is undone already: perhaps it was an earlier try, and the one that this reversal
    means is still on its way under the reversal's own STAN. Its tombstone answers a repeat as the reversal is answered.
    """
    assert decision.outcome is not None
    tombstone = _unseen(case)
    case.draft.put(replace(tombstone, response_code=decision.outcome.code))


def _book_adjustment(case: Case, txn: Txn, amount: int) -> None:
    draft = case.draft
    batch = batches.current(draft, case.known_terminal, None)
    draft.put(Adjustment(draft.new_id(Adjustment), txn.id, batch.id, amount, BY_REVERSAL, draft.now))
    batches.date_batch(draft, batch.id)
    ledger.post(draft, ledger.ADJUSTMENT, txn, amount, batch.id)
