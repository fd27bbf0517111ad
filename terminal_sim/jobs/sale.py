"""Sale (消费)."""

from __future__ import annotations

from specs.operation import Kind
from terminal_sim.jobs import money
from terminal_sim.moves import Sale
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def start(turn: Turn, job: Sale) -> None:
    """Store the reversal, then send (RT1)."""
    stan = turn.take_stan()
    # The invoice number (NAC DE 62) is the STAN: both are unique in the batch.
    operation = turn.operation(Kind.SALE, stan=stan, amount=job.amount, card=job.card, invoice=stan)
    money.owe_and_send(turn, job, operation)


def on_answer(turn: Turn, job: Sale, answer: Answer) -> None:
    """Approved: row and cleared reversal in one write (RT2), then the slip. Else told as declined."""
    assert turn.running.exchange is not None
    if turn.wire.approved(answer.code):
        money.book(turn, answer, money.row_of(turn, answer, turn.running.exchange.operation))
    else:
        money.declined(turn, answer)


def on_failure(turn: Turn, job: Sale, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else the outcome is unknown and the stored reversal is owed from here on."""
    money.failed(turn, failure, "sale")
