"""PostgreSQL through psycopg: the same statements, the same core tests. An extra: psycopg is imported here only.

One host at a time holds the store by a session's advisory lock, given back by the server when the session ends. A lost
connection is made anew at the next use, and must get the hold again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import weakref
from collections.abc import Callable, Iterable, Sequence
from threading import Lock, Thread
from time import sleep
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy.dialects.postgresql import psycopg as sqlalchemy_psycopg
from sqlalchemy.engine import Dialect

from host.clock import monotonic
from host.errors import ConfigError, StoreHeld, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger("host.store")
T = TypeVar("T")

HOLD_KEY = 0x436C6F73656F7574  # "Closeout"; advisory locks are per database
CONNECT_TIMEOUT_S = 5
ANSWER_S = 10.0
"""How long the writer waits for an answer: a terminal waits 30 s in all."""
SNAPSHOT_ANSWER_S = 120.0
"""In a snapshot whole tables are read."""
LOOK_S = 0.5
NUL = "\u2400"
"""The picture of a zero character."""
DURABLE = ("on", "local", "remote_write", "remote_apply")


class PostgresDriver:
    """See host.store.driver.Driver. url: postgresql://user@host/database."""

    mark = "%s"

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        try:
            import psycopg
        except ImportError:
            raise ConfigError("a postgresql:// store needs the extra `pg`: pip install -e '.[pg]'") from None
        self._errors: type[Exception] = psycopg.Error
        self._connect_to: Callable[..., psycopg.Connection[tuple[Any, ...]]] = psycopg.connect
        self._url = url
        self._read_only = read_only
        self._snapshot = False
        self.asked_at = 0.0
        """Since when a question waits for its answer, by the machine's own clock; 0 = none does."""
        self.dialect: Dialect = sqlalchemy_psycopg.dialect()  # type: ignore[no-untyped-call]
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = self._open()
        _watch(self)

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            name = f"closeout {os.getpid()} on {socket.gethostname()}"[:63]
            connection = self._connect_to(
                self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name=name
            )
        except self._errors as error:
            raise StoreUnavailable(f"PostgreSQL: {_first_line(error)}") from None
        try:
            if self._read_only:
                connection.execute("SET default_transaction_read_only = on")
            else:
                self._take_hold(connection)
                self._make_durable(connection)
        except self._errors as error:
            connection.close()
            raise StoreUnavailable(f"PostgreSQL: {_first_line(error)}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_hold(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (HOLD_KEY,)).fetchone()
        if row is not None and row[0]:
            return
        holder = connection.execute(
            "SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
            " WHERE l.locktype = 'advisory' AND l.granted"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND l.classid::bigint << 32 | l.objid::bigint = %s",
            (HOLD_KEY,),
        ).fetchone()
        raise StoreHeld(f"the store is held by another host: {holder[0] if holder else 'unknown'}")

    def _make_durable(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        connection.execute("SET synchronous_commit = on")
        settings = {
            name: (connection.execute(f"SHOW {name}").fetchone() or ("",))[0]
            for name in ("synchronous_commit", "fsync", "server_version")
        }
        assert settings["synchronous_commit"] in DURABLE, settings
        if settings["fsync"] != "on":
            log.warning("this PostgreSQL runs with fsync off: a power cut there can lose approvals")
        log.info("store opened", postgresql=settings["server_version"])

    def _run(self, act: Callable[[psycopg.Connection[tuple[Any, ...]]], T], *, committing: bool = False) -> T:
        if self._connection is None:
            raise StoreUnavailable("the store is closed")
        if self._connection.closed and not committing:
            self._connection = self._open_again()
        self.asked_at = monotonic()
        try:
            return act(self._connection)
        except self._errors as error:
            lost = self._connection.closed or self._connection.broken
            raise StoreUnavailable(f"PostgreSQL: {_first_line(error)}", unknown=committing and lost) from None
        finally:
            self.asked_at = 0.0

    def _open_again(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The session that was lost may hold the store until the server notices; so may another host by now. Nothing is
        written without the hold, and it is asked for again at the next use."""
        try:
            return self._open()
        except StoreHeld as error:
            raise StoreUnavailable(str(error)) from None

    def cut_if_silent(self, now: float) -> None:
        """From the watch's thread: end a connection whose server has not answered in time (stopped, or its machine is
        gone). Whoever waits on it then hears of an error and can say so; libpq alone would wait for ever."""
        patience = SNAPSHOT_ANSWER_S if self._snapshot else ANSWER_S
        if not self.asked_at or now - self.asked_at < patience or self._connection is None:
            return
        log.error("PostgreSQL does not answer: the connection is cut", seconds=patience)
        with (
            contextlib.suppress(OSError, self._errors),
            socket.socket(fileno=os.dup(self._connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Driver."""
        return [_read(row) for row in self._run(lambda c: c.execute(sql, _storable(parameters) or None).fetchall())]

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """See Driver."""
        self._run(lambda c: c.execute(sql, _storable(parameters) or None))

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See Driver."""
        self._run(lambda c: c.cursor().executemany(sql, [_storable(row) for row in rows]))

    def changed(self) -> int:
        """See Driver. Nobody counts."""
        return 0

    def writes(self) -> tuple[int, int] | None:
        """See Driver. Not without asking the server for more than a load does."""
        return None

    def begin(self, *, write: bool) -> None:
        """See Driver. Reads see one snapshot, as SQLite's do."""
        self._snapshot = not write
        self.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        """See Driver. A line that breaks during COMMIT leaves it unknown."""
        self._run(lambda c: c.execute("COMMIT"), committing=True)
        self._snapshot = False

    def rollback(self) -> None:
        """See Driver. A connection that cannot roll back is closed, and made anew at the next use."""
        self._snapshot = False
        if self._connection is None or self._connection.closed:
            return
        self.asked_at = monotonic()
        try:
            self._connection.execute("ROLLBACK")
        except self._errors as error:
            log.warning("rollback refused", error=_first_line(error))
            self._connection.close()
        finally:
            self.asked_at = 0.0

    def checkpoint(self) -> None:
        """The server's own business."""

    def close(self) -> None:
        """See Driver. The advisory lock goes with the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_drivers: weakref.WeakSet[PostgresDriver] = weakref.WeakSet()
_watching = Lock()
_watcher: list[Thread] = []


def _watch(driver: PostgresDriver) -> None:
    """Look after this connection too; one thread for all of a process."""
    with _watching:
        _drivers.add(driver)
        if not _watcher:
            _watcher.append(Thread(target=_look, name="postgres-watch", daemon=True))
            _watcher[0].start()


def _look() -> None:
    while True:
        sleep(LOOK_S)
        _look_at_all()


def _look_at_all() -> None:
    """On its own, so that nothing here keeps a driver that its owner has dropped."""
    with _watching:
        drivers = list(_drivers)
    for driver in drivers:
        driver.cut_if_silent(monotonic())


def _storable(values: Any) -> Any:
    """PostgreSQL's text has no zero character, a terminal's bytes may have: it is written, and looked for, as its
    picture, which no wire can bring, and read back as itself. values: a sequence, or a mapping for named parameters."""
    if isinstance(values, dict):
        return {name: _storable((value,))[0] for name, value in values.items()}
    if any(isinstance(value, str) and "\0" in value for value in values):
        return [value.replace("\0", NUL) if isinstance(value, str) else value for value in values]
    return values


def _read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    for value in row:
        if isinstance(value, str) and NUL in value:
            return tuple(v.replace(NUL, "\0") if isinstance(v, str) else v for v in row)
    return row


def _first_line(error: Exception) -> str:
    """Without DETAIL, which shows values of the row."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return primary or (str(error).splitlines() or [type(error).__name__])[0]
