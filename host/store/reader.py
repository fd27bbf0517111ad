"""What the desk and the checker read: rows by equality, and all the books at one instant. Never writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from queue import Empty, LifoQueue
from threading import Lock
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from host.checker.books import HostBooks
from host.errors import StoreUnavailable
from host.rows import Txn
from host.store.driver import Driver, transaction
from host.store.pruning import Pruned, pruned_in
from host.store.schema import LIVE_PREAUTH, META, SPARSE, SQL_TABLES, Codec
from specs.profile import Profile, profile_of

R = TypeVar("R")

PROFILE = "profile of dialect: "
"""Before the name of a dialect in the meta table: its switches, as JSON."""

READERS_MAX = 4
"""Connections for reading at a time; a fifth question waits."""
READER_WAIT_S = 10.0

Lend = Callable[[], AbstractContextManager[Driver]]


class ReaderPool:
    """At most READERS_MAX read-only connections, made when they are needed."""

    def __init__(self, connect: Callable[[], Driver]) -> None:
        self._connect = connect
        self._idle: LifoQueue[Driver] = LifoQueue()
        self._made = 0
        self._lock = Lock()

    @contextmanager
    def lend(self) -> Iterator[Driver]:
        """A connection for one use. Raises StoreUnavailable when none is free in time."""
        driver = self._take()
        try:
            yield driver
        finally:
            self._idle.put(driver)

    def _take(self) -> Driver:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        with self._lock:
            if self._made < READERS_MAX:
                driver = self._connect()
                self._made += 1
                return driver
        try:
            return self._idle.get(timeout=READER_WAIT_S)
        except Empty:
            raise StoreUnavailable(f"no free connection to read from within {READER_WAIT_S:g} s") from None

    def close(self) -> None:
        """Close what is idle; whoever still reads finishes first."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


class Reader:
    """Questions to the books. Safe to use from any thread. Raises StoreUnavailable."""

    def __init__(self, lend: Lend, codecs: Mapping[type, Codec[Any]], close: Callable[[], None]) -> None:
        self._lend = lend
        self._codecs = codecs
        self.close = close

    def select(
        self,
        table: type[R],
        where: Mapping[str, object] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[R]:
        """Rows whose columns equal `where` (a tuple or set of values: any of them), in order of id.

        after: only ids above it, with `newest` ids below it (0 = no bound). Raises KeyError for an unknown column.
        """
        columns = SQL_TABLES[table].c
        statement = sa.select(SQL_TABLES[table])
        for name, value in (where or {}).items():
            if isinstance(value, tuple | list | set | frozenset):
                statement = statement.where(columns[name].in_([_plain(v) for v in value]))
                continue
            statement = statement.where(columns[name] == _plain(value))
            if (table, name) in SPARSE and value:
                statement = statement.where(sa.text(SPARSE[table, name]))
        if after:
            statement = statement.where(columns.id < after if newest else columns.id > after)
        statement = statement.order_by(columns.id.desc() if newest else columns.id)
        if limit is not None:
            statement = statement.limit(limit)
        decode = cast("Codec[R]", self._codecs[table]).decode
        with self._lend() as driver:
            return [decode(values) for values in _run(driver, statement)]

    def live_preauths(self) -> list[Txn]:
        """Every pre-authorisation that still holds money, oldest first, by an index of its own."""
        codec = self._codecs[Txn]
        sql = f"SELECT {codec.columns} FROM {codec.name} t WHERE {LIVE_PREAUTH} ORDER BY t.created_at, t.id"
        with self._lend() as driver:
            return [codec.decode(values) for values in driver.query(sql)]

    def count(self, table: type) -> int:
        """How many rows a table has."""
        with self._lend() as driver:
            return int(_run(driver, sa.select(sa.func.count()).select_from(SQL_TABLES[table]))[0][0])

    def meta(self) -> dict[str, str]:
        """schema_version, pan_hash_key, seed, created_at, holder."""
        with self._lend() as driver:
            return _meta(driver)

    def profiles(self) -> dict[str, Profile]:
        """The switches of every dialect that ever had a listener on this store, by its name."""
        return profiles_in(self.meta())

    def pruned(self) -> Pruned | None:
        """Up to where messages are gone from the log; None = none is."""
        return pruned_in(self.meta())

    def load_books(self) -> HostBooks:
        """All the books as of one instant: one read transaction."""
        with self._lend() as driver, transaction(driver, write=False):
            meta = _meta(driver)
            pruned = pruned_in(meta)
            through, until = (pruned.through, pruned.until) if pruned is not None else (0, "")
            return HostBooks.of(self._everything(driver), profiles_in(meta), pruned_through=through, pruned_until=until)

    def _everything(self, driver: Driver) -> Iterator[Any]:
        for codec in self._codecs.values():
            for values in driver.query(f"SELECT {codec.columns} FROM {codec.name} t ORDER BY t.id"):
                yield codec.decode(values)


def profiles_in(meta: Mapping[str, str]) -> dict[str, Profile]:
    """The switches of every dialect that ever had a listener on a store, by its name, as they last were."""
    kept = {name.removeprefix(PROFILE): text for name, text in meta.items() if name.startswith(PROFILE)}
    return {name: profile_of(name, json.loads(text)) for name, text in kept.items()}


def _meta(driver: Driver) -> dict[str, str]:
    return {str(name): str(value) for name, value in _run(driver, sa.select(META))}


def _plain(value: object) -> object:
    """An enum member as its text, for drivers that look at the exact type."""
    return str(value) if isinstance(value, str) else value


def _run(driver: Driver, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    compiled = statement.compile(dialect=driver.dialect, compile_kwargs={"render_postcompile": True})
    parameters = compiled.params
    if compiled.positional:
        return driver.query(str(compiled), [parameters[name] for name in compiled.positiontup or ()])
    return driver.query(str(compiled), cast(Any, parameters))
