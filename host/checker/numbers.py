"""A12, A13: the numbers that a terminal gives: its batch while it settles, its STANs; and the answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.books import CLOSED, FINANCIAL_KINDS, STANDING, Finding, HostBooks, describe, grouped
from host.checker.delivery import steady_answers
from host.rows import Batch, Txn
from specs.journal import JournalRow, TerminalBook, TerminalEvent


def a12(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """From the moment a terminal has frozen a batch to its end nothing is sold: no reversal is stored for a new sale,
    and no slip says approved.

    By the terminal's own events, in their order. A batch that is renamed meanwhile stays frozen. And by the host, where
    the wire has the number (CUP): no online sale stands that came under it after the batch was closed by the terminal's
    own 0500, whatever batch it was booked in.
    """
    for book in terminals.values():
        tid = book.tid
        frozen: TerminalEvent | None = None
        for event in book.events:
            if event.event in ("frozen", "archived"):
                frozen = event if event.event == "frozen" else None
            elif frozen is not None and _sells(event):
                text = f"{event.event} for STAN {event.stan} while batch {frozen.batch} was frozen"
                yield Finding("A12", f"terminal {tid}", text, (_line(frozen), _line(event)))
    yield from _sold_later(books)


def _sold_later(books: HostBooks) -> Iterator[Finding]:
    for batch in books.batches:
        if batch.state not in CLOSED or batch.forced or not batch.claimed:
            continue
        for txn in books.txns_by_number.get((batch.tid, batch.number), ()):
            late = txn.created_at > batch.closed_at and txn.epoch == batch.epoch and txn.state in STANDING
            if late and txn.kind in FINANCIAL_KINDS and not txn.advice and not _again(books, batch, txn):
                text = (
                    f"sale under number {batch.number} at {txn.created_at}; the batch was closed at {batch.closed_at}"
                )
                yield Finding("A12", f"txn {txn.id}", text, (str(batch), describe(txn)))


def _again(books: HostBooks, batch: Batch, txn: Txn) -> bool:
    """Whether it is in a later batch of the same number, after the numbers went round."""
    own = books.batch_by_id.get(txn.batch_id)
    return own is not None and own.number == batch.number and own.generation > batch.generation


def _sells(event: TerminalEvent) -> bool:
    return bool(event.stan) and (event.event == "rev-stored" or (event.event, event.detail) == ("slip", "approved"))


def a13(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """A terminal's STAN never repeats inside a batch number; the host's answer to a key never changes once final.

    Terminal: no two rows, and no two stored reversals, have the same number and STAN. Host: whatever the message is
    wrapped in, its answers have equal DE 37, 38 and 39, until a reversal makes them 12.
    """
    for book in terminals.values():
        tid = book.tid
        for (batch, stan), rows in grouped(book.rows, lambda row: (row.batch, row.stan)).items():
            if len(rows) > 1:
                text = f"{len(rows)} rows have STAN {stan} of batch {batch}, expected one"
                yield Finding("A13", f"terminal {tid}", text, tuple(map(_row, rows)))
        stored = [event for event in book.events if event.event == "rev-stored"]
        for (batch, stan), events in grouped(stored, lambda event: (event.batch, event.stan)).items():
            if len(events) > 1:
                text = f"STAN {stan} of batch {batch} was sent as {len(events)} transactions, expected one"
                yield Finding("A13", f"terminal {tid}", text, tuple(map(_line, events)))
    yield from steady_answers(books)


def _line(event: TerminalEvent) -> str:
    return f"event {event.event} {event.batch}/{event.stan} code {event.code or '-'} {event.detail} {event.at}".rstrip()


def _row(row: JournalRow) -> str:
    return f"row {row.batch}/{row.stan} {row.kind} {row.amount} {row.state} {row.settlement}"
