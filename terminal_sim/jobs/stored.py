"""Stored items: advices of what has happened already, kept on flash and sent until the host has answered (RT9).

On flash at each moment:
    saf-store   the row, with its message: it counts from here on, whether or not a byte of it ever left
    saf-flag    the host's word on it: delivered, or refused and out of the totals

They are sent before the next online transaction, when `stored_max` of them wait, and all before a settlement. The same
message goes again, with its own STAN, until it is answered; no count of tries drops it.
"""

from __future__ import annotations

from dataclasses import replace

from specs import codes
from specs.message import Message
from specs.operation import ADJUSTMENTS, Card, Operation
from terminal_sim import originals, slips
from terminal_sim.firmware import Firmware
from terminal_sim.jobs import money, plain
from terminal_sim.moves import End, Result, SendStored
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

SENDS_MAX = 3
"""Of one item in one try (rules.md section 10)."""
UNREADABLE = "30"
"""What arrived could not be read: a fault of the line or of the message. The host keeps nothing of it (rules.md section
2), so it goes again; only what is refused SENDS_MAX times in one try is the message's own fault, and rejected."""
NOT_ABOUT_THE_ITEM = codes.TRANSIENT | codes.FORMAT_IDENTITY_KEY - {UNREADABLE}
"""The host's own trouble, or keys and identity: the item is not refused, and is sent again later."""


def bare(card: Card) -> Card:
    """The card without its track: a stored message shows the number and never a track (RT1)."""
    return replace(card, track2="")


def keep(turn: Turn, operation: Operation, row: Row, changed: tuple[Row, ...] = ()) -> None:
    """Store an advice with its slip, print it, and say approved: the terminal itself has decided.

    After `stored_max` of them they are sent by themselves.
    """
    row = replace(row, stored=True, advice=True, image=turn.wire.request(operation))
    slip = slips.transaction(turn.memory.config, turn.wire.name, row)
    turn.note("slip", stan=row.stan, detail="approved")
    memory = turn.memory.with_rows(changed)
    # A cut before this write: the STAN is spent, no slip came out, nothing happened. After it: the item counts and will
    # be sent; the slip can be printed again.
    turn.save("saf-store", memory, rows=money.rows_with(turn, row, memory.rows), last_slip=slip)
    turn.print(slip)
    money.warn_when_nearly_full(turn)
    text = f"approved here: stored as STAN {row.stan}, the host is told later"
    turn.show(text)
    # RT3: a pending reversal goes first, with the next order that speaks to the host; this one does not have to.
    if len(turn.memory.stored_rows) >= turn.memory.config.stored_max and turn.memory.pending is None:
        turn.then(SendStored(quiet=True))
    turn.finish(
        Result(
            *(End.APPROVED, text, "", row.amount, row.amount),
            *(row.stan, row.rrn, row.auth_code, turn.memory.batch, slip),
        )
    )


# --- sending


def start(turn: Turn, job: SendStored) -> None:
    """Send the oldest that this try has not given up; done when there is none."""
    row = _next(turn.memory, job)
    if row is None:
        _done(turn, job)
        return
    job = replace(job, sends=job.sends + 1)
    image = _image(turn, row)
    if image is row.image and turn.wire.repeats_are_marked:
        # A cut before this write: nothing left. After it: a repeat of what nobody may have seen, which does no harm.
        turn.save("saf-flag", turn.memory.with_rows([replace(row, sent=True)]))
        job = replace(job, first=True)
    operation = turn.operation(row.kind, stan=row.stan, batch=row.batch, amount=row.amount, advice=True)
    turn.send(job, operation, image)


def _image(turn: Turn, row: Row) -> Message:
    """The stored message as it stands, today's MAC apart; ISO 87 marks one that may have left before as a repeat."""
    assert row.image is not None
    return turn.wire.family.repeat_of(row.image) if row.sent else row.image


def left_behind(memory: Memory, firmware: Firmware) -> tuple[str, ...]:
    """The STANs of what a settlement does not wait for: nothing, by the rules (RT9)."""
    if firmware.adjusts_before_close:
        return ()
    return tuple(row.stan for row in memory.stored_rows if row.kind in ADJUSTMENTS)


def _next(memory: Memory, job: SendStored) -> Row | None:
    return next((row for row in memory.stored_rows if row.stan not in job.skipped), None)


