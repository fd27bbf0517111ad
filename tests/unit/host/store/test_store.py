"""The store: what is durable, what is refused, who may hold it, and that a load finds what it was asked for."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from host.checker import report
from host.engine.working import Needs
from host.errors import Busy, ConfigError, LedgerBroken, StoreHeld, StoreUnavailable, StoreVersion
from host.issuer.link import FaultKind, LinkFault
from host.rows import (
    TABLES,
    Adjustment,
    Alarm,
    Batch,
    BatchState,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    Leg,
    Merchant,
    MessageRow,
    Posting,
    Row,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from host.store.store import Store, open_reader, open_store
from specs.operation import Kind
from tests.support.books import TID, a_batch, a_leg, a_terminal, a_txn
from tests.support.engine import NAC, a_card
from tests.support.engine import TID as TID_OF_ENGINE
from tests.support.host_engine import EngineHost

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url, seed=7)
    yield opened
    opened.close()


def filled(row_class: type[Any], row_id: int) -> Any:
    """A row of any class with a telling value in every column: what is swapped or lost on the way shows."""
    values: dict[str, Any] = {"id": row_id}
    for number, f in enumerate(fields(row_class)):
        kind = f.type if isinstance(f.type, str) else f.type.__name__
        values.setdefault(
            f.name,
            {
                "int": 10_000_000_000 + number,
                "str": f"'{f.name}' \"ü\" 批 %s ? \n",
                "bool": number % 2 == 1,
                "TxnState": TxnState.VOIDED,
                "BatchState": BatchState.DISPUTED,
            }[kind],
        )
    return row_class(**values)


def posting(row_id: int, amount: int, **changes: Any) -> Posting:
    made = Posting(row_id, 1, "acquirer", "suspense", amount, "156", 1, 1, "capture", "2026-03-02T09:00:00+00:00")
    return replace(made, **changes)


def a_message(row_id: int, **changes: Any) -> MessageRow:
    row: MessageRow = filled(MessageRow, row_id)
    return replace(row, **changes)


# ---- rows


@pytest.mark.parametrize("row_class", TABLES, ids=lambda c: c.__name__)
def test_a_row_comes_back_as_it_went_in_and_in_its_new_form(row_class: type[Any], tmp_path: Path) -> None:
    """Types too: a bool that comes back as 1, or a state that comes back as text, would compare unequal somewhere."""
    rows: list[Any] = [filled(row_class, 1)]
    if row_class is Posting:
        rows = [posting(1, 5), posting(2, -5)]
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}", seed=7)
    store.commit(rows)
    back = store.reader().select(row_class)
    store.close()
    assert back == rows
    assert [type(getattr(back[0], f.name)) for f in fields(row_class)] == [
        type(getattr(rows[0], f.name)) for f in fields(row_class)
    ]


def test_every_class_of_rows_goes_both_ways(store: Store) -> None:
    """The same on both databases, all classes in one commit; the second commit changes what may change."""
    rows: list[Row] = [filled(c, 1) for c in TABLES if c is not Posting]
    rows += [posting(1, 5), posting(2, -5)]
    store.commit(rows)
    for row_class in TABLES:
        assert store.reader().select(row_class) == [r for r in rows if type(r) is row_class]
    changed = replace(filled(Txn, 1), state=TxnState.REVERSED, carried=False)
    store.commit([changed])
    assert store.reader().select(Txn) == [changed]
    assert store.reader().load_books().txns == (changed,)


def test_the_last_form_of_a_row_in_a_group_counts(store: Store) -> None:
    store.commit([a_batch("000001", id=1), a_batch("000009", id=1)])
    assert [b.number for b in store.reader().select(Batch)] == ["000009"]


def test_what_is_only_ever_added_cannot_be_changed(store: Store) -> None:
    store.commit([posting(1, 5), posting(2, -5)])
    with pytest.raises(StoreUnavailable):
        store.commit([posting(1, 7), posting(2, -7)])
    assert [p.amount for p in store.reader().select(Posting)] == [5, -5]


# ---- the ledger's own assertion


UNBALANCED = {
    "amounts": [posting(1, 100), posting(2, -99)],
    "currencies": [posting(1, 100), posting(2, -100, currency="840")],
    "books": [posting(1, 100), posting(2, -100, book="issuer")],
    "entries": [posting(1, 100), posting(2, -100, entry_id=2)],
}


def test_an_entry_that_does_not_sum_to_zero_is_never_written(store: Store) -> None:
    """A10, and nothing else of the group either: the sale that the entry explains would be half booked."""
    for why, lines in UNBALANCED.items():
        with pytest.raises(LedgerBroken):
            store.commit([a_txn(1, 100), *lines])
        assert store.reader().select(Posting) == [], why
        assert store.reader().select(Txn) == [], why
    store.commit([a_txn(1, 100), posting(3, 1), posting(4, -1)])  # and the store goes on
    assert len(store.reader().select(Posting)) == 2


# ---- the guards behind the engine


SECOND_OF_A_KEY: tuple[tuple[dict[str, Any], bool], ...] = (
    ({}, False),
    ({"state": TxnState.PENDING}, False),
    ({"state": TxnState.REVERSED}, False),
    ({"state": TxnState.DECLINED}, True),
    ({"state": TxnState.TOMBSTONE}, True),
    ({"batch_id": 2}, True),
    ({"epoch": 2}, True),
    ({"wire_batch": "000009"}, True),
    ({"local_time": "0302090001"}, True),
    ({"tid": "T0000002"}, True),
)
"""(what differs from a captured sale under the same key, whether both may stand)."""


def test_no_two_live_originals_of_one_key(store: Store) -> None:
    """RH1: what the engine decides in memory the index holds on disk, and refuses no more than the rules do."""
    for number, (changes, allowed) in enumerate(SECOND_OF_A_KEY, start=1):
        first = a_txn(number * 10, 100, stan=f"{number:06d}", batch_id=1, wire_batch="000001")
        store.commit([first])
        refused = False
        try:
            store.commit([replace(first, id=first.id + 1, **changes)])
        except StoreUnavailable:
            refused = True
        assert refused is not allowed, changes
        assert len(store.reader().select(Txn, {"stan": first.stan})) == (2 if allowed else 1), changes


def test_a_terminal_has_one_live_batch_and_a_close_may_open_the_next(store: Store) -> None:
    first = a_batch("000001", id=1)
    store.commit([first])
    with pytest.raises(StoreUnavailable):
        store.commit([a_batch("000002", id=2)])
    store.commit([a_batch("000002", id=2), replace(first, state=BatchState.CLOSED)])
    assert len(store.reader().select(Batch)) == 2


# ---- load


def ids(rows: list[Any]) -> list[int]:
    return [row.id for row in rows]


OTHER = "T0000002"


@pytest.fixture
def stocked(store: Store) -> Store:
    """T0000001: batches 1 and 2 closed, 3 open; T0000002: batch 4 open. Each has rows that a load may not miss."""
    closed: dict[str, Any] = {"state": BatchState.CLOSED, "closed_at": "x"}
    store.commit(
        [
            a_terminal(id=1),
            a_terminal(id=2, tid=OTHER),
            Merchant(1, "123456789012345", "shop", "156", "auto"),
            a_batch("000001", id=1, **closed),
            a_batch("000002", id=2, **closed),
            a_batch("000003", id=3),
            a_batch("000001", id=4, tid=OTHER),
            a_txn(10, 100, stan="000001", batch_id=1, rrn="606109000010"),
            a_txn(11, 100, stan="000002", batch_id=2, rrn="606109000011", invoice="000077"),
            a_txn(12, 100, stan="000003", batch_id=3, rrn="606109000012"),
            a_txn(13, 100, stan="000004", batch_id=3, state=TxnState.PENDING, rrn="606109000013"),
            a_txn(14, 100, stan="000005", batch_id=3, original_id=10, rrn="606109000014"),
            a_txn(20, 100, stan="000001", batch_id=4, tid=OTHER, rrn="606109000012"),
            replace(a_leg(13), id=1),
            replace(a_leg(12, "done"), id=2),
            StagedItem(1, 3, "000003", 12, "sale", 100, "", "known", "x"),
            StagedItem(2, 1, "000001", 10, "sale", 100, "", "known", "x"),
            ExceptionItem(1, 3, TID, 12, "000003", "AMT", 100, 99, "", "x"),
            Adjustment(1, 10, 3, -100, "reversed", "x"),
            IssuerAccount(1, "h1", "", "CUP", "credit", "ok", -1, 0, "", 0),
            IssuerLeg(1, 12, 1, "debit", 100, 100, "", "h1", False, "x"),
        ]
    )
    return store


def test_a_terminal_comes_with_its_open_batch_its_last_closed_one_and_its_legs_in_flight(stocked: Store) -> None:
    ws = stocked.load(Needs(tids={TID}))
    assert ids(ws.all(Terminal)) == [1]
    assert ids(ws.batches(TID)) == [2, 3]
    assert ids(ws.unfinished_legs(TID)) == [1]
    assert ids(ws.all(Txn)) == [13]


def test_stans_find_every_original_under_them_of_that_terminal_only(stocked: Store) -> None:
    ws = stocked.load(Needs(stans={(TID, "000001"), (TID, "000003"), (OTHER, "000009")}))
    assert ids(ws.all(Txn)) == [10, 12]
    assert ids(ws.batches(TID)) == [1, 3]  # each with its batch
    assert ids(ws.adjustments(10)) == [1]
    assert ids(ws.legs_of(12)) == [2]


@pytest.mark.parametrize(
    ("needs", "txns"),
    [
        (Needs(rrns={(TID, "606109000012")}), [12]),
        (Needs(invoices={(TID, "000077")}), [11]),
        (Needs(txn_ids={20}), [20]),
        (Needs(txn_ids={14}), [10, 14]),  # with the original that it names
        (Needs(leg_ids={1}), [13]),
        (Needs(), []),
    ],
    ids=["rrn", "invoice", "id", "original", "leg", "nothing"],
)
def test_other_keys_find_their_transactions(stocked: Store, needs: Needs, txns: list[int]) -> None:
    ws = stocked.load(needs)
    assert ids(ws.all(Txn)) == txns
    assert {t.tid for t in ws.all(Txn)} == {t.tid for t in ws.all(Terminal)}  # an answer needs the terminal's key


MID = "123456789012345"


def test_a_merchant_s_rrn_stan_and_card_are_found_on_any_of_its_terminals(store: Store) -> None:
    store.commit(
        [
            a_terminal(id=1),
            a_terminal(id=2, tid=OTHER),
            a_terminal(id=3, tid="ELSEWHER", mid="999999999999999"),
            a_batch(id=1),
            a_txn(1, 100, stan="000001"),
            a_txn(2, 100, stan="000001", tid=OTHER, batch_id=2),
            a_txn(3, 100, stan="000001", tid="ELSEWHER", mid="999999999999999", batch_id=3),
            a_txn(4, 100, Kind.REFUND, pan_hash="hash-b", original_id=3, batch_id=9),
        ]
    )
    assert ids(store.load(Needs(merchant_rrns={(MID, "000000000002")})).all(Txn)) == [2]
    assert ids(store.load(Needs(merchant_stans={(MID, "000001"), (MID, "000404")})).all(Txn)) == [1, 2]
    ws = store.load(Needs(merchant_cards={(MID, "hash-a"), (MID, "hash-c")}))
    assert ids(ws.txns_of_card(MID, "hash-a")) == [1, 2]
    assert [t.tid for t in ws.all(Terminal)] == [TID, OTHER]  # each with what belongs to it
    assert ids(store.load(Needs(merchant_cards={("999999999999999", "hash-a")})).acting_on(3)) == [4]


def test_by_card_only_approved_originals_are_found(store: Store) -> None:
    states = [TxnState.CAPTURED, TxnState.DECLINED, TxnState.TOMBSTONE, TxnState.PENDING, TxnState.VOIDED]
    store.commit([a_txn(n, 100, state=state) for n, state in enumerate(states, 1)])
    preauths = [TxnState.AUTHORISED, TxnState.CAPTURED, TxnState.EXPIRED, TxnState.REVERSED]
    store.commit([a_txn(n, 100, Kind.PRE_AUTH, state=state) for n, state in enumerate(preauths, 11)])
    store.commit([a_txn(21, 100, Kind.VOID), a_txn(22, 100, Kind.REFUND)])
    ws = store.load(Needs(merchant_cards={(MID, "hash-a")}))
    assert ids(ws.all(Txn)) == [1, 5, 11, 12, 13, 14]


def test_of_a_busy_card_the_newest_200_are_found_and_many_cards_at_once(store: Store) -> None:
    store.commit([a_txn(n, 100) for n in range(1, 251)])
    store.commit([a_txn(1000 + n, 100, pan_hash=f"card-{n}") for n in range(40)])
    assert ids(store.load(Needs(merchant_cards={(MID, "hash-a")})).all(Txn)) == list(range(51, 251))
    ws = store.load(Needs(merchant_cards={(MID, f"card-{n}") for n in range(40)}))
    assert ids(ws.all(Txn)) == list(range(1000, 1040))


def test_a_txn_comes_with_the_chain_it_belongs_to(store: Store) -> None:
    """Completion 3 of pre-authorisation 1 with increment 2, tipped by 4, voided by 5; 6 (declined) and 7 refund it."""
    store.commit(
        [
            a_terminal(id=1),
            a_txn(1, 100, Kind.PRE_AUTH, replaced_by=3, batch_id=7),
            a_txn(2, 100, Kind.PRE_AUTH_INCREMENT, original_id=1),
            a_txn(3, 100, Kind.COMPLETION, original_id=1, replaced_by=4),
            a_txn(4, 100, Kind.TIP, original_id=3),
            a_txn(5, 100, Kind.VOID, original_id=3),
            a_txn(6, 100, Kind.REFUND, original_id=3, state=TxnState.DECLINED),
            a_txn(7, 100, Kind.REFUND, original_id=3),
            a_batch(id=7, number="000007"),
            *(replace(a_leg(n, "done"), id=n) for n in range(1, 8)),
        ]
    )
    chain = [1, 2, 3, 4, 5, 7]
    for asked in ({1}, {3}, {4}, {5}):
        ws = store.load(Needs(txn_ids=asked))
        assert ids(ws.all(Txn)) == chain, asked
        assert [leg.txn_id for leg in ws.all(Leg)] == chain
        assert ids(ws.all(Batch)) == [7]
    assert ids(store.load(Needs(txn_ids={7})).acting_on(3)) == [4, 5, 7]


def test_what_acts_on_a_sale_comes_when_a_message_names_it(store: Store) -> None:
    store.commit([a_terminal(id=1), a_txn(1, 100), a_txn(2, 40, Kind.REFUND, original_id=1)])
    key = {(TID, "000001")}
    assert ids(store.load(Needs(tids={TID}, stans=key)).all(Txn)) == [1]
    assert ids(store.load(Needs(tids={TID}, stans=key, kin_of_tids={TID})).all(Txn)) == [1, 2]


def test_batches_of_a_day(store: Store) -> None:
    store.commit(
        [
            a_batch(id=1, state=BatchState.CLOSED, day="2026-02-27", business_date="2026-02-28"),
            a_batch(id=2, number="000002", state=BatchState.CLOSED, day="2026-02-28", business_date="2026-03-01"),
            a_batch(id=3, number="000003", state=BatchState.CLOSED, day="2026-03-01", business_date="2026-03-01"),
            a_batch(id=4, number="000004", day="2026-03-02"),
            a_batch(id=5, number="000005", tid=OTHER, day="2026-02-28"),
            *(a_txn(n, 100, batch_id=n) for n in (1, 2, 3, 4)),
        ]
    )
    assert ids(store.load(Needs(days={(TID, "0228")})).all(Batch)) == [1, 2]
    ws = store.load(Needs(tids={TID}, days={(TID, "0228")}, items_of_tids={TID}))
    assert ids(ws.all(Batch)) == [1, 2, 3, 4]  # with the open one and the last closed one
    assert ids(ws.txns_of_batch(1)) == [1]


def test_legs_that_are_owed_come_too_and_nobody_waits_for_them(store: Store) -> None:
    states = ("asking", "undoing", "owing", "done")
    store.commit([a_terminal(id=1), *(a_txn(n, 100) for n in range(1, 5))])
    store.commit([replace(a_leg(n, state), id=n) for n, state in enumerate(states, 1)])
    ws = store.load(Needs(tids={TID}))
    assert (ids(ws.unfinished_legs(TID)), ids(ws.owed_legs(TID))) == ([1], [2, 3])
    assert store.load(Needs(tids={OTHER})).all(Leg) == []


def test_what_is_open_in_whole_batches_comes_with_its_legs(store: Store) -> None:
    """A capture at the close (TC) has to know what the issuer holds."""
    store.commit(
        [
            a_batch(id=1),
            a_txn(1, 100),
            a_txn(2, 100, state=TxnState.AUTHORISED),
            a_txn(3, 100, Kind.COMPLETION, state=TxnState.AUTHORISED, original_id=9),
            a_txn(9, 100, Kind.PRE_AUTH, tid=OTHER, batch_id=8),
            *(replace(a_leg(n, "done"), id=n) for n in (1, 2, 3, 9)),
        ]
    )
    ws = store.load(Needs(tids={TID}, items_of_tids={TID}))
    assert ids(ws.txns_of_batch(1)) == [1, 2, 3]
    assert [leg.txn_id for leg in ws.all(Leg)] == [2, 3, 9]


def test_what_an_upload_has_named_in_an_old_batch_comes_with_the_open_one(store: Store) -> None:
    """At the close each staged item is judged once more: «settled elsewhere» is not «unknown» (E1)."""
    closed = [a_batch(id=n, number=f"00000{n}", state=BatchState.CLOSED) for n in (1, 2)]
    item = replace(filled(StagedItem, 1), batch_id=3, txn_id=9)
    txns = [a_txn(7, 100, batch_id=3), a_txn(9, 100, batch_id=1, replaced_by=10), a_txn(10, 110, batch_id=1)]
    store.commit([a_terminal(id=1), *closed, a_batch(id=3, number="000003"), *txns, item])
    ws = store.load(Needs(tids={TID}, items_of_tids={TID}))
    assert ids(ws.all(Txn)) == [7, 9, 10]
    assert ids(ws.all(Batch)) == [1, 2, 3]


def test_live_preauths_are_found_oldest_first(store: Store) -> None:
    store.commit(
        [
            a_txn(1, 100, Kind.PRE_AUTH, state=TxnState.AUTHORISED, created_at="2026-03-02T09:00:00+00:00"),
            a_txn(2, 100, Kind.PRE_AUTH, state=TxnState.AUTHORISED, created_at="2026-02-02T09:00:00+00:00"),
            a_txn(3, 100, Kind.PRE_AUTH, state=TxnState.VOIDED),
            a_txn(4, 100, state=TxnState.AUTHORISED),
        ]
    )
    assert ids(store.reader().live_preauths()) == [2, 1]


def test_profiles_of_earlier_runs_are_remembered(store_url: str) -> None:
    """A dialect of a user's own is not known by its name: its legs must end without its listener too."""
    mine = replace(NAC, capture="TC", preauth_days=7)
    first = open_store(store_url, seed=7)
    first.keep_profiles({"mine": mine, "nac": NAC})
    first.clear()
    first.close()
    second = open_store(store_url, seed=7)
    second.keep_profiles({"nac": replace(NAC, dup_hours=1)})
    assert second.profiles() == {"mine": mine, "nac": replace(NAC, dup_hours=1)}
    second.close()


