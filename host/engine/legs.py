"""Issuer legs: what an answer, a silence or a restart makes of them (rules.md, section 9; RH7; FC 17-20, 55).

States of a leg: asking (its transaction waits) -> done, or -> undoing (owed to the issuer, nobody waits) -> done. A yes
that comes when nobody waits any more is never captured: it is met with 0420, repeated until acked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from host.engine import batches, ledger, outcomes, sale
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, IssuerAnswer, LegOverdue
from host.engine.identity import is_live
from host.rows import Leg, Txn, TxnState
from specs import profile as profiles
from specs.codes import Refusal
from specs.dialect import load
from specs.profile import Profile

ASKING, UNDOING, DONE = "asking", "undoing", "done"
DEBIT, CREDIT, DEBIT_AGAIN, INQUIRY, UNDO = "debit", "credit", "debit-again", "inquiry", "undo"
APPROVED, PARTIAL, OVERDUE, UNDONE = "approved", "partial", "overdue", "undone"
NO_ANSWER = "no-answer"


def profile_of(ctx: Context, dialect: str) -> Profile:
    """The switches under which a stored transaction was decided."""
    return ctx.profiles[dialect] if dialect in ctx.profiles else _built_in(dialect)


@lru_cache(maxsize=32)
def _built_in(name: str) -> Profile:
    dialect = load(name)
    return profiles.profile_of(dialect.name, dialect.profile)


# ---- asks that are owed


def undo(draft: Draft, leg: Leg, result: str = "") -> Ask:
    """Owe the issuer a 0420 for this leg.

    Commit first, then ask: a crash in between finds the row `undoing` and asks again; the issuer undoes a leg once.
    """
    return Ask(_owe(draft, leg, result or leg.result), undo=True)


def debit_again(draft: Draft, void: Txn) -> Ask:
    """Owe the issuer the debit that a reversed void had credited: leg 2 of the void, without a limit check."""
    number = max((leg.number for leg in draft.ws.legs_of(void.id)), default=0) + 1
    fresh = Leg(
        draft.new_id(Leg),
        void.id,
        number,
        DEBIT_AGAIN,
        void.approved_amount,
        void.currency,
        void.pan_hash,
        "",
        "",
        0,
        "",
    )
    return Ask(_owe(draft, fresh, ""), undo=False)


def _owe(draft: Draft, leg: Leg, result: str) -> Leg:
    deadline = draft.ctx.now + timedelta(seconds=draft.ctx.settings.issuer_timeout_s)
    return draft.put(replace(leg, state=UNDOING, tries=leg.tries + 1, deadline=deadline.isoformat(), result=result))


# ---- events


def answered(draft: Draft, event: IssuerAnswer) -> Decision:
    """The issuer's word on one leg; repeats and stragglers change nothing."""
    leg = draft.ws.get(Leg, event.leg_id)
    if leg is None:
        draft.note(f"answer for leg {event.leg_id}, which is not known: ignored")
        return Decision()
    if event.purpose == UNDO:
        return _acked(draft, leg)
    return _ANSWERED[leg.state](draft, leg, event)


def overdue(draft: Draft, event: LegOverdue) -> Decision:
    """The issuer timeout has passed, or a restart found the leg unfinished: both mean undo, and ask until acked."""
    leg = draft.ws.get(Leg, event.leg_id)
    if leg is None or leg.state == DONE:
        return Decision()
    if leg.state == UNDOING:
        return Decision(txn_id=leg.txn_id, asks=(_again(draft, leg),))
    asks: tuple[Ask, ...] = ()
    if leg.purpose == INQUIRY:
        draft.put(replace(leg, state=DONE, result=OVERDUE))  # nothing moved: nothing to undo
    else:
        asks = (undo(draft, leg, OVERDUE),)
    txn = _txn_of(draft, leg)
    if txn.state is TxnState.PENDING:
        undone_by = NO_ANSWER if asks else ""
        txn = _decline(draft, txn, Refusal.ISSUER_SILENT, undone_by=undone_by)
    if event.restart:
        draft.note(f"leg {leg.id} was found unfinished after a restart")
    return _told(draft, txn, asks)


