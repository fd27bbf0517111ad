"""An original comes in: the duplicate table, then the body of the checks; ends in a replay, a join, a refusal with its
row, or a pending transaction with its issuer leg.

Sale, balance inquiry and void share this road (rules.md, sections 2 and 9) and differ in what they ask of the issuer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from host.engine import identity, outcomes
from host.engine.checks import BODY, Case, first_refusal
from host.engine.events import Ask, Decision
from host.engine.identity import Match, Ruling
from host.rows import Leg, Txn, TxnState
from specs.codes import Refusal
from specs.operation import Operation
from specs.profile import KeyScheme

_LEAVES_NO_ROW = frozenset({Refusal.PIN_UNREADABLE})
"""A refusal that lies in keys: the next delivery is decided afresh (rules.md, section 2, first row: 99)."""
_RULED_OUT = {
    Ruling.UNDONE: Refusal.ORIGINAL_REVERSED,
    Ruling.TWICE: Refusal.DUPLICATE,
    Ruling.TWICE_ADVICE: Refusal.ADVICE_CONFLICT,
    Ruling.CLOSED: Refusal.CLOSED_BATCH,
    Ruling.CLOSED_ADVICE: Refusal.ADVICE_CONFLICT,
}
_ALARMING = frozenset({Ruling.TWICE, Ruling.TWICE_ADVICE})
RE_FLASHED_NOTE = "replayed; if this terminal was re-flashed, reset it"


def admit(case: Case) -> Decision | None:
    """The final word on a duplicate or a refused original; None = go on and ask the issuer."""
    decision = _by_key(case)
    if decision is not None:
        return decision
    refusal = first_refusal(case, BODY)
    if refusal is None:
        return None
    if refusal in _LEAVES_NO_ROW:
        return refused(case, refusal)
    return declined(case, refusal)


def _by_key(case: Case) -> Decision | None:
    draft, operation, terminal = case.draft, case.operation, case.known_terminal
    match = identity.find(draft.ws, terminal, case.request, draft.ctx.now)
    ruling = identity.rule(match, operation, case.profile.key_scheme)
    if ruling is Ruling.DECIDE:
        return None
    assert match is not None, ruling
    if ruling is Ruling.JOIN:
        draft.note(f"joins transaction {match.txn.id}, which is still at the issuer")
        return Decision(txn_id=match.txn.id, waits_txn=match.txn.id)
    if ruling is Ruling.REPLAY:
        return _replay(case, match)
    if ruling in _ALARMING:
        text = f"STAN {operation.stan} names transaction {match.txn.id} already, with other content"
        draft.alarm(terminal.tid, "stan-twice", text, txn_id=match.txn.id, batch_id=match.txn.batch_id)
    if ruling is Ruling.UNDONE:
        draft.note(f"original of transaction {match.txn.id} comes again after it was {match.txn.state}")
    own_answer = ruling is Ruling.UNDONE
    return refused(case, _RULED_OUT[ruling], txn=match.txn if own_answer else None)


def _replay(case: Case, match: Match) -> Decision:
    if case.profile.duplicates == "refuse":
        return refused(case, Refusal.DUPLICATE)
    case.draft.note(f"replay of the stored answer to transaction {match.txn.id}")
    if case.profile.key_scheme is not KeyScheme.WIRE_BATCH:
        case.draft.note(RE_FLASHED_NOTE)
    outcome = outcomes.of_txn(case.draft.ctx, match.txn, case.profile.key_scheme)
    return Decision(outcome=outcome, txn_id=match.txn.id)


def refused(case: Case, refusal: Refusal, *, txn: Txn | None = None) -> Decision:
    """A refusal that leaves no transaction of its own; `txn` is what it is about, if the answer may say so."""
    ctx = case.draft.ctx
    outcome = outcomes.of_refusal(ctx, case.profile, case.operation, refusal, rrn=txn.rrn if txn else "")
    return Decision(outcome=outcome, txn_id=txn.id if txn else 0)


# ---- rows of an original


def new_txn(case: Case, state: TxnState, *, amount: int) -> Txn:
    """The row of this original as it arrived; nothing of it is decided yet.

    A void stands for its sale: card, side and currency are those of what it voids, whatever it shows itself.
    """
    draft, operation, terminal, request = case.draft, case.operation, case.known_terminal, case.request
    txn_id = draft.new_id(Txn)
    row = Txn(
        id=txn_id,
        tid=terminal.tid,
        mid=operation.mid or terminal.mid,
        epoch=terminal.epoch,
        dialect=request.dialect,
        kind=operation.kind,
        state=state,
        batch_id=case.batch.id if case.batch else 0,
        wire_batch=operation.batch or "",
        stan=operation.stan,
        local_time=operation.local_date + operation.local_time,
        rrn=outcomes.rrn_of(draft.ctx, txn_id),
        auth_code="",
        response_code="",
        refusal="",
        amount=amount,
        approved_amount=0,
        balance=-1,
        currency=_currency(case, operation),
        pan=request.pan_masked,
        pan_hash=request.pan_hash,
        organisation=request.organisation or operation.organisation,
        foreign=request.foreign,
        entry=operation.card.entry if operation.card else "",
        processing_code=operation.processing_code,
        invoice=operation.invoice,
        content=identity.stored_content(request),
        original_id=case.original.id if case.original else 0,
        undone_by="",
        carried=False,
        settlement="none",
        business_date=draft.ctx.business_date.isoformat(),
        created_at=draft.now,
        answered_at="",
        note="",
    )
    voided = case.original
    if voided is None:
        return row
    return replace(
        row,
        pan=voided.pan,
        pan_hash=voided.pan_hash,
        organisation=voided.organisation,
        foreign=voided.foreign,
        currency=voided.currency,
    )


def _currency(case: Case, operation: Operation) -> str:
    return operation.currency or case.known_terminal.currency or case.draft.ctx.settings.currency


def declined(case: Case, refusal: Refusal | None, *, code: str = "", note: str = "") -> Decision:
    """A refusal that is final for its key: stored, so that every later delivery gets the same (RC; A13).

    Nothing was posted and no leg opened. Lost in a crash before the commit, the next delivery decides it anew.
    """
    draft = case.draft
    row = replace(
        new_txn(case, TxnState.DECLINED, amount=case.operation.amount or 0),
        response_code=code or outcomes.code_of(case.profile, refusal or Refusal.OWN_TROUBLE),
        refusal=refusal.value if refusal else note,
        answered_at=outcomes.host_time(draft.ctx),
        note=note,
    )
    draft.put(row)
    outcome = outcomes.of_txn(draft.ctx, row, case.profile.key_scheme)
    return Decision(outcome=outcome, txn_id=row.id)


def ask_issuer(case: Case, purpose: str, *, amount: int, leg_amount: int, note: str = "") -> Decision:
    """Book the original as pending with its leg in flight; the answer to the terminal comes with the leg's outcome.

    A crash before this commit: nothing left the host, and the terminal's reversal finds an unseen key. A crash after
    it: the leg may or may not have reached the issuer, so the restart undoes it with 0420 until acked (RH7).
    """
    draft = case.draft
    row = draft.put(replace(new_txn(case, TxnState.PENDING, amount=amount), note=note))
    leg = draft.put(
        Leg(
            id=draft.new_id(Leg),
            txn_id=row.id,
            number=1,
            purpose=purpose,
            amount=leg_amount,
            currency=row.currency,
            pan_hash=row.pan_hash,
            state="asking",
            deadline=(draft.ctx.now + timedelta(seconds=draft.ctx.settings.issuer_timeout_s)).isoformat(),
            tries=0,
            result="",
        )
    )
    return Decision(txn_id=row.id, waits_txn=row.id, asks=(Ask(leg, undo=False, pin=case.pin),))