def test_a_later_run_knows_the_dialects_of_earlier_ones(store_url: str) -> None:
    first = EngineHost(store_url)
    first.store.keep_profiles({"mine": replace(NAC, capture="TC")})
    again = first.crash_and_restart()
    assert again.runner.context().profiles["mine"].capture == "TC"
    again.store.close()


def test_clearing_a_terminal_gives_back_what_it_holds_at_the_issuer(store_url: str) -> None:
    """100.00 and 20.00 more held by one terminal, of which 110.00 went to a completion; 5.00 held by another."""
    host = EngineHost(store_url)
    card = a_card()
    assert host.ask(Kind.PRE_AUTH, stan=1, amount=10_000, card=card) == ["00"]
    code = host.txn(1).auth_code
    assert host.ask(Kind.PRE_AUTH_INCREMENT, stan=2, amount=2_000, card=card, auth_code=code) == ["00"]
    assert host.ask(Kind.PRE_AUTH, stan=3, amount=700, card=card) == ["00"]
    assert host.ask(Kind.COMPLETION, stan=4, amount=11_000, card=card, auth_code=code) == ["00"]
    assert host.ask(Kind.PRE_AUTH, stan=1, amount=500, card=card, tid="T0000002") == ["00"]
    (account,) = host.rows(IssuerAccount)
    assert (account.debited, account.held) == (11_000, 1_200)
    host.store.clear({TID_OF_ENGINE})
    (account,) = host.rows(IssuerAccount)
    assert (account.debited, account.held) == (0, 500)
    host.store.close()


