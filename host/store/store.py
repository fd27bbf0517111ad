"""The host's books on disk, behind a handful of methods. One writer; the desk reads beside it.

    load    a working set for a group of events         commit  the group's rows in one durable transaction
    reader  questions of desk and checker               last_ids, meta, clear, checkpoint, close

`commit` returns after the fsync and not before: whoever speaks to a terminal afterwards speaks of what is on disk.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any

from host import chance
from host.engine import ledger
from host.engine.working import Needs, WorkingSet
from host.errors import ConfigError, StoreVersion
from host.rows import (
    TABLES,
    Adjustment,
    Alarm,
    Batch,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    JournalUpload,
    Leg,
    Merchant,
    MessageRow,
    Posting,
    Row,
    StagedItem,
    Terminal,
    Txn,
)
from host.store.checking import findings
from host.store.driver import Driver, transaction
from host.store.kept import Kept
from host.store.loading import Loader, cards_of
from host.store.pruning import PRUNED, Chunk, Pruned, prune_chunk, pruned_in
from host.store.reader import PROFILE, Reader, ReaderPool, profiles_in
from host.store.schema import SCHEMA_VERSION, Codec, codec, ddl, table_name
from host.store.sqlite import SqliteDriver
from host.store.transfer import export_lines, import_lines
from host.store.upgrade import refusal, upgrade, version_of
from host.store.writing import write
from specs.profile import Profile

_FLOOR = "highest id cleared: "
KEPT_BY_CLEAR = frozenset({Merchant, Terminal})
"""interface.md, section 3, `POST /reset`: merchants, terminals and keys stay."""


class Store:
    """One store, held by this process. Safe to use from several threads; a group of events is the writer thread's.

    Raises StoreUnavailable from every method when the database refuses; the store can be used again afterwards.
    """

    def __init__(self, driver: Driver, connect_reader: Callable[[], Driver] | None) -> None:
        self._driver = driver
        self._lock = RLock()
        self._kept = Kept()
        self.codecs: dict[type, Codec[Any]] = {c: codec(c, driver.dialect, driver.mark) for c in TABLES}
        if connect_reader is None:  # in memory: one connection is all there is
            self._reader = Reader(self._lend_writer, self.codecs, lambda: None)
        else:
            pool = ReaderPool(connect_reader)
            self._reader = Reader(pool.lend, self.codecs, pool.close)

    @contextmanager
    def _lend_writer(self) -> Iterator[Driver]:
        with self._lock:
            yield self._driver

    def load(self, needs: Needs) -> WorkingSet:
        """The rows that `needs` names, with what belongs to them; a few queries whatever the size of the group."""
        with self._lock:
            self._kept.look(self._driver)
            return Loader(self._driver, self.codecs, self._kept).run(needs)

    def cards_of(self, txn_ids: Collection[int]) -> dict[int, tuple[str, str]]:
        """Transaction -> (masked card number, organisation), of those that are there: what a message to the issuer says
        of the card, without the rest of the books."""
        with self._lock:
            return cards_of(self._driver, self.codecs[Txn].name, txn_ids)

    def commit(self, puts: Iterable[Row]) -> None:
        """Write all rows in one transaction: new ones, and new forms of old ones; the last form of a row counts.

        Durable when it returns. Raises LedgerBroken when an entry among the postings does not sum to zero,
        StoreUnavailable when the database refuses; in both cases nothing is written (but see StoreUnavailable.unknown).
        """
        by_class: dict[type, dict[int, Any]] = {}
        for row in puts:
            rows = by_class.get(row.__class__)
            if rows is None:
                rows = by_class[row.__class__] = {}
            rows[row.id] = row
        if not by_class:
            return
        with self._lock:
            try:
                with transaction(self._driver, write=True):
                    self._kept.look(self._driver)
                    self._write(by_class)
            except BaseException:
                self._kept.forget()
                raise
            self._kept.took(by_class, self._driver)

    def _write(self, by_class: Mapping[type, Mapping[int, Any]]) -> None:
        for row_class in TABLES:  # a fixed order of tables and ids: two writers could not deadlock
            rows = by_class.get(row_class)
            if rows:
                write(self._driver, self.codecs[row_class], rows, self._kept.forms(row_class))
        # Postings are only ever inserted, and an entry's lines come in one group: what is here is the whole entry.
        if Posting in by_class:
            ledger.check(by_class[Posting].values())

    def last_ids(self) -> dict[str, int]:
        """The highest id of each table ever, by the name of its row class: where host.engine.context.Ids goes on.

        What was cleared counts too, so that an RRN, which is made of an id, never comes twice.
        """
        meta = self.meta()
        floor = {name.removeprefix(_FLOOR): int(value) for name, value in meta.items() if _FLOOR in name}
        pruned = pruned_in(meta)
        if pruned is not None:
            floor[MessageRow.__name__] = max(pruned.through, floor.get(MessageRow.__name__, 0))
        with self._lock:
            return {
                row_class.__name__: max(self._highest(c.name), floor.get(row_class.__name__, 0))
                for row_class, c in self.codecs.items()
            }

    def _highest(self, table: str) -> int:
        return int(self._driver.query(f"SELECT COALESCE(MAX(id), 0) FROM {table}")[0][0])

    def meta(self) -> dict[str, str]:
        """schema_version, pan_hash_key (hex), seed, created_at, holder."""
        with self._lock:
            return {str(name): str(value) for name, value in self._driver.query("SELECT name, value FROM meta")}

    @property
    def pan_hash_key(self) -> bytes:
        """The key of the card hashes in this store (host.pan_hash)."""
        return bytes.fromhex(self.meta()["pan_hash_key"])

    def profiles(self) -> dict[str, Profile]:
        """The switches of every dialect that ever had a listener on this store, by its name, as they last were."""
        return profiles_in(self.meta())

    def keep_profiles(self, profiles: Mapping[str, Profile]) -> None:
        """Remember the dialects of this run: a later run without their listeners can finish what they began."""
        rows = [(PROFILE + name, json.dumps(asdict(profile))) for name, profile in profiles.items()]
        known = self.meta()
        changed = [(name, text) for name, text in rows if known.get(name) != text]
        if changed:
            with self._lock, transaction(self._driver, write=True):
                self._driver.execute_many(_set_meta(self._driver), changed)

    def reader(self) -> Reader:
        """The desk's and the checker's way in: never blocks the writer (in memory: between two groups)."""
        return self._reader

    def clear(self, tids: Collection[str] | None = None) -> None:
        """Empty the books, messages and findings, of all terminals or of some; one transaction.

        Merchants and terminals with their keys stay, and so does the numbering. The issuer's accounts go back to what
        they were without what is cleared.
        """
        ids = self.last_ids()
        with self._lock, transaction(self._driver, write=True):
            keep = [(f"{_FLOOR}{name}", str(value)) for name, value in ids.items()]
            self._driver.execute_many(_set_meta(self._driver), keep)
            if tids is None:
                for row_class, c in self.codecs.items():
                    if row_class not in KEPT_BY_CLEAR:
                        self._driver.execute(f"DELETE FROM {c.name}")
                self._driver.execute(f"UPDATE {self.codecs[Terminal].name} SET last_stan = ''")
                self._driver.execute(f"DELETE FROM meta WHERE name = {self._driver.mark}", (PRUNED,))
                return
            for tid in sorted(tids):
                self._clear_terminal(tid)

    def _clear_terminal(self, tid: str) -> None:
        mark = self._driver.mark
        name = {row_class: c.name for row_class, c in self.codecs.items()}
        txns = f"SELECT id FROM {name[Txn]} WHERE tid = {mark}"
        batches = f"SELECT id FROM {name[Batch]} WHERE tid = {mark}"
        account, posting = name[IssuerAccount], name[Posting]
        # Whole entries go, so what is left still sums to zero; an account gives back what these entries moved on it.
        moved = (
            f"SELECT SUM(p.amount) FROM {posting} p"
            f" WHERE p.txn_id IN ({txns}) AND p.account = 'cardholder:' || {account}.pan_hash"
        )
        self._driver.execute(f"UPDATE {account} SET debited = debited - COALESCE(({moved}), 0)", (tid,))
        leg = name[IssuerLeg]
        # As host.issuer.decide moves it: holds and releases by what was approved, and every leg by what it let go.
        held = (
            f"SELECT SUM(CASE WHEN g.purpose IN ('hold', 'hold-again') THEN g.approved_amount"
            f" WHEN g.purpose = 'release' THEN -g.approved_amount ELSE 0 END - g.released) FROM {leg} g"
            f" WHERE g.txn_id IN ({txns}) AND g.pan_hash = {account}.pan_hash AND NOT g.undone"
        )
        self._driver.execute(f"UPDATE {account} SET held = held - COALESCE(({held}), 0)", (tid,))
        of_txns: tuple[type, ...] = (Posting, Adjustment, Leg, IssuerLeg)
        of_batches: tuple[type, ...] = (StagedItem, ExceptionItem)
        of_tid: tuple[type, ...] = (MessageRow, Alarm, JournalUpload, Txn, Batch)
        owned = ((of_txns, f"txn_id IN ({txns})"), (of_batches, f"batch_id IN ({batches})"), (of_tid, f"tid = {mark}"))
        for row_classes, condition in owned:
            for row_class in row_classes:
                self._driver.execute(f"DELETE FROM {name[row_class]} WHERE {condition}", (tid,))
        self._driver.execute(f"UPDATE {name[Terminal]} SET last_stan = '' WHERE tid = {mark}", (tid,))

    def newest(self, row_class: type) -> int:
        """The highest id that a table has now, 0 when it is empty."""
        with self._lock:
            return self._highest(self.codecs[row_class].name)

    def prune(self, after: int, through: int, before: datetime | None) -> Chunk:
        """One step of pruning the message log, in a transaction of its own. See host.store.pruning."""
        with self._lock:
            return prune_chunk(self._driver, _set_meta(self._driver), after, through, before)

    def pruned(self) -> Pruned | None:
        """Up to where messages are gone; None = none is."""
        return pruned_in(self.meta())

    def checkpoint(self) -> None:
        """Housekeeping for an idle moment."""
        with self._lock:
            self._driver.checkpoint()

    def close(self) -> None:
        """Give the store back; the next host may hold it."""
        self._reader.close()
        with self._lock:
            self._driver.close()


def open_store(url: str, *, seed: int, created_at: str = "") -> Store:
    """Hold a store, and make it if it is new.

    url: sqlite:///PATH (three slashes and a relative path, four and an absolute one), sqlite:// in memory,
    postgresql://USER@HOST/DATABASE. seed: of a new store's secrets. created_at: ISO time for the record.
    An older SQLite store is copied and upgraded; PostgreSQL only by `upgrade_store`.
    Raises: ConfigError for a bad URL, StoreHeld, StoreVersion, StoreUnavailable.
    """
    driver, connect_reader = _drivers(url)
    try:
        if isinstance(driver, SqliteDriver) and _has_table(driver, "meta"):
            upgrade(driver, url)
        _prepare(driver, seed, created_at)
        return Store(driver, connect_reader)
    except BaseException:
        driver.close()
        raise


def open_reader(url: str) -> Reader:
    """Read a store without holding it, beside a running host or alone; never makes one.

    Raises: ConfigError for a bad URL or where no store is, StoreVersion, StoreUnavailable.
    """
    driver = _read_only(url)
    try:
        _check_version(driver)
    except BaseException:
        driver.close()
        raise
    lock = RLock()

    @contextmanager
    def lend() -> Iterator[Driver]:
        with lock:
            yield driver

    return Reader(lend, _codecs(driver), driver.close)


def check_store(url: str) -> list[str]:
    """What is wrong with a store itself, a line each; see host.store.checking. Raises as `open_reader`."""
    with closing(_read_only(url)) as driver:
        return list(findings(driver))


def export_store(url: str) -> Iterator[str]:
    """A store as JSON lines; see host.store.transfer. Raises as `open_reader`, at once."""
    driver = _read_only(url)
    try:
        _check_version(driver)
    except BaseException:
        driver.close()
        raise

    def lines() -> Iterator[str]:
        with closing(driver):
            yield from export_lines(driver, _codecs(driver))

    return lines()


def import_store(url: str, lines: Iterable[str]) -> dict[str, int]:
    """Make a new store of an export, whole or not at all; rows by table. Raises: ConfigError for a line that is none of
    an export or where a store is already, StoreHeld, StoreUnavailable."""
    path = sqlite_path(url)
    if path is None and _is_sqlite(url):
        raise ConfigError(f"{url}: a store in memory ends with its host")
    fresh = path is not None and not path.exists()
    driver, _ = _drivers(url)
    try:
        with transaction(driver, write=True):
            if _has_table(driver, "meta"):
                raise ConfigError(f"{url} is a store already: an import makes a new one")
            _make_tables(driver)
            counts = import_lines(driver, _codecs(driver), _set_meta(driver), lines)
            driver.execute(_set_meta(driver), ("schema_version", str(SCHEMA_VERSION)))
        return counts
    except BaseException:
        driver.close()
        if fresh and path is not None:
            for end in ("", "-wal", "-shm", ".lock"):
                path.with_name(path.name + end).unlink(missing_ok=True)
        raise
    finally:
        driver.close()


def _read_only(url: str) -> Driver:
    """A store of whatever version. Raises: ConfigError for a bad URL or where no store is, StoreUnavailable."""
    path = sqlite_path(url)
    if path is None and _is_sqlite(url):
        raise ConfigError(f"{url}: a store in memory ends with its host, there is nothing to read")
    driver: Driver = _postgres(url, read_only=True) if path is None else SqliteDriver(path, read_only=True)
    try:
        if not _has_table(driver, "meta"):
            raise ConfigError(f"{url} holds no Closeout store")
    except BaseException:
        driver.close()
        raise
    return driver


def _codecs(driver: Driver) -> dict[type, Codec[Any]]:
    return {c: codec(c, driver.dialect, driver.mark) for c in TABLES}


def sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None in memory and for PostgreSQL. Raises: ConfigError for any other URL."""
    if url.startswith(("postgresql://", "postgres://")) or url in ("sqlite://", "sqlite:///:memory:"):
        return None
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    raise ConfigError(f"not a store URL: {url} (sqlite:///PATH, sqlite:// or postgresql://USER@HOST/DATABASE)")


