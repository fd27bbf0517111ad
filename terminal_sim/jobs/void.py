"""Void (消费撤销): cancel a sale of the open batch, once, in full."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Card, Kind, OriginalRef
from terminal_sim.jobs import money
from terminal_sim.moves import Void
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure


def refusal(memory: Memory, job: Void) -> str:
    """Why the terminal itself will not void, "" when it will."""
    name = f"STAN {job.stan}" if job.stan else f"RRN {job.rrn}"
    row = memory.row(stan=job.stan, rrn=job.rrn)
    if row is None:
        return f"void: {name} is not in the open batch"
    if row.kind is not Kind.SALE:
        return f"void: {name} is a {row.kind}, not a sale"
    return "" if row.state is RowState.JOURNALED else f"void: {name} is {row.state} already"


def start(turn: Turn, job: Void) -> None:
    """Store the reversal of the void, then send it; refused here when its sale is gone."""
    if why := refusal(turn.memory, job):  # the reversal before it may have taken the sale out
        turn.refuse(why)
        return
    sale = _original(turn, job)
    operation = turn.operation(
        Kind.VOID,
        stan=turn.take_stan(),
        amount=sale.amount,
        card=Card(sale.pan, sale.expiry, entry=sale.entry),
        original=OriginalRef(sale.stan, sale.batch, sale.rrn, sale.invoice, sale.amount, sale.auth_code),
        invoice=sale.invoice,
        rrn=sale.rrn,
        auth_code=sale.auth_code,
        local_date=sale.at[:4],
        local_time=sale.at[4:],
    )
    money.owe_and_send(turn, job, operation)


def on_answer(turn: Turn, job: Void, answer: Answer) -> None:
    """Approved: the void's row, the sale marked, the reversal cleared, all in one write (RT2)."""
    assert turn.running.exchange is not None
    if not turn.wire.approved(answer.code):
        money.declined(turn, answer)
        return
    sale = _original(turn, job)
    row = replace(money.row_of(turn, answer, turn.running.exchange.operation), foreign=sale.foreign)
    money.book(turn, answer, row, [replace(sale, state=RowState.VOIDED)])


def on_failure(turn: Turn, job: Void, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else the outcome is unknown, the void is to be reversed and the sale stands."""
    money.failed(turn, failure, "void")


def _original(turn: Turn, job: Void) -> Row:
    row = turn.memory.row(stan=job.stan, rrn=job.rrn)
    assert row is not None
    return row
