"""`acquirer-host db check|export|import|prune`, on both databases where it matters."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from host.cli import app
from host.rows import TABLES, MessageRow, Txn
from host.store.schema import SCHEMA_VERSION
from host.store.store import export_store, import_store, open_reader, open_store
from specs.operation import Kind
from specs.testcards import load_test_cards
from tests.support.engine import a_card
from tests.support.host_engine import EngineHost
from tests.unit.host.store.test_store import a_message, filled, posting

THIS_VERSION = f'"schema_version": {SCHEMA_VERSION}'


def run(*args: str) -> Result:
    return CliRunner().invoke(app, ["db", *args])


def played(url: str) -> str:
    """A sale, a reversed one, a refused one, and a row of every class with telling values."""
    host = EngineHost(url)
    host.ask(Kind.SALE, stan=1, amount=1_000, card=a_card())
    host.ask(Kind.SALE, stan=2, amount=2_000, card=a_card())
    host.ask(Kind.REVERSAL, stan=2, amount=2_000, card=a_card())
    host.store.commit([filled(c, 900) for c in TABLES if c.__name__ != "Posting"])
    host.store.commit([posting(901, 5), posting(902, -5)])
    host.store.close()
    return url


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("played") / "books.db"
    host = EngineHost(f"sqlite:///{path}")
    for stan in (1, 2, 3):
        host.ask(Kind.SALE, stan=stan, amount=1_000 * stan, card=a_card())
    host.store.commit([a_message(1, txn_id=1, reply_to=0), a_message(2, txn_id=1, reply_to=1)])
    host.store.close()
    return path


@pytest.fixture
def books(template: Path, tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    shutil.copy(template, path)
    return path


def everything(url: str) -> dict[str, list[Any]]:
    reader = open_reader(url)
    found: dict[str, list[Any]] = {c.__name__: reader.select(c) for c in TABLES}
    found["meta"] = sorted((k, v) for k, v in reader.meta().items() if k != "holder")
    reader.close()
    return found


# ---- export and import


def test_an_export_comes_back_as_it_went_out(store_url: str, tmp_path: Path) -> None:
    """All rows of all tables, umlauts and line breaks in them, and the secrets without which hashes mean nothing."""
    played(store_url)
    file, second = tmp_path / "books.jsonl", tmp_path / "again.jsonl"
    out = run("export", str(file), "--store", store_url)
    assert out.exit_code == 0, out.output
    new = f"sqlite:///{tmp_path / 'new.db'}"
    into = run("import", str(file), "--store", new)
    assert into.exit_code == 0, into.output
    assert everything(new) == everything(store_url)
    assert run("export", str(second), "--store", new).exit_code == 0
    assert second.read_bytes() == file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.pg
def test_a_store_moves_from_sqlite_to_postgresql(tmp_path: Path, postgres_server: Any) -> None:
    old, file = played(f"sqlite:///{tmp_path / 'books.db'}"), tmp_path / "books.jsonl"
    new = postgres_server()
    assert run("export", str(file), "--store", old).exit_code == 0
    assert run("import", str(file), "--store", new).exit_code == 0
    assert everything(new) == everything(old)
    host = EngineHost(new)  # and a host goes on there
    assert host.ask(Kind.SALE, stan=7, amount=700, card=a_card()) == ["00"]
    host.store.close()


def test_the_first_line_says_what_is_in_it_and_no_line_has_a_card_number(books: Path) -> None:
    result = run("export", "-", "--store", f"sqlite:///{books}")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    head = lines[0]["closeout_store"]
    assert (head["schema_version"], head["counts"]["txn"], head["counts"]["message"]) == (SCHEMA_VERSION, 3, 2)
    assert sum(head["counts"].values()) == len(lines) - 1
    assert not [c.pan for c in load_test_cards().values() if c.pan in result.stdout]


def test_an_export_beside_a_running_host_is_of_one_instant(books: Path) -> None:
    store = open_store(f"sqlite:///{books}", seed=1)
    lines = export_store(f"sqlite:///{books}")
    head = json.loads(next(lines))["closeout_store"]
    store.commit([filled(Txn, 50)])
    assert sum(1 for line in lines if json.loads(line)["table"] == "txn") == head["counts"]["txn"] == 3
    store.close()


def test_a_file_that_is_there_is_not_overwritten(books: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("mine")
    result = run("export", str(file), "--store", f"sqlite:///{books}")
    assert (result.exit_code, file.read_text()) == (2, "mine")
    assert not list(tmp_path.glob(".mine*"))


def test_an_import_makes_new_stores_only(books: Path, tmp_path: Path) -> None:
    file = tmp_path / "books.jsonl"
    run("export", str(file), "--store", f"sqlite:///{books}")
    before = everything(f"sqlite:///{books}")
    result = run("import", str(file), "--store", f"sqlite:///{books}")
    assert (result.exit_code, "is a store already" in result.stderr) == (2, True)
    assert everything(f"sqlite:///{books}") == before


SPOILT = {
    "cut off": (lambda lines: lines[:-1], "the file has . rows of message, its first line says 2"),
    "no first line": (lambda lines: lines[1:], "line 1: not the first line"),
    "empty": (lambda lines: [], "line 1: not the first line"),
    "not JSON": (lambda lines: [*lines[:3], "{", *lines[3:]], "line 4: no row"),
    "no such table": (lambda lines: [*lines, '{"table": "gold", "row": {}}'], "there is no table 'gold'"),
    "a column too many": (lambda lines: [*lines[:1], _with(lines[1], colour="red"), *lines[2:]], "line 2: .* colour"),
    "a text for a number": (lambda lines: [*lines[:1], _with(lines[1], id="1"), *lines[2:]], "id: expected int"),
    "a bool for a number": (lambda lines: [*lines[:1], _with(lines[1], id=True), *lines[2:]], "id: expected int"),
    "a row twice": (lambda lines: [*lines, lines[-1]], "UNIQUE|rows of message"),
    "another version": (lambda lines: [lines[0].replace(THIS_VERSION, '"schema_version": 9'), *lines[1:]],
                        "an export of schema 9"),
}  # fmt: skip


def _with(line: str, **changes: object) -> str:
    found = json.loads(line)
    return json.dumps(found | {"row": found["row"] | changes})


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_export_leaves_no_store(name: str, books: Path, tmp_path: Path) -> None:
    lines = run("export", "-", "--store", f"sqlite:///{books}").stdout.splitlines()
    spoil, text = SPOILT[name]
    file = tmp_path / "spoilt.jsonl"
    file.write_text("".join(line + "\n" for line in spoil(lines)), "utf8")  # type: ignore[no-untyped-call]
    target = tmp_path / "target.db"
    result = run("import", str(file), "--store", f"sqlite:///{target}")
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    assert re.search(text, result.stderr), result.stderr
    assert name == "a row twice" or f"{file}: " in result.stderr
    assert not list(tmp_path.glob("target.db*"))


def test_an_export_of_version_2_is_read(books: Path, tmp_path: Path) -> None:
    """Its rows lack what came later."""
    lines = run("export", "-", "--store", f"sqlite:///{books}").stdout.splitlines()
    lines[0] = lines[0].replace(THIS_VERSION, '"schema_version": 2')
    old = []
    for line in lines:
        found = json.loads(line)
        if found.get("table") == "message":
            del found["row"]["raw"]
        if found.get("table") == "terminal":
            del found["row"]["spent_mak"], found["row"]["restart_stan"]
        old.append(json.dumps(found))
    new = f"sqlite:///{tmp_path / 'new.db'}"
    import_store(new, old)
    found_now = everything(new)
    assert dict(found_now["meta"])["schema_version"] == str(SCHEMA_VERSION)
    assert [m.raw for m in found_now["MessageRow"]] == ["", ""]
    assert found_now["Txn"] == everything(f"sqlite:///{books}")["Txn"]


# ---- check


def test_a_sound_store_is_said_to_be_sound(store_url: str) -> None:
    host = EngineHost(store_url)
    host.ask(Kind.SALE, stan=1, amount=1_000, card=a_card())
    beside = run("check", "--store", store_url)  # a host may hold it
    host.store.close()
    assert (beside.exit_code, "acquirer-host audit --store" in beside.stdout) == (0, True), beside.output


BROKEN = {
    "a sum": ("UPDATE posting SET amount = amount + 1 WHERE id = 1", "entry 1 of the .* sums to 1 in 156"),
    "a batch that is not there": ("UPDATE txn SET batch_id = 77 WHERE id = 1", "txn 1: batch_id names batch 77"),
    "an original that is not there": ("UPDATE txn SET original_id = 99 WHERE id = 2", "original_id names txn 99"),
    "a terminal that is not there": ("DELETE FROM terminal", "tid names terminal"),
    "a reply to nothing": ("UPDATE message SET reply_to = 44 WHERE id = 2", "message 2: reply_to names message 44"),
    "a transaction that is gone": ("DELETE FROM txn WHERE id = 3", "posting .*: txn_id names txn 3"),
    "an index that is gone": ("DROP INDEX txn_live_key", "txn_live_key is missing"),
    "a table that is gone": ("DROP TABLE alarm", "alarm is missing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_not_sound_is_named(name: str, books: Path) -> None:
    statement, text = BROKEN[name]
    with sqlite3.connect(books) as connection:
        connection.execute(statement)
    connection.close()
    result = run("check", "--store", f"sqlite:///{books}")
    assert result.exit_code == 1
    assert re.search(text, result.stdout), result.stdout


def test_a_spoilt_page_is_found(books: Path) -> None:
    """One byte of an index's page, so that index and table differ."""
    with sqlite3.connect(books) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'txn_rrn_tid'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    data = bytearray(books.read_bytes())
    page = slice((root - 1) * size, root * size)
    at = bytes(data[page]).rindex(b"0")
    data[(root - 1) * size + at] ^= 1
    books.write_bytes(data)
    result = run("check", "--store", f"sqlite:///{books}")
    assert (result.exit_code, "database:" in result.stdout) == (1, True), result.stdout