def _postgres(url: str, *, read_only: bool = False) -> Driver:
    """Loaded only where it is used: its SQL dialect is a tenth of what a start loads."""
    from host.store.postgres import PostgresDriver

    return PostgresDriver(url, read_only=read_only)


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:")


def _drivers(url: str) -> tuple[Driver, Callable[[], Driver] | None]:
    """The writer's connection, and how to make one for reading (None: the writer's own serves)."""
    path = sqlite_path(url)
    if path is not None:
        return SqliteDriver(path), lambda: SqliteDriver(path, read_only=True)
    if _is_sqlite(url):
        return SqliteDriver(None), None
    return _postgres(url), lambda: _postgres(url, read_only=True)


def _has_table(driver: Driver, name: str) -> bool:
    catalogue = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = "
    if driver.dialect.name == "postgresql":
        catalogue = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = "
    return bool(driver.query(catalogue + driver.mark, (name,)))


def _check_version(driver: Driver) -> None:
    version = version_of(driver)
    if version != SCHEMA_VERSION:
        raise StoreVersion(refusal(version))


def upgrade_store(url: str) -> str:
    """Bring an older store to this version; what was done, one line. See host.store.upgrade for what it raises."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise ConfigError(f"no store at {path}")
    if path is None and _is_sqlite(url):
        raise ConfigError(f"{url}: a store in memory ends with its host, there is nothing to upgrade")
    driver, _ = _drivers(url)
    try:
        if not _has_table(driver, "meta"):
            raise ConfigError(f"{url} holds no Closeout store")
        return upgrade(driver, url)
    finally:
        driver.close()


def _prepare(driver: Driver, seed: int, created_at: str) -> None:
    """Make the tables of a new store, all or none; note who holds it now."""
    set_meta = _set_meta(driver)
    with transaction(driver, write=True):
        if _has_table(driver, "meta"):
            _check_version(driver)
        else:
            _make_tables(driver)
            first = {
                "schema_version": str(SCHEMA_VERSION),
                "pan_hash_key": chance.secret(seed, "pan-hash").hex(),
                "seed": str(seed),
                "created_at": created_at,
            }
            driver.execute_many(set_meta, list(first.items()))
        driver.execute(set_meta, ("holder", f"process {os.getpid()} on {socket.gethostname()}"))


def _make_tables(driver: Driver) -> None:
    for row_class in TABLES:
        if _has_table(driver, table_name(row_class)):
            raise ConfigError(f"the database has a table {table_name(row_class)} that is not Closeout's")
    for statement in ddl(driver.dialect):
        driver.execute(statement)


def _set_meta(driver: Driver) -> str:
    return (
        f"INSERT INTO meta (name, value) VALUES ({driver.mark}, {driver.mark})"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    )
