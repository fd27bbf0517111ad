"""Issuer legs: what an answer, a silence or a restart makes of them (rules.md, section 9; RH7; FC 17-20, 55).

States of a leg: asking (its transaction waits) -> done, or -> undoing (owed to the issuer, nobody waits) -> done; owing
(the leg itself is owed) -> done. A yes that comes when nobody waits any more is never captured: it is met with 0420,
repeated until acked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from host.engine import asks, booking, evidence, outcomes, sale
from host.engine.advice import stand_in
from host.engine.asks import (
    APPROVED,
    ASKING,
    DEBIT,
    DEBIT_AGAIN,
    DONE,
    HOLD,
    INQUIRY,
    OVERDUE,
    OWING,
    PARTIAL,
    UNDO,
    UNDOING,
    UNDONE,
)
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, IssuerAnswer, LegOverdue
from host.rows import Leg, Txn, TxnState
from specs.codes import Refusal
from specs.operation import DEBITS, Kind
from specs.values import replace

NO_ANSWER = "no-answer"
_OWN_AMOUNT = DEBITS | {Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT}
"""Kinds whose amount the issuer may cut; all else is taken back or given back whole."""


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
    if leg.state in (UNDOING, OWING):
        return Decision(txn_id=leg.txn_id, asks=(asks.repeat(draft, leg),))
    owed: tuple[Ask, ...] = ()
    if leg.purpose == INQUIRY:
        asks.done(draft, leg, OVERDUE)  # nothing moved: nothing to undo
    else:
        owed = (asks.undo(draft, leg, OVERDUE),)
    if event.restart:
        draft.note(f"leg {leg.id} was found unfinished after a restart")
    txn = _txn_of(draft, leg)
    if txn.state is TxnState.PENDING:
        return _unheard(draft, txn, leg, Refusal.ISSUER_SILENT, owed)
    return _told(draft, txn, owed)


def _unheard(draft: Draft, txn: Txn, leg: Leg, refusal: Refusal, owed: tuple[Ask, ...]) -> Decision:
    """The issuer is away: no for a request, yes for an advice, whose leg is then owed."""
    if txn.advice or txn.kind == Kind.OFFLINE_SALE:
        too_late, more = stand_in(draft, txn, leg)
        if too_late is None:
            return _told(draft, _now(draft, txn), (*owed, *more))
        refusal = too_late
    return _told(draft, booking.decline(draft, txn, refusal, undone_by=NO_ANSWER if owed else ""), owed)


def _acked(draft: Draft, leg: Leg) -> Decision:
    if leg.state == UNDOING:
        asks.done(draft, leg, UNDONE)
    return Decision(txn_id=leg.txn_id)


def _answer_to_asking(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    txn = _looked_at(draft, _txn_of(draft, leg), event)
    if not event.approved:
        asks.done(draft, leg, event.refusal)
        if txn.state is not TxnState.PENDING:
            return _told(draft, txn)
        if event.refusal == Refusal.ISSUER_DOWN:
            return _unheard(draft, txn, leg, Refusal.ISSUER_DOWN, ())
        return _told(draft, booking.decline(draft, txn, Refusal(event.refusal)))
    if txn.state is not TxnState.PENDING:
        # Reversed while it was at the issuer: its yes is met with 0420, the original is answered 12.
        draft.note(f"the issuer's yes to transaction {txn.id} came after its reversal: undone")
        return _told(draft, txn, (asks.undo(draft, leg, APPROVED),))
    if leg.purpose == INQUIRY:
        return _answer_inquiry(draft, txn, leg, event)
    too_late = booking.moved_on(draft.ws, txn)
    if too_late is not None:
        return _told(draft, booking.decline(draft, txn, too_late), (asks.undo(draft, leg, APPROVED),))
    return _accept(draft, txn, leg, event)


def _answer_to_owing(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    if event.refusal == Refusal.ISSUER_DOWN:
        return Decision(txn_id=leg.txn_id)  # nothing was sent: still owed, asked again when it is overdue
    asks.done(draft, leg, APPROVED if event.approved else event.refusal)
    if not event.approved:
        txn = _txn_of(draft, leg)
        code = "debit-again-refused" if leg.purpose == DEBIT_AGAIN else "owed-leg-refused"
        text = f"the issuer refused the {leg.purpose} of {leg.amount} owed for transaction {txn.id} ({event.refusal})"
        draft.alarm(txn.tid, code, text, txn_id=txn.id, batch_id=txn.batch_id)
    return Decision(txn_id=leg.txn_id)


def _answer_to_undoing(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    draft.note(f"late answer of leg {leg.id}, which is being undone: not captured")
    return Decision(txn_id=leg.txn_id)


def _answer_to_done(draft: Draft, leg: Leg, event: IssuerAnswer) -> Decision:
    """A repeat of what is known; but a yes after a no (a link that said «down» too early) is undone."""
    said_no = leg.result not in (APPROVED, PARTIAL, UNDONE, OVERDUE)
    if not (event.approved and said_no and leg.purpose != INQUIRY):
        return Decision(txn_id=leg.txn_id)
    draft.note(f"late yes of leg {leg.id} after a no: undone")
    return Decision(txn_id=leg.txn_id, asks=(asks.undo(draft, leg),))


_ANSWERED: Mapping[str, Callable[[Draft, Leg, IssuerAnswer], Decision]] = {
    ASKING: _answer_to_asking,
    OWING: _answer_to_owing,
    UNDOING: _answer_to_undoing,
    DONE: _answer_to_done,
}


def _looked_at(draft: Draft, txn: Txn, event: IssuerAnswer) -> Txn:
    """What the issuer found in the chip's data, kept with the transaction."""
    if event.note:
        draft.note(event.note)
    return evidence.note_chip(draft, txn, arqc=event.arqc) if event.arqc else txn


