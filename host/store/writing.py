"""The rows of one group on their way to disk, inside the writer's transaction.

Rows go in the order of tables and ids. A row whose last form is at hand (host.store.kept) is written as what changed of
it: an index whose columns stay the same is then left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from host.rows import Row
from host.store.driver import Driver
from host.store.schema import Codec

R = TypeVar("R", bound=Row)


def write(driver: Driver, codec: Codec[R], rows: Mapping[int, R], kept: Mapping[int, R]) -> None:
    """New rows, and new forms of old ones; `kept`: those of the same class as they are on disk, as far as is known."""
    ordered = [rows[row_id] for row_id in sorted(rows)]
    if kept:
        _write_changes(driver, codec, ordered, kept)
    else:
        encode = codec.encode
        driver.execute_many(codec.insert, [encode(row) for row in ordered])


def _write_changes(driver: Driver, codec: Codec[R], ordered: list[R], kept: Mapping[int, R]) -> None:
    """One statement for each run of rows of which the same is written: their order stays."""
    run: list[R] = []
    writing: tuple[str, ...] | None = None
    for row in ordered:
        old = kept.get(row.id)
        names: tuple[str, ...] | None = None
        if old is not None:
            was, cells = old.__dict__, row.__dict__
            names = tuple([n for n in codec.later if cells[n] is not was[n] and cells[n] != was[n]])
        if names != writing:
            _write_run(driver, codec, writing, run)
            run, writing = [], names
        run.append(row)
    _write_run(driver, codec, writing, run)


def _write_run(driver: Driver, codec: Codec[R], names: tuple[str, ...] | None, run: list[R]) -> None:
    """names: the columns that change in each of these rows; None = all of the row is written."""
    if not run or names == ():
        return
    sql, encode = (codec.insert, codec.encode) if names is None else codec.change(names)
    before = driver.changed()
    driver.execute_many(sql, [encode(row) for row in run])
    # What is kept is what is on disk, so each of them was there; were one not, all would be written whole.
    if names is not None and driver.changed() - before != len(run):
        driver.execute_many(codec.insert, [codec.encode(row) for row in run])
