"""The working set: the part of the books that one group of events needs, as plain dictionaries.

The store loads it with a few set-based queries from the group's Needs; decisions read it; after each decision its puts
are applied so that the next event of the group sees them. Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar, cast

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


@dataclass(slots=True)
class Needs:
    """What to load. Sets of natural keys; the store turns each into one query.

    tids: terminals, and with each its open or disputed batches, the latest generation of its last closed batch, its
    unfinished legs and the pending txns they belong to.
    stans: (tid, stan) -> all txns of the newest epochs under that STAN (any batch, tombstones included).
    numbers: (tid, batch number) -> the latest generation of that number.
    rrns, invoices: (tid, value) -> txns. mids: merchants.
    txn_ids, leg_ids, batch_ids: by id; a txn comes with its terminal, its batch, its legs, its adjustments and the
    original it names (with that one's batch and legs).
    items_of_tids: the tids whose open, disputed and named batches are needed with all their txns, staged items,
    exceptions (settlement and upload).
    pan_hashes, issuer_txn_ids: the issuer's own books, its accounts and its legs of those txns. Only the issuer asks.
    """

    tids: set[str] = field(default_factory=set)
    mids: set[str] = field(default_factory=set)
    stans: set[tuple[str, str]] = field(default_factory=set)
    numbers: set[tuple[str, str]] = field(default_factory=set)
    rrns: set[tuple[str, str]] = field(default_factory=set)
    invoices: set[tuple[str, str]] = field(default_factory=set)
    txn_ids: set[int] = field(default_factory=set)
    leg_ids: set[int] = field(default_factory=set)
    batch_ids: set[int] = field(default_factory=set)
    items_of_tids: set[str] = field(default_factory=set)
    pan_hashes: set[str] = field(default_factory=set)
    issuer_txn_ids: set[int] = field(default_factory=set)


class WorkingSet:
    """Rows by class and id, with the look-ups that decisions use. Bound: one group of events."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows: dict[type, dict[int, Row]] = {}
        self._stan_index: dict[tuple[str, str], set[int]] = {}
        self._batch_index: dict[int, set[int]] = {}
        self._tid_batches: dict[str, set[int]] = {}
        self._terminals: dict[str, int] = {}
        self.apply(rows)

    def apply(self, puts: Iterable[Row]) -> None:
        """Take rows in: new ones, or new forms of old ones."""
        for row in puts:
            old = self._rows.setdefault(type(row), {}).get(row.id)
            self._rows[type(row)][row.id] = row
            if isinstance(row, Txn):
                self._stan_index.setdefault((row.tid, row.stan), set()).add(row.id)
                if isinstance(old, Txn) and old.batch_id != row.batch_id:
                    self._batch_index.get(old.batch_id, set()).discard(row.id)
                self._batch_index.setdefault(row.batch_id, set()).add(row.id)
            elif isinstance(row, Batch):
                self._tid_batches.setdefault(row.tid, set()).add(row.id)
            elif isinstance(row, Terminal):
                self._terminals[row.tid] = row.id

    def take_back(self, row: Row, old: Row | None) -> None:
        """Undo one apply: put the old form back, or forget a row that was new (a decision that failed)."""
        if old is not None:
            self.apply([old])
            return
        del self._rows[type(row)][row.id]
        if isinstance(row, Txn):
            self._stan_index[row.tid, row.stan].discard(row.id)
            self._batch_index[row.batch_id].discard(row.id)
        elif isinstance(row, Batch):
            self._tid_batches[row.tid].discard(row.id)
        elif isinstance(row, Terminal):
            self._terminals.pop(row.tid, None)

    def all(self, table: type[R]) -> list[R]:
        """Every loaded row of a class, by id."""
        rows = self._rows.get(table, {})
        return [cast(R, rows[key]) for key in sorted(rows)]

    def get(self, table: type[R], row_id: int) -> R | None:
        """A row as this group has left it; None when there is none or it was not loaded (see Needs)."""
        return cast("R | None", self._rows.get(table, {}).get(row_id))

    def terminal(self, tid: str) -> Terminal | None:
        """The terminal with this TID, None when it is not known."""
        return self.get(Terminal, self._terminals.get(tid, 0))

    def merchant(self, mid: str) -> Merchant | None:
        """The merchant with this MID, None when it is not known."""
        return next((m for m in self.all(Merchant) if m.mid == mid), None)

    def batches(self, tid: str) -> list[Batch]:
        """Loaded batches of a terminal, oldest first."""
        found = [self.get(Batch, i) for i in sorted(self._tid_batches.get(tid, ()))]
        return [b for b in found if b is not None]

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
        found = [self.get(Txn, i) for i in sorted(self._stan_index.get((tid, stan), ()))]
        return [t for t in found if t is not None]

    def txns_of_batch(self, batch_id: int) -> list[Txn]:
        """Transactions of a batch, oldest first, the ones of this group included."""
        found = [self.get(Txn, i) for i in sorted(self._batch_index.get(batch_id, ()))]
        return [t for t in found if t is not None]

    def txn(self, txn_id: int) -> Txn | None:
        """One transaction, None for 0 and for what was not loaded."""
        return self.get(Txn, txn_id)

    def legs_of(self, txn_id: int) -> list[Leg]:
        """The issuer legs of a transaction, done ones too."""
        return [leg for leg in self.all(Leg) if leg.txn_id == txn_id]

    def unfinished_legs(self, tid: str) -> list[Leg]:
        """Legs of this terminal without an outcome (state asking)."""
        return [g for g in self.all(Leg) if g.state == "asking" and (t := self.txn(g.txn_id)) and t.tid == tid]

    def staged(self, batch_id: int) -> list[StagedItem]:
        """Uploaded items of a batch, in the order in which they came."""
        return [s for s in self.all(StagedItem) if s.batch_id == batch_id]

    def exceptions(self, batch_id: int) -> list[ExceptionItem]:
        """The exception list of a batch so far."""
        return [e for e in self.all(ExceptionItem) if e.batch_id == batch_id]

    def adjustments(self, txn_id: int) -> list[Adjustment]:
        """Adjustments made for a transaction after its batch closed (RH4)."""
        return [a for a in self.all(Adjustment) if a.txn_id == txn_id]

    def account(self, pan_hash: str) -> IssuerAccount | None:
        """The card's account at the issuer, by keyed hash; None before its first use."""
        return next((a for a in self.all(IssuerAccount) if a.pan_hash == pan_hash), None)

    def issuer_leg(self, txn_id: int, number: int) -> IssuerLeg | None:
        """What the issuer did for this leg; None = it never came there."""
        return next((g for g in self.all(IssuerLeg) if (g.txn_id, g.number) == (txn_id, number)), None)
