"""Which closed batch of the host is which archived batch of a terminal.

They are the same when the host has closed on the totals that the terminal has archived, under the same number (ISO 87
carries none). What the two cannot both remember is compared by nobody: a terminal that was re-flashed, a host whose
books were cleared, a batch that the host has closed by itself, a journal that was handed over before the close.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from host.checker.books import CLOSED, HostBooks, totals_of
from host.checker.closing import BY_DAY, archived_rows
from host.checker.compare import Comparison, compare
from host.rows import Batch
from specs.journal import ArchivedBatch, JournalRow, TerminalBook


@dataclass(frozen=True, slots=True)
class Matched:
    """One batch as both ends have closed it, with the terminal's rows."""

    batch: Batch
    archived: ArchivedBatch
    rows: tuple[JournalRow, ...]


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of one terminal. batch_ids: closed batches of the host that the terminal has archived too; row_ids: its
    rows in those batches, by identity."""

    tid: str
    book: TerminalBook
    comparison: Comparison
    matched: tuple[Matched, ...]
    batch_ids: frozenset[int]
    row_ids: frozenset[int]

    @property
    def unfinished(self) -> bool:
        """Whether the terminal is settling or owes a reversal just now, so that its last word is still to come."""
        return self.book.frozen or bool(self.book.pending_reversal)


def ends(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> list[Ends]:
    """Both ends of every terminal whose journal is at hand; worked out once for one pair of books.

    terminals: by TID, or by whatever name tells two units under one TID apart.
    """
    found = []
    units = Counter(book.tid for book in terminals.values())
    for name, book in terminals.items():
        known = books.memo.get((Ends, name))
        if not (isinstance(known, Ends) and known.book is book):
            comparison = compare(books, book)
            if units[book.tid] > 1:
                others = (other for other in terminals.values() if other.tid == book.tid and other is not book)
                comparison = _without(comparison, {i for other in others for i in _held(books, other)})
            matched = tuple(_matched(books, book))
            ids = frozenset(m.batch.id for m in matched), frozenset(id(row) for m in matched for row in m.rows)
            known = books.memo[Ends, name] = Ends(book.tid, book, comparison, matched, *ids)
        found.append(known)
    return found


def _held(books: HostBooks, book: TerminalBook) -> Iterator[int]:
    """The host's transactions that a terminal has rows of."""
    return (pair.txn_id for pair in compare(books, book).rows if pair.row is not None and pair.txn_id)


def _without(comparison: Comparison, elsewhere: set[int]) -> Comparison:
    """Two units under one TID (case 47): what only the host has is not missing where the other unit has it."""
    rows = (p for p in comparison.rows if p.row is not None or p.txn_id not in elsewhere)
    return replace(comparison, rows=tuple(rows))


def _matched(books: HostBooks, book: TerminalBook) -> list[Matched]:
    by_day = books.family_of(book.tid) in BY_DAY
    terminal = books.terminal_by_tid.get(book.tid)
    left = [
        batch
        for batch in books.batches_by_tid.get(book.tid, ())
        if batch.state in CLOSED and batch.claimed and (terminal is None or batch.epoch == terminal.epoch)
    ]
    found = []
    for archived, rows in reversed(archived_rows(book, by_day=by_day)):
        same = [b for b in left if (by_day or b.number == archived.batch) and _agree(b, archived)]
        if same:
            left.remove(same[-1])
            found.append(Matched(same[-1], archived, tuple(rows)))
    return found[::-1]


def _agree(batch: Batch, archived: ArchivedBatch) -> bool:
    claimed = totals_of(batch.claimed)
    return claimed is not None and not claimed.differing(archived.totals)
