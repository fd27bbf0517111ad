"""PostgreSQL through psycopg: the same statements, the same core tests. An extra: psycopg is imported here only.

One host at a time holds the store by a session's advisory lock, given back by the server when the session ends. A lost
connection is made anew at the next use, and must get the hold again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from sqlalchemy.dialects.postgresql import psycopg as sqlalchemy_psycopg
from sqlalchemy.engine import Dialect

from host.errors import ConfigError, StoreHeld, StoreUnavailable

if TYPE_CHECKING:
    import psycopg

log = structlog.get_logger("host.store")
T = TypeVar("T")

HOLD_KEY = 0x436C6F73656F7574  # "Closeout"; advisory locks are per database
CONNECT_TIMEOUT_S = 5
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
        self.dialect: Dialect = sqlalchemy_psycopg.dialect()  # type: ignore[no-untyped-call]
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = self._open()

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
            self._connection = self._open()
        try:
            return act(self._connection)
        except self._errors as error:
            lost = self._connection.closed or self._connection.broken
            raise StoreUnavailable(f"PostgreSQL: {_first_line(error)}", unknown=committing and lost) from None

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See Driver."""
        return self._run(lambda c: c.execute(sql, parameters or None).fetchall())

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """See Driver."""
        self._run(lambda c: c.execute(sql, parameters or None))

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """See Driver."""
        self._run(lambda c: c.cursor().executemany(sql, rows))

    def begin(self, *, write: bool) -> None:
        """See Driver. Reads see one snapshot, as SQLite's do."""
        self.execute("BEGIN" if write else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        """See Driver. A line that breaks during COMMIT leaves it unknown."""
        self._run(lambda c: c.execute("COMMIT"), committing=True)

    def rollback(self) -> None:
        """See Driver. A connection that cannot roll back is closed, and made anew at the next use."""
        if self._connection is None or self._connection.closed:
            return
        try:
            self._connection.execute("ROLLBACK")
        except self._errors as error:
            log.warning("rollback refused", error=_first_line(error))
            self._connection.close()

    def checkpoint(self) -> None:
        """The server's own business."""

    def close(self) -> None:
        """See Driver. The advisory lock goes with the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _first_line(error: Exception) -> str:
    """Without DETAIL, which shows values of the row."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return primary or (str(error).splitlines() or [type(error).__name__])[0]
