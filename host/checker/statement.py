"""E8: slip, journal and archive of the terminal, and the host's own row, say the same of every item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.archives import Ends, ends
from host.checker.books import STANDING, Finding, HostBooks, describe
from host.checker.compare import Pair, echoes_rrn
from host.checker.delivery import echoes, is_own_answer
from host.rows import Txn
from specs.journal import JournalRow, TerminalBook

LIVE_ROWS = frozenset({"journaled", "voided"})


def e8(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """What both ends hold has one response code, one approval code, one RRN and one side; a slip has the row's code.

    What the host has put on the wire for it is what its own row says: whoever asks the host (query, statement) hears
    what the terminal was told. What the terminal has archived is in a closed batch of the host's (or was carried into
    an open one). Amounts and states are E1's. A stored advice is compared once it is delivered, and its approval code
    not at all: it may be one that was given before, by voice or for a reservation.
    """
    for both in ends(books, terminals):
        for pair in both.comparison.rows:
            txn = books.txn_by_id.get(pair.txn_id)
            if pair.row is not None and txn is not None:
                yield from _same(books, both, pair, pair.row, txn)
        yield from _slips(both)
    yield from _told(books)


def _told(books: HostBooks) -> Iterator[Finding]:
    """Of what stands: its own answer on the wire against the row. Answers that differ among themselves are A3's and
    A13's."""
    for txn_id, messages in books.messages_by_txn.items():
        txn = books.txn_by_id.get(txn_id)
        if txn is None or txn.state not in STANDING:
            continue
        said = [m for m in messages if m.direction == "out" and m.kind == txn.kind and is_own_answer(m)]
        if len({(m.code, m.auth_code, m.rrn) for m in said}) > 1:
            continue
        for message in said[:1]:
            for what, row, wire in (
                ("response code", txn.response_code, message.code),
                ("approval code", "" if txn.advice else txn.auth_code, message.auth_code),
                ("RRN", "" if echoes(books, message) else txn.rrn, message.rrn),
            ):
                if row and wire and row != wire:
                    text = f"{what} {wire} on the wire (message {message.id}), {row} in the host's row"
                    yield Finding("E8", f"txn {txn_id}", text, (describe(txn),))


def _same(books: HostBooks, both: Ends, pair: Pair, row: JournalRow, txn: Txn) -> Iterator[Finding]:
    subject = f"terminal {both.tid}"
    if row.state not in LIVE_ROWS or txn.state not in STANDING or row.stored:
        return
    for what, ours, theirs in (
        ("response code", txn.response_code, row.response_code),
        ("approval code", "" if txn.advice else txn.auth_code, row.auth_code),
        ("RRN", "" if echoes_rrn(books, txn) else txn.rrn, row.rrn),
    ):
        if ours and theirs and ours != theirs:
            text = f"STAN {row.stan} of batch {row.batch}: {what} {theirs} in the journal, {ours} at the host"
            yield Finding("E8", subject, text, (describe(txn),))
    settled = row.settlement == "settled" and pair.counts and not txn.carried
    if settled and not books.is_closed(txn.batch_id):
        text = f"STAN {row.stan} of batch {row.batch} is archived as settled, at the host its batch is open"
        yield Finding("E8", subject, text, (describe(txn),))


def _slips(both: Ends) -> Iterator[Finding]:
    rows = {(row.batch, row.stan): row for row in both.book.rows}
    for event in both.book.events:
        row = rows.get((event.batch, event.stan))
        if event.event != "slip" or event.detail != "approved" or row is None:
            continue
        if event.code and row.response_code and event.code != row.response_code and row.state in LIVE_ROWS:
            text = f"the slip of STAN {row.stan} of batch {row.batch} says {event.code}, the row {row.response_code}"
            yield Finding("E8", f"terminal {both.tid}", text)
