"""Pre-authorisation (预授权), its increment and its void.

Their rows stand in the journal and in no total; an approval reserves and moves no money. A reservation outlives its
batch (terminal_sim.originals).
"""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Card, Kind
from terminal_sim import chipcard, originals
from terminal_sim.jobs import money
from terminal_sim.moves import PreAuth, PreAuthVoid
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

_NO_INCREMENT = frozenset({"nac"})
"""Families without a message for it (nac.md section 4)."""


def refusal(memory: Memory, wire: Wire, job: PreAuth) -> str:
    """Why the terminal itself will not reserve, "" when it will."""
    if not job.increment:
        return ""
    if wire.name in _NO_INCREMENT:
        return f"{wire.dialect.name} has no message for an increment: complete or void, and reserve anew"
    return "" if _reserved(memory, job) else "increment: no open pre-authorisation of this card"


def _reserved(memory: Memory, job: PreAuth) -> Row | None:
    return originals.reservation_of_card(memory, job.card.pan, stan=job.stan, auth_code=job.auth_code)


def start(turn: Turn, job: PreAuth) -> None:
    """Store the reversal, then send (RT1)."""
    if why := refusal(turn.memory, turn.wire, job):
        turn.refuse(why)
        return
    reserved = _reserved(turn.memory, job) if job.increment else None
    stan = turn.take_stan()
    operation = turn.operation(
        Kind.PRE_AUTH_INCREMENT if job.increment else Kind.PRE_AUTH,
        stan=stan,
        amount=job.amount,
        card=job.card,
        invoice=stan,
        original=originals.reference(reserved) if reserved else None,
        pin_block=turn.pin_block(job.pin, job.card.pan),
        chip=chipcard.arqc_data(job.card, job.amount, stan, turn.moment, currency=turn.memory.config.currency),
    )
    money.owe_and_send(turn, job, operation)


def on_answer(turn: Turn, job: PreAuth, answer: Answer) -> None:
    """Approved: row and cleared reversal in one write (RT2), then the slip. Else told as declined."""
    money.decided(turn, answer)


def on_failure(turn: Turn, job: PreAuth, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else unknown, and the reversal is owed."""
    money.failed(turn, failure, "pre-authorisation")


# --- void


def void_refusal(memory: Memory, job: PreAuthVoid) -> str:
    """Why the terminal itself will not drop it, "" when it will."""
    name = f"STAN {job.stan}" if job.stan else f"RRN {job.rrn}"
    row = originals.reservation(memory, stan=job.stan, rrn=job.rrn)
    if row is None:
        return f"pre-authorisation void: {name} is no pre-authorisation in the journal or archive"
    ended = originals.closed_by(memory, row)
    return f"pre-authorisation void: {name} is {ended} already" if ended else ""


def start_void(turn: Turn, job: PreAuthVoid) -> None:
    """Store the reversal, then send; of all that is held, increments included."""
    if why := void_refusal(turn.memory, job):
        turn.refuse(why)
        return
    row = originals.reservation(turn.memory, stan=job.stan, rrn=job.rrn)
    assert row is not None
    stan = turn.take_stan()
    operation = turn.operation(
        Kind.PRE_AUTH_VOID,
        stan=stan,
        amount=originals.held(turn.memory, row),
        card=Card(row.pan, row.expiry, entry=row.entry),
        invoice=row.invoice,
        original=originals.reference(row),
        rrn=row.rrn,
        auth_code=row.auth_code,
    )
    money.owe_and_send(turn, job, operation)


def on_void_answer(turn: Turn, job: PreAuthVoid, answer: Answer) -> None:
    """Approved: the void's row; the reservation is marked where it still stands in the open journal."""
    if not turn.wire.approved(answer.code):
        money.declined(turn, answer)
        return
    reserved = originals.reservation(turn.memory, stan=job.stan, rrn=job.rrn)
    assert reserved is not None
    row = replace(money.row_of(turn, answer, money.asked(turn)), foreign=reserved.foreign, of=Kind.PRE_AUTH)
    # An archived row never changes: there the void's own row says it (originals.closed_by).
    money.decided(turn, answer, money.Booking(row, (replace(reserved, state=RowState.VOIDED),)))


def on_void_failure(turn: Turn, job: PreAuthVoid, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else unknown: the void is to be reversed and the reservation stands."""
    money.failed(turn, failure, "pre-authorisation void")
