"""From Needs to a WorkingSet in a few set-based queries, however many events a group has.

Keys go in chunks padded to powers of two, so that the texts of the statements are few and stay prepared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from host.engine.working import MERCHANT_ROWS_MAX, Needs, WorkingSet
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
from host.store.kept import NO_NUMBER, Kept, Pair
from host.store.schema import NAMED_BY_CARD, Codec
from specs.operation import Kind

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
UNFINISHED = "'asking', 'undoing', 'owing'"
ACTING = "t.original_id <> 0 AND t.state <> 'declined'"
MERCHANT_CARD = f"t.mid = ? AND t.pan_hash = ? AND {NAMED_BY_CARD}"
MERCHANT_STAN = "t.tid IN (SELECT m.tid FROM terminal m WHERE m.mid = ?) AND t.stan = ?"
KEYS_OF_UNION = 32
"""Look-ups of one statement whose keys have a query each."""
LINKS_MAX = 4
"""How far back a chain of originals goes: void, completion, increment, pre-authorisation."""
DAYS_MAX = 8
"""Batches of one terminal and one day: a close by hand or two beside the daily one."""


class Loader:
    """One load. Shape: `run` fills a WorkingSet; each row is fetched at most a few times and kept once."""

    def __init__(self, driver: Driver, codecs: Mapping[type, Codec[Any]], kept: Kept) -> None:
        self._driver = driver
        self._codecs = codecs
        self._kept = kept
        self._ws = WorkingSet()

    def run(self, needs: Needs) -> WorkingSet:
        """Phase 1: what the keys name. Phase 2: what those rows belong to. Phase 3: whole batches, where asked."""
        self._by_key(Terminal, "tid", needs.tids)
        self._by_key(Merchant, "mid", needs.mids)
        batches = [
            *self._of_tids(needs.tids),
            *self._numbered(needs.numbers),
            *self._load(Batch, "id", needs.batch_ids),
        ]
        batches += self._of_days(needs.days)
        named = [
            *self._pairs(Txn, "stan", needs.stans, NEWEST_EPOCHS),
            *self._pairs(Txn, "rrn", needs.rrns),
            *self._pairs(Txn, "invoice", needs.invoices, "t.invoice <> ''"),
            *self._load(Txn, "id", needs.txn_ids),
        ]
        wide = [
            *self._load(Txn, "rrn", {rrn for _, rrn in needs.merchant_rrns}),
            *self._newest_of(needs.merchant_cards, MERCHANT_CARD),
            *self._newest_of(needs.merchant_stans, MERCHANT_STAN),
        ]
        legs = self._load(Leg, "id", needs.leg_ids)
        legs += self._unfinished_legs(needs.tids)
        named += self._load(Txn, "id", {g.txn_id for g in legs} - {t.id for t in named})
        whole = [b.id for b in batches if b.tid in needs.items_of_tids]
        of_items = self._items(whole)
        close = {t.id for t in wide} | {t.id for t in named if t.tid in needs.kin_of_tids}
        self._surroundings([*named, *wide, *of_items], batches, needs.tids, close)
        self._issuer(needs)
        return self._ws

    def _surroundings(self, txns: list[Txn], batches: list[Batch], known_tids: set[str], close: set[int]) -> None:
        """A txn comes with its chain of originals and with what stands in its place, a pre-authorisation, an original
        and what is in `close` with all that acts on it; each with its terminal, batch, legs and adjustments."""
        every = self._linked({t.id: t for t in txns})
        close = close | {t.original_id for t in every.values() if t.original_id}
        close |= {t.id for t in every.values() if t.kind == Kind.PRE_AUTH}
        every |= {t.id: t for t in self._load(Txn, "original_id", close & every.keys(), ACTING)}
        self._load(Batch, "id", {t.batch_id for t in every.values() if t.batch_id} - {b.id for b in batches})
        self._load(Leg, "txn_id", every)
        self._load(Adjustment, "txn_id", every)
        # An issuer's answer names a transaction only, and what it leads to is signed with its terminal's key.
        self._by_key(Terminal, "tid", {t.tid for t in every.values()} - known_tids)

    def _linked(self, txns: dict[int, Txn]) -> dict[int, Txn]:
        """With the originals that they name, those that these name, and what replaced any of them."""
        fresh = list(txns.values())
        for _ in range(LINKS_MAX):
            wanted = {i for t in fresh for i in (t.original_id, t.replaced_by) if i} - txns.keys()
            fresh = self._load(Txn, "id", wanted)
            txns |= {t.id: t for t in fresh}
        return txns

    def _by_key(self, row_class: type[R], column: str, keys: Collection[str]) -> None:
        """Rows by a unique column, those at hand without a question."""
        known, asked = self._kept.known(row_class, keys)
        self._ws.apply(known)
        self._kept.keep(row_class, self._load(row_class, column, asked))

    def _of_tids(self, tids: Collection[str]) -> list[Batch]:
        """The live batch of each terminal, and the one closed last."""
        known, asked = self._kept.batches([(tid, NO_NUMBER) for tid in tids])
        self._ws.apply(known)
        found = self._load(Batch, "tid", [tid for tid, _ in asked], f"({LIVE} OR {LATEST_CLOSED})")
        self._kept.keep_batches(asked, found, numbered=False)
        return known + found

    def _numbered(self, pairs: Collection[tuple[str, str]]) -> list[Batch]:
        """The latest generation of each number of a terminal."""
        known, asked = self._kept.batches(pairs)
        self._ws.apply(known)
        found = self._pairs(Batch, "number", asked, LATEST_GENERATION)
        self._kept.keep_batches(asked, found, numbered=True)
        return known + found

    def _issuer(self, needs: Needs) -> None:
        self._by_key(IssuerAccount, "pan_hash", needs.pan_hashes)
        self._load(IssuerLeg, "txn_id", needs.issuer_txn_ids)

    def _items(self, batch_ids: list[int]) -> list[Txn]:
        """Whole batches. Gives back what comes with legs and relatives: what a close has to wait for or to capture,
        and what an upload named of another batch."""
        txns = self._load(Txn, "batch_id", batch_ids)
        self._load(Adjustment, "batch_id", batch_ids)
        staged = self._load(StagedItem, "batch_id", batch_ids)
        self._load(ExceptionItem, "batch_id", batch_ids)
        elsewhere = self._load(Txn, "id", {s.txn_id for s in staged if s.txn_id} - {t.id for t in txns})
        return [*(t for t in txns if t.state in ("pending", "authorised")), *elsewhere]

    def _unfinished_legs(self, tids: set[str]) -> list[Leg]:
        """Few in all (a leg lives for the length of one issuer's answer): by their own index, then by terminal. CROSS
        JOIN: of a single terminal SQLite would look at all that it ever did."""
        codec = self._codecs[Leg]
        found: list[Leg] = []
        for chunk in _chunks(tids):
            marks = ", ".join([self._driver.mark] * len(chunk))
            sql = (
                f"SELECT {codec.columns} FROM leg t CROSS JOIN txn x"
                f" WHERE t.state IN ({UNFINISHED}) AND x.id = t.txn_id AND x.tid IN ({marks})"
            )
            found += [codec.decode(values) for values in self._driver.query(sql, chunk)]
        self._ws.apply(found)
        return found

    def _newest_of(self, keys: Collection[tuple[str, str]], condition: str) -> list[Txn]:
        """The newest MERCHANT_ROWS_MAX rows of each (mid, value): a query a key, so that its index is read no further
        than that, many queries a statement. condition: has two marks."""
        codec: Codec[Txn] = self._codecs[Txn]
        one = (
            f"SELECT * FROM (SELECT {codec.columns} FROM {codec.name} t WHERE {condition}"
            f" ORDER BY t.id DESC LIMIT {MERCHANT_ROWS_MAX}) AS found"
        ).replace("?", self._driver.mark)
        found: dict[int, Txn] = {}
        for chunk in _chunks(keys, KEYS_OF_UNION):
            sql = " UNION ALL ".join([one] * len(chunk))
            rows = (codec.decode(v) for v in self._driver.query(sql, [part for pair in chunk for part in pair]))
            found |= {row.id: row for row in rows}
        self._ws.apply(found.values())
        return list(found.values())

    def _of_days(self, keys: Collection[tuple[str, str]]) -> list[Batch]:
        """Batches that were opened or closed on a day, by (tid, MMDD): the newest of them. Asked for by one message of
        a day and terminal, so a query each."""
        codec: Codec[Batch] = self._codecs[Batch]
        mark = self._driver.mark
        sql = (
            f"SELECT {codec.columns} FROM {codec.name} t WHERE t.tid = {mark}"
            f" AND {mark} IN (substr(t.day, 6), substr(t.business_date, 6)) ORDER BY t.id DESC LIMIT {DAYS_MAX}"
        )
        found = [
            codec.decode(values)
            for tid, day in sorted(keys)
            for values in self._driver.query(sql, (tid, f"{day[:2]}-{day[2:]}"))
        ]
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

    def _pairs(self, row_class: type[R], column: str, keys: Collection[Pair], extra: str = "") -> list[R]:
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


def cards_of(driver: Driver, txn: str, txn_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Transaction -> (masked card number, organisation). txn: the table's name."""
    found: dict[int, tuple[str, str]] = {}
    for chunk in _chunks(txn_ids):
        marks = ", ".join([driver.mark] * len(chunk))
        rows = driver.query(f"SELECT id, pan, organisation FROM {txn} WHERE id IN ({marks})", chunk)
        found |= {row_id: (pan, organisation) for row_id, pan, organisation in rows}
    return found


def _chunks(keys: Iterable[Any], most: int = CHUNK) -> Iterator[Sequence[Any]]:
    """Sorted chunks of at most `most` keys, each padded with its last key to a power of two."""
    ordered = sorted(keys)
    for start in range(0, len(ordered), most):
        chunk = ordered[start : start + most]
        size = 1 << (len(chunk) - 1).bit_length()
        yield chunk + [chunk[-1]] * (size - len(chunk))
