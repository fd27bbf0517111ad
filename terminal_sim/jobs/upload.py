"""Batch upload (批上送): every record that the host may lack, each flagged only after its ack (RT8), then the end.

The flags on the rows are the cursor: whatever happens, the upload goes on at the first message without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from specs import codes
from specs.message import Message
from specs.operation import Card, Kind, Operation, Outcome, UploadForm, Verdict
from terminal_sim.jobs import closing, settle_iso87, settle_nac
from terminal_sim.jobs.parcels import Parcel, waiting
from terminal_sim.moves import Upload, UploadEnd
from terminal_sim.state import Row
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

SENDS_MAX = 3
ROUNDS_MAX = 3
"""rules.md section 10: upload rounds, sends per item."""
_UNREADABLE = "30"
"""What arrived could not be read: a fault of the line or of the message. It goes again, as a stored item does
(terminal_sim.jobs.stored); only what is refused SENDS_MAX times is the message's own fault, and rejected."""
_NOT_ABOUT_THE_RECORD = codes.TRANSIENT | codes.FORMAT_IDENTITY_KEY - {_UNREADABLE}
"""Trouble of the host, or of keys and identity: the record is still owed (RT8), and the settlement goes on later."""


def start(turn: Turn, job: Upload) -> None:
    """Send the next message whose records are not flagged; the end follows when there is none."""
    parcels = waiting(turn.memory, turn.wire)
    if not parcels:
        turn.then(UploadEnd(round=job.round, renumbered=job.renumbered))
        turn.finish()
        return
    operation, request = _message(turn, parcels[0], more=len(parcels) > 1)
    turn.send(replace(job, sends=job.sends + 1), operation, request, slow=True)


def _message(turn: Turn, parcel: Parcel, *, more: bool) -> tuple[Operation, Message | None]:
    """The operation, and the request where it is not made from it.

    A group and a NAC record take a STAN of their own; copies and chip items go under the original's (flows.md 0).
    """
    first = parcel.rows[0]
    if parcel.form is UploadForm.COPY:
        assert first.image is not None
        operation = turn.operation(Kind.UPLOAD, stan=first.stan, batch=first.batch, items=parcel.items)
        return operation, turn.wire.family.copy_of(first.image, turn.wire.dialect)
    if parcel.form is UploadForm.GROUP:
        return _records(turn, parcel, more=more), None
    return _chip_item(turn, parcel), None


def _records(turn: Turn, parcel: Parcel, *, more: bool) -> Operation:
    """One 0320 with its own STAN; the originals are named by the items. NAC sends the record's own elements besides."""
    first, item = parcel.rows[0], parcel.items[0]
    return turn.operation(
        Kind.UPLOAD,
        stan=turn.take_stan(),
        batch=closing.current(turn).batch,
        items=parcel.items,
        more=more,
        amount=item.amount,
        tip=item.tip,
        card=Card(first.pan, first.expiry, entry=first.entry),
        invoice=first.invoice,
        rrn=first.rrn,
        auth_code=first.auth_code,
        local_date=first.at[:4],
        local_time=first.at[4:],
    )


def _chip_item(turn: Turn, parcel: Parcel) -> Operation:
    row, item = parcel.rows[0], parcel.items[0]
    return turn.operation(
        Kind.TC_UPLOAD,
        stan=row.stan,
        batch=row.batch,
        items=(replace(item, currency=turn.memory.config.currency),),
        balanced=not closing.current(turn).upload_sides,
        amount=row.amount,
        card=Card(row.pan, row.expiry, entry=row.entry),
        chip=item.chip,
    )


def on_answer(turn: Turn, job: Upload, answer: Answer) -> None:
    """Mark what was sent as taken or refused, in one write; a code about something else is tried again or ends it."""
    reads = turn.firmware.upload_reads_code
    if reads and answer.code in _NOT_ABOUT_THE_RECORD:
        if answer.code in codes.TRANSIENT and job.sends < SENDS_MAX:
            start(turn, job)
        else:
            closing.refused(turn, answer.code, "upload")
        return
    if reads and answer.code == _UNREADABLE and job.unread + 1 < SENDS_MAX:
        if job.sends < SENDS_MAX:
            start(turn, replace(job, unread=job.unread + 1))
        else:  # some of them were lost on the way: nobody knows yet whose fault it is
            closing.refused(turn, answer.code, "upload")
        return
    accepted = not reads or answer.code in codes.UPLOAD_ACK
    sent = _sent_rows(turn)
    changed = [replace(row, uploaded=True) if accepted else replace(row, rejected=answer.code) for row in sent]
    # A cut before this write: the same records again, acked again (00 or 94). After it: they are done.
    turn.save("upload-flag", turn.memory.with_rows(changed))
    if not accepted:
        turn.show(f"upload refused with {answer.code}: STAN {', '.join(row.stan for row in sent)}")
    turn.then(replace(job, sends=0, unread=0))
    turn.finish()


