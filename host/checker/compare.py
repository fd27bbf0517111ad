"""The two ends held against each other: item by item, and what is charged without being settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from host.checker.books import FINANCIAL_KINDS, KEYED_KINDS, RESERVATION_KINDS, STANDING, HostBooks, grouped
from host.checker.closing import BOTH, counts, row_item
from host.checker.items import Item, as_items, batch_items, compared, net, reversed_items, sign_of
from host.checker.unsettled import UnsettledItem, unsettled
from host.rows import Txn, TxnState
from specs.families import family
from specs.journal import JournalRow, TerminalBook
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS
from specs.totals import BatchItem, Totals

__all__ = ["Comparison", "Pair", "UnsettledItem", "Verdict", "batch_side", "compare", "unsettled"]


class Verdict(StrEnum):
    """What both ends say of one item."""

    SAME = "same"
    TERMINAL_ONLY = "terminal-only"
    HOST_ONLY = "host-only"
    AMOUNT = "amount"
    STATE = "state"


@dataclass(frozen=True, slots=True)
class Pair:
    """One item as both ends have it. A side that has nothing: state "", amount 0. Amounts: minor units, positive.

    batch: the number it was sent under, else the host's batch. txn_id: the host's row, 0 when it has none. row: the
    terminal's, None when it has none.
    """

    batch: str
    stan: str
    kind: str
    terminal_state: str
    terminal_amount: int
    host_state: str
    host_amount: int
    verdict: Verdict
    txn_id: int = 0
    row: JournalRow | None = None

    @property
    def key(self) -> str:
        """How people name the item: batch number and STAN."""
        return f"{self.batch}/{self.stan}"

    @property
    def stored(self) -> bool:
        """Whether the terminal has it stored and the host has not answered yet."""
        return self.row is not None and self.row.stored

    @property
    def counts(self) -> bool:
        """Whether it is an item of a batch: pre-authorisations are none."""
        return self.kind in FINANCIAL_KINDS


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both books of one terminal. net: sales and tips minus refunds, what was voided or reversed weighing nothing,
    minor units.

    totals: as the terminal's dialect counts each side, over all batches together; empty when the dialect is not known.
    """

    tid: str
    rows: tuple[Pair, ...]
    terminal_totals: Totals
    host_totals: Totals
    terminal_net: int
    host_net: int

    @property
    def differing(self) -> tuple[Pair, ...]:
        """The rows in which the two books do not say the same."""
        return tuple(pair for pair in self.rows if pair.verdict is not Verdict.SAME)

    @property
    def agrees(self) -> bool:
        """No item differs, and so do neither totals nor money."""
        same_totals = not self.terminal_totals.differing(self.host_totals)
        return not self.differing and same_totals and self.terminal_net == self.host_net

    def of_batch(self, number: str) -> tuple[Pair, ...]:
        """The items of one batch number."""
        return tuple(pair for pair in self.rows if pair.batch == number)


#: The words of both ends for the same thing.
_HOST_WORD = {
    TxnState.CAPTURED: "journaled",
    TxnState.AUTHORISED: "journaled",
    TxnState.VOIDED: "voided",
    TxnState.REVERSED: "reversed",
}
_NOT_HERE = frozenset({"", "declined", "tombstone"})
"""What the host has where it has nothing that counts."""


def compare(books: HostBooks, terminal: TerminalBook) -> Comparison:
    """Hold a terminal's journal against the host's books, item by item, in the order of batch and STAN.

    An item is found by STAN and the number it was sent under (CUP), by STAN and RRN where the wire has no number, the
    newest first. What neither end holds live is left out, unless the journal has a row for it. Pre-authorisations are
    compared too, and count in no total.
    """
    known = _of_epoch(books, terminal.tid)
    left = grouped(known, lambda txn: txn.stan)
    pairs = []
    for row in reversed(terminal.rows):
        namesakes = left.get(row.stan, [])
        txn = _host_side(books, namesakes, row)
        if txn is not None:
            namesakes.remove(txn)
        pairs.append(_pair(row, txn))
    pairs += [_host_only(books, txn) for txns in left.values() for txn in txns if _is_left(txn)]
    items = _live_items(books, [txn for txn in known if txn.kind in FINANCIAL_KINDS and txn.state in STANDING])
    count, shown = _counter(books, terminal.tid), _reversed_of(books, terminal.tid, known)
    rows = [row for row in terminal.rows if _counts(books, terminal.tid, row)]
    return Comparison(
        tid=terminal.tid,
        rows=tuple(sorted(pairs, key=lambda pair: (pair.batch, pair.stan, pair.kind))),
        terminal_totals=count(map(row_item, rows)),
        host_totals=count(batch_items([*items, *shown])),
        terminal_net=sum(net_of(row) for row in terminal.rows),
        host_net=net(items),
    )


def net_of(row: JournalRow) -> int:
    """What a row adds to the terminal's net, signed minor units."""
    return sign_of(row.kind) * row.amount if row.state == "journaled" and not row.adjusted else 0


def batch_side(books: HostBooks, batch_id: int) -> tuple[Totals, int]:
    """The host's totals and net of one batch, worked out from its items; carried ones left out."""
    batch = books.batch_by_id[batch_id]
    found = compared(books, batch)
    profile = books.profile_of(batch.tid)
    shown = reversed_items(books, batch) if profile is not None and profile.reversed == BOTH else []
    return _counter(books, batch.tid)(batch_items([*found, *shown])), net(found)


def _counter(books: HostBooks, tid: str) -> Callable[[Iterable[BatchItem]], Totals]:
    profile = books.profile_of(tid)
    return family(profile.family).count if profile is not None else lambda items: Totals()