def test_a_number_finds_its_latest_generation(stocked: Store) -> None:
    stocked.commit([a_batch("000001", id=5, state=BatchState.CLOSED, generation=2)])
    ws = stocked.load(Needs(numbers={(TID, "000001"), (TID, "000404")}))
    assert [(b.id, b.generation) for b in ws.all(Batch)] == [(5, 2)]


def test_whole_batches_come_with_all_their_items(stocked: Store) -> None:
    ws = stocked.load(Needs(tids={TID}, items_of_tids={TID}))
    assert ids(ws.txns_of_batch(3)) == [12, 13, 14]
    assert ids(ws.txns_of_batch(2)) == [11]
    assert ids(ws.staged(3)) == [1]
    assert ids(ws.exceptions(3)) == [1]
    assert ws.txns_of_batch(4) == []


def test_the_issuers_books_come_only_when_the_issuer_asks(stocked: Store) -> None:
    assert stocked.load(Needs(txn_ids={12})).account("h1") is None
    ws = stocked.load(Needs(pan_hashes={"h1"}, issuer_txn_ids={12}))
    assert ws.account("h1") is not None
    assert ws.issuer_leg(12, 1) is not None


def test_stans_of_old_epochs_stay_away(stocked: Store) -> None:
    """A test bench re-flashes daily: STAN 000001 of a year must not come with every sale."""
    stocked.commit([a_terminal(id=1, epoch=9), a_txn(30, 100, stan="000001", epoch=9, batch_id=3)])
    assert ids(stocked.load(Needs(tids={TID}, stans={(TID, "000001")})).txns_by_stan(TID, "000001")) == [30]


