"""Sign-off (签退): after it only a sign-on is possible."""

from __future__ import annotations

from specs.operation import Kind
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Result, SignOff
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def start(turn: Turn, job: SignOff) -> None:
    """Ask to end the day; the batch need not be settled for it."""
    turn.send(job, turn.operation(Kind.SIGN_OFF, stan=turn.take_stan()))


def on_answer(turn: Turn, job: SignOff, answer: Answer) -> None:
    """Signed off once the host agrees; the keys stay until the next sign-on replaces them."""
    if not turn.wire.approved(answer.code):
        plain.declined(turn, answer.code, "sign-off")
        return
    # A cut before: still signed on here, off at the host; the next request meets A0 and a sign-on mends it.
    turn.save("key-store", signed_on=False, operator="")  # who was logged in is out too (flows.md, section 0)
    turn.show("signed off")
    turn.finish(Result(End.OK, "signed off", code=answer.code))


def on_failure(turn: Turn, job: SignOff, failure: Failure) -> None:
    """Still signed on here: the next request finds out."""
    plain.no_answer(turn, failure, "sign-off")
