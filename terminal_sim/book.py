"""The terminal's book as it leaves the terminal: specs.journal values out of the flash. Card numbers are masked."""

from __future__ import annotations

from specs.journal import ArchivedBatch, JournalRow, TerminalBook
from specs.masking import mask_pan
from terminal_sim.state import Memory, Row


def book(memory: Memory) -> TerminalBook:
    """Everything the terminal believes: archived rows first, then the open journal."""
    tid = memory.config.tid
    rows = [_row(tid, row, "settled") for closed in memory.archive for row in closed.rows]
    rows += [_row(tid, row, "open") for row in memory.rows]
    return TerminalBook(
        tid=tid,
        rows=tuple(rows),
        archived=tuple(ArchivedBatch(tid, c.batch, c.result, c.totals, c.at, c.code) for c in memory.archive),
        events=memory.events,
        pending_reversal=memory.pending.stan if memory.pending else "",
        batch=memory.batch,
        stan=memory.stan,
        frozen=memory.settlement is not None,
    )


def _row(tid: str, row: Row, settlement: str) -> JournalRow:
    return JournalRow(
        tid=tid,
        batch=row.batch,
        stan=row.stan,
        kind=str(row.kind),
        amount=row.amount,
        state=str(row.state),
        settlement=settlement,
        rrn=row.rrn,
        auth_code=row.auth_code,
        response_code=row.response_code,
        pan=mask_pan(row.pan),
        foreign=row.foreign,
        original_stan=row.original_stan,
        invoice=row.invoice,
        at=row.at,
        uploaded=row.uploaded,
        tip=row.tip,
        adjusted=row.adjusted,
        stored=row.stored,
        rejected=row.rejected,
        day=row.day,
        of=str(row.of or ""),
        advice=row.advice,
    )