def test_more_keys_than_one_statement_takes(store: Store) -> None:
    """700 pairs are three chunks; none is lost at their edges and none comes twice."""
    store.commit([a_terminal(id=1), *(a_txn(n, 1, stan=f"{n:06d}", batch_id=n) for n in range(1, 701))])
    ws = store.load(Needs(stans={(TID, f"{n:06d}") for n in range(1, 701)}, txn_ids=set(range(1, 701))))
    assert ids(ws.all(Txn)) == list(range(1, 701))


# ---- the desk's questions


def test_select_pages_both_ways_and_takes_sets(stocked: Store) -> None:
    reader = stocked.reader()
    assert ids(reader.select(Txn, {"tid": TID}, after=11, limit=2)) == [12, 13]
    assert ids(reader.select(Txn, {"tid": TID}, newest=True, limit=2)) == [14, 13]
    assert ids(reader.select(Txn, newest=True, after=13)) == [12, 11, 10]
    assert ids(reader.select(Txn, {"invoice": "000077"})) == [11]
    assert ids(reader.select(Txn, {"state": ("pending", TxnState.VOIDED)})) == [13]
    assert ids(reader.select(Batch, {"state": BatchState.OPEN})) == [3, 4]
    with pytest.raises(KeyError):
        reader.select(Txn, {"colour": 1})


