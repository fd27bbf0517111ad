"""Echo test (回响测试): CUP 0820/301 without a STAN, NAC 0800 with 990000 and a STAN of its own."""

from __future__ import annotations

from specs.operation import Kind
from terminal_sim.jobs import plain
from terminal_sim.moves import Echo, End, Result
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

_WITHOUT_STAN = frozenset({"cup"})
"""flows.md section 0: no STAN is spent where the message carries none."""


def start(turn: Turn, job: Echo) -> None:
    """Ask whether the host is there; where the dialect's test carries no STAN (CUP) none is spent."""
    stan = "" if turn.wire.name in _WITHOUT_STAN else turn.take_stan()
    turn.send(job, turn.operation(Kind.ECHO, stan=stan))


def on_answer(turn: Turn, job: Echo, answer: Answer) -> None:
    """It is there; a refusal is an answer too, and is told with its code."""
    if not turn.wire.approved(answer.code):
        plain.declined(turn, answer.code, "echo")
        return
    turn.show("echo: the host answers")
    turn.finish(Result(End.OK, "echo: the host answers", code=answer.code))


def on_failure(turn: Turn, job: Echo, failure: Failure) -> None:
    """Tell; nothing is owed."""
    plain.no_answer(turn, failure, "echo")
