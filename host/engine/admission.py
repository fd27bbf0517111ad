"""An original comes in: the duplicate table, then the body of the checks; ends in a replay, a join, a refusal with its
row, or a pending transaction with its issuer leg.

All originals share this road (rules.md, sections 2 and 9); what each names and asks of the issuer is a row of
host.engine.effects.
"""

from __future__ import annotations

from host.engine import asks, batches, booking, evidence, explain, identity, outcomes, sale
from host.engine.case import Case, Plan
from host.engine.checks import BODY, first_refusal
from host.engine.effects import EFFECTS
from host.engine.events import Ask, Decision, Request
from host.engine.identity import Match, Ruling
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import ADJUSTMENTS, VOIDS, Kind, Operation
from specs.profile import KeyScheme
from specs.values import replace

_LEAVES_NO_ROW = frozenset({Refusal.PIN_UNREADABLE})
"""A refusal that lies in keys: the next delivery is decided afresh (rules.md, section 2, first row: 99)."""
_WITH_ARQC = frozenset({Kind.SALE, Kind.CASH_BACK, Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT, Kind.BALANCE})
_RULED_OUT = {
    Ruling.UNDONE: Refusal.ORIGINAL_REVERSED,
    Ruling.TWICE: Refusal.DUPLICATE,
    Ruling.TWICE_ADVICE: Refusal.ADVICE_CONFLICT,
    Ruling.CLOSED: Refusal.CLOSED_BATCH,
    Ruling.CLOSED_ADVICE: Refusal.ADVICE_CONFLICT,
}
_ALARMING = frozenset({Ruling.TWICE, Ruling.TWICE_ADVICE})
RE_FLASHED_NOTE = "replayed; if this terminal was re-flashed, reset it"


def decide(case: Case) -> Decision:
    """An original of any kind: a duplicate, a refusal, or what its row of the table of effects plans."""
    decided = admit(case)
    if decided is not None:
        return decided
    plan = EFFECTS[case.kind].plan(case)
    if plan.code:
        return declined(case, None, code=plan.code, note=plan.note)
    if plan.owed or not plan.asks:
        return _approved_at_once(case, plan)
    return _ask_issuer(case, plan)


def admit(case: Case) -> Decision | None:
    """The final word on a duplicate or a refused original; None = go on and ask the issuer."""
    decision = _by_key(case)
    if decision is not None:
        return decision
    refusal = first_refusal(case, BODY)
    if refusal is None:
        return None
    explain.refusal(case, refusal)
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

_OWN_NUMBERS = frozenset({"iso87"})
"""Families whose terminals make the RRN; in the others DE 37 of a request names its original (rules.md, section 1)."""


def _own_number(request: Request) -> str:
    """DE 37 of an ISO 87 request: its own number, which the answer and the slip show; "" when it has none."""
    number = request.operation.rrn.strip()
    return number if request.profile.family in _OWN_NUMBERS and number.strip("0") else ""


def new_txn(case: Case, state: TxnState, *, amount: int, note: str = "") -> Txn:
    """The row of this original as it arrived; nothing of it is decided yet.

    What names an original stands for it: card, side and currency are the original's, whatever it shows itself.
    """
    draft, operation, terminal, request = case.draft, case.operation, case.known_terminal, case.request
    txn_id = draft.new_id(Txn)
    row = Txn(
        id=txn_id,
        tid=terminal.tid,
        mid=operation.mid or terminal.mid,
        epoch=terminal.epoch,
        dialect=request.dialect,
        kind=case.kind,
        state=state,
        batch_id=case.batch.id if case.batch else 0,
        wire_batch=operation.batch or "",
        stan=operation.stan,
        local_time=operation.local_date + operation.local_time,
        rrn=_own_number(request) or outcomes.rrn_of(draft.ctx, txn_id),
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
        carried=case.carried,
        settlement="none",
        business_date=_day(case),
        created_at=draft.now,
        answered_at="",
        note=note,
        tip=operation.tip or 0,
        cash=operation.cash or 0,
        transmitted=operation.transmitted,
        advice=operation.advice,
    )
    original = case.original
    if original is None:
        return row
    return replace(
        row,
        pan=original.pan,
        pan_hash=original.pan_hash,
        organisation=original.organisation,
        foreign=original.foreign,
        currency=original.currency,
        voids_kind=original.kind if case.kind in VOIDS else "",
    )


