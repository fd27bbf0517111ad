"""From Needs to a WorkingSet in a few set-based queries, however many events a group has.

Keys go in chunks padded to powers of two, so that the texts of the statements are few and stay prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from host.engine.working import Needs, WorkingSet
from host.rows import (
    Adjustment,
    Batch,
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
from host.store.driver import Driver
from host.store.schema import Codec

R = TypeVar("R", bound=Row)

CHUNK = 256
"""Keys in one statement: well below SQLite's 32,766 and PostgreSQL's 65,535 parameters, also for pairs."""

LIVE = "t.state IN ('open', 'disputed')"
LATEST_CLOSED = (
    "t.id = (SELECT b.id FROM batch b WHERE b.tid = t.tid AND b.state NOT IN ('open', 'disputed')"
    " ORDER BY b.id DESC LIMIT 1)"
)
LATEST_GENERATION = (
    "t.id = (SELECT b.id FROM batch b WHERE b.tid = t.tid AND b.number = t.number"
    " ORDER BY b.epoch DESC, b.generation DESC, b.id DESC LIMIT 1)"
)
NEWEST_EPOCHS = "t.epoch >= COALESCE((SELECT m.epoch - 1 FROM terminal m WHERE m.tid = t.tid), 0)"
UNFINISHED = "t.state <> 'done'"


class Loader:
    """One load. Shape: `run` fills a WorkingSet; each row is fetched at most a few times and kept once."""

    def __init__(self, driver: Driver, codecs: Mapping[type, Codec[Any]]) -> None:
        self._driver = driver
        self._codecs = codecs
        self._ws = WorkingSet()

    def run(self, needs: Needs) -> WorkingSet:
        """Phase 1: what the keys name. Phase 2: what those rows belong to. Phase 3: whole batches, where asked."""
        self._load(Terminal, "tid", needs.tids)
        self._load(Merchant, "mid", needs.mids)
        batches = [
            *self._load(Batch, "tid", needs.tids, f"({LIVE} OR {LATEST_CLOSED})"),
            *self._pairs(Batch, "number", needs.numbers, LATEST_GENERATION),
            *self._load(Batch, "id", needs.batch_ids),
        ]
        txns = [
            *self._pairs(Txn, "stan", needs.stans, NEWEST_EPOCHS),
            *self._pairs(Txn, "rrn", needs.rrns),
            *self._pairs(Txn, "invoice", needs.invoices, "t.invoice <> ''"),
            *self._load(Txn, "id", needs.txn_ids),
        ]
        legs = self._load(Leg, "id", needs.leg_ids)
        legs += self._unfinished_legs(needs.tids)
        txns += self._load(Txn, "id", {g.txn_id for g in legs} - {t.id for t in txns})
        self._surroundings(txns, batches, needs.tids)
        self._issuer(needs)
        whole = [b.id for b in batches if b.tid in needs.items_of_tids]
        self._items(whole)
        return self._ws

    def _surroundings(self, txns: list[Txn], batches: list[Batch], known_tids: set[str]) -> None:
        """A txn comes with the original it names; each with its terminal, batch, legs and adjustments."""
        known = {t.id for t in txns}
        txns = txns + self._load(Txn, "id", {t.original_id for t in txns if t.original_id} - known)
        ids = {t.id for t in txns}
        self._load(Batch, "id", {t.batch_id for t in txns if t.batch_id} - {b.id for b in batches})
        self._load(Terminal, "tid", {t.tid for t in txns} - known_tids)
        self._load(Leg, "txn_id", ids)
        self._load(Adjustment, "txn_id", ids)
        # An issuer's answer names a transaction only, and what it leads to is signed with its terminal's key.
        self._load(Terminal, "tid", {t.tid for t in txns if self._ws.terminal(t.tid) is None})

    def _issuer(self, needs: Needs) -> None:
        self._load(IssuerAccount, "pan_hash", needs.pan_hashes)
        self._load(IssuerLeg, "txn_id", needs.issuer_txn_ids)

    def _items(self, batch_ids: list[int]) -> None:
        """Whole batches: with the legs of what is still in flight, which a close has to wait for."""
        txns = self._load(Txn, "batch_id", batch_ids)
        self._load(Leg, "txn_id", {t.id for t in txns if t.state == "pending"})
        self._load(StagedItem, "batch_id", batch_ids)
        self._load(ExceptionItem, "batch_id", batch_ids)

    def _unfinished_legs(self, tids: set[str]) -> list[Leg]:
        """Few in all (a leg lives for the length of one issuer's answer): by their own index, then by terminal."""
        if not tids:
            return []
        codec = self._codecs[Leg]
        sql = f"SELECT {codec.columns}, x.tid FROM leg t JOIN txn x ON x.id = t.txn_id WHERE t.state = "
        found: list[Leg] = []
        for state in ("asking", "undoing"):
            for values in self._driver.query(f"{sql}'{state}'"):
                if values[-1] in tids:
                    found.append(codec.decode(values[:-1]))
        self._ws.apply(found)
        return found

    def _load(self, row_class: type[R], column: str, keys: Collection[Any], extra: str = "") -> list[R]:
        """Rows whose column is one of the keys."""
        codec: Codec[R] = self._codecs[row_class]
        condition = f" AND {extra}" if extra else ""
        found: list[R] = []
        for chunk in _chunks(keys):
            marks = ", ".join([self._driver.mark] * len(chunk))
            sql = f"SELECT {codec.columns} FROM {codec.name} t WHERE t.{column} IN ({marks}){condition}"
            found += [codec.decode(values) for values in self._driver.query(sql, chunk)]
        self._ws.apply(found)
        return found

    def _pairs(self, row_class: type[R], column: str, keys: Collection[tuple[str, str]], extra: str = "") -> list[R]:
        """Rows whose (tid, column) is one of the pairs. CROSS JOIN: SQLite then searches the index once a pair."""
        codec: Codec[R] = self._codecs[row_class]
        condition = f" AND {extra}" if extra else ""
        found: dict[int, R] = {}
        for chunk in _chunks(keys):
            marks = ", ".join([f"({self._driver.mark}, {self._driver.mark})"] * len(chunk))
            sql = (
                f"WITH k (tid, value) AS (VALUES {marks}) SELECT {codec.columns} FROM k CROSS JOIN {codec.name} t"
                f" WHERE t.tid = k.tid AND t.{column} = k.value{condition}"
            )
            rows = (codec.decode(v) for v in self._driver.query(sql, [part for pair in chunk for part in pair]))
            found |= {row.id: row for row in rows}
        self._ws.apply(found.values())
        return list(found.values())


def _chunks(keys: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """Sorted chunks of at most CHUNK keys, each padded with its last key to a power of two."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        chunk = ordered[start : start + CHUNK]
        size = 1 << (len(chunk) - 1).bit_length()
        yield chunk + [chunk[-1]] * (size - len(chunk))
