"""The working set: the part of the books that one group of events needs, as plain dictionaries.

The store loads it with a few set-based queries from the group's Needs; decisions read it; after each decision its puts
are applied so that the next event of the group sees them. Nothing here writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Generic, TypeVar

from host.rows import (
    Adjustment,
    Batch,
    BatchState,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    Leg,
    Merchant,
    Row,
    StagedItem,
    Terminal,
    Txn,
)

R = TypeVar("R")

MERCHANT_ROWS_MAX = 200
"""Rows of one merchant under one key that a look-up over all its terminals sees: the newest ones."""


@dataclass(slots=True)
class Needs:
    """What to load. Sets of natural keys; the store turns each into one query.

    tids: terminals, and with each its open or disputed batches, the latest generation of its last closed batch, its
    unfinished legs and the pending txns they belong to.
    stans: (tid, stan) -> all txns of the newest epochs under that STAN (any batch, tombstones included).
    numbers: (tid, batch number) -> the latest generation of that number.
    rrns, invoices: (tid, value) -> txns. mids: merchants.
    merchant_rrns, merchant_stans, merchant_cards: (mid, RRN or STAN or card hash) -> what this merchant's terminals did
    under it, whatever the batch: at most MERCHANT_ROWS_MAX of the newest a key. Of a card only approved originals, of a
    STAN only terminals that are the merchant's today.
    days: (tid, MMDD) -> the newest batches that were opened or closed on that day (ISO 87 settles by DE 15).
    txn_ids, leg_ids, batch_ids: by id.
    kin_of_tids: the tids whose messages name an original: what acts on that one (refunds, increments) comes too.

    Every txn comes with its terminal, its batch, its legs, its adjustments, the originals it goes back to, and what
    stands in its place (`replaced_by`). A pre-authorisation, and an original that another loaded txn names, comes with
    all that acts on it: increments, refunds, voids, but not what was declined. Legs and batches of all of these too.
    items_of_tids: the tids whose open, disputed and named batches are needed with all their txns, staged items (and the
    txns that these name in other batches), exceptions (settlement and upload).
    pan_hashes, issuer_txn_ids: the issuer's own books, its accounts and its legs of those txns. Only the issuer asks.
    """

    tids: set[str] = field(default_factory=set)
    mids: set[str] = field(default_factory=set)
    stans: set[tuple[str, str]] = field(default_factory=set)
    numbers: set[tuple[str, str]] = field(default_factory=set)
    rrns: set[tuple[str, str]] = field(default_factory=set)
    invoices: set[tuple[str, str]] = field(default_factory=set)
    merchant_rrns: set[tuple[str, str]] = field(default_factory=set)
    merchant_stans: set[tuple[str, str]] = field(default_factory=set)
    merchant_cards: set[tuple[str, str]] = field(default_factory=set)
    days: set[tuple[str, str]] = field(default_factory=set)
    txn_ids: set[int] = field(default_factory=set)
    leg_ids: set[int] = field(default_factory=set)
    batch_ids: set[int] = field(default_factory=set)
    items_of_tids: set[str] = field(default_factory=set)
    kin_of_tids: set[str] = field(default_factory=set)
    pan_hashes: set[str] = field(default_factory=set)
    issuer_txn_ids: set[int] = field(default_factory=set)


_Rows = dict[Hashable, dict[int, Any]]
"""The rows under each key of an index, by id."""


class _By(Generic[R]):
    """A way to look rows of a class up. key_of: the key of a row in the index."""

    __slots__ = ("key_of", "row_class")

    def __init__(self, row_class: type[R], key_of: Callable[[Any], Hashable]) -> None:
        self.row_class = row_class
        self.key_of = key_of


_TERMINAL = _By(Terminal, attrgetter("tid"))
_MERCHANT = _By(Merchant, attrgetter("mid"))
_BATCHES = _By(Batch, attrgetter("tid"))
_TXNS_OF_STAN = _By(Txn, attrgetter("tid", "stan"))
_TXNS_OF_BATCH = _By(Txn, attrgetter("batch_id"))
_TXNS_OF_RRN = _By(Txn, attrgetter("rrn"))
_TXNS_OF_CARD = _By(Txn, attrgetter("mid", "pan_hash"))
_TXNS_OF_INVOICE = _By(Txn, lambda t: (t.tid, t.invoice.strip()))
_ACTING_ON = _By(Txn, attrgetter("original_id"))
_LEGS = _By(Leg, attrgetter("txn_id"))
_ADJUSTMENTS = _By(Adjustment, attrgetter("txn_id"))
_STAGED = _By(StagedItem, attrgetter("batch_id"))
_EXCEPTIONS = _By(ExceptionItem, attrgetter("batch_id"))
_ACCOUNT = _By(IssuerAccount, attrgetter("pan_hash"))
_ISSUER_LEG = _By(IssuerLeg, attrgetter("txn_id", "number"))
_LIVE = (BatchState.OPEN, BatchState.DISPUTED)


class _Table:
    """The rows of one class by id, and the indexes over them that somebody has asked for."""

    __slots__ = ("indexes", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, Any] = {}
        self.indexes: list[tuple[Callable[[Any], Hashable], _Rows]] = []


class WorkingSet:
    """Rows by class and id, with the look-ups that decisions use. Bound: one group of events."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._tables: defaultdict[type, _Table] = defaultdict(_Table)
        self._indexes: dict[_By[Any], _Rows] = {}
        self.apply(rows)

    def apply(self, puts: Iterable[Row]) -> None:
        """Take rows in: new ones, or new forms of old ones."""
        tables = self._tables
        for row in puts:
            table = tables[type(row)]
            if table.indexes:
                self.put(row)
            else:
                table.rows[row.id] = row

    def put(self, row: Row) -> Row | None:
        """Take one row in; gives back the form whose place it takes, None when it is new."""
        table, row_id = self._tables[type(row)], row.id
        old: Row | None = table.rows.get(row_id)
        table.rows[row_id] = row
        for key_of, found in table.indexes:
            key = key_of(row)
            if old is not None and (was := key_of(old)) != key:
                del found[was][row_id]
            if key in found:
                found[key][row_id] = row
            else:
                found[key] = {row_id: row}
        return old

    def take_back(self, row: Row, old: Row | None) -> None:
        """Undo one put: the old form again, or forget a row that was new (a decision that failed)."""
        if old is not None:
            self.put(old)
            return
        table = self._tables[type(row)]
        last = table.rows.pop(row.id)
        for key_of, found in table.indexes:
            del found[key_of(last)][row.id]

    def _found(self, by: _By[R], key: Hashable) -> list[R]:
        """Rows under a key of an index, oldest first."""
        index = self._indexes.get(by)
        if index is None:
            index = self._indexed(by)
        found = index.get(key)
        if not found:
            return []
        return list(found.values()) if len(found) == 1 else [found[row_id] for row_id in sorted(found)]

    def _indexed(self, by: _By[Any]) -> _Rows:
        """An index is made when it is first asked for: most groups look rows up by two or three of the dozen ways."""
        table, key_of = self._tables[by.row_class], by.key_of
        index = self._indexes[by] = {}
        for row in table.rows.values():
            index.setdefault(key_of(row), {})[row.id] = row
        table.indexes.append((key_of, index))
        return index

    def rows(self) -> list[Row]:
        """Every row, in no order that means anything."""
        return [row for table in self._tables.values() for row in table.rows.values()]

    def ids(self, table: type) -> frozenset[int]:
        """Which rows of a class are here."""
        return frozenset(self._tables[table].rows)

    def all(self, table: type[R]) -> list[R]:
        """Every loaded row of a class, by id."""
        rows = self._tables[table].rows
        return [rows[row_id] for row_id in sorted(rows)]

    def get(self, table: type[R], row_id: int) -> R | None:
        """A row as this group has left it; None when there is none or it was not loaded (see Needs)."""
        row: R | None = self._tables[table].rows.get(row_id)
        return row

    def terminal(self, tid: str) -> Terminal | None:
        """The terminal with this TID, None when it is not known."""
        found = self._found(_TERMINAL, tid)
        return found[0] if found else None

    def merchant(self, mid: str) -> Merchant | None:
        """The merchant with this MID, None when it is not known."""
        found = self._found(_MERCHANT, mid)
        return found[0] if found else None

    def batches(self, tid: str) -> list[Batch]:
        """Loaded batches of a terminal, oldest first."""
        return self._found(_BATCHES, tid)

    def open_batch(self, tid: str) -> Batch | None:
        """The terminal's open or disputed batch; there is at most one."""
        live = [b for b in self._found(_BATCHES, tid) if b.state in _LIVE]
        assert len(live) <= 1, f"{tid} has {len(live)} open batches"
        return live[0] if live else None

    def batch_numbered(self, tid: str, number: str) -> Batch | None:
        """The latest generation of a wire number, open or closed."""
        found = [b for b in self._found(_BATCHES, tid) if b.number == number]
        if len(found) < 2:
            return found[0] if found else None
        return max(found, key=lambda b: (b.epoch, b.generation, b.id))

    def txns_by_stan(self, tid: str, stan: str) -> list[Txn]:
        """All loaded originals and tombstones under a STAN, oldest first."""
        return self._found(_TXNS_OF_STAN, (tid, stan))

    def txns_by_rrn(self, rrn: str) -> list[Txn]:
        """All loaded transactions with this retrieval reference, of any terminal, oldest first."""
        return self._found(_TXNS_OF_RRN, rrn)

    def txns_by_invoice(self, tid: str, invoice: str) -> list[Txn]:
        """All loaded transactions of a terminal under an invoice number (blanks around it aside), oldest first."""
        return self._found(_TXNS_OF_INVOICE, (tid, invoice.strip()))

    def txns_of_card(self, mid: str, pan_hash: str) -> list[Txn]:
        """All loaded transactions of a card at a merchant, oldest first."""
        return self._found(_TXNS_OF_CARD, (mid, pan_hash))

    def acting_on(self, txn_id: int) -> list[Txn]:
        """What names this transaction as its original (voids, refunds, increments, adjustments, completions)."""
        return self._found(_ACTING_ON, txn_id) if txn_id else []

    def txns_of_batch(self, batch_id: int) -> list[Txn]:
        """Transactions of a batch, oldest first, the ones of this group included."""
        return self._found(_TXNS_OF_BATCH, batch_id)

    def txn(self, txn_id: int) -> Txn | None:
        """One transaction, None for 0 and for what was not loaded."""
        row: Txn | None = self._tables[Txn].rows.get(txn_id)
        return row

    def legs_of(self, txn_id: int) -> list[Leg]:
        """The issuer legs of a transaction, done ones too."""
        return self._found(_LEGS, txn_id)

    def unfinished_legs(self, tid: str) -> list[Leg]:
        """Legs of this terminal whose transaction waits for their outcome (state asking); a close waits for them."""
        return self._legs_of_tid(tid, ("asking",))

    def owed_legs(self, tid: str) -> list[Leg]:
        """Legs of this terminal that the issuer still has to hear of (undoing, owing). Nobody ever waits for these."""
        return self._legs_of_tid(tid, ("undoing", "owing"))

    def _legs_of_tid(self, tid: str, states: tuple[str, ...]) -> list[Leg]:
        return [g for g in self.all(Leg) if g.state in states and (t := self.txn(g.txn_id)) and t.tid == tid]

    def staged(self, batch_id: int) -> list[StagedItem]:
        """Uploaded items of a batch, in the order in which they came."""
        return self._found(_STAGED, batch_id)

    def exceptions(self, batch_id: int) -> list[ExceptionItem]:
        """The exception list of a batch so far."""
        return self._found(_EXCEPTIONS, batch_id)

    def adjustments(self, txn_id: int) -> list[Adjustment]:
        """Adjustments made for a transaction after its batch closed (RH4)."""
        return self._found(_ADJUSTMENTS, txn_id)

    def account(self, pan_hash: str) -> IssuerAccount | None:
        """The card's account at the issuer, by keyed hash; None before its first use."""
        found = self._found(_ACCOUNT, pan_hash)
        return found[0] if found else None

    def issuer_leg(self, txn_id: int, number: int) -> IssuerLeg | None:
        """What the issuer did for this leg; None = it never came there."""
        found = self._found(_ISSUER_LEG, (txn_id, number))
        return found[0] if found else None
