"""Rows at hand: what every sale reads and changes, as it is on disk, so that a load need not ask for it again.

    load   -> what is kept is not asked for; what is asked for is kept
    commit -> the rows take their new form once they are durable, and only what changed of them is written

Kept are terminals, merchants, cards at the issuer and the batches that a terminal's messages find; of transactions and
legs those that are not over, for what the next commit changes of them. One process writes a store, through one
connection: the connection's own count of changed rows and the file's mark of other programs' commits say before every
use whether anything was written another way. If so, or when a commit fails, all is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from operator import attrgetter
from typing import Any, TypeVar, cast

from host.rows import BORN, Batch, IssuerAccount, Leg, Merchant, Row, Terminal, Txn
from host.store.driver import Driver

R = TypeVar("R", bound=Row)
Pair = tuple[str, str | None]
"""TID and number of a batch, or NO_NUMBER."""

ROWS_MAX = 20_000
"""Rows and answers to look-ups; past it all is forgotten and read anew: some tens of megabytes."""
NO_NUMBER = None
"""For a terminal's live batch and the one closed last, which are found without a number."""

_KEY: Mapping[type, str] = {Terminal: "tid", Merchant: "mid", IssuerAccount: "pan_hash"}
"""Classes whose rows are found by one unique column."""
_FIXED: Mapping[type, Callable[[Any], object]] = {
    Terminal: attrgetter("tid"),
    Merchant: attrgetter("mid"),
    IssuerAccount: attrgetter(*BORN[IssuerAccount]),
    Batch: attrgetter("tid", "number", "epoch", "generation", "state"),
}
"""By what a row of a class is found, and what the database does not let change: while it stays, so do the look-ups."""
_UNFINISHED: Mapping[type, frozenset[str]] = {
    Txn: frozenset({"pending"}),
    Leg: frozenset({"asking", "undoing", "owing"}),
}
"""States in which a row waits for its next form."""


class Kept:
    """Shape: rows by class and id; look-ups that lead to them. All of it may be forgotten at any time.

    Nothing is kept where the database cannot say whether others wrote (PostgreSQL).
    """

    def __init__(self) -> None:
        self._rows: dict[type, dict[int, Any]] = {c: {} for c in (*_FIXED, *_UNFINISHED)}
        self._by_key: dict[type, dict[str, Any]] = {c: {} for c in _KEY}
        self._batches: dict[str, dict[str | None, tuple[int, ...]]] = {}
        """TID -> number -> ids of what was found under it."""
        self._size = 0
        self._seen: tuple[int, int] | None = None
        """Driver.writes as of the last use; None = nothing may be kept."""

    def forget(self) -> None:
        """Keep nothing any more."""
        tables: tuple[dict[Any, Any], ...] = (*self._rows.values(), *self._by_key.values(), self._batches)
        for rows in tables:
            rows.clear()
        self._size = 0
        self._seen = None

    def look(self, driver: Driver) -> None:
        """Before every use: forget all if anything was written that went past `took`."""
        now = driver.writes()
        if now is None or now != self._seen:
            self.forget()
            self._seen = now

    # ---- loading

    def known(self, row_class: type[R], keys: Collection[str]) -> tuple[list[R], Collection[str]]:
        """Rows of a class that has one unique column, by that column, and the keys that have to be asked for."""
        at_hand = self._by_key[row_class]
        rows = [at_hand[key] for key in keys if key in at_hand]
        return rows, (keys if not rows else [key for key in keys if key not in at_hand])

    def keep(self, row_class: type[R], rows: Iterable[R]) -> None:
        """What the database had under keys that were not known."""
        if self._seen is None:
            return
        name = _KEY[row_class]
        for row in rows:
            self._by_key[row_class][getattr(row, name)] = row
            self._add(row)
        self._bound()

    def batches(self, wanted: Collection[Pair]) -> tuple[list[Batch], list[Pair]]:
        """Batches by (tid, number or NO_NUMBER), and the pairs that have to be asked for."""
        rows: dict[int, Batch] = self._rows[Batch]
        found: list[Batch] = []
        asked: list[Pair] = []
        for pair in wanted:
            ids = self._batches.get(pair[0], _NONE).get(pair[1])
            if ids is None:
                asked.append(pair)
            else:
                for row_id in ids:
                    found.append(rows[row_id])
        return found, asked

    def keep_batches(self, asked: Collection[Pair], rows: Collection[Batch], *, numbered: bool) -> None:
        """What the database had under these pairs, in whatever order; also that it had nothing."""
        if self._seen is None:
            return
        ids: dict[Pair, list[int]] = {pair: [] for pair in asked}
        for row in rows:
            ids[row.tid, row.number if numbered else NO_NUMBER].append(row.id)
            self._add(row)
        for (tid, number), found in ids.items():
            self._batches.setdefault(tid, {})[number] = tuple(found)
        self._size += len(ids)
        self._bound()

    def _add(self, row: Row) -> None:
        self._rows[type(row)][row.id] = row
        self._size += 1

    def _bound(self) -> None:
        if self._size > ROWS_MAX:
            seen = self._seen
            self.forget()
            self._seen = seen

    # ---- writing

    def forms(self, row_class: type[R]) -> Mapping[int, R]:
        """Rows of a class as they are on disk, by id; those that are not here may be there all the same."""
        return self._rows.get(row_class, _NONE)

    def took(self, by_class: Mapping[type, Mapping[int, Row]], driver: Driver) -> None:
        """These rows are on disk now, and nothing else was written since `look`."""
        if self._seen is None:
            return
        for row_class, states in _UNFINISHED.items():
            self._wait(row_class, states, by_class.get(row_class, _NONE))
        for row_class, fixed in _FIXED.items():
            for row in by_class.get(row_class, _NONE).values():
                self._take(row_class, fixed, row)
        if self._seen is not None:
            self._seen = self._seen[0], driver.changed()
            self._bound()

    def _wait(self, row_class: type, states: frozenset[str], rows: Mapping[int, Any]) -> None:
        kept = self._rows[row_class]
        for row_id, row in rows.items():
            if row.state in states:
                self._size += row_id not in kept
                kept[row_id] = row
            elif kept.pop(row_id, None) is not None:
                self._size -= 1

    def _take(self, row_class: type, fixed: Callable[[Any], object], row: Row) -> None:
        """A row that is found as before takes its new form; else the look-ups that it may have moved in go."""
        old = self._rows[row_class].get(row.id)
        if old is not None and fixed(old) == fixed(row):
            self._rows[row_class][row.id] = row
            if row_class in _KEY:
                self._by_key[row_class][getattr(row, _KEY[row_class])] = row
        elif row_class is Batch:
            moved = [cast(Batch, row).tid] if old is None else [cast(Batch, row).tid, old.tid]
            for tid in moved:
                self._batches.pop(tid, None)
            if old is not None:
                self._rows[Batch][row.id] = row
        elif old is not None:
            self.forget()


_NONE: Mapping[Any, Any] = {}