def test_messages_of_a_transaction_are_found_though_most_have_none(store: Store) -> None:
    store.commit([a_message(1, txn_id=0), a_message(2, txn_id=5), a_message(3, txn_id=0)])
    assert ids(store.reader().select(MessageRow, {"txn_id": 5})) == [2]
    assert ids(store.reader().select(MessageRow, {"txn_id": 0})) == [1, 3]


# ---- life of a store


def test_ids_and_secrets_go_on_after_a_restart(store_url: str) -> None:
    first = open_store(store_url, seed=7)
    first.commit([a_txn(41, 100), Alarm(3, "x", TID, "c", "t", 0, 0)])
    key = first.pan_hash_key
    first.close()
    again = open_store(store_url, seed=8)
    assert (again.last_ids()["Txn"], again.last_ids()["Alarm"], again.last_ids()["Batch"]) == (41, 3, 0)
    assert again.pan_hash_key == key
    assert again.meta()["seed"] == "7"
    again.close()


def test_clear_keeps_merchants_and_terminals(stocked: Store) -> None:
    stocked.clear()
    assert len(stocked.reader().select(Terminal)) == 2
    assert len(stocked.reader().select(Merchant)) == 1
    assert [c for c in TABLES if c not in (Terminal, Merchant) and stocked.reader().count(c)] == []