def _day(case: Case) -> str:
    """Today; of what is carried, the day on which it was sold (ISO 87 says it in DE 15)."""
    if not case.carried:
        return case.draft.ctx.business_day
    of = case.original if case.kind in ADJUSTMENTS | VOIDS else None
    return batches.sold_on(case.draft, case.known_terminal, of)


def _currency(case: Case, operation: Operation) -> str:
    return operation.currency or case.known_terminal.currency or case.draft.ctx.settings.currency


def declined(case: Case, refusal: Refusal | None, *, code: str = "", note: str = "") -> Decision:
    """A refusal that is final for its key: stored, so that every later delivery gets the same (RC; A13).

    Nothing was posted and no leg opened. Lost in a crash before the commit, the next delivery decides it anew.
    """
    draft = case.draft
    row = replace(
        new_txn(case, TxnState.DECLINED, amount=case.operation.amount or 0, note=note),
        response_code=code or outcomes.code_of(case.profile, refusal or Refusal.OWN_TROUBLE, case.kind),
        refusal=refusal.value if refusal else note,
        answered_at=draft.ctx.host_time,
    )
    draft.put(row)
    outcome = outcomes.of_txn(draft.ctx, row, case.profile.key_scheme)
    return Decision(outcome=outcome, txn_id=row.id)


def _pending(case: Case, plan: Plan) -> Txn:
    row = new_txn(case, TxnState.PENDING, amount=plan.amount, note=plan.note)
    if case.kind is Kind.OFFLINE_SALE:  # its approval was given before, by voice or by the chip
        row = replace(row, auth_code=case.operation.auth_code.strip())
    return case.draft.put(evidence.with_certificate(row, case.operation))


def _ask_issuer(case: Case, plan: Plan) -> Decision:
    """Book the original as pending with its leg in flight; the answer to the terminal comes with the leg's outcome.

    A crash before this commit: nothing left the host, and the terminal's reversal finds an unseen key. A crash after
    it: the leg may or may not have reached the issuer, so the restart undoes it with 0420 until acked (RH7).
    """
    row = _pending(case, plan)
    leg = asks.make(case.draft, row, plan.purpose, plan.leg_amount, release=plan.release)
    # What has happened is approved whole or not at all; an offline sale has, also as the request of a chip (CUP 36).
    partial = case.operation.partial is not False and not case.operation.happened
    ask = Ask(leg, undo=False, pin=case.pin, partial=partial, chip=_cryptogram(case), yes=sale.yes_code(case, row))
    return Decision(txn_id=row.id, waits_txn=row.id, asks=(ask,))


def _cryptogram(case: Case) -> bytes | None:
    """DE 55 for the issuer to check; only what asks it carries a cryptogram of a question (ARQC)."""
    return case.operation.chip if case.kind in _WITH_ARQC and not case.operation.advice else None


def _approved_at_once(case: Case, plan: Plan) -> Decision:
    """Nothing that the issuer could refuse: answered now, and what it has to hear is owed.

    A crash before the commit: the terminal has no answer and sends it again. After: its repeat meets the stored answer,
    and the leg is found owing.
    """
    draft = case.draft
    row = _pending(case, plan)
    owed: tuple[Ask, ...] = ()
    if plan.purpose:
        owed = asks.owe(draft, row, plan.purpose, plan.leg_amount, release=plan.release)
    after = booking.accept(draft, row, plan.amount)
    outcome = outcomes.of_txn(draft.ctx, draft.ws.txn(row.id) or after, case.profile.key_scheme)
    return Decision(outcome=outcome, txn_id=row.id, asks=owed)
