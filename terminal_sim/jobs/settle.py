"""Settlement (批结算): what must be delivered first, the freeze, 0500; what the 0510 asks for is a module a family.

The dialogue is rules.md section 6, column «T after». On flash at each moment:
    freeze          batch and totals as they will be sent, sales blocked, until the end (RT6)
    settle-pending  the host's verdict: from here a cut resumes at the upload, without another 0500 (CUP)
    upload-flag     one more group of records acked (jobs.upload)
    archive         rows read-only, number + 1, slip kept: one write, before the paper (RT7)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specs.operation import Kind, Outcome, Verdict
from terminal_sim.jobs import closing, settle_cup, settle_iso87, settle_nac, stored, upload
from terminal_sim.moves import End, Result, Settle, Upload
from terminal_sim.state import Phase, Settlement
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def start(turn: Turn, job: Settle) -> None:
    """Freeze batch and totals, then send them: what is asked later is the same 0500 (RT6)."""
    settlement = turn.memory.settlement
    if settlement is None:
        if waiting := len(turn.memory.stored_rows) - len(stored.left_behind(turn.memory, turn.firmware)):
            _wait(turn, waiting)
            return
        rows = closing.to_settle(turn.memory, turn.wire)
        if not rows and not turn.memory.config.settle_empty:
            turn.show("无交易 nothing to settle")
            turn.finish(Result(End.NOTHING, "nothing to settle", batch=turn.memory.batch))
            return
        settlement = _freeze(turn, closing.first_day(turn.memory, turn.wire) if rows else turn.moment.local[:4])
    if settlement.phase is Phase.UPLOADING:
        if not turn.firmware.upload_resumes:
            upload.unflag(turn)
        turn.then(Upload(renumbered=job.renumbered))
        turn.finish()
        return
    stan = turn.take_stan()  # a retry has the same number and totals and a new STAN (RT6)
    operation = turn.operation(
        Kind.SETTLE, stan=stan, batch=settlement.batch, totals=settlement.totals, day=settlement.day
    )
    if turn.firmware.clears_on_send:
        closing.put_away(turn, settlement, "agreed", "", None, turn.moment.local)
    turn.send(job, operation, slow=True)


def _wait(turn: Turn, count: int) -> None:
    """RT9: what is stored goes before the 0500; until it is delivered or refused nothing is frozen."""
    text = f"settlement: {count} stored items are not delivered yet: {closing.NOT_CLOSED}"
    turn.show(text)
    end = End.PENDING if turn.running.heard else End.UNANSWERED if turn.running.spoken else End.NOT_SENT
    turn.stop(Result(end, text, batch=turn.memory.batch))


def _freeze(turn: Turn, day: str) -> Settlement:
    """day: of the oldest row; only ISO 87 settles by it."""
    day = day if turn.wire.name in closing.BY_DAY else ""
    totals = closing.totals_of(turn.memory, turn.wire, day)
    settlement = Settlement(Phase.FROZEN, turn.memory.batch, totals, day=day)
    turn.note("frozen")
    # A cut before this write: an open batch, nothing was said to the host. After it: sales stay blocked and the same
    # totals are sent, whether or not the 0500 ever left; no sale can slip into a batch that the host may have closed.
    first = turn.firmware.freeze_first or turn.firmware.clears_on_send
    turn.store("freeze", first=first, settlement=settlement)
    return settlement


_ANSWERED: Mapping[str, Callable[[Turn, Settle, Outcome], None]] = {
    "cup": settle_cup.on_answer,
    "nac": settle_nac.on_answer,
    "iso87": settle_iso87.on_answer,
}


def on_answer(turn: Turn, job: Settle, answer: Answer) -> None:
    """What each side's verdict leads to differs by dialect: see the table."""
    for otherwise in (_cleared_already, _not_heeded, _told_to_phone):
        if otherwise(turn, answer):
            return
    _ANSWERED[turn.wire.name](turn, job, answer.outcome)


def on_failure(turn: Turn, job: Settle, failure: Failure) -> None:
    """The batch stays frozen; the next `settle` sends the same figures."""
    closing.unanswered(turn, "settlement")


# --- firmware that decides otherwise ----------------------------------------------------------------------------------


def _said(outcome: Outcome) -> set[Verdict]:
    return {verdict for verdict in (outcome.verdict, *dict(outcome.sides).values()) if verdict is not None}


def _cleared_already(turn: Turn, answer: Answer) -> bool:
    """clears_on_send: whatever the host says, there is nothing left that it could be about."""
    if not turn.firmware.clears_on_send:
        return False
    text = f"settlement: {answer.code or 'answered'}"
    turn.show(text)
    turn.finish(Result(End.AGREED, text, code=answer.code, batch=turn.memory.batch))
    return True


def _not_heeded(turn: Turn, answer: Answer) -> bool:
    """heeds_differences: 95 and code 2 are taken for «agreed»."""
    outcome = answer.outcome
    if turn.firmware.heeds_differences or Verdict.DIFFERS not in _said(outcome):
        return False
    closing.archive(turn, agreed=True, code=outcome.code, theirs=None, at=outcome.at)
    return True


_CLOSED_ALREADY = frozenset({Verdict.CLOSED_OTHER, Verdict.NUMBER_STALE, Verdict.NUMBER_UNKNOWN})


def _told_to_phone(turn: Turn, answer: Answer) -> bool:
    """closed_ends_it: «closed already» is no end, and the batch waits for ever."""
    if turn.firmware.closed_ends_it or not _said(answer.outcome) & _CLOSED_ALREADY:
        return False
    closing.refused(turn, answer.code, "settlement: call the help desk")
    return True
