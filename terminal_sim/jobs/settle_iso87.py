"""The 0510 and 0530 of ISO 87: DE 66 (rules.md section 6). Nothing is uploaded: the 0520 stands in for it."""

from __future__ import annotations

from specs.operation import Outcome, Verdict
from terminal_sim.jobs import closing
from terminal_sim.moves import Settle, Upload
from terminal_sim.state import Phase
from terminal_sim.turn import Turn

_CLOSED = (Verdict.AGREED, Verdict.CLOSED_OTHER, Verdict.STILL_DIFFERS)
_NOT_IN_BALANCE = (Verdict.DIFFERS, Verdict.STILL_DIFFERS)


def on_answer(turn: Turn, job: Settle, outcome: Outcome) -> None:
    """Of a 0500: 1 and 3 end it; 2 asks for the 0520. What was owed has gone before the 0500 (RT9)."""
    if outcome.verdict is not Verdict.DIFFERS:
        on_final_answer(turn, outcome)
        return
    # A cut before this write: the same 0500 again, answered with the same figures. After it: the 0520 follows.
    closing.saved_verdict(turn, phase=Phase.UPLOADING, host_totals=closing.own(closing.current(turn), outcome))
    turn.show("totals do not agree: sending the final totals")
    turn.then(Upload())
    turn.finish()


def on_final_answer(turn: Turn, outcome: Outcome) -> None:
    """Of a 0520: whatever DE 66 says the day is over; a refusal (DE 39) leaves it as it is."""
    if outcome.verdict not in (*_CLOSED, *_NOT_IN_BALANCE):
        closing.refused(turn, outcome.code, "settlement")
        return
    agreed = outcome.verdict is Verdict.AGREED and closing.matches(closing.current(turn), outcome.totals)
    closing.archive(turn, agreed=agreed, code=outcome.code, theirs=outcome.totals, at=outcome.at)
