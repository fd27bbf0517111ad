"""From an older store to this program's: a copy first, then one transaction.

SQLite: the copy is FILE.bak-VERSION, on disk before anything is changed; a copy that is there already must hold the
same books. PostgreSQL: no copy (pg_dump makes one), and only when somebody asks for it (`db upgrade`).
A power cut at any moment leaves the old store whole or the new one whole, and the next start goes on from there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog
from sqlalchemy.schema import CreateColumn, CreateIndex

from host.errors import ConfigError, StoreUnavailable, StoreVersion
from host.rows import Txn
from host.store.driver import Driver, transaction
from host.store.schema import ADDED, REMADE, SCHEMA_VERSION, SQL_TABLES
from host.store.sqlite import SqliteDriver

log = structlog.get_logger("host.store")

OLDEST = 2
"""The first version that can be upgraded."""
ROOM_SPARE = 256 * 1024
"""Bytes beyond the copy and a third of it again: the change itself goes through the log of writes first, and indexes
that are made anew are the most of it (measured: under a quarter)."""

step: Callable[[str], None] = lambda name: None  # noqa: E731 - tests cut the power at these names
"""copying | copied | kept | altered | committed."""


def version_of(driver: Driver) -> int:
    """The version of a store that has a meta table."""
    found = driver.query("SELECT value FROM meta WHERE name = 'schema_version'")
    return int(found[0][0]) if found else 0


def refusal(version: int) -> str:
    """Why a store of another version cannot be used as it is, one line with what to do."""
    text = f"the store has schema {version}, this program knows {SCHEMA_VERSION}"
    if version > SCHEMA_VERSION:
        return f"{text}: it was written by a newer program; use that one"
    if version < OLDEST:
        return f"{text} and upgrades from {OLDEST} on: begin a new store"
    return f"{text}: upgrade it with `acquirer-host db upgrade --store URL`"


def upgrade(driver: Driver, url: str) -> str:
    """Bring the store behind a writing connection to this version; what was done, one line.

    Raises: StoreVersion for a store that is newer or too old, ConfigError for a copy of other books that is in the
    way, StoreUnavailable when there is no room or the database refuses. Then the store is as it was.
    """
    version = version_of(driver)
    if version == SCHEMA_VERSION:
        return f"{url} has schema {version} already"
    if not OLDEST <= version < SCHEMA_VERSION:
        raise StoreVersion(refusal(version))
    copy = keep_copy(driver, version) if isinstance(driver, SqliteDriver) else None
    with transaction(driver, write=True):
        for statement in changes(driver, version):
            driver.execute(statement)
        step("altered")
        said = (str(SCHEMA_VERSION),)
        driver.execute(f"UPDATE meta SET value = {driver.mark} WHERE name = 'schema_version'", said)
    step("committed")
    log.info("store upgraded", version=SCHEMA_VERSION, was=version, copy=str(copy or ""))
    kept = f"; the old one is {copy}" if copy is not None else ""
    return f"{url} upgraded from schema {version} to {SCHEMA_VERSION}{kept}"


def changes(driver: Driver, version: int) -> Iterator[str]:
    """The statements that lead from a version to the present one."""
    for later in range(version + 1, SCHEMA_VERSION + 1):
        for row_class, name in ADDED[later]:
            table = SQL_TABLES[row_class]
            column = CreateColumn(table.c[name]).compile(dialect=driver.dialect)
            yield f"ALTER TABLE {table.name} ADD COLUMN {column}"
    remade = {name for later in range(version + 1, SCHEMA_VERSION + 1) for name in REMADE.get(later, ())}
    for index in sorted(SQL_TABLES[Txn].indexes, key=lambda index: str(index.name)):
        if index.name in remade:
            yield f"DROP INDEX IF EXISTS {index.name}"
            yield str(CreateIndex(index).compile(dialect=driver.dialect))


def keep_copy(driver: SqliteDriver, version: int) -> Path | None:
    """FILE.bak-VERSION on disk, whole; None for a store in memory. One that is there must hold the same books."""
    path = driver.path
    if path is None:
        return None
    copy = path.with_name(f"{path.name}.bak-{version}")
    if copy.exists():
        if not _same_books(driver, copy):
            raise ConfigError(f"{copy} is the copy of other books: move it away, then upgrade")
        return copy
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)  # of an upgrade that was cut short
        _room_for(driver, path)
        step("copying")
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
        driver.copy_to(part)
        _sync(part)
        step("copied")
        part.replace(copy)
        _sync_folder(path.parent)
    except (OSError, StoreUnavailable) as error:
        for left in (part, part.with_name(f"{part.name}-journal")):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreUnavailable(f"{path} stays at schema {version}: no copy can be made: {why}") from None
    step("kept")
    return copy


def _room_for(driver: SqliteDriver, path: Path) -> None:
    pages, size = (int(driver.query(f"PRAGMA {name}")[0][0]) for name in ("page_count", "page_size"))
    needed, free = pages * size * 4 // 3 + ROOM_SPARE, shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreUnavailable(f"it needs {needed:,} bytes, the disk has {free:,}")


def _same_books(driver: SqliteDriver, copy: Path) -> bool:
    """Whether a copy holds what the store does, row for row; who held it last does not count."""
    try:
        other = sqlite3.connect(f"file:{quote(str(copy.resolve()))}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error:
        return False
    with contextlib.closing(other):
        try:
            return all(a == b for a, b in zip_longest(_content(driver.rows_of), _content(other.execute)))
        except sqlite3.Error:
            return False


def _content(execute: Callable[[str], Any]) -> Iterator[object]:
    shapes = [tuple(row) for row in execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    for name, sql in shapes:
        yield name, sql
        but = " WHERE name <> 'holder'" if name == "meta" else ""
        yield from execute(f'SELECT * FROM "{name}"{but} ORDER BY 1')


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