def _sent_rows(turn: Turn) -> list[Row]:
    assert turn.running.exchange is not None
    named = {(item.ref.stan, item.kind) for item in turn.running.exchange.operation.items}
    return [row for row in turn.memory.rows if (row.stan, row.kind) in named]


def on_failure(turn: Turn, job: Upload, failure: Failure) -> None:
    """The same records again, up to SENDS_MAX; then the settlement stays unfinished."""
    resumes = turn.firmware.upload_resumes
    left = job.sends < SENDS_MAX and (resumes or job.round < ROUNDS_MAX)
    if failure is Failure.NOT_SENT or not left:
        closing.unanswered(turn, "upload")
    elif resumes:
        start(turn, job)
    else:
        unflag(turn)
        start(turn, replace(job, round=job.round + 1))


def unflag(turn: Turn) -> None:
    """All flags off, so that the upload begins at its first record."""
    turn.save("upload-flag", turn.memory.with_rows([replace(row, uploaded=False) for row in turn.memory.rows]))


# --- the end message ------------------------------------------------------------------------------------------------


def start_end(turn: Turn, job: UploadEnd) -> None:
    """Send the end of the upload: CUP 0320 with 202 or 207, NAC 0500 with 960000, ISO 87 0520."""
    settlement = closing.current(turn)
    stan = turn.take_stan()
    if turn.wire.name == "cup":
        uploaded = sum(row.uploaded for row in turn.memory.rows)
        balanced = not settlement.upload_sides
        operation = turn.operation(
            Kind.UPLOAD_END, stan=stan, batch=settlement.batch, count=uploaded, balanced=balanced
        )
    else:
        operation = turn.operation(
            Kind.SETTLE,
            stan=stan,
            batch=settlement.batch,
            totals=settlement.totals,
            final=True,
            day=settlement.day,
            advice=turn.wire.name == "iso87",
        )
    turn.send(replace(job, sends=job.sends + 1), operation, slow=True)


def on_end_answer(turn: Turn, job: UploadEnd, answer: Answer) -> None:
    """Close the batch as the host says."""
    _ENDED[turn.wire.name](turn, job, answer.outcome)


def _on_nac_end(turn: Turn, job: UploadEnd, outcome: Outcome) -> None:
    """95 starts another round while there is one left."""
    if settle_nac.ended(turn, job.renumbered, outcome):
        return
    if outcome.verdict is Verdict.UPLOAD_INCOMPLETE and job.round < ROUNDS_MAX:
        # The host still lacks some: all flags off and once more. A cut before this write: 960000 again, 95 again.
        unflag(turn)
        turn.show(f"upload incomplete at the host: round {job.round + 1}")
        turn.then(Upload(round=job.round + 1, renumbered=job.renumbered))
        turn.finish()
    else:
        closing.refused(turn, outcome.code, "end of upload")


def _on_cup_end(turn: Turn, job: UploadEnd, outcome: Outcome) -> None:
    if outcome.code not in codes.UPLOAD_ACK:
        closing.refused(turn, outcome.code, "end of upload")
        return
    agreed = all(verdict == Verdict.AGREED for _, verdict in closing.current(turn).sides)
    closing.archive(turn, agreed=agreed, code=outcome.code, theirs=None, at=outcome.at)


_ENDED: Mapping[str, Callable[[Turn, UploadEnd, Outcome], None]] = {
    "cup": _on_cup_end,
    "nac": _on_nac_end,
    "iso87": lambda turn, _, outcome: settle_iso87.on_final_answer(turn, outcome),
}


def on_end_failure(turn: Turn, job: UploadEnd, failure: Failure) -> None:
    """The same end again, up to SENDS_MAX; then the settlement stays unfinished. ISO 87 repeats the message (0521)."""
    if failure is Failure.NOT_SENT or job.sends >= SENDS_MAX:
        closing.unanswered(turn, "end of upload")
    elif turn.wire.name == "iso87":
        assert turn.running.exchange is not None
        sent = turn.running.exchange
        repeat = turn.wire.family.repeat_of(sent.request)
        turn.send(replace(job, sends=job.sends + 1), sent.operation, repeat, slow=True)
    else:
        start_end(turn, job)
