"""Settlement (批结算): freeze, 0500, and what the 0510 asks for; the archive at the end.

The dialogue is rules.md section 6, column «T after». On flash at each moment:
    freeze          batch and totals as they will be sent, sales blocked, until the end (RT6)
    settle-pending  the host's verdict: from here a cut resumes at the upload, without another 0500 (CUP)
    upload-flag     one more group of records acked (jobs.upload)
    archive         rows read-only, number + 1, slip kept: one write, before the paper (RT7)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from specs.operation import Kind, Outcome, Verdict
from specs.totals import Totals
from terminal_sim import slips
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Result, Settle, SignOn, Upload
from terminal_sim.state import ARCHIVE_MAX, Archived, Memory, Phase, Settlement, next_number
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

RENUMBERED_MAX = 3
"""How often one order may go on under another batch number (rules.md section 6)."""
NOT_CLOSED = "the batch is not closed: settle again"


def totals_of(memory: Memory, wire: Wire) -> Totals:
    """What the terminal claims: the dialect's way to count the live rows."""
    return wire.family.count(row.as_item() for row in memory.live_rows)


def start(turn: Turn, job: Settle) -> None:
    """Freeze batch and totals, then send them: what is asked later is the same 0500 (RT6)."""
    settlement = turn.memory.settlement
    if settlement is None:
        if not turn.memory.live_rows and not turn.memory.config.settle_empty:
            turn.show("无交易 nothing to settle")
            turn.finish(Result(End.NOTHING, "nothing to settle", batch=turn.memory.batch))
            return
        settlement = _freeze(turn)
    if settlement.phase is Phase.UPLOADING:
        turn.then(Upload(renumbered=job.renumbered))
        turn.finish()
        return
    stan = turn.take_stan()  # a retry has the same number and totals and a new STAN (RT6)
    operation = turn.operation(Kind.SETTLE, stan=stan, batch=settlement.batch, totals=settlement.totals)
    turn.send(job, operation, slow=True)


def _freeze(turn: Turn) -> Settlement:
    settlement = Settlement(Phase.FROZEN, turn.memory.batch, totals_of(turn.memory, turn.wire))
    turn.note("frozen")
    # A cut before this write: an open batch, nothing was said to the host. After it: sales stay blocked and the same
    # totals are sent, whether or not the 0500 ever left; no sale can slip into a batch that the host may have closed.
    turn.save("freeze", settlement=settlement)
    return settlement


def on_failure(turn: Turn, job: Settle, failure: Failure) -> None:
    """The batch stays frozen; the next `settle` sends the same figures."""
    unanswered(turn, "settlement")


def unanswered(turn: Turn, what: str) -> None:
    """No final word: everything stays frozen on flash, and the next settle order goes on from there."""
    sent = turn.running.spoken
    text = f"{what}: {'no answer' if sent else 'no connection'}: {NOT_CLOSED}"
    turn.show(text)
    turn.stop(Result(End.UNANSWERED if sent else End.NOT_SENT, text, batch=turn.memory.batch))


def refused(turn: Turn, code: str, what: str) -> None:
    """An answer that closes nothing: the batch stays as it is, and the operator is told."""
    plain.forget_keys_when_asked(turn, code)
    text = f"{what}: {code} {turn.wire.text(code)}: {NOT_CLOSED}"
    turn.show(text)
    turn.stop(Result(End.PENDING, text, code=code, batch=turn.memory.batch))


def on_answer(turn: Turn, job: Settle, answer: Answer) -> None:
    """What each side's verdict leads to differs by dialect: see the table."""
    _ANSWERED[turn.wire.name](turn, job, answer.outcome)


# --- CUP: a code for each side --------------------------------------------------------------------------------------


def _on_cup(turn: Turn, job: Settle, outcome: Outcome) -> None:
    settlement = _open(turn)
    if outcome.verdict is Verdict.NUMBER_UNKNOWN and job.renumbered < RENUMBERED_MAX:
        # The host never had this number: take the one it has, for the batch and not for the rows, and settle again.
        turn.then(SignOn(rename=True), Settle(job.renumbered + 1))
        turn.finish()
        return
    if not outcome.sides:
        refused(turn, outcome.code, "settlement")
        return
    sides = tuple((side, str(verdict)) for side, verdict in outcome.sides)
    wrong = tuple(side for side, verdict in outcome.sides if verdict is not Verdict.AGREED)
    # A cut before this write: the same 0500 again, answered with the same codes (RH5). After it: the codes stand, and
    # the upload goes on at its first record without a flag.
    turn.save(
        "settle-pending",
        settlement=replace(
            settlement, phase=Phase.UPLOADING, sides=sides, upload_sides=wrong, host_totals=_own(settlement, outcome)
        ),
    )
    turn.show("对账平 agreed" if not wrong else f"对账不平 not agreed: {', '.join(wrong)}: uploading the batch")
    turn.then(Upload())
    turn.finish()


