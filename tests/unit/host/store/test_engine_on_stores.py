"""The ten core stories of the engine, each on SQLite and on PostgreSQL: real decisions, real commits, a real issuer.

Amounts in minor units. What is expected is worked out by hand from rules.md and the failure catalogue (numbers of cases
in the docstrings); `money()` also holds the two books against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from host.checker import report
from host.issuer.link import FaultKind, LinkFault
from host.rows import Batch, BatchState, ExceptionItem, IssuerLeg, Leg, StagedItem, TxnState
from specs.operation import Kind, OriginalRef, UploadItem, Verdict
from specs.testcards import load_test_cards
from specs.totals import Sum, Totals
from tests.support.engine import NAC, a_card
from tests.support.host_engine import EngineHost

AMOUNT = 10_000
"""100.00 yuan."""


@pytest.fixture
def host(store_url: str) -> Iterator[EngineHost]:
    opened = EngineHost(store_url)
    yield opened
    opened.store.close()


@pytest.fixture
def nac(store_url: str) -> Iterator[EngineHost]:
    opened = EngineHost(store_url, profile=NAC)
    yield opened
    opened.store.close()


def cup_totals(debit: tuple[int, int], credit: tuple[int, int] = (0, 0)) -> Totals:
    """(count, amount) of domestic cards; no foreign ones."""
    return Totals(
        (
            Sum("domestic", "debit", *debit),
            Sum("domestic", "credit", *credit),
            Sum("foreign", "debit"),
            Sum("foreign", "credit"),
        )
    )


def nac_totals(sales: tuple[int, int]) -> Totals:
    return Totals((Sum("all", "sales", *sales), Sum("all", "refunds")))


def only_batch(host: EngineHost, state: BatchState) -> Batch:
    (found,) = host.rows(Batch, state=state)
    return found


def reverse(host: EngineHost, stan: int, amount: int = AMOUNT, of: str = "000000") -> list[str]:
    return host.ask(Kind.REVERSAL, stan=stan, amount=amount, processing_code=of)


def test_1_a_sale_is_captured_debited_and_answered_once(host: EngineHost) -> None:
    assert host.ask(Kind.SALE, stan=1, amount=AMOUNT) == ["00"]
    sale = host.txn(1)
    assert (sale.state, sale.approved_amount, sale.settlement) == (TxnState.CAPTURED, 10_000, "open")
    assert host.money() == (10_000, 10_000)
    assert [leg.state for leg in host.rows(Leg)] == ["done"]
    assert len(host.heard) == 1


def test_2_a_decline_is_stored_and_moves_nothing(host: EngineHost) -> None:
    card = load_test_cards()["nofunds"]
    assert host.ask(Kind.SALE, stan=1, amount=AMOUNT, card=a_card(card.pan)) == ["51"]
    assert host.txn(1).state is TxnState.DECLINED
    assert host.money() == (0, 0)


def test_3_a_void_gives_the_money_back_in_both_books(host: EngineHost) -> None:
    host.ask(Kind.SALE, stan=1, amount=AMOUNT)
    original = OriginalRef(stan="000001", batch="000001")
    assert host.ask(Kind.VOID, stan=2, amount=AMOUNT, original=original) == ["00"]
    assert (host.txn(1).state, host.txn(2).state) == (TxnState.VOIDED, TxnState.CAPTURED)
    assert host.money() == (0, 0)


def test_4_a_reversal_undoes_once_however_often_it_comes(host: EngineHost) -> None:
    """FC 3: the 0410 may be lost and the 0400 repeated."""
    host.ask(Kind.SALE, stan=1, amount=AMOUNT)
    assert reverse(host, 1) == ["00"]
    assert reverse(host, 1) == ["00"]
    assert host.txn(1).state is TxnState.REVERSED
    assert host.money() == (0, 0)
    assert [leg.undone for leg in host.rows(IssuerLeg)] == [True]


def test_5_a_reversal_that_overtakes_its_sale_leaves_a_tombstone(host: EngineHost) -> None:
    """FC 6: 25 for the unseen key; the sale that comes late is refused with 12 and nobody is charged."""
    assert reverse(host, 1) == ["25"]
    assert host.txn(1).state is TxnState.TOMBSTONE
    assert host.ask(Kind.SALE, stan=1, amount=AMOUNT) == ["12"]
    assert host.money() == (0, 0)
    assert host.rows(IssuerLeg) == []


def test_6_a_repeat_gets_the_stored_answer_also_after_a_restart(host: EngineHost) -> None:
    """RH1, FC 9 and 18: a restart must not lose what tells a repeat."""
    host.ask(Kind.SALE, stan=1, amount=AMOUNT)
    first = host.heard[-1][1]
    again = host.crash_and_restart()
    try:
        again.clock.advance(60)
        assert again.ask(Kind.SALE, stan=1, amount=AMOUNT) == ["00"]
        replayed = again.heard[-1][1]
        assert first is not None
        assert replayed is not None
        assert (replayed.rrn, replayed.auth_code, replayed.at) == (first.rrn, first.auth_code, first.at)
        assert again.money() == (10_000, 10_000)
    finally:
        again.store.close()


def test_7_a_restart_undoes_what_the_issuer_did_and_nobody_heard_of(host: EngineHost) -> None:
    """FC 17: the issuer has debited, the host dies before it commits the outcome; RH7 undoes it at the restart."""
    host.faults.append(LinkFault(FaultKind.LOSE_AFTER_ISSUER))
    assert host.ask(Kind.SALE, stan=1, amount=AMOUNT) == []
    assert host.balance("issuer", "cardholder") == 10_000
    again = host.crash_and_restart()
    try:
        assert again.txn(1).state is TxnState.DECLINED
        assert [leg.state for leg in again.rows(Leg)] == ["done"]
        assert again.money() == (0, 0)
        assert reverse(again, 1) == ["12"]
    finally:
        again.store.close()


def test_8_a_settlement_that_agrees_closes_the_batch(host: EngineHost) -> None:
    host.ask(Kind.SALE, stan=1, amount=AMOUNT)
    host.ask(Kind.SALE, stan=2, amount=5_000)
    request = host.request(Kind.SETTLE, stan=3, batch="000001", totals=cup_totals((2, 15_000)))
    host.submit(request)
    host.run()
    outcome = host.heard[-1][1]
    assert outcome is not None
    assert outcome.verdict is Verdict.AGREED
    closed = only_batch(host, BatchState.CLOSED)
    assert (closed.number, host.txn(1).batch_id, host.txn(1).settlement) == ("000001", closed.id, "settled")
    assert only_batch(host, BatchState.OPEN).number == "000002"
    assert host.rows(ExceptionItem) == []


def test_9_a_dispute_is_uploaded_and_closed_with_its_exception(nac: EngineHost) -> None:
    """FC 24: the terminal misses one sale; NAC 95, one 0320 per item, 960000 → 77; the missing one is host-only."""
    nac.ask(Kind.SALE, stan=1, amount=AMOUNT, invoice="000001")
    nac.ask(Kind.SALE, stan=2, amount=5_000, invoice="000002")
    claimed = nac_totals((1, 10_000))
    assert nac.ask(Kind.SETTLE, stan=3, batch="000001", totals=claimed) == ["95"]
    assert only_batch(nac, BatchState.DISPUTED).number == "000001"
    sale = nac.txn(1)
    item = upload_item(sale.stan, sale.rrn, sale.amount)
    for stan in (4, 5):  # a repeated item is staged once
        upload = nac.request(Kind.UPLOAD, stan=stan, batch="000001", items=(item,))
        nac.submit(replace(upload, item_hashes=("",)))
        nac.run()
        outcome = nac.heard[-1][1]
        assert outcome is not None
        assert outcome.code == "00"
    assert len(nac.rows(StagedItem)) == 1
    assert nac.ask(Kind.SETTLE, stan=6, batch="000001", totals=claimed, final=True) == ["77"]
    closed = only_batch(nac, BatchState.CLOSED_WITH_EXCEPTIONS)
    assert [(e.reason, e.txn_id, e.batch_id) for e in nac.rows(ExceptionItem)] == [
        ("host-only", nac.txn(2).id, closed.id)
    ]
    assert only_batch(nac, BatchState.OPEN).number == "000002"
    assert nac.money() == (15_000, 15_000)  # fund-and-flag: an upload moves no money (RH8)


def upload_item(stan: str, rrn: str, amount: int) -> UploadItem:
    return UploadItem(OriginalRef(stan=stan, rrn=rrn), amount, kind=Kind.SALE)


def test_10_a_crash_between_commit_and_answer_keeps_the_sale(host: EngineHost) -> None:
    """FC 18: on disk and never spoken. The terminal's reversal then finds it and undoes it in both books."""
    host.runner.submit(host.request(Kind.SALE, stan=1, amount=AMOUNT), crash_of(host))
    with pytest.raises(Crashed):
        host.run()
    assert host.heard == []
    again = EngineHost(host.url, clock=host.clock)
    try:
        again.run()
        assert again.txn(1).state is TxnState.CAPTURED
        assert again.money() == (10_000, 10_000)
        assert reverse(again, 1) == ["00"]
        assert again.money() == (0, 0)
    finally:
        again.store.close()


class Crashed(BaseException):
    """Not an Exception: nothing on the way may catch a power cut."""


def crash_of(host: EngineHost) -> Callable[..., None]:
    def speak(*_: object) -> None:
        host.crash()
        raise Crashed

    return speak


def test_the_checker_finds_nothing_after_a_day_of_all_of_it(host: EngineHost) -> None:
    """A1-A10 over a day with a void, a reversal, a tombstone, a silent issuer and a settlement."""
    for stan, amount in ((1, 10_000), (2, 5_000), (3, 700)):
        host.ask(Kind.SALE, stan=stan, amount=amount)
    host.ask(Kind.VOID, stan=4, amount=5_000, original=OriginalRef(stan="000002", batch="000001"))
    reverse(host, 3, 700)
    reverse(host, 99)
    host.faults.append(LinkFault(FaultKind.LOSE_AFTER_ISSUER, on="ask", times=1))
    host.ask(Kind.SALE, stan=5, amount=900)
    host.later(21)
    host.ask(Kind.SETTLE, stan=6, batch="000001", totals=cup_totals((2, 15_000), (1, 5_000)))
    assert only_batch(host, BatchState.CLOSED).number == "000001"
    assert host.money() == (10_000, 10_000)
    assert report.check(host.books(), {}) == []
