"""What a load reads: never more because a terminal has sold for long."""

from __future__ import annotations

from host.engine.working import Needs
from host.rows import Txn
from host.store.store import open_store
from tests.support.books import TID, a_txn

SALES = 3_000
"""Sales that a terminal has made."""
STEPS = 1_000
"""A handful of look-ups takes SQLite a few hundred of its steps, a look at every sale some ten thousand."""


def test_unfinished_legs_of_one_terminal_are_found_without_reading_all_its_sales() -> None:
    store = open_store("sqlite://", seed=1)
    store.commit([a_txn(n, 100) for n in range(1, SALES + 1)])
    assert store.newest(Txn) == SALES
    driver = store._driver
    steps = [0]
    driver._c.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 10), 10)  # type: ignore[attr-defined]
    ws = store.load(Needs(tids={TID}))
    driver._c.set_progress_handler(None, 0)  # type: ignore[attr-defined]
    assert ws.all(Txn) == []
    assert steps[0] < STEPS
    store.close()
