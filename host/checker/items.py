"""What counts in a batch, worked out from the transactions alone: the checker's own reading of rules.md, section 5.

An item of a closed batch is what stood there at its close. An original that was undone later stays an item of that
batch; its adjustment in a later batch takes the money back (RH4). What a tip or adjustment stands in the place of is
told by the chain of those that name the same sale, not by what the host has noted about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from host.checker.books import FINANCIAL_KINDS, STANDING, HostBooks
from host.rows import Batch, Txn, TxnState
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind
from specs.totals import BatchItem

_UNDONE_LATE = frozenset({"settled", "exception"})
"""The settlement state that an undo after the close leaves in place; an undo before it takes it away."""


@dataclass(frozen=True, slots=True)
class Item:
    """A transaction in its batch, as it stood when the batch closed (now, while the batch is open).

    adjusted: a newer one stands in its place. reversed: undone before the close, which ISO 87 shows all the same.
    of: the kind of what a void takes back.
    """

    txn: Txn
    voided: bool = False
    adjusted: bool = False
    reversed: bool = False
    of: Kind | None = None

    @property
    def amount(self) -> int:
        """Minor units, not negative: approved; of a reversed one what was asked for."""
        return self.txn.amount if self.reversed else self.txn.approved_amount

    @property
    def net(self) -> int:
        """What it adds to the settled amount: voided, reversed and replaced ones, and voids themselves, add nothing."""
        return 0 if self.voided or self.adjusted or self.reversed else sign_of(self.txn.kind) * self.amount


def sign_of(kind: str) -> int:
    """+1 for what the merchant gets, -1 for what goes back; 0 for a void, which works through what it takes back."""
    return _SIGN.get(kind, 0)


_SIGN = {kind.value: 1 for kind in DEBITS | ADJUSTMENTS} | {Kind.REFUND.value: -1}


def stands(books: HostBooks, txn: Txn, *, let_go: bool = False) -> bool:
    """Whether it is an item of its batch: live or voided; undone after the close (settled, then) it was one there.

    let_go: count as well what was authorised and not captured at the close (TC), since it was compared before.
    """
    if txn.kind not in FINANCIAL_KINDS or not txn.batch_id:
        return False
    if txn.state in STANDING or (let_go and txn.state is TxnState.EXPIRED):
        return True
    undone_late = txn.state is TxnState.REVERSED and txn.settlement in _UNDONE_LATE
    return undone_late and books.is_closed(txn.batch_id)


def items(books: HostBooks, batch: Batch, *, let_go: bool = False) -> list[Item]:
    """The items of a batch, oldest first, carried ones included; worked out once for one pair of books."""
    known = books.memo.get((Item, batch.id, let_go))
    if known is None:
        known = books.memo[Item, batch.id, let_go] = _items(books, batch, let_go)
    return cast("list[Item]", known)


def _items(books: HostBooks, batch: Batch, let_go: bool) -> list[Item]:
    found = [txn for txn in books.txns_by_batch.get(batch.id, ()) if stands(books, txn, let_go=let_go)]
    return as_items(books, found)


def as_items(books: HostBooks, txns: list[Txn]) -> list[Item]:
    """Transactions that stand, oldest first, with what the others make of them; carried ones are a chain apart."""
    voided = {txn.original_id for txn in txns if txn.kind in VOIDS}
    newest = {_place(txn): txn.id for txn in txns if txn.kind in DEBITS | ADJUSTMENTS}
    found = []
    for txn in txns:
        sale_id, _ = _place(txn)
        adjusted = newest.get(_place(txn), txn.id) != txn.id
        found.append(Item(txn, sale_id in voided and txn.kind not in VOIDS, adjusted, of=of_void(books, txn)))
    return found


def _place(txn: Txn) -> tuple[int, bool]:
    """The sale whose place it has."""
    return (txn.original_id or txn.id) if txn.kind in ADJUSTMENTS else txn.id, txn.carried


def of_void(books: HostBooks, txn: Txn) -> Kind | None:
    """What a void takes back, by the row that it names."""
    original = books.txn_by_id.get(txn.original_id) if txn.kind in VOIDS else None
    return _KIND[original.kind] if original is not None else None


def reversed_items(books: HostBooks, batch: Batch, *, late: bool = False) -> list[Item]:
    """What was reversed before the close and is shown all the same where `Profile.reversed` is "both". late: and what
    was reversed after it (RH4), as the terminal's journal has both.

    A reversed void is none (what it had voided lives again), nor is what had given way before it was reversed.
    """
    return [
        Item(txn, reversed=True)
        for txn in books.txns_by_batch.get(batch.id, ())
        if txn.state is TxnState.REVERSED
        and txn.kind in FINANCIAL_KINDS
        and txn.kind not in VOIDS
        and (late or txn.settlement == "none")
        and not txn.carried
        and not txn.replaced_by
    ]


def compared(books: HostBooks, batch: Batch, *, let_go: bool = False) -> list[Item]:
    """The items that are compared with the terminal's: all but the carried ones (RH4, RH6)."""
    return [item for item in items(books, batch, let_go=let_go) if not item.txn.carried]


_KIND = {kind.value: kind for kind in Kind}


def batch_items(found: Iterable[Item]) -> list[BatchItem]:
    """As the dialect family counts them."""
    return [
        BatchItem(_KIND[i.txn.kind], i.amount, i.txn.foreign, i.voided, i.adjusted, i.reversed, i.of) for i in found
    ]


def net(found: Iterable[Item]) -> int:
    """The settled amount (E2): sales, completions and tips minus refunds; what was taken back weighs nothing."""
    return sum(item.net for item in found)
