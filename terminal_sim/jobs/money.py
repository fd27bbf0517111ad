"""What all online money orders share: owe first, then send; one write turns the debt into a journal row.

On flash at each moment, and so what a cut there leaves:
    before rev-store   nothing but a spent STAN: nothing was sent
    rev-store .. journal  the reversal: the next boot sends it, whether the host got the request or not
    recv .. journal    profile roll-forward alone: the reversal and the approval; the next boot books the approval
    after journal      the row and its slip, no reversal: sold once, reprint the last slip
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from specs.operation import FINANCIAL, Operation
from terminal_sim import chipcard, slips
from terminal_sim.firmware import Doubt, Writes
from terminal_sim.jobs import plain, script
from terminal_sim.moves import End, Job, Result, Reverse, SignOn
from terminal_sim.state import ROLL_FORWARD, ROWS_WARNING_PERCENT, Pending, Reply, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

UNKNOWN = "unknown: query first"
"""RT10: doubt is never shown as failure."""
BATCH_NUMBER_REFUSED = "22"
DOMESTIC = frozenset({"CUP", "000"})
_ORGANISATION_DE = 63


def owe_and_send(turn: Turn, job: Job, operation: Operation) -> None:
    """RT1: the reversal is on flash before the first byte leaves."""
    assert operation.amount is not None
    assert turn.memory.pending is None, "a second reversal would overwrite the first"
    request = turn.wire.request(operation)
    image = turn.wire.reversal(request, Failure.NO_ANSWER)
    if turn.firmware.rev_mac_kept:
        image = turn.wire.sealed(image, turn.keys())
    if operation.chip is not None and not chipcard.can_be_checked(operation.card):
        turn.show(chipcard.NO_KEY)
    turn.note("rev-stored", stan=operation.stan)
    # A cut before this write: the STAN is spent, nothing left. After it: the host may or may not have the request,
    # and the boot sends the 0400, which it answers 25 or 00; either way nothing stays booked.
    pending = Pending(operation.stan, turn.memory.batch, operation.kind, operation.amount, image)
    if turn.firmware.image_first:
        turn.save("rev-store", pending=pending)
    else:  # known, and not on flash before something is saved for another reason
        turn.memory = replace(turn.memory, pending=pending)
    turn.send(job, operation, request)


@dataclass(frozen=True, slots=True)
class Booking:
    """What an approval puts into the journal: its own row, and other rows that it changes."""

    row: Row
    changed: tuple[Row, ...] = ()


def decided(turn: Turn, answer: Answer, booking: Booking | None = None, *, chip_refuses: bool = False) -> None:
    """The host's word on an online request: booked when it is a yes that the card agrees to, else told as declined.

    chip_refuses: the card's word is no, whatever the issuer says (failure-catalogue 80).
    """
    if not turn.wire.approved(answer.code):
        declined(turn, answer)
        return
    operation = asked(turn)
    booking = booking or Booking(row_of(turn, answer, operation))
    if operation.chip is None:
        book(turn, answer, booking.row, booking.changed)
        return
    says = chipcard.card_says(operation.card, operation.chip, answer.outcome.chip, answer.code)
    if chip_refuses or says is chipcard.Says.AAC:
        _card_refused(turn, answer, booking.row)
        return
    final = chipcard.final_data(operation.chip).hex().upper()
    book(turn, answer, replace(booking.row, chip=final, chip_end=str(says)), booking.changed)


def asked(turn: Turn) -> Operation:
    """The operation whose answer is at hand."""
    assert turn.running.exchange is not None
    return turn.running.exchange.operation


def book(turn: Turn, answer: Answer, row: Row, changed: Iterable[Row] = ()) -> None:
    """RT2: a yes is booked; in profile roll-forward it is stored beside the reversal before."""
    pending = turn.memory.pending
    assert pending is not None
    turn.memory = script.owed(turn, turn.memory, asked(turn), answer)
    reply = Reply(row, answer.code, tuple(changed))
    if turn.memory.config.profile == ROLL_FORWARD or turn.firmware.keeps_replies:
        # A cut before this write: the reversal undoes what the host has approved. After it: the boot books it.
        turn.save("recv", pending=replace(pending, reply=reply))
    turn.finish(finish(turn, reply))


def finish(turn: Turn, reply: Reply) -> Result:
    """RT2: the row in, the reversal out, the slip and a script's result kept, in one write; then the paper.

    At once, or by the boot after a power cut; how often it is begun makes no difference (failure-catalogue 84).
    """
    row, pending, booking = reply.row, turn.memory.pending, turn.firmware.booking
    assert pending is not None
    if booking is Writes.CLEAR_FIRST:
        turn.save("rev-clear", pending=None)
    slip = slips.transaction(turn.memory.config, turn.wire.name, row)
    turn.note("rev-cleared", stan=row.stan, code=reply.code)
    turn.note("slip", stan=row.stan, code=reply.code, detail="approved")
    memory = turn.memory.with_rows(reply.changed)
    # A cut before this write: the reversal is still there and undoes what the host has approved (no slip was printed),
    # or the stored approval is, and it is booked again from the beginning.
    # After it: the row counts, the reversal is gone, and the slip can be printed again from here.
    turn.save(
        "journal",
        memory,
        rows=rows_with(turn, row, memory.rows),
        pending=pending if booking is Writes.ROW_FIRST else None,
        last_slip=slip,
        host_time=row.at or memory.host_time,
    )
    if booking is Writes.ROW_FIRST:
        turn.save("rev-clear", pending=None)
    turn.print(slip)
    warn_when_nearly_full(turn)
    end = End.PARTIAL if row.amount < pending.amount else End.APPROVED
    text = f"{end}: {reply.code} {turn.wire.text(reply.code)}"
    if row.chip_end == chipcard.Says.ARPC_WRONG:
        text += " (the issuer could not prove itself to the card)"
    turn.show(text)
    return Result(
        *(end, text, reply.code, pending.amount, row.amount),
        *(row.stan, row.rrn, row.auth_code, turn.memory.batch, slip),
    )


def rows_with(turn: Turn, row: Row, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """The journal with one more row; its key is unique (failure-catalogue 84)."""
    if not turn.firmware.full_refuses:
        rows = rows[max(0, len(rows) + 1 - turn.memory.config.rows_max) :]
    if not turn.firmware.unique_rows:
        return (*rows, row)
    return (*(other for other in rows if (other.stan, other.kind) != (row.stan, row.kind)), row)


def warn_when_nearly_full(turn: Turn) -> None:
    """Tell from 90 % on (rules.md section 10)."""
    rows, most = len(turn.memory.rows), turn.memory.config.rows_max
    if most * ROWS_WARNING_PERCENT // 100 <= rows < most:
        turn.show(f"journal {rows} of {most}: settle soon 请结算")


def row_of(turn: Turn, answer: Answer, operation: Operation) -> Row:
    """The journal row of an approved answer. A partial approval counts with what was approved."""
    assert operation.card is not None
    assert operation.amount is not None
    outcome = answer.outcome
    amount = operation.amount
    if outcome.amount is not None and turn.firmware.approved_amount:
        amount = min(amount, outcome.amount)
    return replace(
        row_asked(turn, operation),
        amount=amount,
        rrn=outcome.rrn,
        auth_code=outcome.auth_code,
        response_code=outcome.code,
        at=outcome.at,
        foreign=_is_foreign(turn, answer),
        organisation=outcome.organisation,
        issuer=outcome.issuer,
        acquirer=outcome.acquirer,
        day=outcome.business_date,
    )


def row_asked(turn: Turn, operation: Operation) -> Row:
    """The row of an operation as far as the terminal itself knows it. at: its own time."""
    assert operation.card is not None
    assert operation.amount is not None
    return Row(
        stan=operation.stan,
        batch=turn.memory.batch,
        kind=operation.kind,
        amount=operation.amount,
        pan=operation.card.pan,
        expiry=operation.card.expiry,
        entry=operation.card.entry,
        auth_code=operation.auth_code,
        at=turn.moment.local,
        original_stan=operation.original.stan if operation.original else "",
        invoice=operation.invoice,
        tip=operation.tip or 0,
        cash=operation.cash or 0,
        advice=operation.advice,
        transmitted=operation.transmitted,
        local_at=operation.local_date + operation.local_time,
        operator=turn.memory.who,
    )


def _is_foreign(turn: Turn, answer: Answer) -> bool:
    """The side of a CUP row: DE 63 of the answer, CUP and 000 domestic, any other foreign (rules.md section 5)."""
    said = answer.message.get(_ORGANISATION_DE)
    return turn.wire.name == "cup" and said is not None and said[:3] not in DOMESTIC


# --- not approved


def declined(turn: Turn, answer: Answer) -> None:
    """A final no: the reversal goes, since an answered transaction is not reversed (response-codes.md)."""
    pending = turn.memory.pending
    assert pending is not None
    turn.note("rev-cleared", stan=pending.stan, code=answer.code)
    turn.note("shown", stan=pending.stan, code=answer.code, detail="declined")
    signed_on = turn.memory.signed_on and not plain.asks_for_sign_on(turn, answer.code)
    memory = script.owed(turn, turn.memory, asked(turn), answer)
    # A cut before this write: the reversal is sent and answered 12; after it: nothing is owed.
    turn.save("rev-clear", memory, pending=None, signed_on=signed_on)
    text = f"declined: {answer.code} {turn.wire.text(answer.code)}"
    if turn.wire.name == "cup" and answer.code == BATCH_NUMBER_REFUSED:
        text += after_refused_number(turn)
    turn.show(text)
    turn.finish(
        Result(
            End.DECLINED,
            text,
            answer.code,
            pending.amount,
            stan=pending.stan,
            rrn=answer.outcome.rrn,
            batch=pending.batch,
        )
    )


def _card_refused(turn: Turn, answer: Answer, row: Row) -> None:
    """The host said yes and the card no (AAC): the reversal stays, with reason 06, and goes at once (flows.md 2).

    CUP: what failed at the card is uploaded with the batch (flows.md 5, row 7); a reservation never is.
    """
    pending = turn.memory.pending
    assert pending is not None
    if Doubt.CARD not in turn.firmware.reversed_on:
        _forgotten(turn, "card-declined", f"declined by the card (the host said {answer.code})", answer.code)
        return
    chip = asked(turn).chip
    if turn.wire.name == "cup" and row.kind in FINANCIAL and chip is not None:
        data = chipcard.final_data(chip, chipcard.AAC).hex().upper()
        failed = replace(row, state=RowState.REVERSED, chip=data, chip_end=str(chipcard.Says.AAC))
        pending = replace(pending, failed=failed)
    turn.note("shown", stan=pending.stan, code=answer.code, detail="card-declined")
    memory = script.owed(turn, turn.memory, asked(turn), answer)
    # A cut before this write: the reversal is owed all the same, with reason 98. After it: with 06; no row either way.
    turn.save("rev-store", memory, pending=replace(pending, reason=str(Failure.GARBLED)))
    text = f"declined by the card (the host said {answer.code}): the host's approval is reversed"
    turn.show(text)
    turn.then(Reverse(lenient=True))
    turn.finish(Result(End.DECLINED, text, answer.code, pending.amount, stan=pending.stan, batch=pending.batch))


def _forgotten(turn: Turn, word: str, text: str, code: str = "") -> None:
    """The end of a doubt that this firmware does not reverse: the image goes, and nothing is owed."""
    pending = turn.memory.pending
    assert pending is not None
    turn.note("shown", stan=pending.stan, code=code, detail=word)
    turn.save("rev-clear", pending=None)
    turn.show(text)
    ended = End.DECLINED if word != "unknown" else End.UNKNOWN
    turn.stop(Result(ended, text, code, pending.amount, stan=pending.stan, batch=pending.batch))


def after_refused_number(turn: Turn) -> str:
    """RH6 from this side: with rows settle first; without, sign on, take the host's number, let the operator retry."""
    if not turn.memory.batch_empty:
        return "; the host refuses this batch number: settle first"
    turn.then(SignOn(quiet=True))
    return "; the host refuses this batch number: signing on for another, then try again"


