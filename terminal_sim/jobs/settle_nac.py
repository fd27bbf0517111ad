"""The 0510 of NAC: one verdict, said in DE 39, of the first 0500 (920000) and of the trailer (960000)."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Outcome, Verdict
from terminal_sim.jobs import closing
from terminal_sim.moves import End, Result, Settle, Upload
from terminal_sim.state import Phase, next_number
from terminal_sim.turn import Turn

RENUMBERED_MAX = 3
"""How often one order may go on under another batch number (rules.md section 6)."""
_CLOSED = (Verdict.AGREED, Verdict.CLOSED_OTHER, Verdict.STILL_DIFFERS)
_RECONCILE_ERROR = "77"
_NO_TRANSACTIONS = "21"


def on_answer(turn: Turn, job: Settle, outcome: Outcome) -> None:
    """Of the first 0500: closed, or another number, or the upload is asked for (95)."""
    if ended(turn, job.renumbered, outcome):
        return
    if outcome.code == _NO_TRANSACTIONS and not closing.to_settle(turn.memory, turn.wire):
        _nothing_there(turn, outcome.code)
        return
    if outcome.verdict is not Verdict.DIFFERS:
        closing.refused(turn, outcome.code, "settlement")
        return
    # A cut before this write: 920000 again, 95 again. After it: the upload starts at its first record without a flag.
    closing.saved_verdict(turn, phase=Phase.UPLOADING, host_totals=closing.own(closing.current(turn), outcome))
    turn.show("totals do not agree: uploading the batch")
    turn.then(Upload(renumbered=job.renumbered))
    turn.finish()


def _nothing_there(turn: Turn, code: str) -> None:
    """Empty on both sides, and a host that closes no empty batch (`empty_batch` = "21"): the number stays as it is."""
    # A cut before this write: the same empty 0500 again. After it: an open batch without a row, as before the order.
    turn.save("number", settlement=None)
    text = f"nothing to settle: {code} {turn.wire.text(code)}"
    turn.show(text)
    turn.finish(Result(End.NOTHING, text, code=code, batch=turn.memory.batch))


def ended(turn: Turn, renumbered: int, outcome: Outcome) -> bool:
    """What ends a 0500 of either kind (00, 77), or moves it on (80, 85); False for anything else."""
    if outcome.verdict in _CLOSED and not _means_error(turn, outcome):
        settlement = closing.current(turn)
        agreed = outcome.verdict is Verdict.AGREED and closing.matches(settlement, outcome.totals)
        closing.archive(turn, agreed=agreed, code=outcome.code, theirs=outcome.totals, at=outcome.at)
        return True
    if outcome.verdict is Verdict.NUMBER_STALE:
        _renumber(turn, renumbered, outcome.code)
        return True
    return False


def _means_error(turn: Turn, outcome: Outcome) -> bool:
    """Whether this host's 77 closes nothing (`terminal.rc77` = "error")."""
    return outcome.code == _RECONCILE_ERROR and turn.wire.profile.rc77 == "error"


def _renumber(turn: Turn, renumbered: int, code: str) -> None:
    if renumbered >= RENUMBERED_MAX:
        closing.refused(turn, code, "settlement")
        return
    settlement = closing.current(turn)
    number = next_number(settlement.batch)
    unflagged = [
        row if row.state == "rejected" else replace(row, uploaded=False, rejected="") for row in turn.memory.rows
    ]
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
