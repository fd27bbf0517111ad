"""Settlement (批结算): what must be delivered first, the freeze, 0500; what the 0510 asks for is a module a family.

The dialogue is rules.md section 6, column «T after». On flash at each moment:
    freeze          batch and totals as they will be sent, sales blocked, until the end (RT6)
    settle-pending  the host's verdict: from here a cut resumes at the upload, without another 0500 (CUP)
    upload-flag     one more group of records acked (jobs.upload)
    archive         rows read-only, number + 1, slip kept: one write, before the paper (RT7)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from specs.operation import Kind, Outcome
from terminal_sim.jobs import closing, settle_cup, settle_iso87, settle_nac
from terminal_sim.moves import End, Result, Settle, Upload
from terminal_sim.state import Phase, Settlement
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def start(turn: Turn, job: Settle) -> None:
    """Freeze batch and totals, then send them: what is asked later is the same 0500 (RT6)."""
    settlement = turn.memory.settlement
    if settlement is None:
        if waiting := turn.memory.stored_rows:
            _wait(turn, len(waiting))
            return
        rows = closing.to_settle(turn.memory, turn.wire)
        if not rows and not turn.memory.config.settle_empty:
            turn.show("无交易 nothing to settle")
            turn.finish(Result(End.NOTHING, "nothing to settle", batch=turn.memory.batch))
            return
        settlement = _freeze(turn, closing.first_day(turn.memory, turn.wire) if rows else turn.moment.local[:4])
    if settlement.phase is Phase.UPLOADING:
        turn.then(Upload(renumbered=job.renumbered))
        turn.finish()
        return
    stan = turn.take_stan()  # a retry has the same number and totals and a new STAN (RT6)
    operation = turn.operation(
        Kind.SETTLE, stan=stan, batch=settlement.batch, totals=settlement.totals, day=settlement.day
    )
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
    turn.save("freeze", settlement=settlement)
    return settlement


_ANSWERED: Mapping[str, Callable[[Turn, Settle, Outcome], None]] = {
    "cup": settle_cup.on_answer,
    "nac": settle_nac.on_answer,
    "iso87": settle_iso87.on_answer,
}


def on_answer(turn: Turn, job: Settle, answer: Answer) -> None:
    """What each side's verdict leads to differs by dialect: see the table."""
    _ANSWERED[turn.wire.name](turn, job, answer.outcome)


def on_failure(turn: Turn, job: Settle, failure: Failure) -> None:
    """The batch stays frozen; the next `settle` sends the same figures."""
    closing.unanswered(turn, "settlement")
