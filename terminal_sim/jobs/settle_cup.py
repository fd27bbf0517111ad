"""The 0510 of CUP: a code for each side (rules.md section 6)."""

from __future__ import annotations

from specs.operation import Outcome, Verdict
from terminal_sim.jobs import closing
from terminal_sim.moves import Settle, SignOn, Upload
from terminal_sim.state import Phase
from terminal_sim.turn import Turn

RENUMBERED_MAX = 3
"""How often one order may go on under another batch number."""


def on_answer(turn: Turn, job: Settle, outcome: Outcome) -> None:
    """Keep the codes, then upload what they ask for; 22 means another number."""
    settlement = closing.current(turn)
    if outcome.verdict is Verdict.NUMBER_UNKNOWN and job.renumbered < RENUMBERED_MAX:
        # The host never had this number: take the one it has, for the batch and not for the rows, and settle again.
        turn.then(SignOn(rename=True), Settle(job.renumbered + 1))
        turn.finish()
        return
    if not outcome.sides:
        closing.refused(turn, outcome.code, "settlement")
        return
    wrong = tuple(side for side, verdict in outcome.sides if verdict is not Verdict.AGREED)
    # A cut before this write: the same 0500 again, answered with the same codes (RH5). After it: the codes stand, and
    # the upload goes on at its first record without a flag.
    closing.saved_verdict(
        turn,
        phase=Phase.UPLOADING,
        sides=tuple((side, str(verdict)) for side, verdict in outcome.sides),
        upload_sides=wrong,
        host_totals=closing.own(settlement, outcome),
    )
    turn.show("对账平 agreed" if not wrong else f"对账不平 not agreed: {', '.join(wrong)}: uploading the batch")
    turn.then(Upload())
    turn.finish()
