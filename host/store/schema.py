"""The tables, generated from the row classes of host.rows, and how a row becomes a tuple and back.

SQLAlchemy writes the DDL and the desk's selects; the writer's statements are made here once and run by the driver.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast, get_type_hints

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable

from host.rows import (
    BORN,
    TABLES,
    Adjustment,
    Alarm,
    Batch,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    JournalUpload,
    Leg,
    Merchant,
    MessageRow,
    Posting,
    StagedItem,
    Terminal,
    Txn,
)
from specs.kinds import DEBITS, Kind

SCHEMA_VERSION = 5
"""Raised with every change of a table; a store with a higher one is refused (StoreVersion)."""

R = TypeVar("R")

ADDED: dict[int, tuple[tuple[type, str], ...]] = {
    3: ((MessageRow, "raw"), (Terminal, "spent_mak")),
    4: (),
    5: ((Terminal, "restart_stan"),),
}
"""Columns by the version they came with: an upgrade adds them, "" or 0 in every row that was there before."""
_LATER = {column for columns in ADDED.values() for column in columns}

APPEND_ONLY: frozenset[type] = frozenset({Posting, Adjustment, MessageRow, Alarm})
"""Written by a plain INSERT: a second row under the same id is an error, never a change of history."""

INDEXES: dict[type, tuple[tuple[str, ...], ...]] = {
    Terminal: (("mid",),),
    Txn: (("tid", "stan"), ("batch_id",), ("rrn", "tid"), ("tid", "invoice"), ("original_id",)),
    Batch: (("tid", "state"), ("tid", "number")),
    Leg: (("state",), ("txn_id",)),
    Posting: (("txn_id",),),
    Adjustment: (("txn_id",), ("batch_id",)),
    ExceptionItem: (("batch_id",),),
    MessageRow: (("tid",), ("mti",), ("stan",), ("txn_id",)),
    Alarm: (("tid",),),
    JournalUpload: (("tid",),),
}
UNIQUE: dict[type, tuple[tuple[str, ...], ...]] = {
    Merchant: (("mid",),),
    Terminal: (("tid",),),
    IssuerAccount: (("pan_hash",),),
    IssuerLeg: (("txn_id", "number"),),
    StagedItem: (("batch_id", "item_key"),),
}

SPARSE: dict[tuple[type, str], str] = {
    (Txn, "invoice"): "invoice <> ''",
    (Txn, "original_id"): "original_id <> 0",
    (MessageRow, "txn_id"): "txn_id <> 0",
}
"""Columns that are often "" or 0: their index leaves such rows out, and a look-up has to repeat the condition."""


def _one_of(column: str, words: Iterable[str]) -> str:
    """`column IN (words)` as a condition of an index. For a list of three or more SQLite would make a table of its own
    and throw it away again, at every row that it writes."""
    joined = " OR ".join(f"{column} = '{word}'" for word in words)
    return f"({joined})"


_HELD = ("authorised", "captured", "voided", "reversed", "expired")
"""States of what holds or held money."""
NAMED_BY_CARD = f"pan_hash <> '' AND {_one_of('kind', sorted(DEBITS | {Kind.PRE_AUTH}))} AND {_one_of('state', _HELD)}"
"""What a message may name by merchant and card: approved sales and pre-authorisations. Its index leaves out all else,
so that the newest rows of a card are found without reading past its declines; a look-up repeats the condition."""
LIVE_PREAUTH = "kind = 'pre-auth' AND state = 'authorised'"
"""What may expire: a handful among all transactions, found by their age."""

BY_CARD = "txn_by_card"
ONE_LIVE_BATCH = "batch_one_live"
LIVE_KEY = "txn_live_key"
"""The guards behind what the engine decides in memory.

