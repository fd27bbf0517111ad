"""Refund (退货): money back for an earlier sale, of any batch.

NAC and ISO 87 send a request, which is reversed when its answer is lost. CUP sends an advice at once and keeps it like
a stored item: without an answer it stays «unknown» and goes again unchanged, never a reversal (rules.md section 3).
"""

from __future__ import annotations

from dataclasses import replace

from specs import codes
from specs.operation import DEBITS, Card, Kind, Operation, OriginalRef
from specs.testcards import organisation
from terminal_sim import originals, slips
from terminal_sim.jobs import money, plain, stored
from terminal_sim.moves import End, Refund, Result
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

ADVISED_IN = frozenset({"cup"})
"""Families whose refund is a 0220."""


def refusal(memory: Memory, wire: Wire, job: Refund, *, now: bool = False) -> str:
    """Why the terminal itself will not refund, "" when it will. now: what is stored has had its chance to be sent."""
    row = _original(memory, job)
    if job.stan and row is None:
        return f"refund: STAN {job.stan} is no sale in the journal or archive: name it by RRN, date and card"
    if row is None:
        if job.card is None:
            return "refund: the card is needed, since the sale is not in this terminal"
        return "refund: name the sale by STAN, or by RRN and date" if wire.name == "cup" and not job.rrn else ""
    if row.state is not RowState.JOURNALED:
        return f"refund: STAN {row.stan} is {row.state}"
    if now and row.stored:
        return f"refund: STAN {row.stan} is stored, and the host does not have it yet"
    left = originals.final_amount(memory, row) - originals.refunded(memory, row)
    return "" if job.amount <= left else f"refund: more than is left of STAN {row.stan}"


def start(turn: Turn, job: Refund) -> None:
    """Store first, then send: a reversal of the request, or (CUP) the advice itself."""
    if why := refusal(turn.memory, turn.wire, job, now=True):
        turn.refuse(why)
        return
    operation = _operation(turn, job)
    if turn.wire.name not in ADVISED_IN:
        money.owe_and_send(turn, job, operation)
        return
    row = replace(
        money.row_asked(turn, operation),
        stored=True,
        image=turn.wire.request(operation),
        organisation=operation.organisation,
        foreign=operation.organisation not in money.DOMESTIC,
    )
    # A cut before this write: the STAN is spent, nothing left. After it: the refund counts as «unknown» and goes again
    # unchanged before the next online transaction, whether or not the host has it.
    turn.save("saf-store", rows=money.rows_with(turn, row, turn.memory.rows))
    turn.send(job, operation, row.image)


def _operation(turn: Turn, job: Refund) -> Operation:
    row = _original(turn.memory, job)
    card = job.card or (Card(row.pan, row.expiry, entry=row.entry) if row else None)
    assert card is not None
    advised = turn.wire.name in ADVISED_IN
    stan = turn.take_stan()
    named = originals.reference(row) if row else OriginalRef(rrn=job.rrn, date=job.date) if job.rrn else None
    return turn.operation(
        Kind.REFUND,
        stan=stan,
        amount=job.amount,
        card=stored.bare(card) if advised else card,
        invoice=stan,
        original=named,
        advice=advised,
        organisation=(row.organisation if row else "") or organisation(card.pan),
    )


def on_answer(turn: Turn, job: Refund, answer: Answer) -> None:
    """Approved: the row, or the stored one delivered, with its slip. Refused: nothing was promised to anybody."""
    if turn.wire.name not in ADVISED_IN:
        money.decided(turn, answer)
        return
    row = _stored(turn)
    if answer.code in codes.TRANSIENT:
        _unknown(turn, row, f"{answer.code} {turn.wire.text(answer.code)}")
    elif turn.wire.approved(answer.code) or answer.code in codes.ADVICE_DELIVERED:
        _deliver(turn, row, answer)
    else:
        _refused(turn, row, answer.code)


def _deliver(turn: Turn, row: Row, answer: Answer) -> None:
    done = replace(stored.delivered(row, answer), at=answer.outcome.at or row.at)
    slip = slips.transaction(turn.memory.config, turn.wire.name, done)
    turn.note("slip", stan=done.stan, code=answer.code, detail="approved")
    # A cut before this write: it goes again unchanged and is answered as before. After it: delivered, slip kept.
    turn.save("saf-flag", turn.memory.with_rows([done]), last_slip=slip)
    turn.print(slip)
    money.warn_when_nearly_full(turn)
    text = f"approved: {answer.code} {turn.wire.text(answer.code)}"
    turn.show(text)
    turn.finish(
        Result(
            *(End.APPROVED, text, answer.code, done.amount, done.amount),
            *(done.stan, done.rrn, done.auth_code, turn.memory.batch, slip),
        )
    )


def _refused(turn: Turn, row: Row, code: str) -> None:
    """A final no at once: the row goes, since nobody was given anything on it."""
    turn.note("shown", stan=row.stan, code=code, detail="declined")
    signed_on = turn.memory.signed_on and not plain.asks_for_sign_on(turn, code)
    # A cut before this write: the advice goes again and ends on the list of the rejected. After it: nothing is owed.
    turn.save("saf-flag", rows=_without(turn.memory, row), signed_on=signed_on)
    text = f"declined: {code} {turn.wire.text(code)}"
    if code == money.BATCH_NUMBER_REFUSED:
        text += money.after_refused_number(turn)
    turn.show(text)
    turn.finish(Result(End.DECLINED, text, code, row.amount, stan=row.stan, batch=row.batch))


def on_failure(turn: Turn, job: Refund, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else unknown: CUP keeps the advice, the others owe a reversal."""
    if turn.wire.name not in ADVISED_IN:
        money.failed(turn, failure, "refund")
        return
    row = _stored(turn)
    if failure is Failure.NOT_SENT:
        # A cut before this write: it is sent by itself later, as if it had left. After it: nothing happened.
        turn.save("saf-flag", rows=_without(turn.memory, row))
        text = "refund: no connection: nothing was sent"
        turn.show(text)
        turn.stop(Result(End.NOT_SENT, text, amount=row.amount, stan=row.stan, batch=row.batch))
        return
    _unknown(turn, row, "no usable answer")


def _unknown(turn: Turn, row: Row, why: str) -> None:
    turn.note("shown", stan=row.stan, detail="unknown")
    if turn.wire.profile.refund_on_timeout == "repeat":
        turn.save("saf-flag")
        text = f"refund: {money.UNKNOWN} ({why}; STAN {row.stan} is sent again until it is answered)"
    else:
        # The profile «operator»: as the sources do it. Whoever enters it again may refund twice.
        turn.save("saf-flag", rows=_without(turn.memory, row))
        text = f"refund: {money.UNKNOWN} ({why}; STAN {row.stan} is not sent again)"
    turn.show(text)
    turn.stop(Result(End.UNKNOWN, text, amount=row.amount, stan=row.stan, batch=row.batch))


def _original(memory: Memory, job: Refund) -> Row | None:
    return originals.find(memory, DEBITS, stan=job.stan, rrn=job.rrn)


def _stored(turn: Turn) -> Row:
    row = turn.memory.row(stan=money.asked(turn).stan)
    assert row is not None
    return row


def _without(memory: Memory, row: Row) -> tuple[Row, ...]:
    return tuple(other for other in memory.rows if other is not row)
