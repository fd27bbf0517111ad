"""How a settlement ends, whatever the dialect: closed and archived, refused, or not answered.

`archive` is the one write of RT7: rows away, number + 1, slip kept; the paper comes after it.
"""

from __future__ import annotations

from dataclasses import replace

from specs.operation import RESERVATIONS, VOIDS, Outcome
from specs.totals import Totals
from terminal_sim import chipcard, slips
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Result, Settle, SignOff
from terminal_sim.state import ARCHIVE_MAX, Archived, Memory, Row, RowState, Settlement, Slip, next_number
from terminal_sim.turn import Turn
from terminal_sim.wire import Wire

NOT_CLOSED = "the batch is not closed: settle again"
BY_DAY = frozenset({"iso87"})
"""Families that settle each DE 15 by itself (rules.md section 6)."""
_SIGNS_OFF = frozenset({"cup", "iso87"})


def day_of(row: Row) -> str:
    """The settlement date that a row belongs to, MMDD: DE 15 of its answer, else its date."""
    return row.day or row.at[:4]


def first_day(memory: Memory, wire: Wire) -> str:
    """The day that is settled first: of the oldest row that has one, else of the oldest."""
    rows = to_settle(memory, wire)
    return day_of(next((row for row in rows if not _dayless(row)), rows[0]))


def rows_of(memory: Memory, wire: Wire, day: str) -> tuple[Row, ...]:
    """The rows that one settlement closes: all, or those of its day, and what has none."""
    every = wire.name not in BY_DAY
    return tuple(row for row in memory.rows if every or day_of(row) == day or _dayless(row))


def _dayless(row: Row) -> bool:
    """What never counts goes with whichever day is closed: a day of pre-authorisations alone is nothing to the host,
    which would compare its zeros with another day's books."""
    return row.kind in RESERVATIONS or row.state is RowState.REJECTED


def counts(row: Row, wire: Wire) -> bool:
    """Whether the row is handed to the dialect's way to count (specs.totals.BatchItem)."""
    if row.state is RowState.REJECTED or row.kind in RESERVATIONS:
        return False
    if row.state is RowState.REVERSED:
        return wire.profile.reversed == "both" and row.kind not in VOIDS
    return True


def totals_of(memory: Memory, wire: Wire, day: str = "") -> Totals:
    """What the terminal claims, of one day where that matters."""
    return wire.family.count(row.as_item() for row in rows_of(memory, wire, day) if counts(row, wire))


def to_settle(memory: Memory, wire: Wire) -> tuple[Row, ...]:
    """The rows that want a settlement: what counts, and what else must not stand in the journal for ever."""
    return tuple(
        row
        for row in memory.rows
        if counts(row, wire)
        or row.kind in RESERVATIONS
        or row.state is RowState.REJECTED
        or row.chip_end == chipcard.Says.AAC
    )


def current(turn: Turn) -> Settlement:
    """The settlement that has begun."""
    assert turn.memory.settlement is not None
    return turn.memory.settlement


def own(settlement: Settlement, outcome: Outcome) -> Totals | None:
    """The host's figures, if they are not just ours sent back (cup.md 5.5: either may stand in the answer)."""
    theirs = outcome.totals
    return theirs if theirs is not None and settlement.totals.differing(theirs) else None


def matches(settlement: Settlement, theirs: Totals | None) -> bool:
    """The terminal's own comparison, as far as the host shows figures (rules.md section 6)."""
    return theirs is None or not settlement.totals.differing(theirs)


def unanswered(turn: Turn, what: str) -> None:
    """No final word: everything stays frozen on flash, and the next settle order goes on from there."""
    sent = turn.running.spoken
    text = f"{what}: {'no answer' if sent else 'no connection'}: {NOT_CLOSED}"
    turn.show(text)
    turn.stop(Result(End.UNANSWERED if sent else End.NOT_SENT, text, batch=turn.memory.batch))


def refused(turn: Turn, code: str, what: str) -> None:
    """An answer that closes nothing: the batch stays as it is, and the operator is told."""
    plain.forget_keys_when_asked(turn, code)
    text = f"{what}: {code} {turn.wire.text(code)}: {NOT_CLOSED}"
    turn.show(text)
    turn.stop(Result(End.PENDING, text, code=code, batch=turn.memory.batch))


def archive(turn: Turn, *, agreed: bool, code: str, theirs: Totals | None, at: str) -> None:
    """Close the batch here: rows away, number + 1 and the slip in one write, then the paper.

    In ISO 87 the rows of another day stay, and are settled next.
    """
    settlement, result = current(turn), "agreed" if agreed else "not-agreed"
    if not (agreed or turn.firmware.disputed_ends_it):
        _left_pending(turn, code)
        return
    memory = turn.memory
    slip = put_away(turn, settlement, result, code, theirs, at)
    text = f"batch {settlement.batch} closed, {'agreed' if agreed else 'NOT AGREED'}"
    turn.show(text)
    if to_settle(turn.memory, turn.wire):
        turn.then(Settle())
    elif memory.config.auto_signoff and memory.signed_on and turn.wire.name in _SIGNS_OFF:
        turn.then(SignOff(quiet=True))
    before = turn.running.result
    worst = agreed and not (before and before.end is End.NOT_AGREED)  # of several days one that differs is told
    end = End.AGREED if worst else End.NOT_AGREED
    turn.finish(Result(end, text, code=code, batch=settlement.batch, slip=slip))


def put_away(turn: Turn, settlement: Settlement, result: str, code: str, theirs: Totals | None, at: str) -> Slip:
    """The write of RT7 and the paper; the slip."""
    memory, firmware = turn.memory, turn.firmware
    rows = rows_of(memory, turn.wire, settlement.day)
    left = tuple(row for row in memory.rows if row not in rows)
    closed = Archived(settlement.batch, rows, settlement.totals, result, code, theirs or settlement.host_totals, at)
    slip = slips.settlement(memory.config, turn.wire.name, closed, settlement.sides, memory.who)
    number = next_number(settlement.batch)
    if not firmware.archive_first:
        # For this firmware the settlement is over with the answer; the rows go when they are no more needed for paper.
        turn.save("number", settlement=None, batch=number)
        turn.print(slip, must=True)
    turn.note("archived", code=code, detail=result)
    turn.note("slip", code=code, detail=f"settlement {result}")
    # A cut before this write: the last message again, answered as before by a host that has closed. After it: the
    # batch is closed here too, and a slip that did not come out can be printed again.
    turn.save(
        "archive",
        rows=left,
        archive=(*memory.archive, closed)[-ARCHIVE_MAX:],
        settlement=None,
        batch=number if firmware.number_with_archive else settlement.batch,
        last_slip=slip,
        settlement_slip=slip,
    )
    if not firmware.number_with_archive:
        turn.save("number", batch=number)
    if firmware.archive_first:
        turn.print(slip)
    return slip


def _left_pending(turn: Turn, code: str) -> None:
    """disputed_ends_it: the screen says that it is done, and the flash that it is not."""
    text = f"settlement done: {code} {turn.wire.text(code) if code else ''}".rstrip()
    turn.show(text)
    turn.finish(Result(End.AGREED, text, code=code, batch=turn.memory.batch))


def saved_verdict(turn: Turn, **changes: object) -> None:
    """What the host said of the totals, on flash before anything is made of it."""
    turn.save("settle-pending", settlement=replace(current(turn), **changes))  # type: ignore[arg-type]
