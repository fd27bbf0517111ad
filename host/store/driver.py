"""One connection to one database, spoken to in its driver's own words. What SQLite and PostgreSQL have in common.

Every error of a driver becomes a StoreUnavailable here, and leaves a connection that can be used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy.engine import Dialect


class Driver(Protocol):
    """One connection. Not thread-safe: its owner holds a lock around each use."""

    dialect: Dialect
    mark: str
    """The placeholder of a parameter: "?" or "%s"."""

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows. Raises StoreUnavailable."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """One statement without a result. Raises StoreUnavailable."""

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for many rows, prepared once. Raises StoreUnavailable."""

    def changed(self) -> int:
        """How many rows this connection has written so far, those of a transaction that was rolled back too."""

    def writes(self) -> tuple[int, int] | None:
        """A mark that moves when other connections have committed, and `changed`. None: this database cannot say.
        Raises StoreUnavailable."""

    def begin(self, *, write: bool) -> None:
        """Start a transaction: one that may write, or a snapshot to read from."""

    def commit(self) -> None:
        """Durable when it returns. Raises StoreUnavailable, `unknown` when it may have happened all the same."""

    def rollback(self) -> None:
        """End the transaction without a trace; never raises."""

    def checkpoint(self) -> None:
        """Housekeeping while nothing else waits; may do nothing. Raises StoreUnavailable."""

    def close(self) -> None:
        """Give everything back, the hold on the store too; never raises."""


@contextmanager
def transaction(driver: Driver, *, write: bool) -> Iterator[None]:
    """Commit at the end, or roll back on any exception and let it through."""
    driver.begin(write=write)
    try:
        yield
        driver.commit()
    except BaseException:
        driver.rollback()
        raise