def test_a_second_host_is_refused_and_told_who_holds_the_store(store: Store, store_url: str) -> None:
    with pytest.raises(StoreHeld, match=str(os.getpid())):
        open_store(store_url, seed=7)


def test_a_newer_store_is_refused(store_url: str) -> None:
    store = open_store(store_url, seed=7)
    store._driver.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    store.close()
    for opener in (lambda: open_store(store_url, seed=7), lambda: open_reader(store_url)):
        with pytest.raises(StoreVersion, match="99"):
            opener()


def test_a_reader_reads_beside_the_host_and_cannot_write(store: Store, store_url: str) -> None:
    store.commit([a_txn(1, 100)])
    reader = open_reader(store_url)
    assert ids(reader.select(Txn)) == [1]
    with reader._lend() as driver, pytest.raises(StoreUnavailable):
        driver.execute("DELETE FROM txn")
    reader.close()


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:///", "books.db", ""])
def test_a_bad_url_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="not a store URL"):
        open_store(url, seed=7)


def test_reading_never_makes_a_store(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no store"):
        open_reader(f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


# ---- SQLite


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'books.db'}"


def test_sqlite_commits_are_durable_before_they_return(tmp_path: Path) -> None:
    """WAL with synchronous = FULL (2), read back from the connection that commits: NORMAL would skip the fsync."""
    store = open_store(sqlite_url(tmp_path), seed=7)
    pragma = {n: store._driver.query(f"PRAGMA {n}")[0][0] for n in ("journal_mode", "synchronous")}
    store.close()
    assert pragma == {"journal_mode": "wal", "synchronous": 2}


def test_a_closed_sqlite_store_is_read_by_itself(tmp_path: Path) -> None:
    store = open_store(sqlite_url(tmp_path), seed=7)
    store.commit([a_txn(1, 100)])
    store.close()
    reader = open_reader(sqlite_url(tmp_path))
    assert ids(reader.select(Txn)) == [1]
    reader.close()


def test_a_full_disk_writes_nothing_says_so_and_heals(tmp_path: Path) -> None:
    """The limit of pages stands in for the disk: SQLite refuses in the middle of the group, as with ENOSPC."""
    store = open_store(sqlite_url(tmp_path), seed=7)
    pages = store._driver.query("PRAGMA page_count")[0][0]
    store._driver.query(f"PRAGMA max_page_count = {pages}")
    rows = [a_message(n, notes="x" * 2_000) for n in range(1, 50)]
    with pytest.raises(StoreUnavailable, match="full") as refused:
        store.commit([a_txn(1, 100), *rows])
    assert not refused.value.unknown
    assert store.reader().select(Txn) == []
    store._driver.query("PRAGMA max_page_count = 100000")
    store.commit([a_txn(1, 100), *rows])
    assert store.reader().count(MessageRow) == 49
    store.close()


def test_a_writer_of_another_kind_makes_it_unavailable_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody's SQLite browser holds the write lock: 96 for a while, then service goes on."""
    monkeypatch.setattr("host.store.sqlite.BUSY_TIMEOUT_MS", 50)
    store = open_store(sqlite_url(tmp_path), seed=7)
    other = sqlite3.connect(tmp_path / "books.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        store.commit([a_txn(1, 100)])
    other.execute("ROLLBACK")
    other.close()
    store.commit([a_txn(1, 100)])
    assert store.reader().count(Txn) == 1
    store.close()


def test_a_store_in_memory_serves_one_run() -> None:
    store = open_store("sqlite://", seed=7)
    store.commit([a_txn(1, 100)])
    assert store.reader().load_books().txns == (a_txn(1, 100),)
    store.close()


HOLDER = """
import sys, time
from host.store.store import open_store
open_store(sys.argv[1], seed=7)
print("held", flush=True)
time.sleep(60)
"""


def test_kill_9_leaves_no_stale_hold(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as holder:
        assert holder.stdout is not None
        while (line := holder.stdout.readline()) and "held" not in line:
            pass
        with pytest.raises(StoreHeld, match=f"process {holder.pid}"):
            open_store(url, seed=7)
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    deadline = time.monotonic() + 5
    while True:  # the system gives the lock back with the process; on a busy machine a moment later
        try:
            open_store(url, seed=7).close()
            break
        except StoreHeld:
            assert time.monotonic() < deadline


# ---- PostgreSQL


@pytest.mark.pg
def test_a_lost_connection_is_made_anew_with_its_hold(postgres_server: Any) -> None:
    """The server restarts or a firewall cuts: one refusal, then the same store object works again and still holds."""
    url = postgres_server()
    store = open_store(url, seed=7)
    backend = store._driver.query("SELECT pg_backend_pid()")[0][0]
    reader = open_reader(url)
    with reader._lend() as driver:
        driver.query(f"SELECT pg_terminate_backend({backend})")
    with pytest.raises(StoreUnavailable) as refused:
        store.commit([a_txn(1, 100)])
    assert not refused.value.unknown
    store.commit([a_txn(1, 100)])
    assert ids(reader.select(Txn)) == [1]
    with pytest.raises(StoreHeld):
        open_store(url, seed=7)
    reader.close()
    store.close()


@pytest.mark.pg
def test_postgres_waits_for_its_log(postgres_server: Any) -> None:
    store = open_store(postgres_server(), seed=7)
    shown = {n: store._driver.query(f"SHOW {n}")[0][0] for n in ("synchronous_commit", "fsync")}
    store.close()
    assert shown == {"synchronous_commit": "on", "fsync": "on"}


def test_terminals_secrets_do_not_show(store: Store) -> None:
    store.commit([a_terminal(id=1, mak="0123456789ABCDEF")])
    assert "0123456789ABCDEF" not in repr(store.reader().select(Terminal))


def test_a_leg_is_found_by_its_state(store: Store) -> None:
    store.commit([replace(a_leg(1), id=1), replace(a_leg(2, "undoing"), id=2), replace(a_leg(3, "done"), id=3)])
    assert ids(store.reader().select(Leg, {"state": ("asking", "undoing")})) == [1, 2]


def test_clearing_one_terminal_leaves_the_others_books_whole_and_no_id_comes_twice(store_url: str) -> None:
    """interface.md 3, `POST /reset` scope terminal: the books of one go, its card's account gives back what it took.

    NAC, since it needs no sign-on.
    """
    host = EngineHost(store_url, profile=NAC)
    for tid, stan in (("T0000001", 1), ("T0000002", 1), ("T0000001", 2)):
        assert host.ask(Kind.SALE, tid=tid, stan=stan, amount=10_000) == ["00"]
    highest = host.store.last_ids()
    host.runner.reset("terminal", "T0000001")
    assert {t.tid for t in host.rows(Txn)} == {"T0000002"}
    assert {b.tid for b in host.rows(Batch)} == {"T0000002"}
    assert {t.tid for t in host.rows(Terminal)} == {"T0000001", "T0000002"}
    assert [a.debited for a in host.rows(IssuerAccount)] == [10_000]
    assert host.balance("issuer", "cardholder") == host.balance("acquirer", "issuer-clearing") == 10_000
    assert report.check(host.books(), {}) == []
    assert host.store.last_ids() == highest
    again = host.crash_and_restart()
    assert again.store.last_ids() == highest
    assert again.ask(Kind.SALE, tid="T0000001", stan=1, amount=10_000) == ["00"], "its keys left the search"
    again.crash()


def test_a_terminal_with_a_request_at_its_issuer_is_not_cleared(store_url: str) -> None:
    host = EngineHost(store_url, profile=NAC)
    host.faults.append(LinkFault(FaultKind.SILENT))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    with pytest.raises(Busy, match="still at its issuer"):
        host.runner.reset("terminal", host.rows(Terminal)[0].tid)
    assert len(host.rows(Txn)) == 1
    host.crash()


@pytest.mark.skipif(os.name == "nt", reason="POSIX file modes")
def test_only_its_owner_reads_a_new_store(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'books.db'}", seed=1)
    store.commit([a_terminal()])
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.glob("books.db*") if ".lock" not in path.name}
    store.close()
    assert modes
    assert set(modes.values()) == {0}, modes


def test_the_books_know_the_family_of_a_dialect_of_the_users_own(tmp_path: Path) -> None:
    from specs.dialect import load
    from specs.profile import profile_of

    store = open_store(f"sqlite:///{tmp_path}/b.db", seed=1, created_at="2026-03-02T09:00:00+00:00")
    try:
        nac = load("nac")
        store.keep_profiles({"shopbank": profile_of("shopbank", dict(nac.profile) | {"capture": "TC"})})
        books = store.reader().load_books()
        assert books.family_named("shopbank") == "nac"
        profile = books.profile_named("shopbank")
        assert profile is not None
        assert profile.capture == "TC"
        assert books.family_named("otherbank") == ""
    finally:
        store.close()
