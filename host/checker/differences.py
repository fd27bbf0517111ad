"""E1: where the two ends differ about a closed batch, the host has it on its list of exceptions, with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from host.checker.archives import Ends, ends
from host.checker.books import CLOSED, Finding, HostBooks, describe, name_batch, totals_of
from host.checker.compare import Pair, Verdict, batch_side
from host.rows import Batch, ExceptionItem
from specs.journal import TerminalBook
from specs.operation import ADJUSTMENTS, VOIDS
from specs.totals import Totals

REASONS: Mapping[Verdict, frozenset[str]] = {
    Verdict.HOST_ONLY: frozenset({"host-only", "forced-close"}),
    Verdict.TERMINAL_ONLY: frozenset({"terminal-only", "rejected"}),
    Verdict.AMOUNT: frozenset({"AMT", "adjusted-later"}),
    Verdict.STATE: frozenset({"reversed", "adjusted-later", "host-only", "terminal-only", "rejected"}),
}
"""What an exception must be called to explain a difference."""
FIGURES = frozenset({"totals-differ", "report-after-close"})
"""Reasons of figures: where no item is on the wire (ISO 87), or none any more, they speak for all items."""
KNOWN = frozenset().union(*REASONS.values(), FIGURES, {"carried"})
"""Every reason that an exception may have (host.rows.ExceptionItem)."""
MEMBERSHIP = frozenset({"carried", "adjusted-later", "forced-close"})
"""Reasons that say in which batch something counts: both ends may have the item itself alike."""
STORED = "stored-not-sent"
FORCED = "forced-close"


@dataclass(frozen=True)
class Listed:
    """The exceptions of one terminal, found by transaction, by STAN, by batch."""

    by_txn: Mapping[int, list[ExceptionItem]] = field(default_factory=dict)
    by_stan: Mapping[str, list[ExceptionItem]] = field(default_factory=dict)
    figures: Mapping[int, list[ExceptionItem]] = field(default_factory=dict)

    @classmethod
    def of(cls, books: HostBooks, tid: str) -> Listed:
        """The exceptions of a terminal; worked out once for one pair of books."""
        known = books.memo.get((cls, tid))
        if not isinstance(known, cls):
            known = books.memo[cls, tid] = cls._of(books, tid)
        return known

    @classmethod
    def _of(cls, books: HostBooks, tid: str) -> Listed:
        by_txn: dict[int, list[ExceptionItem]] = defaultdict(list)
        by_stan: dict[str, list[ExceptionItem]] = defaultdict(list)
        figures: dict[int, list[ExceptionItem]] = defaultdict(list)
        for entry in books.exceptions:
            if entry.tid != tid:
                continue
            if entry.reason in FIGURES:
                figures[entry.batch_id].append(entry)
                continue
            if entry.txn_id:
                by_txn[entry.txn_id].append(entry)
            by_stan[entry.item_key.rpartition("/")[2]].append(entry)
        return cls(by_txn, by_stan, figures)

    def about(self, pair: Pair) -> list[ExceptionItem]:
        """Those that name this item: its transaction, else its number and STAN."""
        found = list(self.by_txn.get(pair.txn_id, ())) if pair.txn_id else []
        named = (e for e in self.by_stan.get(pair.stan, ()) if not (e.txn_id and pair.txn_id))
        return found + [e for e in named if e.item_key.endswith(pair.key) or _later_number(e, pair)]


def _later_number(entry: ExceptionItem, pair: Pair) -> bool:
    """Both are of one item that the host does not know, uploaded under a later number than the terminal had when it
    made the row: a row keeps its number when its batch gets another (rules.md, sections 4 and 6)."""
    unknown = not entry.txn_id and not pair.txn_id
    return unknown and entry.side_amount == pair.terminal_amount


def explanation(books: HostBooks, listed: Listed, pair: Pair) -> tuple[str, str]:
    """Why the two ends differ about an item, as far as the books say: (reason, detail); ("", "") when they do not.

    Its own exception; that of what goes with it (NAC uploads no void and no tip but the sale at its final amount, CUP
    lists the void that the terminal lacks, not the sale that it undid); the terminal's own «stored»; the close that the
    host made by itself; the figures of the batch.
    """
    for entry in listed.about(pair):
        if entry.reason in REASONS.get(pair.verdict, ()):
            return entry.reason, entry.detail
    if pair.stored:
        return STORED, "the terminal has not sent it yet"
    for entry in _of_kin(books, listed, pair):
        return entry.reason, entry.detail
    batch = _batch_of(books, pair)
    if batch is not None and batch.forced:
        return FORCED, f"batch {batch.number} was closed by the host: {batch.forced}"
    for entry in listed.figures.get(batch.id, ()) if batch is not None else _all(listed.figures):
        return entry.reason, entry.detail
    return "", ""


def named_by(books: HostBooks, listed: Listed, pair: Pair) -> list[ExceptionItem]:
    """Every exception that is about an item or about what goes with it, whatever it says."""
    return [*listed.about(pair), *_of_kin(books, listed, pair)]


def _of_kin(books: HostBooks, listed: Listed, pair: Pair) -> Iterator[ExceptionItem]:
    """Exceptions of the sale that it changes or voids, and of what changes or voids it."""
    txn = books.txn_by_id.get(pair.txn_id)
    if txn is not None:
        ids = [txn.original_id, *(t.id for t in books.acting_on.get(txn.id, ()) if t.kind in ADJUSTMENTS | VOIDS)]
        for txn_id in filter(None, ids):
            yield from listed.by_txn.get(txn_id, ())
    elif pair.row is not None and pair.row.kind in ADJUSTMENTS | VOIDS:
        named = f"{pair.batch}/{pair.row.original_stan}"
        yield from (e for e in listed.by_stan.get(pair.row.original_stan, ()) if e.item_key.endswith(named))


def _batch_of(books: HostBooks, pair: Pair) -> Batch | None:
    txn = books.txn_by_id.get(pair.txn_id)
    return books.batch_by_id.get(txn.batch_id) if txn is not None else None


def _all(figures: Mapping[int, list[ExceptionItem]]) -> Iterator[ExceptionItem]:
    for entries in figures.values():
        yield from entries


def e1(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """T(b) Δ H(b), the live keys of a closed batch that one end has and the other not, is its list of exceptions.

    Each exception has a reason of the fixed set. For batches that both ends have closed: every item that differs is
    explained, and none that is equal is listed as the host's alone or as AMT. A batch is never closed as agreed over
    figures that differ, unless its items were uploaded; where there are none on the wire (ISO 87), each figure that
    differs is an exception.
    """
    for entry in books.exceptions:
        if entry.reason not in KNOWN:
            text = f"exception {entry.id} ({entry.item_key or 'no item'}) has reason {entry.reason or 'none'}"
            yield Finding("E1", f"batch {entry.batch_id} of {entry.tid}", f"{text}, which is none", (str(entry),))
    for batch in books.batches:
        if batch.state in CLOSED and batch.claimed:
            yield from _figures(books, batch)
    for both in ends(books, terminals):
        if not both.unfinished:
            yield from _items(books, both)


def _figures(books: HostBooks, batch: Batch) -> Iterator[Finding]:
    claimed, listed = totals_of(batch.claimed) or Totals(), books.exceptions_by_batch.get(batch.id, ())
    if books.family_of(batch.tid) == "iso87":
        own, _ = batch_side(books, batch.id)
        told = totals_of(batch.answered) or own
        # A batch that the host closed in a dispute was compared once more then, and what it had answered before is old;
        # one that it closed before the terminal settled was compared after reversals that came past the close.
        also = own if batch.forced else told
        for wrong in sorted({(s.side, s.group) for s in (*told.sums, *also.sums, *claimed.sums)}):
            theirs = claimed.get(*wrong)
            ours = theirs if also.get(*wrong) == theirs else told.get(*wrong)
            key = "/".join(wrong)
            named = any(e.item_key == key and e.side_amount == theirs.amount and e.reason in FIGURES for e in listed)
            if ours != theirs and not named:
                text = (
                    f"{key}: host {ours.count} / {ours.amount}, terminal {theirs.count} / {theirs.amount}, not listed"
                )
                yield Finding("E1", name_batch(batch), text, tuple(map(str, listed)))
        return
    answered = totals_of(batch.answered)
    differs = answered is not None and bool(answered.differing(claimed))
    if differs and not listed and not books.staged_by_batch.get(batch.id) and not batch.forced:
        text = f"is {batch.state} over totals that differ, without an upload and without an exception"
        yield Finding("E1", name_batch(batch), text, (batch.claimed, batch.answered))


def _items(books: HostBooks, both: Ends) -> Iterator[Finding]:
    listed, closed, archived = Listed.of(books, both.tid), both.batch_ids, both.row_ids
    for pair in both.comparison.rows:
        if not pair.counts or not _is_final(books, pair, closed, archived):
            continue
        subject = f"batch {pair.batch} of {both.tid}"
        if pair.verdict is not Verdict.SAME:
            if not explanation(books, listed, pair)[0]:
                yield Finding("E1", subject, f"{_say(pair)}: {pair.verdict}, and on no list", _evidence(books, pair))
        elif _is_alike(books, pair):
            for entry in listed.about(pair):
                batch = books.batch_by_id.get(entry.batch_id)
                if batch is not None and not batch.forced and _denies(entry):
                    text = f"{_say(pair)}: listed as {entry.reason}, but both ends have it alike"
                    yield Finding("E1", subject, text, (str(entry), *_evidence(books, pair)))


def _is_alike(books: HostBooks, pair: Pair) -> bool:
    """Whether nothing is left to say about it: no refused upload, and no other amount by a tip that one end lacks."""
    row, txn = pair.row, books.txn_by_id.get(pair.txn_id)
    if row is None or row.state not in ("journaled", "voided") or row.rejected or row.adjusted:
        return False
    return txn is not None and not txn.replaced_by


def _denies(entry: ExceptionItem) -> bool:
    """Whether it says of an item that the terminal has not, or with another amount; cards are not compared here."""
    return entry.reason == "host-only" or (entry.reason == "AMT" and entry.amount != entry.side_amount)


def _is_final(books: HostBooks, pair: Pair, closed: frozenset[int], archived: frozenset[int]) -> bool:
    """Whether each end that has the item has it in a batch that both have closed."""
    txn = books.txn_by_id.get(pair.txn_id)
    at_host = txn is None or txn.batch_id in closed
    return at_host and (pair.row is None or id(pair.row) in archived) and not (txn is not None and txn.carried)


def _say(pair: Pair) -> str:
    left = f"{pair.terminal_amount} {pair.terminal_state}" if pair.terminal_state else "nothing"
    right = f"{pair.host_amount} {pair.host_state}" if pair.host_state else "nothing"
    return f"STAN {pair.stan} {pair.kind}: terminal {left}, host {right}"


def _evidence(books: HostBooks, pair: Pair) -> tuple[str, ...]:
    txn = books.txn_by_id.get(pair.txn_id)
    return (describe(txn),) if txn is not None else ()