batch_one_live: a terminal has at most one batch that is open or disputed.
txn_live_key: no two originals of one key live at a time (RH1). The key as far as all three dialects share it: terminal
and epoch, the host batch, the number on the wire (an advice carried into the open batch keeps its own), STAN, and the
time of its key (ISO87 tells a wrapped STAN by it; CUP and NAC send none). Only rows of a batch count that hold or held
money in it: a declined try may be decided again (rules.md, section 2), tombstones of one STAN may differ in content.
"""


REMADE: dict[int, tuple[str, ...]] = {4: (LIVE_KEY, BY_CARD)}
"""Indexes of transactions by the version in which their condition was written anew: an upgrade makes them again."""


def _sql_type(annotation: object) -> sa.types.TypeEngine[Any]:
    if annotation is bool:
        return sa.Boolean()
    if annotation is int:
        return sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # INTEGER PRIMARY KEY is SQLite's row id
    assert isinstance(annotation, type), annotation
    assert issubclass(annotation, str), annotation
    return sa.Text()


def table_name(row_class: type) -> str:
    """MessageRow -> message, StagedItem -> staged_item."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", row_class.__name__.removesuffix("Row")).lower()


METADATA = sa.MetaData()


def _table(row_class: type) -> sa.Table:
    hints = get_type_hints(row_class)
    columns: list[sa.Column[Any]] = [
        sa.Column(
            f.name,
            _sql_type(hints[f.name]),
            primary_key=f.name == "id",
            autoincrement=False,
            nullable=False,
            server_default=str(f.default) if (row_class, f.name) in _LATER else None,
        )
        for f in fields(row_class)
    ]
    table = sa.Table(table_name(row_class), METADATA, *columns)
    for names in INDEXES.get(row_class, ()):
        filled = [SPARSE[row_class, n] for n in names if (row_class, n) in SPARSE]
        where = sa.text(" AND ".join(filled)) if filled else None
        sa.Index(
            f"{table.name}_{'_'.join(names)}",
            *(table.c[n] for n in names),
            sqlite_where=where,
            postgresql_where=where,
        )
    for names in UNIQUE.get(row_class, ()):
        sa.Index(f"{table.name}_{'_'.join(names)}", *(table.c[n] for n in names), unique=True)
    return table


SQL_TABLES: dict[type, sa.Table] = {row_class: _table(row_class) for row_class in TABLES}

META = sa.Table("meta", METADATA, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
"""schema_version, pan_hash_key (hex), seed, created_at, holder."""


def _guards() -> None:
    txn, batch = SQL_TABLES[Txn].c, SQL_TABLES[Batch].c
    live = sa.text(f"batch_id > 0 AND {_one_of('state', ('pending', *_HELD))}")
    time = sa.text("(CASE WHEN length(local_time) = 10 THEN local_time ELSE transmitted END)")  # identity.key_time
    key = (txn.tid, txn.stan, txn.epoch, txn.batch_id, txn.wire_batch, time)
    sa.Index(LIVE_KEY, *key, unique=True, sqlite_where=live, postgresql_where=live, _table=SQL_TABLES[Txn])
    by_card = sa.text(NAMED_BY_CARD)
    sa.Index(BY_CARD, txn.mid, txn.pan_hash, txn.id, sqlite_where=by_card, postgresql_where=by_card)
    expiring = sa.text(LIVE_PREAUTH)
    sa.Index("txn_expiring", txn.created_at, sqlite_where=expiring, postgresql_where=expiring)
    open_now = batch.state.in_(["open", "disputed"])
    sa.Index(ONE_LIVE_BATCH, batch.tid, unique=True, sqlite_where=open_now, postgresql_where=open_now)


_guards()


def ddl(dialect: Dialect) -> list[str]:
    """CREATE TABLE and CREATE INDEX of a new store."""
    statements: list[str] = []
    for table in METADATA.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda i: str(i.name))
        statements += [str(CreateIndex(i).compile(dialect=dialect)) for i in indexes]
    return statements


Encode = Callable[[R], tuple[Any, ...]]
Change = tuple[str, Encode[R]]
"""A statement that changes some columns of one row, and what fills its places."""

