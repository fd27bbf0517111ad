"""The working set: the part of the books that one group of events needs, as plain dictionaries.

The store loads it with a few set-based queries from the group's Needs; decisions read it; after each decision its puts
are applied so that the next event of the group sees them. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

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


_KEYS: Mapping[type, Mapping[str, Callable[[Any], Hashable]]] = {
    Txn: {
        "stan": lambda t: (t.tid, t.stan),
        "batch": lambda t: t.batch_id,
        "rrn": lambda t: t.rrn,
        "card": lambda t: (t.mid, t.pan_hash),
        "invoice": lambda t: (t.tid, t.invoice.strip()),
        "original": lambda t: t.original_id,
    },
    Batch: {"tid": lambda b: b.tid},
    Terminal: {"tid": lambda t: t.tid},
    Merchant: {"mid": lambda m: m.mid},
    Leg: {"txn": lambda g: g.txn_id},
    Adjustment: {"txn": lambda a: a.txn_id},
    StagedItem: {"batch": lambda s: s.batch_id},
    ExceptionItem: {"batch": lambda e: e.batch_id},
    IssuerAccount: {"card": lambda a: a.pan_hash},
    IssuerLeg: {"leg": lambda g: (g.txn_id, g.number)},
}
"""Row class -> name of an index -> the key of a row in it."""
_Index = tuple[Callable[[Any], Hashable], dict[Hashable, set[int]]]


class WorkingSet:
    """Rows by class and id, with the look-ups that decisions use. Bound: one group of events."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[type, dict[int, Row]] = {}
        self._indexes: dict[type, dict[str, _Index]] = {}
        self.apply(rows)

    def apply(self, puts: Iterable[Row]) -> None:
        """Take rows in: new ones, or new forms of old ones."""
        for row in puts:
            table = type(row)
            rows = self._rows.get(table)
            if rows is None:
                rows = self._rows[table] = {}
            old = rows.get(row.id)
            rows[row.id] = row
            if table in self._indexes:
                for key_of, index in self._indexes[table].values():
                    key = key_of(row)
                    if old is not None:
                        was = key_of(old)
                        if was == key:
                            continue
                        index[was].discard(row.id)
                    ids = index.get(key)
                    if ids is None:
                        index[key] = {row.id}
                    else:
                        ids.add(row.id)

    def take_back(self, row: Row, old: Row | None) -> None:
        """Undo one apply: put the old form back, or forget a row that was new (a decision that failed)."""
        if old is not None:
            self.apply([old])
            return
        last = self._rows[type(row)].pop(row.id)
        for key_of, index in self._indexes.get(type(row), {}).values():
            index[key_of(last)].discard(row.id)

    def _found(self, table: type[R], name: str, key: Hashable) -> list[R]:
        """Rows under a key of an index, oldest first."""
        made = self._indexes.get(table)
        index = made.get(name) if made is not None else None
        if index is None:
            index = self._indexed(table, name)
        ids = index[1].get(key)
        if not ids:
            return []
        rows = self._rows[table]
        return [cast(R, rows[i]) for i in (sorted(ids) if len(ids) > 1 else ids)]

    def _indexed(self, table: type, name: str) -> _Index:
        """An index is made when it is first asked for: most groups look rows up by two or three of the dozen ways."""
        key_of = _KEYS[table][name]
        ids: dict[Hashable, set[int]] = {}
        for row in self._rows.get(table, {}).values():
            ids.setdefault(key_of(row), set()).add(row.id)
        index = self._indexes.setdefault(table, {})[name] = (key_of, ids)
        return index

    def rows(self) -> list[Row]:
        """Every row, in no order that means anything."""
        return [row for rows in self._rows.values() for row in rows.values()]

    def ids(self, table: type) -> frozenset[int]:
        """Which rows of a class are here."""
        return frozenset(self._rows.get(table, ()))

    def all(self, table: type[R]) -> list[R]:
        """Every loaded row of a class, by id."""
        rows = self._rows.get(table, {})
        return [cast(R, rows[key]) for key in sorted(rows)]

    def get(self, table: type[R], row_id: int) -> R | None:
        """A row as this group has left it; None when there is none or it was not loaded (see Needs)."""
        return cast("R | None", self._rows.get(table, {}).get(row_id))

    def terminal(self, tid: str) -> Terminal | None:
        """The terminal with this TID, None when it is not known."""
        return next(iter(self._found(Terminal, "tid", tid)), None)

    def merchant(self, mid: str) -> Merchant | None:
        """The merchant with this MID, None when it is not known."""
        return next(iter(self._found(Merchant, "mid", mid)), None)

    def batches(self, tid: str) -> list[Batch]:
        """Loaded batches of a terminal, oldest first."""
        return self._found(Batch, "tid", tid)

    def open_batch(self, tid: str) -> Batch | None:
        """The terminal's open or disputed batch; there is at most one."""
        live = [b for b in self.batches(tid) if b.state in (BatchState.OPEN, BatchState.DISPUTED)]
        assert len(live) <= 1, f"{tid} has {len(live)} open batches"
        return live[0] if live else None

    def batch_numbered(self, tid: str, number: str) -> Batch | None:
        """The latest generation of a wire number, open or closed."""
        found = [b for b in self.batches(tid) if b.number == number]
        return max(found, key=lambda b: (b.epoch, b.generation, b.id)) if found else None

    def txns_by_stan(self, tid: str, stan: str) -> list[Txn]:
        """All loaded originals and tombstones under a STAN, oldest first."""
        return self._found(Txn, "stan", (tid, stan))

    def txns_by_rrn(self, rrn: str) -> list[Txn]:
        """All loaded transactions with this retrieval reference, of any terminal, oldest first."""
        return self._found(Txn, "rrn", rrn)

    def txns_by_invoice(self, tid: str, invoice: str) -> list[Txn]:
        """All loaded transactions of a terminal under an invoice number (blanks around it aside), oldest first."""
        return self._found(Txn, "invoice", (tid, invoice.strip()))

    def txns_of_card(self, mid: str, pan_hash: str) -> list[Txn]:
        """All loaded transactions of a card at a merchant, oldest first."""
        return self._found(Txn, "card", (mid, pan_hash))

    def acting_on(self, txn_id: int) -> list[Txn]:
        """What names this transaction as its original (voids, refunds, increments, adjustments, completions)."""
        return self._found(Txn, "original", txn_id) if txn_id else []

    def txns_of_batch(self, batch_id: int) -> list[Txn]:
        """Transactions of a batch, oldest first, the ones of this group included."""
        return self._found(Txn, "batch", batch_id)

    def txn(self, txn_id: int) -> Txn | None:
        """One transaction, None for 0 and for what was not loaded."""
        return self.get(Txn, txn_id)

    def legs_of(self, txn_id: int) -> list[Leg]:
        """The issuer legs of a transaction, done ones too."""
        return self._found(Leg, "txn", txn_id)

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
        return self._found(StagedItem, "batch", batch_id)

    def exceptions(self, batch_id: int) -> list[ExceptionItem]:
        """The exception list of a batch so far."""
        return self._found(ExceptionItem, "batch", batch_id)

    def adjustments(self, txn_id: int) -> list[Adjustment]:
        """Adjustments made for a transaction after its batch closed (RH4)."""
        return self._found(Adjustment, "txn", txn_id)

    def account(self, pan_hash: str) -> IssuerAccount | None:
        """The card's account at the issuer, by keyed hash; None before its first use."""
        return next(iter(self._found(IssuerAccount, "card", pan_hash)), None)

    def issuer_leg(self, txn_id: int, number: int) -> IssuerLeg | None:
        """What the issuer did for this leg; None = it never came there."""
        return next(iter(self._found(IssuerLeg, "leg", (txn_id, number))), None)
