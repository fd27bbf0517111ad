"""Sale (消费), with a tip or with cash back where the dialect has them (NAC, ISO 87)."""

from __future__ import annotations

from specs.operation import Kind
from terminal_sim import chipcard
from terminal_sim.jobs import money
from terminal_sim.moves import Sale
from terminal_sim.state import Memory
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire


def refusal(memory: Memory, wire: Wire, job: Sale) -> str:
    """Why the terminal itself will not sell with this tip or cash, "" when it will."""
    if job.tip < 0 or job.cash < 0:
        return "a tip and cash are not negative"
    if not (job.tip or job.cash):
        return ""
    if wire.name == "cup":
        return "a sale has no tip or cash back here: sell first, then enter the tip 请用小费交易"
    if job.tip and job.cash:
        return "a tip or cash back, not both: the message has one place for them"
    if job.tip + job.cash >= job.amount:
        return "tip and cash are parts of the amount, and less than all of it"
    base = job.amount - job.tip
    if job.tip * 100 > base * memory.config.tip_percent:
        return f"the tip is above {memory.config.tip_percent} % of the sale"
    return ""


def start(turn: Turn, job: Sale) -> None:
    """Store the reversal, then send (RT1)."""
    stan = turn.take_stan()
    # The invoice number (NAC DE 62) is the STAN: both are unique in the batch.
    operation = turn.operation(
        Kind.CASH_BACK if job.cash else Kind.SALE,
        stan=stan,
        amount=job.amount,
        card=job.card,
        invoice=stan,
        tip=job.tip or None,
        cash=job.cash or None,
        pin_block=turn.pin_block(job.pin, job.card.pan),
        chip=chipcard.arqc_data(
            *(job.card, job.amount, stan, turn.moment),
            currency=turn.memory.config.currency,
            cash=job.cash,
            kind="09" if job.cash else "00",
        ),
    )
    money.owe_and_send(turn, job, operation)


def on_answer(turn: Turn, job: Sale, answer: Answer) -> None:
    """Approved: row and cleared reversal in one write (RT2), then the slip. Else told as declined."""
    money.decided(turn, answer, chip_refuses=job.chip_refuses)


def on_failure(turn: Turn, job: Sale, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else the outcome is unknown and the stored reversal is owed from here on."""
    money.failed(turn, failure, "sale")
