"""What the store keeps at hand never differs from what is on disk, whatever is written, by whom, and how it ends.

Two stores get the same writes: one on a file that keeps rows at hand, one in memory that is made to forget before every
use, and so writes whole rows and asks for all. After every step both hold the same tables; every load of the first is
what a connection of its own finds on the file.
"""

from __future__ import annotations

import dataclasses
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from host.engine.working import Needs, WorkingSet
from host.errors import LedgerBroken, StoreUnavailable
from host.rows import (
    TABLES,
    Alarm,
    Batch,
    BatchState,
    IssuerAccount,
    IssuerLeg,
    Leg,
    Merchant,
    Posting,
    Row,
    Terminal,
    Txn,
    TxnState,
)
from host.store import kept
from host.store.kept import Kept
from host.store.loading import Loader
from host.store.schema import table_name
from host.store.sqlite import SqliteDriver
from host.store.store import Store, open_store
from specs.operation import Kind
from tests.support.books import CUP, a_batch, a_leg, a_terminal, a_txn

IDS = st.integers(1, 4)
TIDS = ("T1", "T2", "T3")
NUMBERS = ("000001", "000002")
CARDS = ("aa", "bb", "cc")
MIDS = ("M1", "M2")
OF_COLUMN: dict[str, st.SearchStrategy[Any]] = {
    "id": IDS,
    "tid": st.sampled_from(TIDS),
    "mid": st.sampled_from(MIDS),
    "number": st.sampled_from(NUMBERS),
    "pan_hash": st.sampled_from(CARDS),
    "stan": st.sampled_from(NUMBERS),
    "txn_id": IDS,
    "batch_id": IDS,
    "original_id": st.just(0),
    "replaced_by": st.just(0),
    "kind": st.sampled_from(Kind),
}
OF_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "int": st.integers(0, 2),
    "str": st.sampled_from(("", "x", "1000")),
    "bool": st.booleans(),
    "TxnState": st.sampled_from(TxnState),
    "BatchState": st.sampled_from(BatchState),
}
BATCHES = (BatchState.CLOSED, BatchState.OPEN, BatchState.OPEN)
"""As the day begins: T1 has closed one and opened one, T3 has opened one."""
LEG_STATES = st.sampled_from(("asking", "undoing", "owing", "done"))
LEG_NUMBERS = st.integers(1, 2)
CLASSES = (Terminal, Merchant, IssuerAccount, Batch, Txn, Leg, IssuerLeg)
WHOLE = Needs(
    tids={*TIDS},
    mids={*MIDS},
    numbers={(tid, number) for tid in TIDS for number in NUMBERS},
    pan_hashes={*CARDS},
    issuer_txn_ids={1, 2, 3, 4},
    txn_ids={1, 2, 3, 4},
)


def a_column(row_class: type[Any], field: dataclasses.Field[Any]) -> st.SearchStrategy[Any]:
    """Small ranges, so that rows meet: the same ids, terminals, numbers and cards again and again."""
    if row_class in (Leg, IssuerLeg) and field.name in ("state", "number"):
        return LEG_STATES if field.name == "state" else LEG_NUMBERS
    return OF_COLUMN[field.name] if field.name in OF_COLUMN else OF_TYPE[str(field.type)]


def a_row(row_class: type[Any]) -> st.SearchStrategy[Any]:
    return st.builds(row_class, **{f.name: a_column(row_class, f) for f in dataclasses.fields(row_class)})


@st.composite
def changed(draw: st.DrawFn, row: Any) -> Any:
    """A new form of a row that is there."""
    columns = [f for f in dataclasses.fields(row) if f.name != "id"]
    chosen = draw(st.lists(st.sampled_from(columns), max_size=3, unique_by=lambda f: f.name))
    return dataclasses.replace(row, **{f.name: draw(a_column(type(row), f)) for f in chosen})


def shown(ws: WorkingSet) -> dict[tuple[str, int], tuple[str, dict[str, Any]]]:
    """The rows of a working set with the types of their values, members of enums as text."""

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, str) else (type(value), value)

    return {
        (type(row).__name__, row.id): (type(row).__name__, {k: plain(v) for k, v in vars(row).items()})
        for row in ws.rows()
    }


