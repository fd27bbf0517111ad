"""Balance inquiry (余额查询): a request that moves no money; its lost answer owes nothing."""

from __future__ import annotations

from specs.money import format_amount
from specs.operation import Kind
from terminal_sim import chipcard
from terminal_sim.jobs import plain
from terminal_sim.moves import Balance, End, Result
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def start(turn: Turn, job: Balance) -> None:
    """Ask; an inquiry moves no money, so no reversal is stored before it."""
    stan = turn.take_stan()
    operation = turn.operation(
        Kind.BALANCE,
        stan=stan,
        card=job.card,
        pin_block=turn.pin_block(job.pin, job.card.pan),
        chip=chipcard.arqc_data(job.card, 0, stan, turn.moment, currency=turn.memory.config.currency, kind="31"),
    )
    turn.send(job, operation)


def on_answer(turn: Turn, job: Balance, answer: Answer) -> None:
    """Show the balance, or why there is none. It is for the eye only: no row, no slip."""
    stan = answer.message.get(11) or ""
    if not turn.wire.approved(answer.code):
        plain.declined(turn, answer.code, "balance", stan)
        return
    outcome = answer.outcome
    currency = outcome.currency or turn.memory.config.currency
    amount = "not said" if outcome.balance is None else format_amount(outcome.balance, currency)
    text = f"balance: {amount}"
    turn.show(text)
    turn.finish(
        Result(
            End.APPROVED,
            text,
            code=answer.code,
            amount=outcome.balance,
            stan=stan,
            rrn=outcome.rrn,
            batch=turn.memory.batch,
        )
    )


def on_failure(turn: Turn, job: Balance, failure: Failure) -> None:
    """Tell; an inquiry moved no money, so it may simply be asked again."""
    plain.no_answer(turn, failure, "balance")
