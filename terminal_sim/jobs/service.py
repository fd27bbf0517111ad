"""The service menu: give up a reversal, and (in firmware that has it) settle on paper alone. No host is asked.

Giving up takes the supervisor, and leaves a slip and a record (failure-catalogue.md section 1, `abandoned`; case 21):
what the host holds of the transaction is from then on for people to put right.
"""

from __future__ import annotations

from terminal_sim import slips
from terminal_sim.firmware import Firmware
from terminal_sim.jobs import closing
from terminal_sim.moves import ClearReversal, End, ForceSettle, Result
from terminal_sim.state import Memory, Phase, Settlement
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

GIVEN_UP = "given up by hand: the host may hold this transaction, and it is to be put right there"


def refusal(memory: Memory, job: ClearReversal | ForceSettle, firmware: Firmware) -> str:
    """Why the menu does not do it, "" when it does."""
    if isinstance(job, ForceSettle):
        return "" if firmware.local_settle else "a batch is closed with the host alone: settle 请结算"
    owes = memory.pending is not None or (memory.settlement is not None and not firmware.abandon_recorded)
    return "" if owes else "no reversal is owed"


def start_clear(turn: Turn, job: ClearReversal) -> None:
    """The reversal goes with a record and a slip. abandon_recorded False: silently, and a settlement with it."""
    memory, pending = turn.memory, turn.memory.pending
    if not turn.firmware.abandon_recorded:
        turn.save("rev-clear", pending=None, settlement=None)
        turn.finish(Result(End.OK, "cleared", batch=memory.batch))
        return
    assert pending is not None
    turn.note("rev-abandoned", stan=pending.stan, detail=f"by {memory.who}")
    slip = slips.fault(*(memory.config, turn.wire.name, pending, GIVEN_UP), operator=memory.who, at=turn.moment.local)
    # A cut before this write: the reversal is owed as before. After it: given up, and the record of it stands.
    turn.save("rev-clear", pending=None, last_slip=slip)
    turn.print(slip)
    text = f"the reversal of STAN {pending.stan} is {GIVEN_UP}"
    turn.show(text)
    turn.finish(Result(End.OK, text, amount=pending.amount, stan=pending.stan, batch=pending.batch, slip=slip))


def start_settle(turn: Turn, job: ForceSettle) -> None:
    """The report is printed and the journal cleared; the host hears nothing of it (failure-catalogue 45)."""
    memory = turn.memory
    if not closing.to_settle(memory, turn.wire):
        turn.finish(Result(End.NOTHING, "nothing to settle", batch=memory.batch))
        return
    day = closing.first_day(memory, turn.wire) if turn.wire.name in closing.BY_DAY else ""
    totals = closing.totals_of(memory, turn.wire, day)
    settlement = memory.settlement or Settlement(Phase.FROZEN, memory.batch, totals, day=day)
    slip = closing.put_away(turn, settlement, "forced", "", None, turn.moment.local)
    text = f"batch {settlement.batch} closed"
    turn.show(text)
    turn.finish(Result(End.AGREED, text, batch=settlement.batch, slip=slip))


def on_answer(turn: Turn, job: ClearReversal | ForceSettle, answer: Answer) -> None:
    """Never: the menu sends nothing."""
    raise AssertionError("an order that sends nothing was answered")


def on_failure(turn: Turn, job: ClearReversal | ForceSettle, failure: Failure) -> None:
    """Never: see `on_answer`."""
    raise AssertionError("an order that sends nothing has failed")
