"""The end of the message log: what goes, what stays however old it is, and what whoever reads it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from host.clock import Clock
from host.errors import StoreUnavailable
from host.rows import Adjustment, Batch, BatchState, MessageRow, Row, Txn, TxnState
from host.store.pruning import CHUNK, Pruned
from host.store.store import Store, open_reader, open_store
from host.wire_log import REST_S, WireLog, prune_all
from tests.support.books import a_batch, a_leg, a_txn

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
OPEN, CLOSED = 1, 2


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url, seed=7)
    opened.commit(
        [
            a_batch("000001", id=CLOSED, state=BatchState.CLOSED),
            a_batch("000002", id=OPEN),
        ]
    )
    yield opened
    opened.close()


def a_message(row_id: int, txn_id: int = 0, *, minutes: int = 0, reply_to: int = 0) -> MessageRow:
    at = (START + timedelta(minutes=minutes or row_id)).isoformat(timespec="milliseconds")
    direction = "out" if reply_to else "in"
    empty = dict.fromkeys(("peer", "dialect", "tid", "mti", "kind", "stan", "code", "rrn", "auth_code"), "")
    return MessageRow(
        id=row_id, at=at, direction=direction, txn_id=txn_id, reply_to=reply_to, fields="{}", notes="[]", fate="",
        digest="", **empty
    )  # fmt: skip


def sale(store: Store, txn_id: int, batch_id: int, **changes: object) -> None:
    """A sale whose request and answer have ids 2n - 1 and 2n."""
    row: Txn = replace(a_txn(txn_id, 100, batch_id=batch_id), **changes)  # type: ignore[arg-type]
    rows: list[Row] = [row, a_message(2 * txn_id - 1, txn_id), a_message(2 * txn_id, txn_id, reply_to=2 * txn_id - 1)]
    store.commit(rows)


def left(store: Store) -> list[int]:
    return [m.id for m in store.reader().select(MessageRow)]


def of(*txn_ids: int) -> list[int]:
    return [row_id for txn_id in txn_ids for row_id in (2 * txn_id - 1, 2 * txn_id)]


def still(rows: int = 0, days: int = 0) -> Clock:
    return Clock(UTC, START + timedelta(hours=1), running=False)


# ---- what goes


def test_the_newest_stay_and_the_store_says_what_is_gone(store: Store, store_url: str) -> None:
    for txn_id in range(1, 6):
        sale(store, txn_id, CLOSED)
    assert prune_all(store, still(), rows=3) == 7
    assert left(store) == [8, 9, 10]
    said = Pruned(through=7, until=(START + timedelta(minutes=7)).isoformat(timespec="milliseconds"), rows=7)
    assert store.pruned() == said
    reader = open_reader(store_url)
    assert reader.pruned() == said
    books = reader.load_books()
    reader.close()
    assert (books.pruned_through, books.pruned_until) == (7, said.until)
    assert books.log_covers((START + timedelta(minutes=8)).isoformat())
    assert not books.log_covers((START + timedelta(minutes=7)).isoformat())
    assert prune_all(store, still(), rows=2) == 1
    assert store.pruned() == Pruned(8, (START + timedelta(minutes=8)).isoformat(timespec="milliseconds"), 8)
    assert len(store.reader().select(Txn)) == 5


def test_what_is_older_than_so_many_days_goes(store: Store) -> None:
    store.commit([a_message(n, minutes=n * 24 * 60) for n in range(1, 11)])
    now = Clock(UTC, START + timedelta(days=11), running=False)
    assert prune_all(store, now, days=3) == 7
    assert left(store) == [8, 9, 10]  # the eighth is three days old to the second


def test_a_log_within_its_bounds_is_left_alone(store: Store) -> None:
    for txn_id in range(1, 4):
        sale(store, txn_id, CLOSED)
    assert prune_all(store, still(), rows=6, days=1) == 0
    assert (left(store), store.pruned()) == (of(1, 2, 3), None)


def test_many_go_in_small_steps(store: Store) -> None:
    store.commit([a_message(n) for n in range(1, 3 * CHUNK + 1)])
    sizes = []
    after, more = 0, True
    while more:
        chunk = store.prune(after, 2 * CHUNK + 10, None)
        sizes.append(chunk.gone)
        after, more = chunk.looked, chunk.more
    assert sizes == [CHUNK, CHUNK, 10]
    assert left(store) == list(range(2 * CHUNK + 11, 3 * CHUNK + 1))


def test_ids_of_messages_go_on_when_all_are_gone(store: Store, store_url: str) -> None:
    """A message of a reused number would be taken for one that was pruned."""
    store.commit([a_message(n) for n in range(1, 6)])
    assert prune_all(store, Clock(UTC, START + timedelta(days=9), running=False), days=1) == 5
    store.close()
    again = open_store(store_url, seed=7)
    assert again.last_ids()["MessageRow"] == 5
    again.clear()
    assert (again.last_ids()["MessageRow"], again.pruned()) == (5, None)
    again.close()


# ---- what stays


def test_messages_of_open_and_disputed_batches_stay_until_they_are_closed(store: Store) -> None:
    sale(store, 1, CLOSED)
    sale(store, 2, OPEN)
    sale(store, 3, CLOSED)
    sale(store, 4, CLOSED)
    prune_all(store, still(), rows=1)
    assert left(store) == [*of(2), 8]
    batch = store.reader().select(Batch, {"id": OPEN})[0]
    store.commit([replace(batch, state=BatchState.DISPUTED)])
    prune_all(store, still(), rows=1)
    assert left(store) == [*of(2), 8]
    store.commit([replace(batch, state=BatchState.CLOSED)])
    assert prune_all(store, still(), rows=1) == 2
    assert left(store) == [8]


@pytest.mark.parametrize("state", [TxnState.PENDING, TxnState.AUTHORISED])
def test_messages_of_what_is_not_over_stay(store: Store, state: TxnState) -> None:
    sale(store, 1, 0, state=state)
    sale(store, 2, CLOSED)
    sale(store, 3, CLOSED)
    prune_all(store, still(), rows=1)
    assert left(store) == [*of(1), 6]


def test_messages_of_a_leg_in_flight_and_of_an_adjustment_in_an_open_batch_stay(store: Store) -> None:
    for txn_id in range(1, 5):
        sale(store, txn_id, CLOSED)
    store.commit([a_leg(1, "undoing"), replace(a_leg(3, "done"), id=2)])
    store.commit([Adjustment(1, 2, OPEN, -100, "late-reversal", START.isoformat())])
    prune_all(store, still(), rows=1)
    assert left(store) == [*of(1, 2), 8]


def test_messages_of_all_that_belongs_to_what_is_not_over_stay(store: Store) -> None:
    """A sale in a closed batch, its tip there, and the void of it in the open one."""
    sale(store, 1, CLOSED, replaced_by=2)
    sale(store, 2, CLOSED, original_id=1)
    sale(store, 3, OPEN, original_id=2)
    sale(store, 4, CLOSED)
    sale(store, 5, CLOSED)
    prune_all(store, still(), rows=1)
    assert left(store) == [*of(1, 2, 3), 10]


# ---- while the host runs


class Machine:
    """Seconds of the machine, as a test wants them."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_running_host_keeps_within_its_bound_step_by_step(store: Store) -> None:
    hits: list[str] = []
    keeper = WireLog(store, Clock(UTC), rows=20, hit=hits.append, now=Machine())
    for txn_id in range(1, 11):
        sale(store, txn_id, CLOSED)
    assert (keeper.turn(), len(left(store)), hits) == (False, 20, [])
    sale(store, 11, CLOSED)
    while keeper.turn():
        pass
    assert (left(store), hits) == (list(range(3, 23)), ["wire_log_rows"])
    assert not keeper.turn()
    sale(store, 12, CLOSED)
    while keeper.turn():
        pass
    assert (left(store), hits) == (list(range(5, 25)), ["wire_log_rows"] * 2)


