"""The reversal that is owed (冲正): sent before anything else that goes to the host (RT3), kept until acked (RT4)."""

from __future__ import annotations

from dataclasses import replace

from specs import codes
from specs.message import Message
from specs.operation import FINANCIAL, VOIDS, Kind, OriginalRef
from terminal_sim import originals, slips
from terminal_sim.jobs import money, plain
from terminal_sim.moves import End, Result, Reverse
from terminal_sim.state import Memory, Pending, Reply, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import REASON_DE, Answer, Failure

SENDS_MAX = 3
"""In one try; then it waits for the next request, settlement or boot (rules.md section 10). It is never dropped."""
UNDONE = "00"
"""The only acknowledgement that says that the host had the transaction (rules.md section 5, ISO 87)."""


def start(turn: Turn, job: Reverse) -> None:
    """Send the stored 0400, with the reason that holds now; done at once when none is owed."""
    pending = turn.memory.pending
    if pending is None:
        turn.finish()
        return
    image = pending.image
    if REASON_DE in image and not turn.firmware.rev_mac_kept:
        image = image.with_fields({REASON_DE: pending.reason})
    operation = turn.operation(
        Kind.REVERSAL,
        stan=pending.stan,
        batch=pending.batch,
        amount=pending.amount,
        reason=pending.reason,
        original=OriginalRef(pending.stan, pending.batch, amount=pending.amount),
    )
    job = replace(job, sends=job.sends + 1)
    if pending.sent:
        image = turn.wire.family.repeat_of(image)  # 0421
    elif turn.wire.repeats_are_marked:
        # A cut before this write: nothing left. After it: a repeat of what nobody may have seen, which does no harm.
        turn.save("rev-store", pending=replace(pending, sent=True))
        job = replace(job, first=True)
    if turn.firmware.rev_own_stan:
        image = _renamed(image, turn.take_stan())
    # Elsewhere nothing is written before: the record stands on flash already. The MAC is made anew with today's key.
    turn.send(job, operation, image, as_stored=turn.firmware.rev_mac_kept)


def _renamed(image: Message, stan: str) -> Message:
    """The same 0400 under another STAN, wherever one stands in it (failure-catalogue 79)."""
    named = image.get(90)
    invoice = stan if 62 in image else None
    return image.with_fields({11: stan, 62: invoice, 90: named[:4] + stan + named[10:] if named else None})


def on_answer(turn: Turn, job: Reverse, answer: Answer) -> None:
    """Clear it on an acknowledging code (RT2); on any other it stays owed."""
    pending = turn.memory.pending
    assert pending is not None
    acks = turn.firmware.rev_acks
    if answer.code in (codes.REVERSAL_ACK[turn.wire.name] if acks is None else acks):
        turn.note("rev-cleared", stan=pending.stan, code=answer.code)
        # A cut before this write: the same 0400 again, answered again. After it: nothing is owed, and a row that had
        # been written beside the reversal is out of totals and upload.
        turn.save("rev-clear", _undone(turn, pending, answer), pending=None)
        turn.show(f"reversal of STAN {pending.stan} done ({answer.code})")
        turn.finish()
        return
    if turn.firmware.rev_tries_max and _tried(turn):
        return
    turn.save("rev-store", pending=replace(turn.memory.pending or pending, reason=str(Failure.GARBLED)))
    plain.forget_keys_when_asked(turn, answer.code)
    _give_up(turn, job, f"refused with {answer.code} {turn.wire.text(answer.code)}", refused=True)


def on_failure(turn: Turn, job: Reverse, failure: Failure) -> None:
    """The same 0400 again, up to SENDS_MAX in this order; then it stays owed for the next."""
    if turn.firmware.rev_tries_max and _tried(turn):
        return
    if failure is not Failure.NOT_SENT and job.sends < SENDS_MAX:
        start(turn, job)
        return
    if failure is Failure.NOT_SENT and job.first and job.sends == 1:
        assert turn.memory.pending is not None
        turn.save("rev-store", pending=replace(turn.memory.pending, sent=False))
    why = "no connection" if failure is Failure.NOT_SENT else f"not answered, sent {job.sends} times"
    _give_up(turn, job, why, refused=False)


