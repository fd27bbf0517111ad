"""An older store under a newer program: copied, then upgraded in one step; whatever happens in between."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from host.checker import report
from host.cli import app
from host.errors import ConfigError, StoreUnavailable, StoreVersion
from host.rows import MessageRow, Txn
from host.store import upgrade
from host.store.schema import SCHEMA_VERSION
from host.store.store import open_reader, open_store, upgrade_store
from specs.operation import Kind
from tests.support.engine import a_card
from tests.support.host_engine import EngineHost
from tests.support.old_store import Rows, content, fill, make_version2, play, statements
from tests.support.stores import MakeUrl

ROOT = Path(__file__).resolve().parents[4]
POINTS = ("copying", "copied", "kept", "altered", "committed")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return play(tmp_path_factory.mktemp("played") / "played.db")


@pytest.fixture
def old(tmp_path: Path, rows: Rows) -> Path:
    """A store of version 2."""
    path = tmp_path / "books.db"
    make_version2(path, rows)
    return path


def version(path: Path) -> str:
    return str(dict(content(path)["meta"])["schema_version"])


def test_a_host_on_an_older_store_copies_and_upgrades_it_and_goes_on(old: Path) -> None:
    before = content(old)
    host = EngineHost(f"sqlite:///{old}")
    assert [t.amount for t in host.rows(Txn)] == [1_000, 2_000, 3_000]
    assert host.ask(Kind.SALE, stan=4, amount=500, card=a_card()) == ["00"]
    assert report.check(host.books(), {}) == []
    host.store.close()
    copy = old.with_name("books.db.bak-2")
    assert content(copy) == before
    assert (version(copy), version(old)) == ("2", str(SCHEMA_VERSION))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_an_upgraded_store_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    open_store(f"sqlite:///{old}", seed=1).close()
    open_store(f"sqlite:///{tmp_path / 'new.db'}", seed=1).close()

    def shape(path: Path) -> dict[str, set[tuple[object, ...]]]:
        with sqlite3.connect(path) as connection:
            tables = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            # Without the place of a column: an added one stands last.
            found = {t: {row[1:] for row in connection.execute(f"PRAGMA table_info({t})")} for t in tables}
            found["indexes"] = set(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'"))
        connection.close()
        return found

    def squeezed(found: dict[str, set[tuple[object, ...]]]) -> dict[str, set[tuple[object, ...]]]:
        return {t: {tuple("".join(str(v).split()) for v in row) for row in rows} for t, rows in found.items()}

    assert squeezed(shape(old)) == squeezed(shape(tmp_path / "new.db"))


def test_a_store_of_version_3_gets_its_indexes_anew(tmp_path: Path) -> None:
    """Version 3 had these two indexes as version 2 had them, and one column less than today."""
    url = f"sqlite:///{tmp_path / 'books.db'}"
    open_store(url, seed=1).close()
    indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
    with closing(sqlite3.connect(tmp_path / "books.db", isolation_level=None)) as connection:
        new = connection.execute(indexes).fetchall()
        remade = [s for s in statements("sqlite") if re.match(r"CREATE (UNIQUE )?INDEX txn_(by_card|live_key) ", s)]
        for statement in ("DROP INDEX txn_by_card", "DROP INDEX txn_live_key", *remade):
            connection.execute(statement)
        connection.execute("ALTER TABLE terminal DROP COLUMN restart_stan")
        connection.execute("UPDATE meta SET value = '3' WHERE name = 'schema_version'")
        assert connection.execute(indexes).fetchall() != new
    assert f"upgraded from schema 3 to {SCHEMA_VERSION}" in upgrade_store(url)
    with closing(sqlite3.connect(tmp_path / "books.db")) as connection:
        assert connection.execute(indexes).fetchall() == new
    assert version(tmp_path / "books.db.bak-3") == "3"


def test_what_was_there_before_has_nothing_in_the_new_columns(old: Path) -> None:
    store = open_store(f"sqlite:///{old}", seed=1)
    empty: dict[str, Any] = {f.name: 0 if f.type == "int" else "" for f in fields(MessageRow) if f.name != "raw"}
    message = MessageRow(**empty | {"id": 1})
    store.commit([message])
    assert store.reader().select(MessageRow)[0].raw == ""
    store.close()


def test_a_copy_that_is_there_is_never_overwritten(old: Path, rows: Rows) -> None:
    copy = old.with_name("books.db.bak-2")
    copy.write_bytes(b"something of great value")
    with pytest.raises(ConfigError, match="move it away"):
        open_store(f"sqlite:///{old}", seed=1)
    assert copy.read_bytes() == b"something of great value"
    assert version(old) == "2"
    copy.unlink()
    less = {table: (names, values[:1] if table == "txn" else values) for table, (names, values) in rows.items()}
    make_version2(copy, less)
    with pytest.raises(ConfigError, match="other books"):
        open_store(f"sqlite:///{old}", seed=1)
    assert version(old) == "2"


def test_a_copy_of_the_same_books_will_do(old: Path, rows: Rows) -> None:
    copy = old.with_name("books.db.bak-2")
    make_version2(copy, rows)
    before = copy.read_bytes()
    open_store(f"sqlite:///{old}", seed=1).close()
    assert (version(old), copy.read_bytes()) == (str(SCHEMA_VERSION), before)


def test_without_room_for_the_copy_nothing_is_touched(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(old)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 4096))
    with pytest.raises(StoreUnavailable, match=r"no copy can be made: it needs .* bytes, the disk has 4,096"):
        open_store(f"sqlite:///{old}", seed=1)
    assert content(old) == before
    assert not list(old.parent.glob("*.bak*"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"), reason="needs root")
def test_a_disk_that_fills_up_during_the_copy(rows: Rows, tmp_path: Path) -> None:
    """A real one: a tmpfs with room for the store and half of its copy, and a look at the free room that errs."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1500k", "none", str(folder)], check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        path = folder / "books.db"
        make_version2(path, rows)
        free = shutil.disk_usage(folder).free
        before = content(path)
        (folder / "ballast").write_bytes(b"x" * (free - path.stat().st_size // 2 - 64 * 1024))
        code = "import shutil, sys; from host.store import upgrade\n"
        code += "upgrade._room_for = lambda *a: None\n"
        code += "from host.store.store import upgrade_store\nupgrade_store(sys.argv[1])"
        run = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:///{path}"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert "no copy can be made" in run.stderr, run.stderr
        assert content(path) == before
        assert not list(folder.glob("*.bak*"))
        (folder / "ballast").unlink()
        assert "upgraded from schema 2" in upgrade_store(f"sqlite:///{path}")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ---- the power fails


KILLED = """
import os, signal, sys
from host.store import upgrade
from host.store.store import open_store
def step(name):
    if name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)
upgrade.step = step
open_store(sys.argv[1], seed=1).close()
"""


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_the_old_store_or_the_new_one(old: Path, point: str) -> None:
    before = content(old)
    command = [sys.executable, "-c", KILLED, f"sqlite:///{old}", point]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert version(old) == (str(SCHEMA_VERSION) if point == "committed" else "2")
    copy = old.with_name("books.db.bak-2")
    if point in ("copying", "copied"):
        assert not copy.exists()
    else:
        assert content(copy) == before
    host = EngineHost(f"sqlite:///{old}")  # the next start goes on from there
    assert [t.amount for t in host.rows(Txn)] == [1_000, 2_000, 3_000]
    assert report.check(host.books(), {}) == []
    host.store.close()
    assert content(copy) == before
    assert not list(old.parent.glob("*.part*"))


def test_the_points_are_all_the_points(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(upgrade, "step", seen.append)
    open_store(f"sqlite:///{old}", seed=1).close()
    assert tuple(seen) == POINTS


# ---- what is refused


@pytest.mark.parametrize("found", ["1", "0"])
def test_older_than_the_oldest_is_refused(old: Path, found: str) -> None:
    with sqlite3.connect(old) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (found,))
    connection.close()
    for opener in (open_reader, upgrade_store, lambda url: open_store(url, seed=1)):
        with pytest.raises(StoreVersion, match=f"schema {found}, .*upgrades from 2 on"):
            opener(f"sqlite:///{old}")
    assert not list(old.parent.glob("*.bak*"))


@pytest.mark.parametrize("command", ["audit", "unsettled", "batches", "trace 1"])
def test_reading_commands_never_upgrade(old: Path, command: str) -> None:
    before = old.read_bytes()
    result = CliRunner().invoke(app, [*command.split(), "--store", f"sqlite:///{old}"])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "acquirer-host db upgrade" in result.stderr
    assert old.read_bytes() == before
    assert not list(old.parent.glob("*.bak*"))


def test_the_command_says_what_it_did(old: Path) -> None:
    url = f"sqlite:///{old}"
    first = CliRunner().invoke(app, ["db", "upgrade", "--store", url])
    assert (first.exit_code, first.stdout) == (
        0,
        f"{url} upgraded from schema 2 to {SCHEMA_VERSION}; the old one is {old}.bak-2\n",
    )
    second = CliRunner().invoke(app, ["db", "upgrade", "--store", url])
    assert (second.exit_code, second.stdout) == (0, f"{url} has schema {SCHEMA_VERSION} already\n")


def test_no_store_no_upgrade(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["db", "upgrade", "--store", f"sqlite:///{tmp_path / 'none.db'}"])
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])


# ---- PostgreSQL


@pytest.mark.pg
def test_postgresql_is_upgraded_when_asked_for_only(postgres_server: MakeUrl, rows: Rows) -> None:
    import psycopg

    url = postgres_server()
    with psycopg.connect(url) as connection:
        for statement in statements("postgresql"):
            connection.execute(statement.encode())
        booleans = {"signed_on", "foreign", "carried", "advice", "undone", "evidence"}
        as_bool = {
            table: (
                names,
                [tuple(bool(v) if n in booleans else v for n, v in zip(names, r, strict=True)) for r in all_],
            )
            for table, (names, all_) in rows.items()
        }
        fill(lambda sql, values: connection.execute(sql.encode(), values), as_bool, "%s")
    for opener in (open_reader, lambda url: open_store(url, seed=1)):
        with pytest.raises(StoreVersion, match=r"schema 2, .*db upgrade"):
            opener(url)
    assert "upgraded from schema 2" in upgrade_store(url)
    host = EngineHost(url)
    assert [t.amount for t in host.rows(Txn)] == [1_000, 2_000, 3_000]
    assert host.ask(Kind.SALE, stan=4, amount=500, card=a_card()) == ["00"]
    host.store.close()