WORDS: dict[type, frozenset[str]] = {
    Txn: frozenset({"kind", "entry", "voids_kind"}),
    StagedItem: frozenset({"kind", "form"}),
}
"""Columns of text in which rows may hold a member of an enum."""
CHANGES_MAX = 256
"""Statements of one class by the columns that they change: a sale has one each."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[R]):
    """One row class on one driver. Shape: `encode` row -> tuple in column order, `decode` the other way round.

    insert: the writer's statement for one row; later: the columns that it changes in a row that is there already.
    """

    row_class: type[R]
    name: str
    columns: str
    insert: str
    encode: Encode[R]
    later: tuple[str, ...]
    _change: Callable[[tuple[str, ...]], Change[R]]
    _changes: dict[tuple[str, ...], Change[R]]
    _names: tuple[str, ...]
    _casts: tuple[tuple[str, Callable[[Any], Any]], ...]

    def change(self, names: tuple[str, ...]) -> Change[R]:
        """Statement and encoder for a row that is there and of which only these columns change."""
        found = self._changes.get(names)
        if found is None:
            if len(self._changes) >= CHANGES_MAX:
                self._changes.clear()
            found = self._changes[names] = self._change(names)
        return found

    def decode(self, values: Sequence[Any]) -> R:
        """The row of one line of the table, enums and booleans made of what the database has.

        Rows have a dictionary and no `__post_init__`: filling it costs a third of what the constructor does.
        """
        row = object.__new__(self.row_class)
        cells = row.__dict__
        cells.update(zip(self._names, values, strict=True))
        for name, cast_to in self._casts:
            cells[name] = cast_to(cells[name])
        return row


def _cast(made: type) -> Callable[[Any], Any]:
    """What makes a cell of it: an enum by a look-up, which costs a tenth of calling it. An unknown word is KeyError."""
    return {member.value: member for member in made}.__getitem__ if issubclass(made, StrEnum) else made


def _encoder(row_class: type[R], names: Sequence[str], *, whole: bool) -> Encode[R]:
    """Straight code that reads these columns of a row, made once.

    A driver looks long at a value that is not exactly a str or an int, so members of enums become their text and, with
    `whole`, for a database without booleans, truth values whole numbers.
    """
    hints = get_type_hints(row_class)
    words = WORDS.get(row_class, frozenset())
    cells = []
    for name in names:
        cell = f"cells[{name!r}]"
        if name in words or issubclass(hints[name], StrEnum):
            cell = f"text({cell})"
        elif whole and hints[name] is bool:
            cell = f"+{cell}"
        cells.append(cell)
    made: dict[str, Any] = {"text": str.__str__}
    exec(f"def encode(row):\n    cells = row.__dict__\n    return ({', '.join(cells)},)", made)
    return cast("Encode[R]", made["encode"])


def codec(row_class: type[R], dialect: Dialect, mark: str) -> Codec[R]:
    """The Codec of a row class. mark: the driver's placeholder ("?" or "%s")."""
    quote = dialect.identifier_preparer.quote
    hints = get_type_hints(row_class)
    names = tuple(f.name for f in fields(cast(Any, row_class)))
    columns = [quote(n) for n in names]
    table = quote(table_name(row_class))
    born = names if row_class in APPEND_ONLY else ("id", *BORN.get(row_class, ()))
    later = tuple(n for n in names if n not in born)
    insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([mark] * len(columns))})"
    if later:
        insert += f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{quote(n)} = excluded.{quote(n)}' for n in later)}"
    whole = dialect.name == "sqlite"

    def change(changed: tuple[str, ...]) -> Change[R]:
        sets = ", ".join(f"{quote(n)} = {mark}" for n in changed)
        return f"UPDATE {table} SET {sets} WHERE id = {mark}", _encoder(row_class, (*changed, "id"), whole=whole)

    return Codec(
        row_class=row_class,
        name=table,
        columns=", ".join(f"t.{c}" for c in columns),
        insert=insert,
        encode=_encoder(row_class, names, whole=whole),
        later=later,
        _change=change,
        _changes={},
        _names=names,
        _casts=tuple((n, _cast(hints[n])) for n in names if hints[n] is bool or issubclass(hints[n], StrEnum)),
    )
