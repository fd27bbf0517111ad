"""The two ends held against each other: item by item, and what is charged without being settled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from host.checker.books import FINANCIAL_KINDS, STANDING, HostBooks, grouped
from host.checker.items import Item, batch_items, compared, net
from host.checker.unsettled import UnsettledItem, unsettled
from host.rows import Txn, TxnState
from specs.families import NAMES, family
from specs.journal import JournalRow, TerminalBook
from specs.operation import Kind
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

    batch: the number it was sent under, else the host's batch. txn_id: the host's row, 0 when it has none.
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

    @property
    def key(self) -> str:
        """How people name the item: batch number and STAN."""
        return f"{self.batch}/{self.stan}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both books of one terminal. net: sales minus refunds, what was voided or reversed weighing nothing, minor units.

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
_HOST_WORD = {TxnState.CAPTURED: "journaled", TxnState.VOIDED: "voided", TxnState.REVERSED: "reversed"}
_SIGN = {Kind.SALE.value: 1, Kind.REFUND.value: -1}


def compare(books: HostBooks, terminal: TerminalBook) -> Comparison:
    """Hold a terminal's journal against the host's books, item by item, in the order of batch and STAN.

    An item is found by STAN and the number it was sent under (CUP), by STAN and RRN where the wire has no number, the
    newest first. What neither end holds live is left out, unless the journal has a row for it.
    """
    known = _of_epoch(books, terminal.tid)
    left = grouped(known, lambda txn: txn.stan)
    pairs = []
    for row in reversed(terminal.rows):
        namesakes = left.get(row.stan, [])
        txn = _host_side(namesakes, row)
        if txn is not None:
            namesakes.remove(txn)
        pairs.append(_pair(row, txn))
    pairs += [_host_only(books, txn) for txns in left.values() for txn in txns if txn.state in STANDING]
    live = [row for row in terminal.rows if row.state != "reversed"]
    items = [Item(txn, txn.state is TxnState.VOIDED) for txn in known if txn.state in STANDING]
    count = _counter(books, terminal.tid)
    return Comparison(
        tid=terminal.tid,
        rows=tuple(sorted(pairs, key=lambda pair: (pair.batch, pair.stan, pair.kind))),
        terminal_totals=count(BatchItem(Kind(r.kind), r.amount, r.foreign, r.state == "voided") for r in live),
        host_totals=count(batch_items(items)),
        terminal_net=sum(_SIGN.get(row.kind, 0) * row.amount for row in live if row.state == "journaled"),
        host_net=net(items),
    )


def batch_side(books: HostBooks, batch_id: int) -> tuple[Totals, int]:
    """The host's totals and net of one batch, worked out from its items; carried ones left out."""
    batch = books.batch_by_id[batch_id]
    found = compared(books, batch)
    return _counter(books, batch.tid)(batch_items(found)), net(found)


def _counter(books: HostBooks, tid: str) -> Callable[[Iterable[BatchItem]], Totals]:
    name = books.family_of(tid)
    return family(name).count if name in NAMES else lambda items: Totals()


def _of_epoch(books: HostBooks, tid: str) -> list[Txn]:
    """The terminal's money transactions since it was last flashed: what its journal can know of."""
    terminal = books.terminal_by_tid.get(tid)
    return [
        txn
        for txn in books.txns_by_tid.get(tid, ())
        if txn.kind in FINANCIAL_KINDS and (terminal is None or txn.epoch == terminal.epoch)
    ]


def _host_side(namesakes: Iterable[Txn], row: JournalRow) -> Txn | None:
    candidates = [t for t in namesakes if t.kind == row.kind and _same_number(t, row)]
    exact = [t for t in candidates if row.rrn and t.rrn == row.rrn]
    return max(exact or candidates, key=lambda txn: txn.id, default=None)


def _same_number(txn: Txn, row: JournalRow) -> bool:
    """CUP sends its batch number; elsewhere the RRN tells, and a row without one is told by its amount."""
    if txn.wire_batch:
        return txn.wire_batch == row.batch
    return txn.rrn == row.rrn if row.rrn else row.amount in (txn.amount, txn.approved_amount)


def _pair(row: JournalRow, txn: Txn | None) -> Pair:
    state = _HOST_WORD.get(txn.state, str(txn.state)) if txn is not None else ""
    amount = txn.approved_amount if txn is not None else 0
    verdict = _verdict(row, state, amount)
    return Pair(
        row.batch, row.stan, row.kind, row.state, row.amount, state, amount, verdict, txn.id if txn is not None else 0
    )


def _verdict(row: JournalRow, state: str, amount: int) -> Verdict:
    if not state:
        # A row whose reversal was acknowledged with 25: neither end holds it.
        return Verdict.SAME if row.state == "reversed" else Verdict.TERMINAL_ONLY
    if row.state == "reversed" and state in ("declined", "tombstone"):
        return Verdict.SAME
    if row.state != state:
        return Verdict.STATE
    return Verdict.SAME if state == "reversed" or row.amount == amount else Verdict.AMOUNT


def _host_only(books: HostBooks, txn: Txn) -> Pair:
    batch = books.batch_by_id.get(txn.batch_id)
    number = txn.wire_batch or (batch.number if batch is not None else "")
    return Pair(
        number, txn.stan, str(txn.kind), "", 0, _HOST_WORD[txn.state], txn.approved_amount, Verdict.HOST_ONLY, txn.id
    )