def test_an_older_and_a_newer_store(books: Path) -> None:
    with sqlite3.connect(books) as connection:
        connection.execute("UPDATE meta SET value = '2' WHERE name = 'schema_version'")
    connection.close()
    older = run("check", "--store", f"sqlite:///{books}")
    assert (older.exit_code, "db upgrade" in older.stdout) == (1, True)
    with sqlite3.connect(books) as connection:
        connection.execute("UPDATE meta SET value = '9' WHERE name = 'schema_version'")
    connection.close()
    newer = run("check", "--store", f"sqlite:///{books}")
    assert (newer.exit_code, newer.stderr.count("\n")) == (2, 1)


# ---- prune


def test_prune_wants_to_know_what_to_keep_and_who_holds_the_store(books: Path) -> None:
    url = f"sqlite:///{books}"
    assert run("prune", "--store", url).exit_code == 2
    store = open_store(url, seed=1)
    held = run("prune", "--store", url, "--rows", "1")
    store.close()
    assert (held.exit_code, "is held by another host" in held.stderr) == (2, True)


def test_prune_makes_no_store_of_another_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.db"
    connection = sqlite3.connect(mine)
    connection.execute("CREATE TABLE diary (day TEXT)")
    connection.close()
    empty = tmp_path / "empty.db"
    empty.touch()
    for path in (mine, empty):
        before = path.read_bytes()
        result = run("prune", "--store", f"sqlite:///{path}", "--rows", "1")
        assert (result.exit_code, "holds no Closeout store" in result.stderr) == (2, True)
        assert path.read_bytes() == before


def test_prune_wants_an_age_that_a_calendar_has(books: Path) -> None:
    result = run("prune", "--store", f"sqlite:///{books}", "--days", "99999999")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert "--days 99999999: at most 36,500" in result.stderr


def test_prune_in_a_store_that_nobody_holds(books: Path) -> None:
    url = f"sqlite:///{books}"
    with sqlite3.connect(books) as connection:
        connection.execute("UPDATE message SET txn_id = 0, at = '2026-03-02T09:00:00+00:00'")
    connection.close()
    result = run("prune", "--store", url, "--rows", "1")
    assert (result.exit_code, result.stdout) == (0, "1 messages pruned\n")
    reader = open_reader(url)
    assert [m.id for m in reader.select(MessageRow)] == [2]
    reader.close()
    assert run("check", "--store", url).exit_code == 0  # the answer to what was pruned is no finding
    audit = CliRunner().invoke(app, ["audit", "--store", url])
    assert "messages before 2026-03-02T09:00:00+00:00 were pruned" in audit.stderr