def _counts(books: HostBooks, tid: str, row: JournalRow) -> bool:
    profile = books.profile_of(tid)
    return profile is not None and counts(row, profile)


def _live_items(books: HostBooks, txns: list[Txn]) -> list[Item]:
    """Of all batches together: a tip that was carried into a later one stands in its sale's place here, as it does in
    the terminal."""
    newest: dict[int, int] = {}
    for txn in txns:
        newest[_sale_of(txn)] = txn.id
    found = []
    for item in as_items(books, txns):
        txn = item.txn
        replaced = txn.kind in DEBITS | ADJUSTMENTS and newest[_sale_of(txn)] != txn.id
        found.append(Item(txn, txn.state is TxnState.VOIDED, replaced, of=item.of))
    return found


def _sale_of(txn: Txn) -> int:
    return (txn.original_id or txn.id) if txn.kind in ADJUSTMENTS else txn.id


def _reversed_of(books: HostBooks, tid: str, known: list[Txn]) -> list[Item]:
    profile = books.profile_of(tid)
    if profile is None or profile.reversed != BOTH:
        return []
    batches = [books.batch_by_id[b] for b in sorted({t.batch_id for t in known}) if b in books.batch_by_id]
    ids = {txn.id for txn in known}
    return [item for batch in batches for item in reversed_items(books, batch, late=True) if item.txn.id in ids]


def _of_epoch(books: HostBooks, tid: str) -> list[Txn]:
    """The terminal's money transactions since it was last flashed: what its journal can know of."""
    terminal = books.terminal_by_tid.get(tid)
    return [
        txn
        for txn in books.txns_by_tid.get(tid, ())
        if txn.kind in KEYED_KINDS and (terminal is None or txn.epoch == terminal.epoch)
    ]


def _host_side(books: HostBooks, namesakes: Iterable[Txn], row: JournalRow) -> Txn | None:
    candidates = [t for t in namesakes if same_sort(t.kind, row.kind) and _same_number(books, t, row)]
    exact = [t for t in candidates if row.rrn and t.rrn == row.rrn]
    return max(exact or candidates, key=lambda txn: txn.id, default=None)


_SORTS = (DEBITS, ADJUSTMENTS, VOIDS)


def same_sort(left: str, right: str) -> bool:
    """Equal kinds, or two words for one message: the host may know better what a terminal has sent (the NAC void of a
    completion; the offline sale that is a reservation's completion)."""
    return left == right or any(left in sort and right in sort for sort in _SORTS)


def _same_number(books: HostBooks, txn: Txn, row: JournalRow) -> bool:
    """CUP sends its batch number; elsewhere the RRN tells, and a row without one is told by its amount; so is an ISO 87
    row that acts on another, whose answer has echoed the RRN of that one (rules.md, section 1)."""
    if txn.wire_batch:
        return txn.wire_batch == row.batch
    if row.rrn and (txn.rrn == row.rrn or not echoes_rrn(books, txn)):
        return txn.rrn == row.rrn
    return row.amount in (txn.amount, txn.approved_amount)


def echoes_rrn(books: HostBooks, txn: Txn) -> bool:
    """Whether its answer may carry the RRN of what it acts on, as the request did, in place of its own."""
    return bool(txn.original_id) and books.family_named(txn.dialect) == "iso87"


def _pair(row: JournalRow, txn: Txn | None) -> Pair:
    state = _word(row, txn) if txn is not None else ""
    amount = txn.approved_amount if txn is not None else 0
    verdict = _verdict(row, state, amount)
    txn_id = txn.id if txn is not None else 0
    return Pair(row.batch, row.stan, row.kind, row.state, row.amount, state, amount, verdict, txn_id, row)


def _word(row: JournalRow, txn: Txn) -> str:
    """The host's state in the terminal's words. Of a reservation the terminal knows no end that came without it (its
    expiry) or after its row was archived (its void)."""
    ended = txn.state is TxnState.EXPIRED or (txn.state is TxnState.VOIDED and row.settlement == "settled")
    if txn.kind in RESERVATION_KINDS and ended:
        return row.state
    if txn.kind in RESERVATION_KINDS and txn.state is TxnState.VOIDED and row.kind != "pre-auth":
        return row.state  # an increment goes with its pre-authorisation, and its row stays
    return _HOST_WORD.get(txn.state, str(txn.state))


def _verdict(row: JournalRow, state: str, amount: int) -> Verdict:
    if row.state in ("reversed", "rejected") and state in _NOT_HERE:
        return Verdict.SAME  # undone with 25, or refused: neither end holds it
    if not state:
        return Verdict.TERMINAL_ONLY
    if row.state != state:
        return Verdict.STATE
    return Verdict.SAME if state == "reversed" or row.amount == amount else Verdict.AMOUNT


def _is_left(txn: Txn) -> bool:
    """Whether the host holds it live; what it let go of at a close (TC) was the host's alone then."""
    let_go = txn.state is TxnState.EXPIRED and txn.kind in FINANCIAL_KINDS
    ended = txn.kind in RESERVATION_KINDS and txn.state is TxnState.VOIDED
    return (txn.state in STANDING and not ended) or let_go


def _host_only(books: HostBooks, txn: Txn) -> Pair:
    batch = books.batch_by_id.get(txn.batch_id)
    number = txn.wire_batch or (batch.number if batch is not None else "")
    state = _HOST_WORD.get(txn.state, str(txn.state))
    return Pair(number, txn.stan, str(txn.kind), "", 0, state, txn.approved_amount, Verdict.HOST_ONLY, txn.id)