class RowsAtHand(RuleBasedStateMachine):
    """See the head of this file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "books.db"
        self.store = open_store(f"sqlite:///{self.path}", seed=7)
        self.plain = open_store("sqlite://", seed=7)
        self.plain._kept.look = lambda driver: None  # type: ignore[method-assign]

    def teardown(self) -> None:
        self.store.close()
        self.plain.close()
        self.folder.cleanup()

    # ---- writes

    @initialize()
    def a_day_has_begun(self) -> None:
        """Rows of every class that can be at hand."""
        rows: list[Row] = [Merchant(1, "M1", "Shop", "156", "auto")]
        for row_id, tid in enumerate(TIDS, start=1):
            rows += [
                a_terminal(id=row_id, tid=tid, mid="M1"),
                a_batch(id=row_id, tid="T1" if row_id < 3 else tid, state=BATCHES[row_id - 1]),
                IssuerAccount(row_id, CARDS[row_id - 1], "622316******0014", "CUP", "debit", "ok", -1, 0, "", 0),
                a_txn(row_id, 1000, tid=tid, mid="M1", batch_id=0, state=TxnState.PENDING),
                dataclasses.replace(a_leg(row_id), id=row_id),
            ]
        self.both(lambda store: store.commit(rows))
        assert len(self.store.load(WHOLE).rows()) == len(rows)

    def both(self, act: Callable[[Store], object]) -> None:
        """The same on both stores, with the same end."""
        ends = []
        for store in (self.store, self.plain):
            try:
                act(store)
                ends.append("done")
            except (StoreUnavailable, LedgerBroken) as error:
                ends.append(type(error).__name__)
        assert ends[0] == ends[1], ends

    @rule(rows=st.lists(st.sampled_from(CLASSES).flatmap(a_row), min_size=1, max_size=4))
    def commit(self, rows: list[Row]) -> None:
        self.both(lambda store: store.commit(rows))

    @rule(data=st.data(), also=st.lists(st.sampled_from((Batch, Txn, Terminal)).flatmap(a_row), max_size=1))
    def commit_new_forms(self, data: st.DataObject, also: list[Row]) -> None:
        rows = self.store.load(WHOLE).rows()
        if rows:
            chosen = data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=4))
            puts = [data.draw(changed(row)) for row in chosen] + also
            self.both(lambda store: store.commit(puts))

    @rule(data=st.data(), how=st.sampled_from(("not committed", "unknown", "broken off", "unbalanced")))
    def commit_that_fails(self, data: st.DataObject, how: str) -> None:
        rows = self.store.load(WHOLE).rows()
        if rows:
            puts = [data.draw(changed(data.draw(st.sampled_from(rows)))) for _ in range(2)]
            puts += data.draw(st.lists(st.sampled_from(CLASSES).flatmap(a_row), max_size=1))
            self.both(lambda store: self.spoilt(store, how, puts))

    def spoilt(self, store: Store, how: str, puts: list[Row]) -> None:
        driver = store._driver
        if how == "unbalanced":
            store.commit([*puts, Posting(1, 1, "acquirer", "suspense", 5, "156", 1, 1, "capture", "")])
            return
        name = {"not committed": "commit", "unknown": "commit", "broken off": "execute_many"}[how]
        really = getattr(driver, name)
        calls: list[int] = []

        def strike(*arguments: Any) -> None:
            calls.append(1)
            if how == "unknown" or (how == "broken off" and len(calls) == 1):
                really(*arguments)
            if how != "broken off" or len(calls) > 1:
                raise StoreUnavailable("struck", unknown=how == "unknown")

        # Two rows of tables of their own: however much of the others is written, there is a second statement.
        always: list[Row] = [
            Posting(1, 1, "acquirer", "x", 0, "156", 1, 1, "capture", ""),
            Alarm(1, "", "", "x", "", 0, 0),
        ]
        with mock.patch.object(driver, name, strike):
            store.commit([*puts, *always] if how == "broken off" else puts)

    @rule(tids=st.none() | st.sets(st.sampled_from(TIDS)))
    def clear(self, tids: set[str] | None) -> None:
        self.both(lambda store: store.clear(tids))

    @rule()
    def remember_profiles(self) -> None:
        self.both(lambda store: store.keep_profiles({"cup": CUP}))

    @rule()
    def prune(self) -> None:
        self.both(lambda store: store.prune(0, 10**9, datetime.fromisoformat("2030-01-01T00:00:00+00:00")))

    @rule(
        sql=st.sampled_from(
            (
                "UPDATE terminal SET last_stan = last_stan || '7'",
                "UPDATE issuer_account SET debited = debited + 100",
                "UPDATE batch SET running = 'other', state = 'closed'",
                "UPDATE merchant SET name = name || 'x'",
                "UPDATE txn SET note = note || 'x'",
                "UPDATE leg SET state = 'asking', tries = tries + 1",
                "DELETE FROM batch WHERE id = 1",
                "DELETE FROM leg",
                "DELETE FROM terminal WHERE id IN (1, 2)",
            )
        ),
        foreign=st.booleans(),
    )
    def write_past_it(self, sql: str, foreign: bool) -> None:
        """Through the store's own connection but not by a commit, or from another program."""
        if foreign:
            with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
                other.execute(sql)
        else:
            self.store._driver.execute(sql)
        self.plain._driver.execute(sql)

    # ---- reads

    @rule(
        tids=st.sets(st.sampled_from(TIDS)),
        numbers=st.sets(st.tuples(st.sampled_from(TIDS), st.sampled_from(NUMBERS))),
        cards=st.sets(st.sampled_from(CARDS)),
        whole=st.sets(st.sampled_from(TIDS), max_size=1),
    )
    def load(self, tids: set[str], numbers: set[tuple[str, str]], cards: set[str], whole: set[str]) -> None:
        self.same(Needs(tids=tids | whole, numbers=numbers, pan_hashes=cards, mids={"M1"}, items_of_tids=whole))

    @precondition(lambda self: self.path.exists())
    @invariant()
    def all_that_can_be_at_hand_is_as_on_disk(self) -> None:
        self.same(WHOLE)

    def same(self, needs: Needs) -> None:
        with closing(SqliteDriver(self.path, read_only=True)) as driver:
            fresh = Loader(driver, self.store.codecs, Kept()).run(needs)
        assert shown(self.store.load(needs)) == shown(fresh)

    @invariant()
    def both_stores_hold_the_same(self) -> None:
        for row_class in TABLES:
            sql = f"SELECT * FROM {table_name(row_class)} ORDER BY id"
            with self.read(self.store) as one, self.read(self.plain) as other:
                assert one(sql) == other(sql)

    @contextmanager
    def read(self, store: Store) -> Iterator[Callable[[str], list[Any]]]:
        yield store._driver.query


