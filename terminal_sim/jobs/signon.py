"""Sign-on (签到): working keys, the host's time and its open batch number.

The number is taken only while the batch here is empty (rules.md section 4): rows would be orphaned under another one.
With `rename` it is taken for the unfinished batch all the same, because the host has said that it never knew ours (22).
"""

from __future__ import annotations

from dataclasses import replace

from specs.errors import SecurityError
from specs.operation import Kind, Outcome
from specs.security import unwrap_keys
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Result, SignOn
from terminal_sim.state import Memory, Settlement
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

KEY_BYTES = 40
"""PIK and MAK of double length (60.3 = 003); where no key is used (NAC, ISO 87) none is asked for."""
SIGN_ON_AGAIN = "3"
"""Header digit 6 that asks for it."""
DIFFERENT_NUMBERS = "batch numbers differ: settle first"


def start(turn: Turn, job: SignOn) -> None:
    """Ask for keys, date and batch number."""
    layout = KEY_BYTES if turn.wire.profile.mac else 0
    turn.send(job, turn.operation(Kind.SIGN_ON, stan=turn.take_stan(), key_layout=layout))


def on_answer(turn: Turn, job: SignOn, answer: Answer) -> None:
    """Take the keys when their check values are right, and the host's batch number when ours is free to change."""
    outcome = answer.outcome
    if not turn.wire.approved(outcome.code):
        _stay_off(turn, f"sign-on: {outcome.code} {turn.wire.text(outcome.code)}", End.DECLINED, outcome.code)
        return
    if why := _unusable(turn, outcome.keys):
        _stay_off(turn, f"sign-on: {why}: sign on again", End.DECLINED, outcome.code)
        return
    number, settlement = _number(turn.memory, outcome, rename=job.rename or turn.firmware.carries_rows)
    # Keys, flag and number in one write: a cut before leaves the old session, whose keys the host has dropped; the next
    # request then meets A0 and signs on again. A cut after: signed on, nothing owed.
    turn.save(
        "key-store",
        signed_on=True,
        key_block=outcome.keys.hex().upper() if outcome.keys else turn.memory.key_block,
        batch=number,
        settlement=settlement,
        host_time=outcome.at or turn.memory.host_time,
        download="0" if turn.memory.download == SIGN_ON_AGAIN else turn.memory.download,
    )
    differs = outcome.batch is not None and outcome.batch != number
    text = f"signed on, batch {number}" + (f" ({DIFFERENT_NUMBERS})" if differs else "")
    turn.show(text)
    turn.finish(Result(End.OK, text, code=outcome.code, batch=number))


def on_failure(turn: Turn, job: SignOn, failure: Failure) -> None:
    """Signed off when the request may have arrived, since the host's keys may be new."""
    if failure is Failure.NOT_SENT:
        plain.no_answer(turn, failure, "sign-on")
    else:
        # The host may have changed the keys: those here are not to be trusted until a sign-on is answered.
        _stay_off(turn, "sign-on: no usable answer: sign on again", End.UNKNOWN, "")


def _stay_off(turn: Turn, text: str, end: End, code: str) -> None:
    if turn.memory.signed_on:
        turn.save("key-store", signed_on=False)
    turn.show(text)
    turn.stop(Result(end, text, code=code, batch=turn.memory.batch))


def _unusable(turn: Turn, keys: bytes | None) -> str:
    """Why the keys of the answer cannot be used, "" when they can. The text never shows a key."""
    if keys is None:
        return "the answer has no keys" if turn.wire.profile.mac else ""
    try:
        unwrap_keys(bytes.fromhex(turn.memory.config.tmk), keys)
    except SecurityError as error:
        return str(error)
    return ""


def _number(memory: Memory, outcome: Outcome, *, rename: bool) -> tuple[str, Settlement | None]:
    """The batch number from now on, and the unfinished settlement under it."""
    offered = outcome.batch
    if offered is None or not (memory.batch_empty or rename):
        return memory.batch, memory.settlement
    settlement = memory.settlement
    return offered, replace(settlement, batch=offered) if settlement else None
