"""What counts in a batch, worked out from the transactions alone: the checker's own reading of rules.md, section 5.

An item of a closed batch is what stood there at its close. An original that was undone later stays an item of that
batch; its adjustment in a later batch takes the money back (RH4).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from host.checker.books import FINANCIAL_KINDS, STANDING, HostBooks
from host.rows import Batch, Txn, TxnState
from specs.operation import Kind
from specs.totals import BatchItem


@dataclass(frozen=True, slots=True)
class Item:
    """A transaction in its batch. voided: it stood as voided when the batch closed (now, while the batch is open)."""

    txn: Txn
    voided: bool

    @property
    def amount(self) -> int:
        """Approved amount, minor units, not negative."""
        return self.txn.approved_amount


def stands(books: HostBooks, txn: Txn) -> bool:
    """Whether it is an item of its batch: live or voided; undone after the close (settled, then) it was one there."""
    if txn.kind not in FINANCIAL_KINDS or not txn.batch_id:
        return False
    undone_late = txn.state is TxnState.REVERSED and txn.settlement in ("settled", "exception")
    return txn.state in STANDING or (undone_late and books.is_closed(txn.batch_id))


def items(books: HostBooks, batch: Batch) -> list[Item]:
    """The items of a batch, oldest first, carried ones included."""
    standing = [txn for txn in books.txns_by_batch.get(batch.id, ()) if stands(books, txn)]
    voided = {txn.original_id for txn in standing if txn.kind == Kind.VOID}
    return [Item(txn, txn.id in voided) for txn in standing]


def compared(books: HostBooks, batch: Batch) -> list[Item]:
    """The items that are compared with the terminal's: all but the carried ones (RH4, RH6)."""
    return [item for item in items(books, batch) if not item.txn.carried]


def batch_items(found: Iterable[Item]) -> list[BatchItem]:
    """As the dialect family counts them."""
    return [BatchItem(Kind(item.txn.kind), item.amount, item.txn.foreign, item.voided) for item in found]


def net(found: Iterable[Item]) -> int:
    """The settled amount (E2): sales minus refunds; a voided one and its void weigh nothing."""
    sign = {Kind.SALE.value: 1, Kind.REFUND.value: -1}
    return sum(sign.get(item.txn.kind, 0) * item.amount for item in found if not item.voided)