# A machine that never loads twice in a row would always find nothing at hand: the invariants load after every step.
TestRowsAtHand = RowsAtHand.TestCase
TestRowsAtHand.settings = settings(
    max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)


def three_terminals(store: Store) -> None:
    store.commit([a_terminal(id=row_id, tid=tid) for row_id, tid in enumerate(TIDS, start=1)])


def test_the_bound_of_what_is_at_hand_is_kept_and_loses_nothing() -> None:
    """Three terminals with room for two rows: all are found, time after time."""
    with mock.patch.object(kept, "ROWS_MAX", 2), closing(open_store("sqlite://", seed=7)) as store:
        three_terminals(store)
        for _ in range(3):
            found = store.load(Needs(tids={*TIDS}))
            assert {t.tid for t in found.all(Terminal)} == {*TIDS}
            assert sum(map(len, store._kept._rows.values())) <= 2


def test_a_row_that_takes_an_earlier_form_again_is_written() -> None:
    """What was at hand while it was not over is not what is on disk once it is."""
    with closing(open_store("sqlite://", seed=7)) as store:
        txn, leg = a_txn(1, 1000, state=TxnState.PENDING), a_leg(1)
        over = dataclasses.replace(txn, state=TxnState.DECLINED), dataclasses.replace(leg, state="done")
        for puts in ((txn, leg), over, (txn, leg)):
            store.commit(puts)
            found = store.load(Needs(txn_ids={1}))
            assert (found.txn(1), found.legs_of(1)) == (puts[0], [puts[1]])


def test_a_terminal_at_hand_is_not_asked_for_again_and_only_what_changed_of_it_is_written() -> None:
    """Without this the other tests here would pass over a store that keeps nothing."""
    with closing(open_store("sqlite://", seed=7)) as store:
        three_terminals(store)
        before = store.load(Needs(tids={"T1"})).terminal("T1")
        assert before is not None
        with mock.patch.object(store._driver, "query", wraps=store._driver.query) as asked:
            assert store.load(Needs(tids={"T1"})).terminal("T1") is before
        assert [call for call in asked.call_args_list if "terminal t WHERE" in call.args[0]] == []
        with mock.patch.object(store._driver, "execute_many", wraps=store._driver.execute_many) as told:
            store.commit([dataclasses.replace(before, last_stan="000009")])
        assert [call.args for call in told.call_args_list] == [
            ("UPDATE terminal SET last_stan = ? WHERE id = ?", [("000009", 1)])
        ]