# ---- a yes in time


def _accept(draft: Draft, txn: Txn, leg: Leg, event: IssuerAnswer) -> Decision:
    """Approved, whole or in part: booked, and the leg's end in the same commit."""
    if event.chip:
        txn = replace(txn, chip_answer=event.chip.hex().upper())
    cuttable = leg.purpose in (DEBIT, HOLD) and txn.kind in _OWN_AMOUNT
    amount = event.approved_amount if cuttable else txn.amount
    assert not cuttable or 0 < amount <= leg.amount, f"leg {leg.id}: approved {amount} of {leg.amount}"
    partial = amount < txn.amount
    magic = sale.magic_yes(booking.profile_of(draft.ctx, txn.dialect).family, txn)
    asks.done(draft, leg, PARTIAL if partial else APPROVED)
    after = booking.accept(
        draft,
        txn,
        amount,
        code=outcomes.PARTIAL if partial else magic or outcomes.APPROVED,
        balance=event.balance if partial else -1,
    )
    return _told(draft, _now(draft, after))


def _answer_inquiry(draft: Draft, txn: Txn, leg: Leg, event: IssuerAnswer) -> Decision:
    """The balance is stored for replays; the row is never captured (sale.py says why)."""
    after = draft.put(
        replace(
            txn,
            state=TxnState.DECLINED,
            answered_at=draft.ctx.host_time,
            business_date=booking.answer_day(draft, txn),
            response_code=outcomes.APPROVED,
            balance=event.balance,
            chip_answer=event.chip.hex().upper(),
            note="balance inquiry: answered, no money moved",
        )
    )
    asks.done(draft, leg, APPROVED)
    return _told(draft, after)


# ---- telling


def _txn_of(draft: Draft, leg: Leg) -> Txn:
    txn = draft.ws.txn(leg.txn_id)
    assert txn is not None, f"leg {leg.id}: transaction {leg.txn_id} is not loaded"
    return txn


def _now(draft: Draft, txn: Txn) -> Txn:
    """The row as this decision has left it."""
    found = draft.ws.txn(txn.id)
    assert found is not None, f"transaction {txn.id} was put a moment ago"
    return found


def _told(draft: Draft, txn: Txn, owed: tuple[Ask, ...] = ()) -> Decision:
    """The outcome for everybody who waits for this transaction, signed with the key that the terminal uses."""
    profile = booking.profile_of(draft.ctx, txn.dialect)
    terminal = draft.ws.terminal(txn.tid)
    assert terminal is not None, f"transaction {txn.id}: terminal {txn.tid} is not loaded"
    signs = profile.mac and terminal.signed_on
    return Decision(
        outcome=outcomes.of_txn(draft.ctx, txn, profile.key_scheme),
        txn_id=txn.id,
        asks=owed,
        sign_key=terminal.key_in_use if signs else "",
        mac=profile.mac if signs else "",
    )
