"""What belongs together: a sale, completion or refund with its tips, adjustments and voids, whatever became of them.

A refund is a purchase of its own with the other sign; it names the sale that it gives back from, no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from host.checker.books import ACQUIRER, HostBooks, is_clearing
from host.checker.cards import debit_of
from host.checker.items import sign_of
from host.rows import Adjustment, Txn, TxnState
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind

ROOTS = DEBITS | {Kind.REFUND}
"""Kinds that are bought or given back; all other money hangs on one of them."""
CHAIN_MAX = 16
"""How far back originals are followed: void, completion, increment, pre-authorisation are four."""


@dataclass(frozen=True)
class Group:
    """One purchase, or one refund. Amounts: minor units, signed: + to the merchant."""

    books: HostBooks
    root: Txn
    changes: tuple[Txn, ...] = ()
    voids: tuple[Txn, ...] = ()

    @property
    def members(self) -> tuple[Txn, ...]:
        """All of its transactions."""
        return (self.root, *self.changes, *self.voids)

    @cached_property
    def sign(self) -> int:
        """+1 a purchase, -1 a refund."""
        return sign_of(self.root.kind)

    @cached_property
    def final(self) -> int:
        """What it came to, not signed: the newest change that the root's fate includes, else the root itself.

        Of one that was taken back: what it had come to by then.
        """
        same = [t for t in self.changes if t.state is self.root.state]
        return (same or [self.root])[-1].approved_amount

    @cached_property
    def worth(self) -> int:
        """What the merchant has of it by the rows alone; authorised only (TC) is nothing yet."""
        return self.sign * self.final if self.root.state is TxnState.CAPTURED else 0

    @property
    def in_flight(self) -> bool:
        """Whether the issuer has still to say or to hear something about it."""
        return any(txn.id in self.books.in_flight for txn in self.members)

    @cached_property
    def debited(self) -> int:
        """What the issuer has debited for it, net of what it has credited."""
        legs = self.books.issuer_legs_by_txn
        return sum(debit_of(leg) for txn in self.members for leg in legs.get(txn.id, ()))

    @cached_property
    def adjustments(self) -> tuple[Adjustment, ...]:
        """What was booked for it in a later batch (RH4)."""
        return tuple(a for txn in self.members for a in self.books.adjustments_by_txn.get(txn.id, ()))

    @property
    def batch_ids(self) -> set[int]:
        """Batches that it is in, or has an adjustment in."""
        own = {txn.batch_id for txn in self.members if txn.batch_id and txn.state is not TxnState.DECLINED}
        return own | {a.batch_id for a in self.adjustments}

    def posted(self, batch_id: int) -> int:
        """What the acquirer's ledger has for it in one batch, adjustments left out."""
        postings = self.books.postings_by_txn
        return sum(
            p.amount
            for txn in self.members
            for p in postings.get(txn.id, ())
            if p.batch_id == batch_id and p.book == ACQUIRER and is_clearing(p) and p.reason != "adjustment"
        )


def groups(books: HostBooks) -> Iterator[Group]:
    """Every purchase and refund, oldest first."""
    return (group_of(books, txn) for txn in books.txns if txn.kind in ROOTS)


def group_of(books: HostBooks, root: Txn) -> Group:
    """The group of its root; one value for one pair of books, so that its sums are made once."""
    known = books.memo.get((Group, root.id))
    if not isinstance(known, Group) or known.root is not root:
        known = books.memo[Group, root.id] = _group(books, root)
    return known


def _group(books: HostBooks, root: Txn) -> Group:
    changes, voids = books.changes_by_sale.get(root.id, ()), books.voids_by_sale.get(root.id, ())
    return Group(books, root, tuple(changes), tuple(voids))


def root_of(books: HostBooks, txn: Txn) -> Txn:
    """The purchase or refund that a void or adjustment is about; else the transaction itself."""
    original = books.txn_by_id.get(txn.original_id) if txn.kind in VOIDS | ADJUSTMENTS else None
    return original if original is not None else txn


def first_of(books: HostBooks, txn_id: int) -> int:
    """The end of the chain of originals: the sale or pre-authorisation that all of it began with."""
    for _ in range(CHAIN_MAX):
        txn = books.txn_by_id.get(txn_id)
        if txn is None or not txn.original_id:
            break
        txn_id = txn.original_id
    return txn_id
