"""Batch upload (批上送): every record that the host may lack, each flagged only after its ack (RT8), then the end.

The flags on the rows are the cursor: whatever happens, the upload goes on at the first row without one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specs import codes
from specs.operation import Card, Kind, Operation, OriginalRef, UploadItem, Verdict
from terminal_sim.jobs import settle
from terminal_sim.moves import Upload, UploadEnd
from terminal_sim.state import Memory, Row, RowState, Settlement
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

SENDS_MAX = 3
ROUNDS_MAX = 3
"""rules.md section 10: upload rounds, sends per item."""
_UNREADABLE = "30"
_NOT_ABOUT_THE_RECORD = codes.TRANSIENT | codes.FORMAT_IDENTITY_KEY - {_UNREADABLE}
"""Trouble of the host, or of keys and identity: the record is still owed (RT8), and the settlement goes on later."""
GROUP: Mapping[str, int] = {"cup": 8, "nac": 1}
"""Records in one 0320 (cup.md 5.5, nac.md 6)."""


def waiting(memory: Memory, wire: Wire) -> tuple[Row, ...]:
    """The rows still to be sent, in the order of the journal."""
    settlement = memory.settlement
    assert settlement is not None
    return tuple(row for row in memory.live_rows if _goes_up(row, settlement, wire) and not _decided(row))


def _decided(row: Row) -> bool:
    return row.uploaded or bool(row.rejected)


def _goes_up(row: Row, settlement: Settlement, wire: Wire) -> bool:
    """CUP: all of a side that differs, the voided sale and its void too. NAC: neither of the two (rules.md 5)."""
    if wire.name == "cup":
        return ("foreign" if row.foreign else "domestic") in settlement.upload_sides
    return row.state is RowState.JOURNALED and row.kind is not Kind.VOID


def start(turn: Turn, job: Upload) -> None:
    """Send the next records that are not flagged; the end follows when there are none."""
    rows = waiting(turn.memory, turn.wire)
    size = GROUP[turn.wire.name]
    if not rows:
        turn.then(UploadEnd(round=job.round, renumbered=job.renumbered))
        turn.finish()
        return
    operation = _records(turn, rows[:size], more=len(rows) > size)
    turn.send(replace(job, sends=job.sends + 1), operation, slow=True)


def _records(turn: Turn, rows: tuple[Row, ...], *, more: bool) -> Operation:
    """One 0320 with its own STAN; the originals are named by the items. NAC sends the record's own elements besides."""
    assert turn.memory.settlement is not None
    first = rows[0]
    return turn.operation(
        Kind.UPLOAD,
        stan=turn.take_stan(),
        batch=turn.memory.settlement.batch,
        items=tuple(_item(row) for row in rows),
        more=more,
        amount=first.amount,
        card=Card(first.pan, first.expiry, entry=first.entry),
        invoice=first.invoice,
        rrn=first.rrn,
        auth_code=first.auth_code,
        local_date=first.at[:4],
        local_time=first.at[4:],
    )


def _item(row: Row) -> UploadItem:
    ref = OriginalRef(row.stan, row.batch, row.rrn, row.invoice, row.amount, row.auth_code)
    return UploadItem(ref, row.amount, row.kind, row.pan, row.foreign)


def on_answer(turn: Turn, job: Upload, answer: Answer) -> None:
    """Mark what was sent as taken or refused, in one write; a code about something else is tried again or ends it."""
    if answer.code in _NOT_ABOUT_THE_RECORD:
        if answer.code in codes.TRANSIENT and job.sends < SENDS_MAX:
            start(turn, job)
        else:
            settle.refused(turn, answer.code, "upload")
        return
    accepted = answer.code in codes.UPLOAD_ACK
    sent = _sent_rows(turn)
    changed = [replace(row, uploaded=True) if accepted else replace(row, rejected=answer.code) for row in sent]
    # A cut before this write: the same records again, acked again (00 or 94). After it: they are done.
    turn.save("upload-flag", turn.memory.with_rows(changed))
    if not accepted:
        turn.show(f"upload refused with {answer.code}: STAN {', '.join(row.stan for row in sent)}")
    turn.then(replace(job, sends=0))
    turn.finish()


def _sent_rows(turn: Turn) -> list[Row]:
    assert turn.running.exchange is not None
    named = {(item.ref.stan, item.kind) for item in turn.running.exchange.operation.items}
    return [row for row in turn.memory.rows if (row.stan, row.kind) in named]


def on_failure(turn: Turn, job: Upload, failure: Failure) -> None:
    """The same records again, up to SENDS_MAX; then the settlement stays unfinished."""
    if failure is not Failure.NOT_SENT and job.sends < SENDS_MAX:
        start(turn, job)
    else:
        settle.unanswered(turn, "upload")


# --- the end message ------------------------------------------------------------------------------------------------


def start_end(turn: Turn, job: UploadEnd) -> None:
    """Send the end of the upload: CUP 0320 with 202 or 207, NAC 0500 with 960000."""
    settlement = turn.memory.settlement
    assert settlement is not None
    stan = turn.take_stan()
    if turn.wire.name == "cup":
        uploaded = sum(row.uploaded for row in turn.memory.rows)
        balanced = not settlement.upload_sides
        operation = turn.operation(
            Kind.UPLOAD_END, stan=stan, batch=settlement.batch, count=uploaded, balanced=balanced
        )
    else:
        operation = turn.operation(Kind.SETTLE, stan=stan, batch=settlement.batch, totals=settlement.totals, final=True)
    turn.send(replace(job, sends=job.sends + 1), operation, slow=True)


def on_end_answer(turn: Turn, job: UploadEnd, answer: Answer) -> None:
    """Close the batch as the host says; NAC 95 starts another round while there is one left."""
    if turn.wire.name == "cup":
        _on_cup_end(turn, answer)
    elif settle.on_nac_verdict(turn, job.renumbered, answer.outcome):
        return
    elif answer.outcome.verdict is Verdict.UPLOAD_INCOMPLETE and job.round < ROUNDS_MAX:
        # The host still lacks some: all flags off and once more. A cut before this write: 960000 again, 95 again.
        unflagged = [replace(row, uploaded=False) for row in turn.memory.rows]
        turn.save("upload-flag", turn.memory.with_rows(unflagged))
        turn.show(f"upload incomplete at the host: round {job.round + 1}")
        turn.then(Upload(round=job.round + 1, renumbered=job.renumbered))
        turn.finish()
    else:
        settle.refused(turn, answer.code, "end of upload")


def _on_cup_end(turn: Turn, answer: Answer) -> None:
    settlement = turn.memory.settlement
    assert settlement is not None
    if answer.code not in codes.UPLOAD_ACK:
        settle.refused(turn, answer.code, "end of upload")
        return
    agreed = all(verdict == Verdict.AGREED for _, verdict in settlement.sides)
    settle.archive(turn, agreed=agreed, code=answer.code, theirs=None, at=answer.outcome.at)


def on_end_failure(turn: Turn, job: UploadEnd, failure: Failure) -> None:
    """The same end again, up to SENDS_MAX; then the settlement stays unfinished."""
    if failure is not Failure.NOT_SENT and job.sends < SENDS_MAX:
        start_end(turn, job)
    else:
        settle.unanswered(turn, "end of upload")
