"""A working set finds by its indexes what going through all rows finds, and a draft that is discarded leaves no trace.

The second opinion is a plain dictionary of rows, looked through from end to end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.engine.draft import Draft
from host.engine.working import WorkingSet
from host.rows import Batch, BatchState, Leg, Row, Terminal, Txn
from tests.support.books import a_batch, a_draft, a_terminal, a_txn

TIDS = ("10000001", "10000002")
IDS = st.integers(1, 4)


def _txns(row_id: int, few: int, amount: int) -> Txn:
    """Rows of one id agree in what a transaction is born with; the amount changes."""
    return replace(
        a_txn(row_id, 100, batch_id=row_id % 2),
        tid=TIDS[row_id % 2],
        stan=f"{row_id % 3:06d}",
        original_id=row_id % 2,
        invoice=f"{row_id % 2} ",
        approved_amount=amount + few,
    )


def _terminals(row_id: int, few: int, amount: int) -> Terminal:
    return replace(a_terminal(), id=row_id, tid=f"1000000{row_id + 5 * few}", last_stan=str(amount))


def _batches(row_id: int, few: int, amount: int) -> Batch:
    """What moves from one key to another: nothing says that a batch keeps its terminal."""
    return replace(a_batch("000001", BatchState.CLOSED, id=row_id, closed_at="x"), tid=TIDS[few], running=str(amount))


def _legs(row_id: int, few: int, amount: int) -> Leg:
    return Leg(row_id, row_id % 2, row_id, "debit", 100, "156", "hash", "asking", "", amount, "")


ROWS: st.SearchStrategy[Row] = st.builds(
    lambda make, row_id, few, amount: make(row_id, few, amount),
    st.sampled_from([_txns, _terminals, _batches, _legs]),
    IDS,
    st.integers(0, 1),
    st.integers(0, 9),
)

LOOKUPS: dict[str, tuple[Callable[[WorkingSet], list[Any]], type, Callable[[Any], bool]]] = {
    "stan": (lambda ws: ws.txns_by_stan(TIDS[1], "000001"), Txn, lambda t: (t.tid, t.stan) == (TIDS[1], "000001")),
    "invoice": (lambda ws: ws.txns_by_invoice(TIDS[1], "1"), Txn, lambda t: t.tid == TIDS[1] and t.invoice == "1 "),
    "batch": (lambda ws: ws.txns_of_batch(1), Txn, lambda t: t.batch_id == 1),
    "original": (lambda ws: ws.acting_on(1), Txn, lambda t: t.original_id == 1),
    "legs": (lambda ws: ws.legs_of(1), Leg, lambda g: g.txn_id == 1),
    "batches": (lambda ws: ws.batches(TIDS[0]), Batch, lambda b: b.tid == TIDS[0]),
    "terminal": (lambda ws: _one(ws.terminal("10000007")), Terminal, lambda t: t.tid == "10000007"),
}


def _one(row: Any) -> list[Any]:
    return [] if row is None else [row]


def _agrees(ws: WorkingSet, rows: dict[tuple[type, int], Row]) -> None:
    for name, (look, row_class, fits) in LOOKUPS.items():
        expected = [rows[key] for key in sorted(rows, key=lambda key: key[1]) if key[0] is row_class]
        assert look(ws) == [row for row in expected if fits(row)], name
    assert sorted(map(repr, ws.rows())) == sorted(map(repr, rows.values()))
    for row_class in (Txn, Terminal, Batch, Leg):
        assert ws.ids(row_class) == {row_id for made, row_id in rows if made is row_class}


@given(loaded=st.lists(ROWS), put=st.lists(ROWS), asked_before=st.booleans())
def test_what_is_put_is_found_under_its_keys(loaded: list[Row], put: list[Row], asked_before: bool) -> None:
    """Whether an index was there when the rows came or is made of them afterwards."""
    ws = WorkingSet(loaded)
    rows = {(type(row), row.id): row for row in loaded}
    if asked_before:
        _agrees(ws, rows)
    for row in put:
        assert ws.put(row) == rows.get((type(row), row.id))
        rows[type(row), row.id] = row
    _agrees(ws, rows)


@given(loaded=st.lists(ROWS), put=st.lists(ROWS))
def test_a_draft_gives_each_row_once_in_its_last_form(loaded: list[Row], put: list[Row]) -> None:
    draft = Draft(WorkingSet(loaded), a_draft().ctx)
    latest: dict[tuple[type, int], Row] = {}
    for row in put:
        assert draft.put(row) is row
        latest[type(row), row.id] = row
    assert draft.puts == tuple(latest.values())


@given(loaded=st.lists(ROWS), put=st.lists(ROWS, min_size=1))
def test_a_discarded_draft_leaves_no_trace(loaded: list[Row], put: list[Row]) -> None:
    ws = WorkingSet(loaded)
    rows = {(type(row), row.id): row for row in loaded}
    _agrees(ws, rows)
    draft = Draft(ws, a_draft().ctx)
    for row in put:
        draft.put(row)
    draft.discard()
    assert draft.puts == ()
    _agrees(ws, rows)


@pytest.mark.parametrize("row", [_txns(1, 0, 5), _legs(1, 0, 5)])
def test_what_a_row_is_born_with_never_changes(row: Txn | Leg) -> None:
    draft = a_draft([row])
    with pytest.raises(AssertionError):
        draft.put(replace(row, amount=101))
    draft.discard()
    assert draft.ws.rows() == [row]