def on_answer(turn: Turn, job: SendStored, answer: Answer) -> None:
    """The host's word on one item, then the next."""
    row = _next(turn.memory, job)
    assert row is not None
    if answer.code in NOT_ABOUT_THE_ITEM:
        plain.forget_keys_when_asked(turn, answer.code)
        turn.show(f"stored STAN {row.stan}: {answer.code} {turn.wire.text(answer.code)}: kept, sent again later")
        if answer.code not in codes.TRANSIENT:
            _give_up(turn, job, End.PENDING, f"{answer.code} {turn.wire.text(answer.code)}")
            return
        job = replace(job, skipped=(*job.skipped, row.stan))
    elif turn.wire.approved(answer.code) or answer.code in codes.ADVICE_DELIVERED:
        # Any yes: it has happened, at the amount that was sent, whatever the answer says of a part.
        # A cut before this write: the same item again, answered as before. After it: it is not sent again.
        turn.save("saf-flag", turn.memory.with_rows([delivered(row, answer)]))
    elif answer.code == UNREADABLE and job.unread + 1 < SENDS_MAX:
        if job.sends < SENDS_MAX:
            start(turn, replace(job, unread=job.unread + 1))
            return
        turn.show(f"stored STAN {row.stan}: {answer.code} {turn.wire.text(answer.code)}: kept, sent again later")
        job = replace(job, skipped=(*job.skipped, row.stan))
    else:
        reject(turn, row, answer.code)
    turn.then(replace(job, sends=0, first=False, unread=0))
    turn.finish()


def delivered(row: Row, answer: Answer) -> Row:
    """The row with what the answer says of it; its time and side stay those of the slip."""
    outcome = answer.outcome
    return replace(
        row,
        stored=False,
        rrn=outcome.rrn or row.rrn,
        auth_code=row.auth_code or outcome.auth_code,
        response_code=outcome.code,
        issuer=outcome.issuer or row.issuer,
        acquirer=outcome.acquirer or row.acquirer,
        day=outcome.business_date or row.day,
    )


def reject(turn: Turn, row: Row, code: str) -> None:
    """The host refuses it for good: out of the totals, on the list of the rejected, and told (RT9)."""
    if not turn.firmware.refused_leaves_totals:
        turn.save("saf-flag", turn.memory.with_rows([replace(row, stored=False)]))
        return
    changed = [replace(row, stored=False, state=RowState.REJECTED, rejected=code)]
    before = originals.replaced_by(turn.memory, row) if row.kind in ADJUSTMENTS and not row.adjusted else None
    if before is not None:
        changed.append(replace(before, adjusted=False))
    turn.note("saf-rejected", stan=row.stan, code=code)
    # A cut before this write: the same item again, refused again. After it: what it stood in place of counts again.
    turn.save("saf-flag", turn.memory.with_rows(changed))
    turn.show(f"stored STAN {row.stan} is refused by the host: {code} {turn.wire.text(code)}")


def on_failure(turn: Turn, job: SendStored, failure: Failure) -> None:
    """The same item again, up to SENDS_MAX in this try; then all that is stored waits for the next."""
    row = _next(turn.memory, job)
    assert row is not None
    if failure is Failure.NOT_SENT:
        if job.first and job.sends == 1:
            turn.save("saf-flag", turn.memory.with_rows([replace(row, sent=False)]))
        _give_up(turn, job, End.NOT_SENT, "no connection")
    elif job.sends < SENDS_MAX:
        start(turn, job)
    else:
        _give_up(turn, job, End.UNANSWERED, f"not answered, sent {job.sends} times")


def _give_up(turn: Turn, job: SendStored, end: End, why: str) -> None:
    """What is stored stays; an order behind this job goes on, a settlement refuses by itself."""
    text = f"{len(turn.memory.stored_rows)} stored items are still owed: {why}"
    turn.show(text)
    if job.quiet:
        turn.finish()
    else:
        turn.stop(Result(end, text, batch=turn.memory.batch))


def _done(turn: Turn, job: SendStored) -> None:
    if job.quiet:
        turn.finish()
        return
    left, batch = len(turn.memory.stored_rows), turn.memory.batch
    if left:
        result = Result(End.PENDING, f"{left} stored items are still owed: the host cannot take them now", batch=batch)
    elif turn.running.spoken:
        result = Result(End.OK, "nothing stored is owed", batch=batch)
    else:
        result = Result(End.NOTHING, "nothing is stored", batch=batch)
    turn.show(result.text)
    turn.finish(result)
