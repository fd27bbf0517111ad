"""Certificates (TC) of NAC chip sales: a 0320 with DE 3 94xxxx for each, before the 0500 (nac.md sections 4 and 6).

They are evidence for the issuer and move no money: in no total, and nothing staged for the batch. Each send takes a
STAN of its own; DE 60 names the sale. On flash at each moment:
    saf-flag    the host's word on it: any final code ends it, also a no, since there is nothing that could be undone
"""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Card, Kind, UploadForm, UploadItem
from terminal_sim import originals
from terminal_sim.jobs import closing, plain, stored
from terminal_sim.moves import End, Result, SendCertificates
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

SENDS_MAX = 3
"""Of one in one try, as of an upload's records (rules.md section 10)."""
_SENT_IN = frozenset({"nac"})
"""CUP sends them with the batch (0320/203), ISO 87 has no message for them."""
_OF = frozenset({Kind.SALE, Kind.CASH_BACK})


def waiting(memory: Memory, wire: Wire) -> tuple[Row, ...]:
    """The sales that stand and whose certificate the host does not have, oldest first."""
    return tuple(row for row in memory.rows if _waits(row)) if wire.name in _SENT_IN else ()


def _waits(row: Row) -> bool:
    stands = row.kind in _OF and row.state is RowState.JOURNALED
    return stands and row.chip != "" and not row.certificate


def start(turn: Turn, job: SendCertificates) -> None:
    """Send the oldest; done when there is none."""
    rows = waiting(turn.memory, turn.wire)
    if not rows:
        turn.finish()
        return
    row = rows[0]
    chip = bytes.fromhex(row.chip)
    item = UploadItem(originals.reference(row), row.amount, row.kind, row.pan, form=UploadForm.TC, chip=chip)
    operation = turn.operation(
        Kind.TC_UPLOAD,
        stan=turn.take_stan(),
        items=(item,),
        amount=row.amount,
        card=Card(row.pan, row.expiry, entry=row.entry),
        invoice=row.invoice,
        local_date=row.at[:4],
        local_time=row.at[4:],
    )
    turn.send(replace(job, sends=job.sends + 1), operation, slow=True)


def on_answer(turn: Turn, job: SendCertificates, answer: Answer) -> None:
    """Noted and on to the next; trouble that says nothing about it ends the settlement for now."""
    row = waiting(turn.memory, turn.wire)[0]
    if answer.code in stored.NOT_ABOUT_THE_ITEM:
        plain.forget_keys_when_asked(turn, answer.code)
        _give_up(turn, End.PENDING, f"{answer.code} {turn.wire.text(answer.code)}", answer.code)
        return
    # A cut before this write: sent once more, and noted by the host as before. After it: it is not sent again.
    turn.save("saf-flag", turn.memory.with_rows([replace(row, certificate=answer.code)]))
    turn.then(SendCertificates())
    turn.finish()


def on_failure(turn: Turn, job: SendCertificates, failure: Failure) -> None:
    """The same again, up to SENDS_MAX; then the settlement waits (nac.md 6: stop when they fail)."""
    if failure is Failure.NOT_SENT:
        _give_up(turn, End.NOT_SENT, "no connection")
    elif job.sends < SENDS_MAX:
        start(turn, job)
    else:
        _give_up(turn, End.UNANSWERED, f"not answered, sent {job.sends} times")


def _give_up(turn: Turn, end: End, why: str, code: str = "") -> None:
    count = len(waiting(turn.memory, turn.wire))
    text = f"settlement: {count} chip certificates are not delivered yet ({why}): {closing.NOT_CLOSED}"
    turn.show(text)
    turn.stop(Result(end, text, code=code, batch=turn.memory.batch))
