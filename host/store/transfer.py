"""A store as JSON lines and back: every row of every table, in order, under a line that says how many there are.

    {"closeout_store": {"schema_version": 4, "counts": {"txn": 2, …}, "meta": {…}}}
    {"table": "merchant", "row": {"id": 1, …}}

It holds what the store holds and nothing else: masked card numbers, keyed hashes with their key, test keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, cast, get_type_hints

from host.errors import ConfigError
from host.rows import TABLES
from host.store.driver import Driver, transaction
from host.store.schema import ADDED, SCHEMA_VERSION, Codec, table_name
from host.store.upgrade import OLDEST

HEAD = "closeout_store"
PAGE = 1_000
"""Rows in memory at a time."""
LINE_MAX = 16 * 1024 * 1024
"""Characters of one line: a terminal's whole journal is the longest row."""
OWN = frozenset({"holder"})
"""Of the meta table: what is said of a process, not of the books."""

Codecs = Mapping[type, Codec[Any]]


class BadExport(ConfigError):
    """A line that no export has, or too few of them; its text does not name the file, which only the caller knows."""


def export_lines(driver: Driver, codecs: Codecs) -> Iterator[str]:
    """The whole store as of one instant, a line at a time, without line ends. Raises StoreUnavailable."""
    with transaction(driver, write=False):
        meta = {str(n): str(v) for n, v in driver.query("SELECT name, value FROM meta ORDER BY name") if n not in OWN}
        counts = {table_name(c): int(driver.query(f"SELECT COUNT(*) FROM {codecs[c].name}")[0][0]) for c in TABLES}
        head = {"schema_version": int(meta.pop("schema_version")), "counts": counts, "meta": meta}
        yield json.dumps({HEAD: head}, ensure_ascii=False)
        for row_class in TABLES:
            names = [f.name for f in fields(row_class)]
            for row in _rows(driver, codecs[row_class]):
                values = {name: getattr(row, name) for name in names}
                yield json.dumps({"table": table_name(row_class), "row": values}, ensure_ascii=False)


def _rows(driver: Driver, codec: Codec[Any]) -> Iterator[Any]:
    last = 0
    while True:
        page = driver.query(
            f"SELECT {codec.columns} FROM {codec.name} t WHERE t.id > {driver.mark} ORDER BY t.id LIMIT {PAGE}", (last,)
        )
        rows = [codec.decode(values) for values in page]
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1].id


def import_lines(driver: Driver, codecs: Codecs, set_meta: str, lines: Iterable[str]) -> dict[str, int]:
    """Fill the empty tables of a new store from an export, inside the caller's transaction; rows by table.

    Raises: BadExport naming the line for anything that an export does not write, StoreUnavailable.
    """
    numbered = enumerate(lines, start=1)
    version, counts, meta = _head(*next(numbered, (1, "")))
    driver.execute_many(set_meta, sorted(meta.items()))
    by_table = {table_name(c): c for c in TABLES}
    waiting: dict[type, list[Any]] = {c: [] for c in TABLES}
    found = dict.fromkeys(by_table, 0)
    for number, line in numbered:
        if not line.strip():
            continue
        table, values = _line(number, line)
        row_class = by_table.get(table)
        if row_class is None:
            raise BadExport(f"line {number}: there is no table {table!r}")
        found[table] += 1
        waiting[row_class].append(_row(number, row_class, values, version))
        if len(waiting[row_class]) >= PAGE:
            _write(driver, codecs[row_class], waiting[row_class])
    for row_class, rows in waiting.items():
        _write(driver, codecs[row_class], rows)
    short = next((name for name in found if found[name] != counts.get(name, 0)), None)
    if short is not None:
        raise BadExport(f"the file has {found[short]} rows of {short}, its first line says {counts.get(short, 0)}")
    return found


def _head(number: int, line: str) -> tuple[int, dict[str, int], dict[str, str]]:
    try:
        head = json.loads(line)[HEAD]
        version, counts, meta = int(head["schema_version"]), head["counts"], head["meta"]
        assert all(isinstance(k, str) and isinstance(v, int) for k, v in counts.items())
        assert all(isinstance(k, str) and isinstance(v, str) for k, v in meta.items())
        bytes.fromhex(meta["pan_hash_key"])
        int(meta["seed"])
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise BadExport(f"line {number}: not the first line of an export") from None
    if not OLDEST <= version <= SCHEMA_VERSION:
        raise BadExport(f"line {number}: an export of schema {version}; this program reads {OLDEST}-{SCHEMA_VERSION}")
    return version, counts, meta


def _line(number: int, line: str) -> tuple[str, dict[str, Any]]:
    try:
        if len(line) > LINE_MAX:
            raise ValueError("too long")
        found = json.loads(line)
        table, values = found["table"], found["row"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadExport(f"line {number}: no row of an export: {type(error).__name__}") from None
    if not isinstance(table, str) or not isinstance(values, dict):
        raise BadExport(f"line {number}: no row of an export")
    return table, values


def _row(number: int, row_class: type, values: dict[str, Any], version: int) -> Any:
    hints = get_type_hints(row_class)
    later = {n for v, columns in ADDED.items() if v > version for c, n in columns if c is row_class}
    names = {f.name for f in fields(cast(Any, row_class))} - later
    if values.keys() != names:
        wrong = ", ".join(sorted(values.keys() ^ names))
        raise BadExport(f"line {number}: a {table_name(row_class)} has other columns: {wrong}")
    ready = {}
    for name, value in values.items():
        hint = hints[name]
        try:
            ready[name] = hint(value) if issubclass(hint, StrEnum) else value
        except ValueError:
            raise BadExport(f"line {number}: {name}: no {hint.__name__}") from None
        if type(value) is not (str if issubclass(hint, str) else hint):
            raise BadExport(f"line {number}: {name}: expected {hint.__name__}, got {type(value).__name__}")
    return row_class(**ready)


def _write(driver: Driver, codec: Codec[Any], rows: list[Any]) -> None:
    if rows:
        driver.execute_many(codec.insert, [codec.encode(row) for row in rows])
        rows.clear()
