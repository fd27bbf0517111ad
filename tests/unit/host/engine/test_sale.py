"""Sale and balance inquiry: approval is capture; amounts that answer by themselves (interface.md, section 2)."""

from __future__ import annotations

import pytest

from host.engine.context import Settings
from host.engine.sale import magic_code
from host.rows import Batch, Leg, Posting, Txn, TxnState
from specs.operation import Kind
from tests.support.engine import CUP, MID, NAC, TID, Desk, code, partly, refuse


def test_approval_is_capture() -> None:
    desk = Desk()
    said = desk.sale(1)
    assert said is not None
    txn = desk.txn(1)
    assert (said.code, said.amount, said.rrn, said.auth_code) == ("00", 10_000, txn.rrn, txn.auth_code)
    assert (txn.state, txn.settlement, txn.business_date) == (TxnState.CAPTURED, "open", "2026-03-02")
    lines = [(p.account, p.amount, p.batch_id, p.reason) for p in desk.rows(Posting)]
    assert lines == [
        ("issuer-clearing", 10_000, txn.batch_id, "capture"),
        (f"merchant-payable:{MID}", -10_000, txn.batch_id, "capture"),
    ]
    assert [b.running for b in desk.rows(Batch)] == ['{"sale": [1, 10000]}']


def test_the_clear_card_number_is_in_no_row() -> None:
    desk = Desk()
    desk.sale(1)
    for table in (Txn, Leg, Posting, Batch):
        assert "6223164991230014" not in repr(desk.rows(table))


def test_a_partial_approval_captures_what_was_approved() -> None:
    desk = Desk(issuer=partly(7_000))
    said = desk.sale(1)
    assert said is not None
    assert (said.code, said.amount, said.balance) == ("10", 7_000, 0)
    assert (desk.txn(1).amount, desk.txn(1).approved_amount, desk.payable()) == (10_000, 7_000, 7_000)
    assert [b.running for b in desk.rows(Batch)] == ['{"sale": [1, 7000]}']
    assert desk.sale(1) == said


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [("funds", "51"), ("expired-card", "54"), ("stolen-card", "43"), ("wrong-pin", "55"), ("issuer-down", "91")],
)
def test_the_issuers_no_in_the_dialects_words(refusal: str, expected: str) -> None:
    desk = Desk(issuer=refuse(refusal))
    said = desk.sale(1)
    assert code(said) == expected
    assert (desk.txn(1).state, desk.txn(1).refusal, desk.rows(Posting)) == (TxnState.DECLINED, refusal, [])
    assert desk.sale(1) == said


def test_a_balance_inquiry_shows_the_balance_and_counts_nowhere() -> None:
    desk = Desk()
    said = desk.send(desk.request(Kind.BALANCE, stan=1))
    assert said is not None
    assert (said.code, said.balance, said.amount, said.auth_code) == ("00", 50_000, None, "")
    txn = desk.txn(1)
    assert (txn.state, txn.settlement, txn.response_code, desk.rows(Posting)) == (TxnState.DECLINED, "none", "00", [])
    assert [b.running for b in desk.rows(Batch)] == ["{}"]
    assert desk.send(desk.request(Kind.BALANCE, stan=1)) == said


def test_a_balance_inquiry_takes_a_key() -> None:
    desk = Desk()
    desk.send(desk.request(Kind.BALANCE, stan=1))
    assert code(desk.sale(1)) == "94"


@pytest.mark.parametrize(
    ("family", "amount", "expected"),
    [
        ("cup", 100_051, "51"),
        ("cup", 100_000, ""),  # 00: an ordinary approval
        ("cup", 99_951, ""),
        ("cup", 100_100, ""),
        ("cup", 1, ""),
        ("cup", 100_053, ""),  # not in the table of cup
        ("nac", 100_053, "53"),
        ("nac", 100_089, "89"),
    ],
)
def test_which_amounts_are_magic(family: str, amount: int, expected: str) -> None:
    assert magic_code(family, amount, on=True) == expected
    assert magic_code(family, amount, on=False) == ""


def test_a_magic_no_reaches_no_issuer_and_is_told_so() -> None:
    desk = Desk()
    assert code(desk.sale(1, amount=100_051)) == "51"
    assert (desk.asked, desk.txn(1).state, desk.txn(1).note) == ([], TxnState.DECLINED, "by magic amount")
    assert "by magic amount" in desk.notes
    assert code(desk.reverse(1, amount=100_051)) == "12"


def test_a_magic_yes_is_a_real_debit() -> None:
    desk = Desk(NAC)
    assert code(desk.sale(1, amount=100_008)) == "08"
    assert desk.payable() == 100_008
    desk = Desk(CUP)
    said = desk.sale(1, amount=100_010)
    assert said is not None
    assert (said.code, said.amount, desk.payable()) == ("10", 50_005, 50_005)


def test_magic_can_be_switched_off() -> None:
    assert code(Desk(settings=Settings(magic=False)).sale(1, amount=100_051)) == "00"


def test_a_cup_sale_belongs_to_its_number() -> None:
    desk = Desk(CUP)
    assert code(desk.sale(1, batch="000012")) == "00"  # auto: the first batch takes the number of its first message
    assert desk.txn(1).wire_batch == "000012"
    said = desk.sale(2, batch="000013")  # unknown, and the open batch holds items
    assert said is not None
    assert (said.code, said.request) == ("22", "3")
    assert desk.sale(2, batch="000013") == said
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert (batch.number, desk.payable()) == ("000012", 10_000)


def test_cash_back_is_a_sale_with_a_cash_part() -> None:
    desk = Desk(NAC)
    said = desk.send(desk.request(Kind.CASH_BACK, stan=1, amount=10_000, cash=4_000))
    assert (code(said), desk.txn(1).kind, desk.txn(1).cash, desk.payable()) == ("00", "cash-back", 4_000, 10_000)
    assert [b.running for b in desk.rows(Batch)] == ['{"cash-back": [1, 10000]}']
    assert code(desk.void(2, of=1)) == "00"
    assert (desk.txn(2).voids_kind, desk.payable()) == ("cash-back", 0)


def test_a_terminal_that_takes_no_partial_approval_says_so_to_the_issuer() -> None:
    """CUP 60.6 = 0; not said counts as yes."""
    for said, expected in ((None, True), (True, True), (False, False)):
        desk = Desk()
        desk.sale(1, partial=said)
        assert desk.asked[0].partial is expected


@pytest.mark.parametrize("kind", [Kind.CASH_BACK, Kind.PRE_AUTH])
def test_magic_amounts_answer_other_requests_too(kind: Kind) -> None:
    desk = Desk()
    assert code(desk.send(desk.request(kind, stan=1, amount=100_051))) == "51"
    assert desk.asked == []


def test_an_advice_is_never_answered_by_magic() -> None:
    desk = Desk()
    assert code(desk.send(desk.request(Kind.OFFLINE_SALE, stan=1, amount=100_051))) == "00"
