"""What the terminal decides by itself and tells later: offline sale (离线结算), adjustment (结算调整), tip (小费)."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import ADJUSTMENTS, DEBITS, Card, Kind
from specs.testcards import organisation
from terminal_sim import chipcard, originals
from terminal_sim.jobs import money, stored
from terminal_sim.moves import Adjust, OfflineSale
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure, Wire


def refusal(memory: Memory, wire: Wire, job: OfflineSale) -> str:
    """Why the terminal will not sell offline, "" when it will. A phone approval lifts the limit, not the rest."""
    if job.amount > memory.config.offline_limit and not job.auth_code:
        return "offline sale: above the limit of small amounts: phone for an authorisation code"
    return "" if job.card.pan else "offline sale: the card number is needed"


def start(turn: Turn, job: OfflineSale) -> None:
    """Store it; nothing is sent now. A chip sale of CUP is a request with a type of its own (60.1 = 36)."""
    stan = turn.take_stan()
    chip = chipcard.arqc_data(job.card, job.amount, stan, turn.moment, currency=turn.memory.config.currency)
    scheme = organisation(job.card.pan)
    operation = turn.operation(
        Kind.OFFLINE_SALE,
        stan=stan,
        amount=job.amount,
        card=stored.bare(job.card),
        invoice=stan,
        auth_code=job.auth_code,
        advice=not (chip and turn.wire.name == "cup"),
        organisation=scheme,
        chip=chipcard.final_data(chip) if chip else None,
    )
    row = replace(
        money.row_asked(turn, operation),
        organisation=scheme,
        # The side that the request itself tells in DE 63 (rules.md 5); an unknown scheme is said as a foreign one.
        foreign=turn.wire.name == "cup" and scheme not in money.DOMESTIC,
        chip=operation.chip.hex().upper() if operation.chip else "",
        chip_end=str(chipcard.Says.TC) if operation.chip else "",
    )
    stored.keep(turn, operation, row)


# --- adjustment and tip


def adjust_refusal(memory: Memory, wire: Wire, job: Adjust) -> str:
    """Why the terminal will not change the sale's total, "" when it will."""
    name = f"STAN {job.stan}" if job.stan else f"RRN {job.rrn}"
    row = memory.row(stan=job.stan, rrn=job.rrn)
    if row is None:
        return f"adjust: {name} is not in the open batch"
    if row.kind in ADJUSTMENTS:
        return f"adjust: {name} is a {row.kind}: name the sale, STAN {row.original_stan}"
    if row.kind not in DEBITS:
        return f"adjust: {name} is a {row.kind}, not a sale"
    if row.state is not RowState.JOURNALED:
        return f"adjust: {name} is {row.state}"
    if (job.amount is None) == (job.tip is None):
        return "adjust: give the new total, or the tip, one of the two"
    if job.tip is None:
        cash = f"adjust: {name} paid out {row.cash} in cash: the total is not below it"
        return cash if row.cash and (job.amount or 0) < row.cash else ""
    last = originals.adjustment_of(memory, row)
    if last is not None and last.kind is Kind.ADJUST:
        return f"tip: {name} has another total already: adjust it to the new one"
    base = row.amount - row.tip
    if not 0 < job.tip * 100 <= base * memory.config.tip_percent:
        return f"the tip is 1 minor unit at least, and {memory.config.tip_percent} % of the sale at most"
    return ""


def start_adjust(turn: Turn, job: Adjust) -> None:
    """Store it: from here on the adjustment stands in the place of the sale, or of the adjustment before it."""
    if why := adjust_refusal(turn.memory, turn.wire, job):
        turn.refuse(why)
        return
    row = turn.memory.row(stan=job.stan, rrn=job.rrn)
    assert row is not None
    operation = turn.operation(
        Kind.ADJUST if job.tip is None else Kind.TIP,
        stan=turn.take_stan(),
        amount=_new_total(row, job),
        tip=job.tip,
        card=Card(row.pan, row.expiry, entry=row.entry),
        invoice=row.invoice,
        original=replace(originals.reference(row), amount=row.amount),
        rrn=row.rrn,
        auth_code=row.auth_code,
        advice=True,
        organisation=row.organisation,
    )
    kept = replace(money.row_asked(turn, operation), organisation=row.organisation, foreign=row.foreign)
    before = originals.adjustment_of(turn.memory, row) or row
    stored.keep(
        turn, operation, kept, tuple(replace(r, adjusted=True) for r in {id(r): r for r in (row, before)}.values())
    )


def _new_total(row: Row, job: Adjust) -> int:
    return row.amount - row.tip + job.tip if job.tip is not None else job.amount or 0


# --- neither of them speaks to the host by itself


def on_answer(turn: Turn, job: OfflineSale | Adjust, answer: Answer) -> None:
    """Never: what is stored is sent by jobs.stored."""
    raise AssertionError("an order that sends nothing was answered")


def on_failure(turn: Turn, job: OfflineSale | Adjust, failure: Failure) -> None:
    """Never: see `on_answer`."""
    raise AssertionError("an order that sends nothing has failed")
