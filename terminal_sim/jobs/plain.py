"""What the jobs share that move no money: a request whose lost answer owes nothing."""

from __future__ import annotations

from specs import codes
from terminal_sim.moves import End, Result
from terminal_sim.turn import Turn
from terminal_sim.wire import Failure

_TEXTS = {
    Failure.NOT_SENT: "no connection: nothing was sent",
    Failure.NO_ANSWER: "no answer",
    Failure.GARBLED: "the answer cannot be read",
    Failure.BAD_MAC: "the answer's MAC is wrong",
}


def no_answer(turn: Turn, failure: Failure, what: str) -> None:
    """Say it; nothing is owed."""
    text = f"{what}: {_TEXTS[failure]}"
    turn.show(text)
    end = End.NOT_SENT if failure is Failure.NOT_SENT else End.UNKNOWN
    turn.stop(Result(end, text))


def declined(turn: Turn, code: str, what: str, stan: str = "") -> None:
    """The host said no to something that moves no money."""
    forget_keys_when_asked(turn, code)
    text = f"{what}: {code} {turn.wire.text(code)}"
    turn.show(text)
    turn.stop(Result(End.DECLINED, text, code=code, stan=stan, batch=turn.memory.batch))


def forget_keys_when_asked(turn: Turn, code: str) -> None:
    """Codes that mean «sign on again» (99, A0) end the terminal's session (flows.md section 0).

    The operator stays logged in: the host distrusts keys, not the person at the till, who is to sign on and try again.
    """
    if asks_for_sign_on(turn, code) and turn.memory.signed_on:
        turn.save("key-store", signed_on=False)


def asks_for_sign_on(turn: Turn, code: str) -> bool:
    """Whether the code means that keys or sign-on are out of date, so that a sign-on mends it."""
    return codes.response_code(turn.wire.name, code).action is codes.Action.SIGN_ON
