"""Slips as they come out of the printer. The golden texts were read by eye; widths are counted in columns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.operation import Entry, Kind
from specs.totals import Sum, Totals
from terminal_sim import slips
from terminal_sim.paper import COLUMNS, columns, field, fold, width
from terminal_sim.state import Archived, Config, Row, RowState, Slip

CONFIG = Config("12345678", "123456789012345", "cup://127.0.0.1:1", merchant_name="茶馆 TEA HOUSE")
SALE = Row(
    stan="000123",
    batch="000001",
    kind=Kind.SALE,
    amount=10000,
    pan="6223164991230014",
    expiry="3012",
    entry=Entry.SWIPE,
    rrn="000000000123",
    auth_code="A12345",
    response_code="00",
    at="1121093015",
    organisation="CUP",
    issuer="03080000   ",
    acquirer="48520000   ",
    invoice="000123",
)
VOID = replace(SALE, stan="000124", kind=Kind.VOID, original_stan="000123", entry=Entry.MANUAL)

CUP_MERCHANT = """\
          签购单 SALES SLIP
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
--------------------------------------
卡号 CARD NO       622316******0014 /S
有效期 EXP DATE                  **/**
发卡行 ISSUER                 03080000
收单行 ACQUIRER               48520000
交易类型 TYPE                消费/SALE
批次号 BATCH NO                 000001
凭证号 VOUCHER NO               000123
授权码 AUTH NO                  A12345
参考号 REFER NO           000000000123
应答码 RESP CODE                    00
日期/时间 DATE/TIME     11-21 09:30:15
--------------------------------------
金额 AMOUNT                 CNY 100.00
--------------------------------------
持卡人签名 SIGNATURE


--------------------------------------
        商户存根 MERCHANT COPY
"""

NAC_VOID_CARDHOLDER = """\
              SALES SLIP
--------------------------------------
MERCHANT                茶馆 TEA HOUSE
MERCHANT NO            123456789012345
TERMINAL NO                   12345678
OPERATOR                            01
--------------------------------------
CARD NO            622316******0014 /M
EXP DATE                         **/**
ISSUER                        03080000
ACQUIRER                      48520000
TYPE                              VOID
BATCH NO                        000001
TRACE NO                        000124
INVOICE NO                      000123
ORIG TRACE NO                   000123
APPROVAL CODE                   A12345
REFER NO                  000000000123
RESP CODE                           00
DATE/TIME               11-21 09:30:15
--------------------------------------
AMOUNT                     CNY -100.00
--------------------------------------
           CARDHOLDER COPY
"""

SETTLEMENT_NOT_AGREED = """\
        结算总计单 SETTLEMENT
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
批次号 BATCH NO                 000001
日期/时间 DATE/TIME     11-21 22:00:00
--------------------------------------
内卡 DOMESTIC      对账不平 NOT AGREED
  消费/SALE               1     100.00
外卡 FOREIGN             对账平 AGREED
  消费/SALE               1      30.00
--------------------------------------
净额 NET                    CNY 130.00
--------------------------------------
终端/主机 TERMINAL / HOST
内卡 DOMESTIC 借记 DEBIT
  T                       2     150.00
  H                       3     192.00
--------------------------------------
上送被拒 UPLOAD REFUSED
  000123                 30     100.00
--------------------------------------
"""


def test_the_cup_merchant_copy() -> None:
    slip = slips.transaction(CONFIG, "cup", SALE)
    assert slip.copies[0] == CUP_MERCHANT
    assert slip.title == "SALE"


def test_the_cardholder_copy_is_the_same_without_the_signature() -> None:
    merchant, cardholder = slips.transaction(CONFIG, "cup", SALE).copies
    body = merchant.split("持卡人签名")[0]
    assert cardholder == body + "      持卡人存根 CARDHOLDER COPY\n"


def test_the_nac_slip_of_a_void() -> None:
    assert slips.transaction(CONFIG, "nac", VOID).copies[1] == NAC_VOID_CARDHOLDER


def closed(result: str = "not-agreed") -> Archived:
    """A sale, a voided sale with its void, a foreign sale, and a reversed one; the host has one item more."""
    rows = (
        replace(SALE, rejected="30"),
        replace(SALE, stan="000124", amount=5000, state=RowState.VOIDED),
        replace(VOID, stan="000125", amount=5000),
        replace(SALE, stan="000126", amount=3000, foreign=True),
        replace(SALE, stan="000127", amount=8000, state=RowState.REVERSED),
    )
    ours = Totals((Sum("domestic", "debit", 2, 15000), Sum("domestic", "credit", 1, 5000)))
    theirs = Totals((Sum("domestic", "debit", 3, 19200), Sum("domestic", "credit", 1, 5000)))
    return Archived("000001", rows, ours, result, "", theirs, "1121220000")


def test_the_settlement_slip_leaves_voided_items_out_and_shows_both_totals() -> None:
    """flows.md 10 (voided left out, unlike DE48); rules.md 6 (slip −)."""
    slip = slips.settlement(CONFIG, "cup", closed(), (("domestic", "differs"), ("foreign", "agreed")))
    assert slip.copies == (SETTLEMENT_NOT_AGREED,)


def test_an_agreed_slip_shows_no_second_totals() -> None:
    slip = slips.settlement(CONFIG, "nac", closed("agreed"), ())
    assert "TERMINAL / HOST" not in slip.copies[0]
    assert "RESULT                          AGREED\n" in slip.copies[0]


def test_a_reprint_is_the_same_but_for_the_mark() -> None:
    """Case 78: a second proof must be seen to be one."""
    slip = slips.transaction(CONFIG, "cup", SALE)
    again = slips.duplicate(slip)
    for copy, marked in zip(slip.copies, again.copies, strict=True):
        first, _, rest = marked.partition("\n")
        assert first.strip() == "****重打印/DUPLICATED****"
        assert rest == copy


@pytest.mark.parametrize("family", ["cup", "nac"])
def test_every_line_fits_the_paper_and_no_card_number_is_whole(family: str) -> None:
    long = replace(CONFIG, merchant_name="一家名字很长的茶馆和它的第二家分店 THE TEA HOUSE WITH THE LONG NAME")
    pages = [
        *slips.transaction(long, family, VOID).copies,
        *slips.settlement(long, family, closed(), (("domestic", "differs"), ("foreign", "agreed"))).copies,
    ]
    for page in pages:
        assert all(width(line) <= COLUMNS for line in page.splitlines())
        assert SALE.pan not in page
        assert "3012" not in page


def test_wide_characters_take_two_columns() -> None:
    assert [width("SALE"), width("消费"), width("消费/SALE"), width("￥")] == [4, 4, 9, 2]
    assert {width(line) for line in field("批次号", "000001")} == {COLUMNS}
    assert columns("  消费/SALE", "2", "150.00") == ["  消费/SALE               2     150.00"]
    assert columns("  完成(通知)/AUTH SETTLEMENT", "2", "150.00") == [
        "  完成(通知)/AUTH SETTLEMENT",
        "                          2     150.00",
    ]
    assert fold("") == [""]
    assert [width(line) for line in fold("消" * 20)] == [38, 2]


def test_copies_are_torn_apart() -> None:
    assert slips.on_paper(Slip("X", ("a\n", "b\n"))) == "a\n\nb\n"