def _own(settlement: Settlement, outcome: Outcome) -> Totals | None:
    """The host's figures, if they are not just ours sent back (cup.md 5.5: either may stand in the answer)."""
    theirs = outcome.totals
    return theirs if theirs is not None and settlement.totals.differing(theirs) else None


# --- NAC: one verdict, said in DE 39 --------------------------------------------------------------------------------


_CLOSED = (Verdict.AGREED, Verdict.CLOSED_OTHER, Verdict.STILL_DIFFERS)


def on_nac_verdict(turn: Turn, renumbered: int, outcome: Outcome) -> bool:
    """What ends a 0500 of either kind (00, 77), or moves it on (80, 85); False for anything else."""
    code = outcome.code
    settlement = _open(turn)
    if outcome.verdict in _CLOSED:
        theirs = outcome.totals
        agreed = outcome.verdict is Verdict.AGREED and (theirs is None or not settlement.totals.differing(theirs))
        archive(turn, agreed=agreed, code=code, theirs=theirs, at=outcome.at)
        return True
    if outcome.verdict is Verdict.NUMBER_STALE:
        if renumbered >= RENUMBERED_MAX:
            refused(turn, code, "settlement")
            return True
        number = next_number(settlement.batch)
        unflagged = [replace(row, uploaded=False, rejected="") for row in turn.memory.rows]
        # A cut before this write: the old number again, refused again. After it: the same items under the next one, and
        # all of them, since what was staged was staged elsewhere.
        turn.save(
            "number",
            turn.memory.with_rows(unflagged),
            batch=number,
            settlement=replace(settlement, phase=Phase.FROZEN, batch=number),
        )
        turn.show(f"the host does not know batch {settlement.batch} as open: trying {number}")
        turn.then(Settle(renumbered + 1))
        turn.finish()
        return True
    return False


def _on_nac(turn: Turn, job: Settle, outcome: Outcome) -> None:
    if on_nac_verdict(turn, job.renumbered, outcome):
        return
    if outcome.verdict is not Verdict.DIFFERS:
        refused(turn, outcome.code, "settlement")
        return
    # A cut before this write: 920000 again, 95 again. After it: the upload starts at its first record without a flag.
    settlement = _open(turn)
    turn.save(
        "settle-pending",
        settlement=replace(settlement, phase=Phase.UPLOADING, host_totals=_own(settlement, outcome)),
    )
    turn.show("totals do not agree: uploading the batch")
    turn.then(Upload(renumbered=job.renumbered))
    turn.finish()


_ANSWERED: Mapping[str, Callable[[Turn, Settle, Outcome], None]] = {"cup": _on_cup, "nac": _on_nac}


# --- the end --------------------------------------------------------------------------------------------------------


def archive(turn: Turn, *, agreed: bool, code: str, theirs: Totals | None, at: str) -> None:
    """Close the batch here: rows away, number + 1 and the slip in one write, then the paper."""
    memory = turn.memory
    settlement = _open(turn)
    result = "agreed" if agreed else "not-agreed"
    theirs = theirs or settlement.host_totals
    closed = Archived(settlement.batch, memory.rows, settlement.totals, result, code, theirs, at)
    slip = slips.settlement(memory.config, turn.wire.name, closed, settlement.sides)
    turn.note("archived", code=code, detail=result)
    turn.note("slip", code=code, detail=f"settlement {result}")
    # A cut before this write: the last message again, answered as before by a host that has closed. After it: the
    # batch is closed here too, and a slip that did not come out can be printed again.
    turn.save(
        "archive",
        rows=(),
        archive=(*memory.archive, closed)[-ARCHIVE_MAX:],
        settlement=None,
        batch=next_number(settlement.batch),
        last_slip=slip,
    )
    turn.print(slip)
    text = f"batch {settlement.batch} closed, {'agreed' if agreed else 'NOT AGREED'}"
    turn.show(text)
    turn.finish(Result(End.AGREED if agreed else End.NOT_AGREED, text, code=code, batch=settlement.batch, slip=slip))


def _open(turn: Turn) -> Settlement:
    assert turn.memory.settlement is not None
    return turn.memory.settlement
