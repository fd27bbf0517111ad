"""The result of an issuer's script (脚本结果): kept in the same write as its transaction, sent as a 0620 before the
next online transaction, three times at most, then given up (flows.md section 9).
"""

from __future__ import annotations

from dataclasses import replace

from specs import codes
from specs.operation import Card, Kind, Operation, OriginalRef
from terminal_sim import chipcard
from terminal_sim.moves import SendScript
from terminal_sim.state import Memory, ScriptResult
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

SENDS_MAX = 3
"""In all, power cuts and refusals included."""
_TOLD_IN = frozenset({"cup", "iso87"})
"""NAC has no message for it (nac.md section 4)."""
_FUNCTION = "951"


def owed(turn: Turn, memory: Memory, operation: Operation, answer: Answer) -> Memory:
    """The same memory owing a 0620 when the answer held scripts (71, 72). The caller's write makes it durable.

    It takes a STAN of its own; an older result that is still owed gives way (flows.md section 0: at most one).
    """
    if operation.chip is None or turn.wire.name not in _TOLD_IN:
        return memory
    data = chipcard.script_result(operation.chip, answer.outcome.chip)
    if data is None:
        return memory
    if memory.script is not None:
        memory = memory.noted("script-dropped", stan=memory.script.stan, detail="another result", at=turn.now)
    stan = turn.next_stan(replace(memory, script=None))
    request = turn.wire.request(_result(turn, operation, answer, stan, data))
    return replace(memory, stan=stan, script=ScriptResult(stan, turn.memory.batch, request))


def _result(turn: Turn, operation: Operation, answer: Answer, stan: str, data: bytes) -> Operation:
    card, outcome = operation.card, answer.outcome
    named = OriginalRef(
        operation.stan,
        turn.memory.batch,
        outcome.rrn,
        amount=operation.amount,
        auth_code=outcome.auth_code,
        date=outcome.at[:4],
        transmitted=operation.transmitted,
        mti=answer.message.mti[:2] + "00",
    )
    return turn.operation(
        Kind.SCRIPT_RESULT,
        stan=stan,
        advice=True,
        amount=operation.amount,
        processing_code=answer.message.get(3) or "",
        function=_FUNCTION,
        original=named,
        rrn=outcome.rrn,
        auth_code=outcome.auth_code,
        chip=data,
        card=Card(card.pan, card.expiry, sequence=card.sequence, entry=card.entry) if card else None,
    )


def start(turn: Turn, job: SendScript) -> None:
    """Count the attempt, then send; done at once when none is owed."""
    script = turn.memory.script
    if script is None:
        turn.finish()
        return
    # A cut after this write and before the message left: an attempt that nobody saw; the result is for the issuer's
    # information and moves no money, so a counter may drop it.
    turn.save("saf-flag", script=replace(script, sends=script.sends + 1))
    operation = turn.operation(Kind.SCRIPT_RESULT, stan=script.stan, batch=script.batch, advice=True)
    turn.send(job, operation, script.image if script.sends == 0 else turn.wire.family.repeat_of(script.image))


def on_answer(turn: Turn, job: SendScript, answer: Answer) -> None:
    """Delivered, or refused: then it stays for the next occasion while attempts are left."""
    if answer.code in codes.ADVICE_DELIVERED:
        # A cut before this write: sent once more, answered 94 or 00. After it: nothing is owed.
        turn.save("saf-flag", script=None)
        turn.finish()
    else:
        _not_delivered(turn, f"refused with {answer.code}")


def on_failure(turn: Turn, job: SendScript, failure: Failure) -> None:
    """The same again while attempts are left. Without a connection nothing was spent."""
    script = turn.memory.script
    assert script is not None
    if failure is Failure.NOT_SENT:
        turn.save("saf-flag", script=replace(script, sends=script.sends - 1))
        turn.finish()
    elif script.sends < SENDS_MAX:
        start(turn, job)
    else:
        _not_delivered(turn, "not answered")


def _not_delivered(turn: Turn, why: str) -> None:
    script = turn.memory.script
    assert script is not None
    if script.sends >= SENDS_MAX:
        turn.note("script-dropped", stan=script.stan, detail=why)
        turn.save("saf-flag", script=None)
        turn.show(f"the script result of STAN {script.stan} is given up: {why}")
    turn.finish()