def on_late(turn: Turn, payload: bytes) -> bool:
    """Of a firmware that still sells then: an approving 0210 comes while the 0400 of its sale is open. Whether it is
    one; the sale is booked and printed as though nothing had been sent since (failure-catalogue 4)."""
    pending, firmware = turn.memory.pending, turn.firmware
    assert pending is not None
    if pending.kind is not Kind.SALE:
        return False
    sale = replace(pending.image, mti="0200")
    answer = turn.wire.read(sale, payload, turn.keys(), firmware.not_compared)
    if not isinstance(answer, Answer) or not turn.wire.approved(answer.code):
        return False
    row = replace(_row(turn, pending, answer), auth_code=answer.outcome.auth_code)
    turn.finish(money.finish(turn, Reply(row, answer.code)))
    return True


def _give_up(turn: Turn, job: Reverse, why: str, *, refused: bool) -> None:
    """The record stays, and what was to follow does not happen; a sign-on may still mend a refusal."""
    pending = turn.memory.pending
    assert pending is not None
    text = f"the reversal of STAN {pending.stan} is still owed: {why}"
    turn.show(text)
    if refused or job.sends >= SENDS_MAX:  # flows.md section 4; it is no voucher, so it is not the «last slip»
        config, at = turn.memory.config, turn.moment.local
        turn.print(slips.fault(config, turn.wire.name, pending, why, operator=turn.memory.who, at=at))
    if job.lenient and (refused or turn.running.result is not None):
        turn.finish()
    else:
        turn.stop(Result(End.NOT_SENT, text, batch=turn.memory.batch))


def _tried(turn: Turn) -> bool:
    """Of a firmware that counts: one more try, on flash; whether it was the last, and the reversal is dropped.

    It leaves no record, and what was to follow does follow: [LY] and [V5S] do it so (failure-catalogue 2).
    """
    pending = turn.memory.pending
    assert pending is not None
    if pending.tries + 1 < turn.firmware.rev_tries_max:
        turn.save("rev-store", pending=replace(pending, tries=pending.tries + 1))
        return False
    turn.save("rev-clear", pending=None)
    turn.show(f"reversal of STAN {pending.stan}: given up")
    turn.finish()
    return True


def _undone(turn: Turn, pending: Pending, answer: Answer) -> Memory:
    """RT2, if both survived: the reversal wins. The row leaves the totals; what a void took back lives again.

    Where reversed items count on both sides (ISO 87), the 00 says that the host has one, and so this journal gets one.
    """
    memory = turn.memory
    row = next((r for r in memory.rows if (r.stan, r.kind) == (pending.stan, pending.kind)), None)
    if row is not None and not turn.firmware.rev_takes_row:
        return memory
    if row is None and pending.failed is not None:
        return replace(memory, rows=(*memory.rows, pending.failed))
    if row is None:
        return _counted(turn, pending, answer)
    changed: list[Row] = [replace(row, state=RowState.REVERSED)]
    if row.kind in VOIDS | {Kind.PRE_AUTH_VOID} and (original := memory.row(stan=row.original_stan)):
        taken = originals.with_adjustments(memory, original, RowState.VOIDED)
        changed += [replace(r, state=RowState.JOURNALED) for r in taken]
    return memory.with_rows(changed)


def _counted(turn: Turn, pending: Pending, answer: Answer) -> Memory:
    """The memory with a reversed row at the amount that was asked for; a reversed void is simply undone."""
    memory = turn.memory
    counts = turn.wire.profile.reversed == "both" and pending.kind in FINANCIAL - VOIDS
    if not counts or answer.code != UNDONE:
        return memory
    return replace(memory, rows=(*memory.rows, replace(_row(turn, pending, answer), state=RowState.REVERSED)))


def _row(turn: Turn, pending: Pending, answer: Answer) -> Row:
    """What was asked, as far as the reversal knows it."""
    image, outcome = pending.image, answer.outcome
    return Row(
        stan=pending.stan,
        batch=pending.batch,
        kind=pending.kind,
        amount=pending.amount,
        pan=image.get(2) or "",
        rrn=outcome.rrn,
        response_code=answer.code,
        at=outcome.at,
        day=outcome.business_date,
        transmitted=(image.get(90) or "")[10:20],
        operator=turn.memory.who,
    )
