"""`db check`: is the store itself sound? The database's own pages and indexes, rows that name rows, sums, the version.

Plain statements, so that it also says what it can of a store of an older version. Whether the books are right is more
than this: every invariant of them is `audit`'s to check.
"""

from __future__ import annotations

from collections.abc import Iterator

from host.errors import StoreVersion
from host.rows import (
    TABLES,
    Adjustment,
    Alarm,
    Batch,
    ExceptionItem,
    IssuerLeg,
    Leg,
    MessageRow,
    Posting,
    StagedItem,
    Terminal,
    Txn,
)
from host.store.driver import Driver
from host.store.pruning import PRUNED, pruned_in
from host.store.schema import SCHEMA_VERSION, SQL_TABLES, table_name
from host.store.upgrade import refusal, version_of

SHOWN_MAX = 20
"""Findings of one kind that are shown: more is noise."""

NAMES: tuple[tuple[type, str, type, str], ...] = (
    *((row_class, "txn_id", Txn, "id") for row_class in (Posting, Adjustment, Leg, IssuerLeg, StagedItem)),
    *((row_class, "txn_id", Txn, "id") for row_class in (ExceptionItem, MessageRow, Alarm)),
    *((row_class, "batch_id", Batch, "id") for row_class in (Txn, Posting, Adjustment, StagedItem)),
    *((row_class, "batch_id", Batch, "id") for row_class in (ExceptionItem, Alarm)),
    *((Txn, column, Txn, "id") for column in ("original_id", "replaced_by")),
    *((row_class, "tid", Terminal, "tid") for row_class in (Txn, Batch)),
    (MessageRow, "reply_to", MessageRow, "id"),
)
"""(class, column, class that it names, by which column); 0 and "" name nothing."""


def findings(driver: Driver) -> Iterator[str]:
    """What is wrong, a line each. Raises StoreVersion for a newer store, StoreUnavailable."""
    version = version_of(driver)
    if version > SCHEMA_VERSION:
        raise StoreVersion(refusal(version))
    if version != SCHEMA_VERSION:
        yield refusal(version)
    pages = list(_pages(driver))
    yield from pages
    lacking = list(_lacking(driver))
    yield from lacking
    if not pages and not lacking:
        yield from _unnamed(driver)
        yield from _sums(driver)


def _pages(driver: Driver) -> Iterator[str]:
    """SQLite looks at every page and index; PostgreSQL looks after its own."""
    if driver.dialect.name == "sqlite":
        for (text,) in driver.query(f"PRAGMA integrity_check({SHOWN_MAX})"):
            if text != "ok":
                yield f"database: {text}"


def _lacking(driver: Driver) -> Iterator[str]:
    if driver.dialect.name == "sqlite":
        there = {name for (name,) in driver.query("SELECT name FROM sqlite_master")}
    else:
        schema = "schemaname = current_schema()"
        there = {name for (name,) in driver.query(f"SELECT tablename FROM pg_tables WHERE {schema}")}
        there |= {name for (name,) in driver.query(f"SELECT indexname FROM pg_indexes WHERE {schema}")}
    for row_class in TABLES:
        table = SQL_TABLES[row_class]
        for name in (table.name, *(str(index.name) for index in table.indexes)):
            if name not in there:
                yield f"database: {name} is missing"


def _unnamed(driver: Driver) -> Iterator[str]:
    meta = {str(name): str(value) for name, value in driver.query("SELECT name, value FROM meta")}
    pruned = pruned_in(meta) if PRUNED in meta else None
    for row_class, column, named, key in NAMES:
        mine, other = table_name(row_class), table_name(named)
        nothing = "''" if key == "tid" else str(pruned.through if pruned and column == "reply_to" else 0)
        found = driver.query(
            f"SELECT t.id, t.{column} FROM {mine} t WHERE t.{column} > {nothing}"
            f" AND NOT EXISTS (SELECT 1 FROM {other} o WHERE o.{key} = t.{column}) ORDER BY t.id LIMIT {SHOWN_MAX}"
        )
        for row_id, value in found:
            yield f"{mine} {row_id}: {column} names {other} {value}, which is not there"


def _sums(driver: Driver) -> Iterator[str]:
    found = driver.query(
        "SELECT p.entry_id, p.book, p.currency, SUM(p.amount) FROM posting p"
        f" GROUP BY p.entry_id, p.book, p.currency HAVING SUM(p.amount) <> 0 ORDER BY p.entry_id LIMIT {SHOWN_MAX}"
    )
    for entry, book, currency, amount in found:
        yield f"entry {entry} of the {book}'s book sums to {amount} in {currency}, expected 0"