def failed(turn: Turn, failure: Failure, what: str) -> None:
    """No final answer. Nothing sent: nothing owed. Anything else: unknown, and the reversal stays with its reason."""
    pending = turn.memory.pending
    assert pending is not None
    if failure is Failure.NOT_SENT:
        turn.note("rev-cleared", stan=pending.stan, detail="not-sent")
        # A cut before this write: one 0400 too many, answered 25. Nothing had left: dropping the image loses nothing.
        turn.save("rev-clear", pending=None)
        text = f"{what}: no connection: nothing was sent"
        end = End.NOT_SENT
    elif Doubt(failure) not in turn.firmware.reversed_on:
        if failure is Failure.BAD_MAC:
            _forgotten(turn, "declined", f"declined: {failure} {turn.wire.text(failure)}", str(failure))
        else:
            _forgotten(turn, "unknown", f"{what}: no answer: try again")
        return
    else:
        turn.note("shown", stan=pending.stan, detail="unknown")
        turn.save("rev-store", pending=replace(pending, reason=str(failure)))
        text = f"{what}: {UNKNOWN} (a reversal is owed for STAN {pending.stan})"
        end = End.UNKNOWN
    turn.show(text)
    turn.stop(Result(end, text, amount=pending.amount, stan=pending.stan, batch=pending.batch))
