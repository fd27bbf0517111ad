"""Completion (预授权完成): take money on a reservation, by request (0200) or by a stored advice (0220)."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Card, Kind, Operation
from terminal_sim import originals
from terminal_sim.firmware import Firmware
from terminal_sim.jobs import money, stored
from terminal_sim.moves import Complete
from terminal_sim.state import Memory, Row
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire


def refusal(memory: Memory, wire: Wire, job: Complete, firmware: Firmware) -> str:
    """Why the terminal itself will not complete, "" when it will. The limit is the host's, checked here first."""
    name = f"STAN {job.stan}" if job.stan else f"RRN {job.rrn}"
    row = originals.reservation(memory, stan=job.stan, rrn=job.rrn)
    if row is None:
        return f"completion: {name} is no pre-authorisation in the journal or archive"
    if ended := originals.closed_by(memory, row):
        return f"completion: {name} is {ended} already"
    percent = wire.profile.completion_percent
    held = originals.held(memory, row)
    amount = held if job.amount is None else job.amount
    fits = amount * 100 <= held * percent or not firmware.completion_limit
    return "" if fits else f"completion: above {percent} % of what is reserved"


def start(turn: Turn, job: Complete) -> None:
    """By request: store the reversal, then send. By advice: store it, and that is all for now."""
    if why := refusal(turn.memory, turn.wire, job, turn.firmware):
        turn.refuse(why)
        return
    row = originals.reservation(turn.memory, stan=job.stan, rrn=job.rrn)
    assert row is not None
    operation = _operation(turn, job, row)
    if not job.advice:
        money.owe_and_send(turn, job, operation)
        return
    kept = replace(money.row_asked(turn, operation), organisation=row.organisation, foreign=row.foreign)
    stored.keep(turn, operation, kept)


def _operation(turn: Turn, job: Complete, row: Row) -> Operation:
    stan = turn.take_stan()
    return turn.operation(
        Kind.COMPLETION_ADVICE if job.advice else Kind.COMPLETION,
        stan=stan,
        amount=originals.held(turn.memory, row) if job.amount is None else job.amount,
        card=Card(row.pan, row.expiry, entry=row.entry),
        invoice=stan,
        original=originals.reference(row),
        rrn=row.rrn,
        auth_code=row.auth_code,
        advice=job.advice,
        organisation=row.organisation,
    )


def on_answer(turn: Turn, job: Complete, answer: Answer) -> None:
    """Approved: row and cleared reversal in one write (RT2), then the slip. Else told as declined."""
    money.decided(turn, answer)


def on_failure(turn: Turn, job: Complete, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else unknown: the completion is to be reversed, the reservation stays open."""
    money.failed(turn, failure, "completion")