def test_it_does_not_go_over_what_it_kept_again_and_again(store: Store) -> None:
    """Only now and then: an open batch of a hundred thousand items would be read for each sale."""
    machine = Machine()
    keeper = WireLog(store, Clock(UTC), rows=2, now=machine)
    sale(store, 1, OPEN)
    for txn_id in range(2, 5):
        sale(store, txn_id, CLOSED)
    while keeper.turn():
        pass
    assert left(store) == [*of(1, 4)]
    batch = store.reader().select(Batch, {"id": OPEN})[0]
    store.commit([replace(batch, state=BatchState.CLOSED)])
    sale(store, 5, CLOSED)
    while keeper.turn():
        pass
    assert left(store) == [*of(1, 5)]
    machine.seconds += 601
    sale(store, 6, CLOSED)
    while keeper.turn():
        pass
    assert left(store) == [*of(6)]


def test_age_counts_on_the_machines_own_clock_only(store: Store) -> None:
    """Who sets the clock a month ahead to see reservations expire still wants to read what was said."""
    store.commit([a_message(n) for n in range(1, 6)])
    played = Clock(UTC, START, running=True)
    keeper = WireLog(store, played, days=1, now=Machine())
    played.advance(40 * 86_400)
    assert (keeper.turn(), left(store)) == (False, [1, 2, 3, 4, 5])
    hits: list[str] = []
    own = WireLog(store, Clock(UTC), days=1, hit=hits.append, now=Machine())  # the messages are of March 2026
    if datetime.now(UTC) > START + timedelta(days=2):
        while own.turn():
            pass
        assert (left(store), hits) == ([], ["wire_log_days"])


class Refusing:
    """A store that has no room."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def prune(self, *_: object) -> object:
        self.asked += 1
        raise StoreUnavailable("disk is full")


def test_a_store_that_refuses_is_left_alone_for_a_while(store: Store) -> None:
    for txn_id in range(1, 5):
        sale(store, txn_id, CLOSED)
    machine, refusing = Machine(), Refusing(store)
    keeper = WireLog(refusing, Clock(UTC), rows=2, now=machine)  # type: ignore[arg-type]
    for _ in range(3):
        assert not keeper.turn()
    assert refusing.asked == 1
    machine.seconds += REST_S
    keeper.turn()
    assert (refusing.asked, left(store)) == (2, of(1, 2, 3, 4))


def test_without_bounds_nothing_goes(store: Store) -> None:
    sale(store, 1, CLOSED)
    assert not WireLog(store, Clock(UTC), now=Machine()).turn()
    assert left(store) == of(1)


def test_what_the_meta_table_keeps_is_json(store: Store) -> None:
    store.commit([a_message(1), a_message(2)])
    prune_all(store, still(), rows=1)
    assert json.loads(store.meta()["messages pruned"])["through"] == 1