def _acked(draft: Draft, leg: Leg) -> Decision:
    if leg.state == UNDOING:
        draft.put(replace(leg, state=DONE, result=UNDONE))
    return Decision(txn_id=leg.txn_id)


def _again(draft: Draft, leg: Leg) -> Ask:
    """0421 …, or the debit-again as it was: no count of tries ends it, each waits one issuer timeout."""
    return Ask(_owe(draft, leg, leg.result), undo=leg.purpose != DEBIT_AGAIN)


def _answer_to_asking(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    txn = _txn_of(draft, leg)
    if not event.approved:
        draft.put(replace(leg, state=DONE, result=event.refusal))
        if txn.state is TxnState.PENDING:
            txn = _decline(draft, txn, Refusal(event.refusal))
        return _told(draft, txn)
    if txn.state is not TxnState.PENDING:
        # Reversed while it was at the issuer: its yes is met with 0420, the original is answered 12.
        draft.note(f"the issuer's yes to transaction {txn.id} came after its reversal: undone")
        return _told(draft, txn, (undo(draft, leg, APPROVED),))
    return _CAPTURE[leg.purpose](draft, txn, leg, event)


def _answer_to_undoing(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    if leg.purpose == DEBIT_AGAIN and event.refusal == Refusal.ISSUER_DOWN:
        return Decision(txn_id=leg.txn_id)  # nothing was sent: still owed, asked again when it is overdue
    if leg.purpose == DEBIT_AGAIN:
        draft.put(replace(leg, state=DONE, result=APPROVED if event.approved else event.refusal))
        if not event.approved:
            txn = _txn_of(draft, leg)
            text = (
                f"the issuer refused to debit transaction {txn.id} again ({event.refusal}): the card owes {leg.amount}"
            )
            draft.alarm(txn.tid, "debit-again-refused", text, txn_id=txn.id, batch_id=txn.batch_id)
        return Decision(txn_id=leg.txn_id)
    draft.note(f"late answer of leg {leg.id}, which is being undone: not captured")
    return Decision(txn_id=leg.txn_id)


def _answer_to_done(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    """A repeat of what is known; but a yes after a no (a link that said «down» too early) is undone."""
    said_no = leg.result not in (APPROVED, PARTIAL, UNDONE, OVERDUE)
    if not (event.approved and said_no and leg.purpose in (DEBIT, CREDIT)):
        return Decision(txn_id=leg.txn_id)
    draft.note(f"late yes of leg {leg.id} after a no: undone")
    return Decision(txn_id=leg.txn_id, asks=(undo(draft, leg),))


_ANSWERED: Mapping[str, Callable[[Draft, Leg, IssuerAnswer], Decision]] = {
    ASKING: _answer_to_asking,
    UNDOING: _answer_to_undoing,
    DONE: _answer_to_done,
}


# ---- what a yes does, by purpose (profile HC: approval = capture)


def _capture_sale(draft: Draft, txn: Txn, leg: Leg, event: IssuerAnswer) -> Decision:
    """Postings, running totals, answer and the leg's end in one commit.

    A crash just before it: the leg is found asking and is undone, the terminal reverses what it never heard of. Just
    after: the terminal's reversal, or its repeat, finds the captured sale.
    """
    amount = event.approved_amount
    assert 0 < amount <= leg.amount, f"leg {leg.id}: approved {amount} of {leg.amount}"
    partial = amount < txn.amount
    profile = profile_of(draft.ctx, txn.dialect)
    magic = sale.magic_code(profile.family, txn.amount, on=draft.ctx.settings.magic)
    after = draft.put(
        replace(
            _stamped(draft, txn),
            state=TxnState.CAPTURED,
            approved_amount=amount,
            response_code=outcomes.PARTIAL if partial else magic or outcomes.APPROVED,
            auth_code=outcomes.auth_code_of(draft.ctx, txn.id),
            balance=event.balance if partial else -1,
            settlement="open",
        )
    )
    ledger.post(draft, ledger.CAPTURE, after, amount, after.batch_id)
    batches.change(draft, txn, after)
    draft.put(replace(leg, state=DONE, result=PARTIAL if partial else APPROVED))
    return _told(draft, after)


def _capture_void(draft: Draft, txn: Txn, leg: Leg, event: IssuerAnswer) -> Decision:
    """The void counts, the sale is voided, the postings turn back; same crash argument as for a sale."""
    original = draft.ws.txn(txn.original_id)
    assert original is not None, f"void {txn.id}: original {txn.original_id} is not loaded"
    if original.state is not TxnState.CAPTURED or not is_live(draft.ws, original):
        # Reversed or settled while the credit was at the issuer: the void came too late, its credit is debited back.
        return _told(draft, _decline(draft, txn, Refusal.VOID_NOT_POSSIBLE), (undo(draft, leg, APPROVED),))
    after = draft.put(
        replace(
            _stamped(draft, txn),
            state=TxnState.CAPTURED,
            approved_amount=txn.amount,
            response_code=outcomes.APPROVED,
            auth_code=outcomes.auth_code_of(draft.ctx, txn.id),
            settlement="open",
        )
    )
    voided = draft.put(replace(original, state=TxnState.VOIDED, undone_by=f"void:{txn.id}", settlement="none"))
    ledger.post(draft, ledger.VOID, after, after.approved_amount, after.batch_id)
    batches.change(draft, original, voided)
    batches.change(draft, txn, after)
    draft.put(replace(leg, state=DONE, result=APPROVED))
    return _told(draft, after)


def _answer_inquiry(draft: Draft, txn: Txn, leg: Leg, event: IssuerAnswer) -> Decision:
    """The balance is stored for replays; the row is never captured (sale.py says why)."""
    after = draft.put(
        replace(
            _stamped(draft, txn),
            state=TxnState.DECLINED,
            response_code=outcomes.APPROVED,
            balance=event.balance,
            note="balance inquiry: answered, no money moved",
        )
    )
    draft.put(replace(leg, state=DONE, result=APPROVED))
    return _told(draft, after)


_CAPTURE: Mapping[str, Callable[[Draft, Txn, Leg, IssuerAnswer], Decision]] = {
    DEBIT: _capture_sale,
    CREDIT: _capture_void,
    INQUIRY: _answer_inquiry,
}


# ---- telling


def _txn_of(draft: Draft, leg: Leg) -> Txn:
    txn = draft.ws.txn(leg.txn_id)
    assert txn is not None, f"leg {leg.id}: transaction {leg.txn_id} is not loaded"
    return txn


def _decline(draft: Draft, txn: Txn, refusal: Refusal, *, undone_by: str = "") -> Txn:
    after = replace(
        _stamped(draft, txn),
        state=TxnState.DECLINED,
        response_code=outcomes.code_of(profile_of(draft.ctx, txn.dialect), refusal),
        refusal=refusal.value,
        undone_by=undone_by,
    )
    return draft.put(after)


def _stamped(draft: Draft, txn: Txn) -> Txn:
    """With DE 12, 13 and 15 of the final answer, as every replay will say them."""
    ctx = draft.ctx
    return replace(txn, answered_at=outcomes.host_time(ctx), business_date=ctx.business_date.isoformat())


def _told(draft: Draft, txn: Txn, asks: tuple[Ask, ...] = ()) -> Decision:
    """The outcome for everybody who waits for this transaction, signed with the key that the terminal uses."""
    profile = profile_of(draft.ctx, txn.dialect)
    terminal = draft.ws.terminal(txn.tid)
    assert terminal is not None, f"transaction {txn.id}: terminal {txn.tid} is not loaded"
    signs = profile.mac and terminal.signed_on
    return Decision(
        outcome=outcomes.of_txn(draft.ctx, txn, profile.key_scheme),
        txn_id=txn.id,
        asks=asks,
        sign_key=terminal.key_in_use if signs else "",
        mac=profile.mac if signs else "",
    )
