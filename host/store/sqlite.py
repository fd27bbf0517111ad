"""SQLite: the embedded default. One read-write connection in WAL with synchronous=FULL; all others are read-only.

The SQLite that Python links here may be one of 3.7.0 to 3.51.2, in which two writing connections in WAL can corrupt the
file («WAL-reset», sqlite.org/wal.html): hence exactly one, which also does the checkpoints.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy.dialects import sqlite as sqlalchemy_sqlite
from sqlalchemy.engine import Dialect

from host.errors import ConfigError, StoreUnavailable
from host.store.hold import FileHold

log = structlog.get_logger("host.store")

BUSY_TIMEOUT_MS = 2_000
"""Only a reader's checkpoint lock or a foreign tool can make us wait; a terminal waits 30 s in all."""
CHECKPOINT_PAGES = 4_000
"""16 MB of WAL: past it a commit checkpoints; before it the writer does so while it is idle (`checkpoint`)."""
CACHE_KIB = 64 * 1024
"""Pages kept in memory: the indexes of some hundred thousand transactions; of SQLite's own 2 MB many are read anew."""
_MAGIC = b"SQLite format 3\x00"
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))

_FULL = 2
_IO_ERRORS = 10  # SQLITE_IOERR, low byte of the extended codes


class SqliteDriver:
    """See host.store.driver.Driver. path None = in memory."""

    mark = "?"

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.dialect: Dialect = sqlalchemy_sqlite.dialect()
        self.path = path
        if path is not None and not read_only:
            _refuse_strangers(path)
        self._hold = FileHold(path) if path is not None and not read_only else None
        self._connection: sqlite3.Connection | None = None
        try:
            self._connection = _connect(path, read_only=read_only)
            if not read_only:
                self._make_durable()
        except sqlite3.Error as error:
            self.close()
            raise StoreUnavailable(f"{path or 'memory'}: {error}") from None
        except BaseException:
            self.close()
            raise

    def _make_durable(self) -> None:
        """WAL and FULL, read back: with NORMAL a commit would return before its fsync."""
        self.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self.execute("PRAGMA synchronous = FULL")
        self.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
        mode = self.query("PRAGMA journal_mode = WAL")[0][0]
        synchronous = self.query("PRAGMA synchronous")[0][0]
        assert synchronous == _FULL, f"synchronous is {synchronous}, not FULL: a commit would not be durable"
        if self.path is None:
            return
        if mode != "wal":
            raise StoreUnavailable(f"{self.path}: SQLite gives journal mode {mode}, not wal (a network file system?)")
        low, high = WAL_RESET_BUG
        exposed = low <= sqlite3.sqlite_version_info <= high
        log.info("store opened", sqlite=sqlite3.sqlite_version, one_writer_needed=exposed)

    @property
    def _c(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreUnavailable("the store is closed")
        return self._connection

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Driver."""
        try:
            return self._c.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """See Driver."""
        try:
            self._c.execute(sql, parameters)
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See Driver. An integer beyond 64 bits is StoreUnavailable too."""
        try:
            self._c.executemany(sql, rows)
        except (sqlite3.Error, OverflowError) as error:
            raise _unavailable(error) from None

    def changed(self) -> int:
        """See Driver."""
        return self._c.total_changes

    def writes(self) -> tuple[int, int] | None:
        """See Driver."""
        return self.query("PRAGMA data_version")[0][0], self._c.total_changes

    def begin(self, *, write: bool) -> None:
        """See Driver. IMMEDIATE: a writer meets its rival here and not at the commit."""
        self.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def commit(self) -> None:
        """See Driver. With synchronous=FULL the WAL is on disk when it returns."""
        try:
            self._c.execute("COMMIT")
        except sqlite3.Error as error:
            # After a failed write of the WAL the commit frame cannot be there; after a failed fsync it may be.
            code = getattr(error, "sqlite_errorcode", 0)
            raise _unavailable(error, unknown=code & 0xFF == _IO_ERRORS) from None

    def rollback(self) -> None:
        """See Driver."""
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:  # SQLite has rolled back by itself
                log.warning("rollback refused", error=str(error))

    def checkpoint(self) -> None:
        """Move the WAL into the file as far as no reader is in the way; never waits for one."""
        if self.path is not None:
            self.query("PRAGMA wal_checkpoint(PASSIVE)")

    def rows_of(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Rows one after the other, for what does not fit into memory at once. Raises StoreUnavailable."""
        try:
            yield from self._c.execute(sql)
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def copy_to(self, target: Path) -> None:
        """The whole store as of now into a file, which is a database of its own then. Raises StoreUnavailable."""
        try:
            with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
                self._c.backup(copy)
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        """See Driver."""
        if self._connection is not None:
            try:
                self._connection.close()
            except sqlite3.Error as error:
                log.warning("store not closed cleanly", error=str(error))
            self._connection = None
        if self._hold is not None:
            self._hold.release()


def _refuse_strangers(path: Path) -> None:
    """A file that is no database is told before a lock is made beside it. Raises: ConfigError."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError:
        return  # not there yet, or not readable: the connection says what is wrong
    if start not in (b"", _MAGIC):
        raise ConfigError(f"{path} is no SQLite database")


def _connect(path: Path | None, *, read_only: bool) -> sqlite3.Connection:
    """isolation_level None: the driver starts no transaction of its own. Threads are kept apart by the owner's lock."""
    if path is None:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=256)
    if read_only and not path.exists():
        raise ConfigError(f"no store at {path}")
    if not path.parent.is_dir():
        raise ConfigError(f"no folder for the store: {path.parent}")
    if not read_only:
        # The key of the card hashes is in it: nobody but its owner reads a store. SQLite gives its log the same mode.
        with contextlib.suppress(OSError):  # what is wrong with the place, the connection says
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    mode = "ro" if read_only else "rwc"
    return sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )


def _unavailable(error: Exception, *, unknown: bool = False) -> StoreUnavailable:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreUnavailable(f"SQLite: {error} ({name})", unknown=unknown)
