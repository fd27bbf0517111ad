"""A7, A8, A9: what a batch says about itself against what its items say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import takewhile

from host.checker.books import (
    CLOSED,
    FINANCIAL_KINDS,
    LIVE,
    RESERVATION_KINDS,
    STANDING,
    Finding,
    HostBooks,
    describe,
    grouped,
    name_batch,
    running_of,
    totals_of,
)
from host.checker.items import batch_items, compared, reversed_items
from host.checker.kin import group_of
from host.rows import Batch, StagedItem, Txn, TxnState
from specs.families import family
from specs.journal import ArchivedBatch, JournalRow, TerminalBook
from specs.operation import VOIDS, Kind
from specs.profile import Profile
from specs.totals import BatchItem, Totals

APPROVED_ONCE = STANDING | {TxnState.REVERSED, TxnState.EXPIRED}
BOOKING = frozenset({"capture", "adjust"})
"""Reasons of postings that book a transaction; the others undo it, and may come at any time."""
BOTH = "both"
BY_DAY = frozenset({"iso87"})
"""Families that settle each DE 15 by itself, so that a batch number of the terminal may have rows of several days."""


def a7(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Within a terminal's epoch no two closed batches share number and generation; a closed batch keeps its digest.

    The digest of each closed batch equals the one worked out now from its transactions.
    """
    closed = [batch for batch in books.batches if batch.state in CLOSED]
    for (tid, epoch, number, generation), twins in grouped(
        closed, lambda b: (b.tid, b.epoch, b.number, b.generation)
    ).items():
        if len(twins) > 1:
            ids = ", ".join(str(batch.id) for batch in twins)
            text = f"{len(twins)} closed batches ({ids}) share number {number}, generation {generation}, epoch {epoch}"
            yield Finding("A7", f"terminal {tid}", text, tuple(map(str, twins)))
    for batch in closed:
        txns = books.txns_by_batch.get(batch.id, [])
        now = digest_of(txns)
        if batch.digest != now:
            text = f"digest at the close {batch.digest[:12] or 'missing'}, of its items now {now[:12]}"
            yield Finding("A7", name_batch(batch), text, tuple(map(describe, txns)))


def digest_of(txns: Sequence[Txn]) -> str:
    """sha256, hex, over what can never change after a close; `host.engine.items.digest` says the same on its own.

    Shape: a JSON list without blanks, in order of id, of [id, kind, STAN, number on the wire, approved amount,
    currency, foreign, carried, original's id], one for each financial transaction that was approved once, whatever
    became of it.
    """
    rows: list[list[object]] = []
    for txn in sorted(txns, key=lambda txn: txn.id):
        if txn.kind in FINANCIAL_KINDS and txn.state in APPROVED_ONCE:
            row: list[object] = [txn.id, str(txn.kind), txn.stan, txn.wire_batch, txn.approved_amount, txn.currency]
            rows.append([*row, txn.foreign, txn.carried, txn.original_id])
    return sha256(json.dumps(rows, separators=(",", ":")).encode("ascii")).hexdigest()


