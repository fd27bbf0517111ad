"""Void (消费撤销): cancel a sale, completion, offline sale or (NAC, ISO 87) refund of the open batch, once, in full."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import ADJUSTMENTS, DEBITS, Card, Kind
from terminal_sim import originals
from terminal_sim.firmware import Firmware
from terminal_sim.jobs import money
from terminal_sim.moves import Void
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire

VOIDABLE = DEBITS | {Kind.REFUND}
_REFUND_VOID = "220000"
"""DE 3 of the void of a refund (nac.md 4); a void of anything else needs none to be said."""


def refusal(memory: Memory, wire: Wire, job: Void, firmware: Firmware, *, now: bool = False) -> str:
    """Why the terminal itself will not void, "" when it will. now: what is stored has had its chance to be sent."""
    name = f"STAN {job.stan}" if job.stan else f"RRN {job.rrn}"
    row = _named(memory, job, firmware)
    if row is None:
        return f"void: {name} is not in the open batch"
    if row.kind in ADJUSTMENTS:
        return f"void: {name} is a {row.kind}: void the sale, STAN {row.original_stan}"
    if row.kind not in VOIDABLE:
        return f"void: {name} is a {row.kind}, not a sale"
    if row.kind is Kind.REFUND and wire.name == "cup":
        return f"void: {name} is a refund, and no message voids one here"
    if now and (row.stored or _standing(memory, row).stored):
        return f"void: {name} or its adjustment is stored, and the host does not have it yet"
    return "" if row.state is RowState.JOURNALED else f"void: {name} is {row.state} already"


def start(turn: Turn, job: Void) -> None:
    """Store the reversal of the void, then send it; refused here when its original is gone."""
    if why := refusal(
        turn.memory, turn.wire, job, turn.firmware, now=True
    ):  # what went before it may have taken the original out
        turn.refuse(why)
        return
    row = _original(turn, job)
    amount = originals.final_amount(turn.memory, row)
    # NAC wants the original's time in DE 12 and 13 (nac.md 3); in ISO 87 they are the void's own, as its key.
    times = {"local_date": row.at[:4], "local_time": row.at[4:]} if turn.wire.name != "iso87" else {}
    operation = turn.operation(
        Kind.COMPLETION_VOID if row.kind in originals.COMPLETIONS else Kind.VOID,
        stan=turn.take_stan(),
        amount=amount,
        card=Card(row.pan, row.expiry, entry=row.entry),
        original=replace(originals.reference(row), amount=amount),
        invoice=row.invoice,
        rrn=row.rrn,
        auth_code=row.auth_code,
        processing_code=_REFUND_VOID if row.kind is Kind.REFUND else "",
        organisation=row.organisation,
        **times,
    )
    money.owe_and_send(turn, job, operation)


def on_answer(turn: Turn, job: Void, answer: Answer) -> None:
    """Approved: the void's row, the original marked, the reversal cleared, all in one write (RT2)."""
    if not turn.wire.approved(answer.code):
        money.declined(turn, answer)
        return
    original = _original(turn, job)
    operation = money.asked(turn)
    row = replace(
        money.row_of(turn, answer, operation), amount=operation.amount or 0, foreign=original.foreign, of=original.kind
    )
    # Of an adjusted sale all are voided: the sale stays «adjusted», its last adjustment is what counts (rules.md 5).
    taken = originals.with_adjustments(turn.memory, original, RowState.JOURNALED)
    money.decided(turn, answer, money.Booking(row, tuple(replace(r, state=RowState.VOIDED) for r in taken)))


def on_failure(turn: Turn, job: Void, failure: Failure) -> None:
    """Nothing sent: nothing owed. Else the outcome is unknown, the void is to be reversed and the original stands."""
    if turn.firmware.void_marks_early and failure is not Failure.NOT_SENT:
        # Not by itself on flash: the next write, which keeps the reversal, takes it along.
        original, operation = _original(turn, job), money.asked(turn)
        row = replace(money.row_asked(turn, operation), foreign=original.foreign, of=original.kind)
        taken = originals.with_adjustments(turn.memory, original, RowState.JOURNALED)
        memory = turn.memory.with_rows(replace(r, state=RowState.VOIDED) for r in taken)
        turn.memory = replace(memory, rows=(*memory.rows, row))
    money.failed(turn, failure, "void")


def _original(turn: Turn, job: Void) -> Row:
    row = _named(turn.memory, job, turn.firmware)
    assert row is not None
    return row


def _named(memory: Memory, job: Void, firmware: Firmware) -> Row | None:
    """The row that an order names: of the open journal, and of the archive in a firmware that looks there too."""
    row = memory.row(stan=job.stan, rrn=job.rrn)
    archived = row is None and firmware.voids_archived
    return originals.find(memory, VOIDABLE, stan=job.stan, rrn=job.rrn) if archived else row


def _standing(memory: Memory, row: Row) -> Row:
    """The row that counts: the adjustment of an adjusted one, else itself."""
    return (originals.adjustment_of(memory, row) if row.adjusted else None) or row
