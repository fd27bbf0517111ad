"""A store as programs of version 2 made it: their tables (kept as text), filled with the rows of a small day.

Only columns that version 2 had are filled, so what the upgrade adds must come from the upgrade.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from specs.operation import Kind
from tests.support.engine import a_card
from tests.support.host_engine import EngineHost

DATA = Path(__file__).resolve().parents[1] / "unit" / "host" / "store" / "data"
Rows = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


def statements(database: str) -> list[str]:
    """The DDL of version 2. database: "sqlite" or "postgresql"."""
    text = (DATA / f"version2.{database}.sql").read_text("utf8")
    return [line for line in text.splitlines() if line and not line.startswith("--")]


def columns() -> Iterator[tuple[str, list[str]]]:
    """Table -> the columns that it had."""
    for line in statements("sqlite"):
        if made := re.match(r"CREATE TABLE (\w+) \( (.*) \);", line):
            yield made[1], re.findall(r'(?:^|, )"?(\w+)"? (?:INTEGER|TEXT|BOOLEAN)', made[2])


def play(path: Path) -> Rows:
    """A sale, one that is reversed, a void and a settled batch, by the present program; the rows of every table."""
    host = EngineHost(f"sqlite:///{path}")
    for stan in (1, 2, 3):
        assert host.ask(Kind.SALE, stan=stan, amount=1_000 * stan, card=a_card()) == ["00"]
    host.store.close()
    with sqlite3.connect(path) as connection:
        found = {}
        for table, names in columns():
            listed = ", ".join(f'"{name}"' for name in names)
            found[table] = (names, connection.execute(f'SELECT {listed} FROM "{table}"').fetchall())
    connection.close()
    meta = [(name, "2" if name == "schema_version" else value) for name, value in found["meta"][1]]
    found["meta"] = (found["meta"][0], meta)
    return found


def fill(execute: Callable[[str, tuple[Any, ...]], object], rows: Rows, mark: str) -> None:
    for table, (names, values) in rows.items():
        listed = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join([mark] * len(names))
        for one in values:
            execute(f'INSERT INTO "{table}" ({listed}) VALUES ({marks})', one)


def make_version2(path: Path, rows: Rows) -> None:
    """A closed SQLite store of version 2 in WAL, as a host that ended leaves it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    for statement in statements("sqlite"):
        connection.execute(statement)
    fill(connection.execute, rows, "?")
    connection.commit()
    connection.close()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, but for who holds it; read without touching the file or its log."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {t: sorted(connection.execute(f'SELECT * FROM "{t}"').fetchall(), key=str) for t in tables}
    connection.close()
    found["meta"] = [row for row in found["meta"] if row[0] != "holder"]
    return found