def a8(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Running totals equal the totals worked out from the items, by kind, count and amount; at each end on its own.

    Host: Batch.running against the items that are compared, and the figures told at the last settlement of a closed
    batch against the dialect's count of the items that stood there. Terminal: what it claimed for each archived batch
    against its own dialect's count of the rows that it archived.
    """
    for batch in books.batches:
        yield from _running(books, batch)
        if batch.state in CLOSED and batch.answered and not batch.forced:
            yield from _told(books, batch)
    for book in terminals.values():
        tid = book.tid
        profile = books.profile_of(tid)
        if profile is not None:
            yield from _archived(profile, book)


def _told(books: HostBooks, batch: Batch) -> Iterator[Finding]:
    profile = books.profile_of(batch.tid)
    told = totals_of(batch.answered)
    if profile is None or told is None:
        return
    # What TC has let go at the close was still there when the figures were told.
    found = compared(books, batch, let_go=True)
    shown = reversed_items(books, batch) if profile.reversed == BOTH else []
    now = family(profile.family).count(batch_items([*found, *shown]))
    if told.differing(now):
        text = f"the terminal was told {_short(told)}, its items are {_short(now)}"
        yield Finding("A8", name_batch(batch), text, tuple(describe(item.txn) for item in (*found, *shown)))


def _running(books: HostBooks, batch: Batch) -> Iterator[Finding]:
    standing = [item for item in compared(books, batch) if not item.adjusted]
    counts: Counter[str] = Counter(str(item.txn.kind) for item in standing)
    amounts: Counter[str] = Counter()
    for item in standing:
        amounts[str(item.txn.kind)] += item.amount
    now = {kind: (count, amounts[kind]) for kind, count in counts.items()}
    try:
        kept = running_of(batch)
    except ValueError as error:
        yield Finding("A8", name_batch(batch), f"running totals cannot be read: {error}", (batch.running,))
        return
    for kind in sorted(now.keys() | kept.keys()):
        mine, theirs = kept.get(kind, (0, 0)), now.get(kind, (0, 0))
        if mine != theirs:
            text = f"{kind}: running totals say {mine[0]} / {mine[1]}, its items are {theirs[0]} / {theirs[1]}"
            shown = (describe(item.txn) for item in standing if item.txn.kind == kind)
            yield Finding("A8", name_batch(batch), text, tuple(shown))


def _archived(profile: Profile, book: TerminalBook) -> Iterator[Finding]:
    for archived, rows in archived_rows(book, by_day=profile.family in BY_DAY):
        shown = [row for row in rows if counts(row, profile)]
        now = family(profile.family).count(map(row_item, shown))
        if archived.totals.differing(now):
            text = f"the terminal claimed {_short(archived.totals)}, its archived rows are {_short(now)}"
            subject = f"batch {archived.batch} in the journal of {book.tid}"
            yield Finding("A8", subject, text, tuple(map(_line, shown)))


def counts(row: JournalRow, profile: Profile) -> bool:
    """Whether a terminal of these switches hands the row over to its dialect's count."""
    if row.state == "rejected" or row.kind not in FINANCIAL_KINDS:
        return False
    return row.state != "reversed" or (profile.reversed == BOTH and row.kind not in VOIDS)


def row_item(row: JournalRow) -> BatchItem:
    """A row of a terminal's journal as a dialect family counts it."""
    of = Kind(row.of) if row.of else None
    voided, undone = row.state == "voided", row.state == "reversed"
    return BatchItem(Kind(row.kind), row.amount, row.foreign, voided, row.adjusted, undone, of)


def archived_rows(book: TerminalBook, *, by_day: bool = False) -> list[tuple[ArchivedBatch, list[JournalRow]]]:
    """Each archived batch with its rows. Left out: what the journal alone cannot tell apart (a number used twice).

    A renamed batch keeps its rows under the number they were sent with (rules.md, section 4): rows whose number was
    never archived belong to an archived batch that has none of its own. With several of both they follow one another
    in the order of the journal, which is that of the archive; where they cannot be paired they are left out too.
    """
    if by_day:
        return _by_day(book)
    settled = grouped((row for row in book.rows if row.settlement == "settled"), lambda row: row.batch)
    uses = Counter(archived.batch for archived in book.archived)
    once = [archived for archived in book.archived if uses[archived.batch] == 1]
    strays = [rows for number, rows in settled.items() if number not in uses]
    renamed = [a.batch for a in once if a.batch not in settled and not a.totals.empty]
    if len(renamed) == 1 and strays:
        strays = [[row for rows in strays for row in rows]]
    if strays and len(renamed) != len(strays):
        once = [archived for archived in once if archived.batch not in renamed]
    found_again = dict(zip(renamed, strays, strict=False))
    return [(a, settled.get(a.batch) or found_again.get(a.batch, [])) for a in once]


def _by_day(book: TerminalBook) -> list[tuple[ArchivedBatch, list[JournalRow]]]:
    """One archived batch a day: its rows follow one another, have one DE 15, and no number above the batch's. What is
    in no total goes with any day; where two batches meet, which of them had it cannot be told, and does not matter."""
    left = [row for row in book.rows if row.settlement == "settled"]
    found = []
    for archived in book.archived:
        day = next((_day(row) for row in left if not _dayless(row)), "")
        own = list(takewhile(lambda row: _dayless(row) or _of(row, archived, day), left))  # noqa: B023
        if archived.totals.empty and not all(_dayless(row) or row.adjusted for row in own):
            own = list(takewhile(_dayless, own))
        left = left[len(own) :]
        found.append((archived, own))
    return found


def _of(row: JournalRow, archived: ArchivedBatch, day: str) -> bool:
    return row.batch <= archived.batch and _day(row) == day


def _dayless(row: JournalRow) -> bool:
    """What never counts: a reservation, and an advice that was refused."""
    return row.kind in RESERVATION_KINDS or row.state == "rejected"


def _day(row: JournalRow) -> str:
    return row.day or row.at[:4]


def _short(totals: Totals) -> str:
    shown = (f"{s.side} {s.group} {s.count}/{s.amount}" for s in totals.sums if s.count or s.amount)
    return ", ".join(shown) or "nothing"


def _line(row: JournalRow) -> str:
    return f"row {row.batch}/{row.stan} {row.kind} {row.amount} {row.state} {row.settlement}"


def a9(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """An upload changes no ledger: each item is staged once, nothing is posted for it, doubt becomes an exception.

    A known item names a transaction of its own terminal and posts nothing: neither in its own commit, unless that has
    made the transaction (an offline sale that the terminal's word captures), nor later. Once the batch is closed, an
    item that is unknown, reversed or of another amount has an exception (unless what was missing has arrived since).
    """
    for batch_id, staged in books.staged_by_batch.items():
        batch = books.batch_by_id.get(batch_id)
        for key, rows in grouped(staged, lambda item: item.item_key).items():
            if len(rows) > 1:
                text = f"item {key} is staged {len(rows)} times, expected once"
                yield Finding("A9", f"batch {batch_id}", text, tuple(map(_staged, rows)))
        for item in staged:
            yield from _staged_item(books, batch, item)
    for posting in books.postings:
        if posting.reason.startswith("upload"):
            text = f"entry {posting.entry_id} posts {posting.amount} for an upload, expected no posting"
            yield Finding("A9", f"txn {posting.txn_id}", text, (str(posting),))


def _staged_item(books: HostBooks, batch: Batch | None, item: StagedItem) -> Iterator[Finding]:
    subject = f"staged item {item.item_key} of batch {item.batch_id}"
    txn = books.txn_by_id.get(item.txn_id)
    if item.known == "known" and (txn is None or (batch is not None and txn.tid != batch.tid)):
        whose = f"txn {item.txn_id}, which is of {txn.tid}" if txn else f"txn {item.txn_id}, which does not exist"
        yield Finding("A9", subject, f"is staged as known, but names {whose}", (_staged(item),))
    if txn is not None:
        postings = books.postings_by_txn.get(txn.id, ())
        # What was authorised only (TC) is captured by the close that follows, in one commit with it.
        at_close = batch.closed_at if batch is not None else ""
        since = [p for p in postings if p.at > item.at or (p.at == item.at and txn.created_at < item.at)]
        late = [p for p in since if p.reason in BOOKING and p.at != at_close]
        if late:
            text = f"{len(late)} postings of txn {txn.id} came with or after its upload, expected none"
            yield Finding("A9", subject, text, (_staged(item), *map(str, late)))
    doubtful = item.known in ("unknown", "reversed", "amount-differs") and not item.evidence
    doubtful = doubtful and not _arrived_since(books, item)
    if doubtful and batch is not None and batch.state in CLOSED:
        listed = books.exceptions_by_batch.get(batch.id, ())
        if not any(e.item_key == item.item_key or (e.txn_id and e.txn_id == item.txn_id) for e in listed):
            text = f"is {item.known}, but the batch is {batch.state} without an exception for it"
            yield Finding("A9", subject, text, (_staged(item), *map(str, listed)))


def _arrived_since(books: HostBooks, item: StagedItem) -> bool:
    """What was unknown or undone when it was staged stands in its batch by now, with the same amount."""
    good = {"unknown": STANDING, "reversed": LIVE}.get(item.known, frozenset())
    stan = item.item_key.rpartition("/")[2]
    named = [t for t in books.txns_by_batch.get(item.batch_id, ()) if t.stan == stan and t.state in good]
    return any(item.amount in (t.approved_amount, group_of(books, t).final) for t in named)


def _staged(item: StagedItem) -> str:
    return f"staged {item.id}: {item.item_key} {item.kind or '-'} {item.amount} {item.known or '-'} txn {item.txn_id}"
