"""The reversal that is owed (冲正): sent before anything else that goes to the host (RT3), kept until acked (RT4)."""

from __future__ import annotations

from dataclasses import replace

from specs import codes
from specs.operation import Kind, OriginalRef
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Result, Reverse
from terminal_sim.state import Memory, Pending, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import REASON_DE, Answer, Failure

SENDS_MAX = 3
"""In one try; then it waits for the next request, settlement or boot (rules.md section 10). It is never dropped."""


def start(turn: Turn, job: Reverse) -> None:
    """Send the stored 0400, with the reason that holds now; done at once when none is owed."""
    pending = turn.memory.pending
    if pending is None:
        turn.finish()
        return
    image = pending.image
    if REASON_DE in image:
        image = image.with_fields({REASON_DE: pending.reason})
    operation = turn.operation(
        Kind.REVERSAL,
        stan=pending.stan,
        batch=pending.batch,
        amount=pending.amount,
        reason=pending.reason,
        original=OriginalRef(pending.stan, pending.batch, amount=pending.amount),
    )
    # Nothing is written before: the record stands on flash already. The MAC is made anew with today's key.
    turn.send(replace(job, sends=job.sends + 1), operation, image)


def on_answer(turn: Turn, job: Reverse, answer: Answer) -> None:
    """Clear it on an acknowledging code (RT2); on any other it stays owed."""
    pending = turn.memory.pending
    assert pending is not None
    if answer.code in codes.REVERSAL_ACK[turn.wire.name]:
        turn.note("rev-cleared", stan=pending.stan, code=answer.code)
        # A cut before this write: the same 0400 again, answered again. After it: nothing is owed, and a row that had
        # been written beside the reversal is out of totals and upload.
        turn.save("rev-clear", _undone(turn.memory, pending), pending=None)
        turn.show(f"reversal of STAN {pending.stan} done ({answer.code})")
        turn.finish()
        return
    turn.save("rev-store", pending=replace(pending, reason=str(Failure.GARBLED)))
    plain.forget_keys_when_asked(turn, answer.code)
    _give_up(turn, job, f"refused with {answer.code} {turn.wire.text(answer.code)}", refused=True)


def on_failure(turn: Turn, job: Reverse, failure: Failure) -> None:
    """The same 0400 again, up to SENDS_MAX in this order; then it stays owed for the next."""
    if failure is not Failure.NOT_SENT and job.sends < SENDS_MAX:
        start(turn, job)
        return
    why = "no connection" if failure is Failure.NOT_SENT else f"not answered, sent {job.sends} times"
    _give_up(turn, job, why, refused=False)


def _give_up(turn: Turn, job: Reverse, why: str, *, refused: bool) -> None:
    """The record stays, and what was to follow does not happen; a sign-on may still mend a refusal."""
    pending = turn.memory.pending
    assert pending is not None
    text = f"the reversal of STAN {pending.stan} is still owed: {why}"
    turn.show(text)
    if job.lenient and (refused or turn.running.result is not None):
        turn.finish()
    else:
        turn.stop(Result(End.NOT_SENT, text, batch=turn.memory.batch))


def _undone(memory: Memory, pending: Pending) -> Memory:
    """RT2, if both survived: the reversal wins. The row leaves the totals; a void's sale lives again."""
    row = next((r for r in memory.rows if (r.stan, r.kind) == (pending.stan, pending.kind)), None)
    if row is None:
        return memory
    changed: list[Row] = [replace(row, state=RowState.REVERSED)]
    if row.kind is Kind.VOID and (sale := memory.row(stan=row.original_stan)):
        changed.append(replace(sale, state=RowState.JOURNALED))
    return memory.with_rows(changed)
