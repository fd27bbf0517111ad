"""A slip for every kind, in every language, written out by hand; columns counted, Chinese two wide."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.message import Message
from specs.operation import FINANCIAL, RESERVATIONS, Entry, Kind
from terminal_sim import slips
from terminal_sim.paper import COLUMNS, width
from terminal_sim.state import Config, Pending, Row, RowState

CONFIG = Config("12345678", "123456789012345", "cup://127.0.0.1:1", merchant_name="茶馆 TEA HOUSE")
ROW = Row(
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
)

TIP_IN_BOTH = """\
          签购单 SALES SLIP
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   02
--------------------------------------
卡号 CARD NO       622316******0014 /S
有效期 EXP DATE                  **/**
交易类型 TYPE                 小费/TIP
批次号 BATCH NO                 000001
凭证号 VOUCHER NO               000130
原凭证号 ORIG VOUCHER           000123
授权码 AUTH NO                  A12345
日期/时间 DATE/TIME     11-21 09:30:15
--------------------------------------
金额 AMOUNT                 CNY 100.00
小费 TIP                     CNY 10.00
总计 TOTAL                  CNY 110.00
--------------------------------------
      持卡人存根 CARDHOLDER COPY
"""

CASH_BACK_IN_CHINESE = """\
                签购单
--------------------------------------
商户名称                茶馆 TEA HOUSE
商户编号               123456789012345
终端编号                      12345678
操作员号                            01
--------------------------------------
卡号               622316******0014 /I
有效期                           **/**
交易类型                      消费返现
批次号                          000001
凭证号                          000123
授权码                          A12345
参考号                    000000000123
应答码                              00
日期/时间               11-21 09:30:15
AID                   A000000333010101
TC                    0123456789ABCDEF
TVR                         0080008000
TSI                               F800
ATC                               001B
--------------------------------------
金额                         CNY 70.00
返现                         CNY 30.00
总计                        CNY 100.00
--------------------------------------
              持卡人存根
"""

NAC_REFUND_IN_ENGLISH = """\
              SALES SLIP
--------------------------------------
MERCHANT                茶馆 TEA HOUSE
MERCHANT NO            123456789012345
TERMINAL NO                   12345678
OPERATOR                            01
--------------------------------------
CARD NO            622316******0014 /M
EXP DATE                         **/**
TYPE                            REFUND
BATCH NO                        000001
TRACE NO                        000140
INVOICE NO                      000140
APPROVAL CODE                   A12345
REFER NO                  000000000123
RESP CODE                           00
DATE/TIME               11-21 09:30:15
--------------------------------------
AMOUNT                      CNY -20.00
--------------------------------------
CARDHOLDER SIGNATURE


--------------------------------------
            MERCHANT COPY
"""

TESTED_PRE_AUTH_IN_BOTH = """\
     ***测试/TESTING,凭证无效***
          签购单 SALES SLIP
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
--------------------------------------
卡号 CARD NO       622316******0014 /C
有效期 EXP DATE                  **/**
交易类型 TYPE          预授权/PRE-AUTH
批次号 BATCH NO                 000001
凭证号 VOUCHER NO               000123
授权码 AUTH NO                  A12345
参考号 REFER NO           000000000123
应答码 RESP CODE                    00
日期/时间 DATE/TIME     11-21 09:30:15
--------------------------------------
金额 AMOUNT                 CNY 100.00
--------------------------------------
      持卡人存根 CARDHOLDER COPY
"""

FAULT_IN_BOTH = """\
故障报告单,非凭证联 FAULT: NO VOUCHER
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
--------------------------------------
冲正未完成 REVERSAL NOT DONE
交易类型 TYPE                消费/SALE
批次号 BATCH NO                 000001
凭证号 VOUCHER NO               000123
卡号 CARD NO          622316******0014
金额 AMOUNT                 CNY 100.00
应答码 RESP CODE                    98
日期/时间 DATE/TIME     11-21 09:30:15
no answer 无应答
--------------------------------------
"""

CHIP = "9F26080123456789ABCDEF9F270140950500800080009B02F8009F3602001B8408A000000333010101"


def copies(config: Config, family: str, row: Row) -> tuple[str, ...]:
    return slips.transaction(config, family, row).copies


def test_a_tip_shows_base_tip_and_total_and_nothing_that_its_answer_brings() -> None:
    """The slip is printed when the tip is stored; RRN and code of the 0230 come later and must not change a reprint."""
    tip = replace(ROW, stan="000130", kind=Kind.TIP, amount=11000, tip=1000, original_stan="000123", operator="02")
    assert copies(CONFIG, "cup", tip)[1] == TIP_IN_BOTH
    before = replace(tip, rrn="", response_code="", stored=True, advice=True)
    assert copies(CONFIG, "cup", before) == copies(CONFIG, "cup", tip)


def test_cash_back_by_chip_in_chinese() -> None:
    """Both parts, and AID, cryptogram, TVR, TSI and ATC of the card's data."""
    row = replace(ROW, kind=Kind.CASH_BACK, cash=3000, entry=Entry.CHIP, chip=CHIP, chip_end="tc")
    assert copies(replace(CONFIG, language="zh"), "nac", replace(row, invoice=""))[1] == CASH_BACK_IN_CHINESE


def test_a_nac_refund_in_english() -> None:
    row = replace(ROW, stan="000140", kind=Kind.REFUND, amount=2000, entry=Entry.MANUAL, invoice="000140")
    assert copies(CONFIG, "nac", row)[0] == NAC_REFUND_IN_ENGLISH


def test_a_pre_authorisation_in_test_mode() -> None:
    """Its card number is masked as everywhere."""
    row = replace(ROW, kind=Kind.PRE_AUTH, entry=Entry.TAP)
    assert copies(replace(CONFIG, test_mode=True), "cup", row)[1] == TESTED_PRE_AUTH_IN_BOTH


def test_the_report_of_a_fault_is_no_voucher() -> None:
    image = Message("0400", {2: "6223164991230014", 4: "000000010000"})
    pending = Pending("000123", "000001", Kind.SALE, 10000, image)
    slip = slips.fault(CONFIG, "cup", pending, "no answer 无应答", at="1121093015")
    assert slip.copies == (FAULT_IN_BOTH,)


@pytest.mark.parametrize(
    ("kind", "of", "both", "amount"),
    [
        (Kind.SALE, None, "消费/SALE", "100.00"),
        (Kind.CASH_BACK, None, "消费返现/CASH BACK", "100.00"),
        (Kind.VOID, Kind.SALE, "消费撤销/VOID", "-100.00"),
        (Kind.VOID, Kind.REFUND, "退货撤销/VOID REFUND", "100.00"),
        (Kind.REFUND, None, "退货/REFUND", "-100.00"),
        (Kind.PRE_AUTH, None, "预授权/PRE-AUTH", "100.00"),
        (Kind.PRE_AUTH_INCREMENT, None, "追加预授权/PRE-AUTH INCREMENT", "100.00"),
        (Kind.PRE_AUTH_VOID, None, "预授权撤销/PRE-AUTH VOID", "-100.00"),
        (Kind.COMPLETION, None, "完成/AUTH COMPLETE", "100.00"),
        (Kind.COMPLETION_ADVICE, None, "完成(通知)/AUTH SETTLEMENT", "100.00"),
        (Kind.COMPLETION_VOID, Kind.COMPLETION, "完成撤销/COMPLETE VOID", "-100.00"),
        (Kind.OFFLINE_SALE, None, "离线/OFFLINE", "100.00"),
        (Kind.ADJUST, None, "调整/ADJUST", "100.00"),
        (Kind.TIP, None, "小费/TIP", "100.00"),
    ],
)
def test_every_kind_names_itself_and_its_sign(kind: Kind, of: Kind | None, both: str, amount: str) -> None:
    row = replace(ROW, kind=kind, of=of)
    chinese, english = both.split("/")
    for language, name in (("both", both), ("zh", chinese), ("en", english)):
        lines = copies(replace(CONFIG, language=language), "cup", row)[0].splitlines()
        assert any(line.endswith(f" {name}") for line in lines), language
        assert any(line.endswith(f"CNY {amount}") for line in lines), language


def test_no_kind_of_row_is_without_a_name() -> None:
    for kind in FINANCIAL | RESERVATIONS:
        assert copies(CONFIG, "cup", replace(ROW, kind=kind))


@pytest.mark.parametrize("language", ["zh", "en", "both"])
@pytest.mark.parametrize("family", ["cup", "nac", "iso87"])
def test_no_line_is_wider_than_the_paper_and_no_card_number_is_whole(language: str, family: str) -> None:
    config = replace(CONFIG, language=language, test_mode=True, merchant_name="一家名字很长的茶馆和它的第二家分店 TEA")
    for kind in sorted(FINANCIAL | RESERVATIONS):
        row = replace(ROW, kind=kind, amount=999_999_999_999, tip=1, cash=1, chip=CHIP, original_stan="000001")
        for copy in copies(config, family, row):
            assert all(width(line) <= COLUMNS for line in copy.splitlines())
            assert ROW.pan not in copy


@pytest.mark.parametrize("language", ["zh", "en"])
def test_one_language_leaves_the_other_out(language: str) -> None:
    config = replace(CONFIG, language=language, merchant_name="X")
    page = "".join(copies(config, "cup", replace(ROW, kind=Kind.TIP, tip=1000)))
    foreign = [c for c in page if ("\u4e00" <= c <= "\u9fff") == (language == "en")]
    if language == "en":
        assert foreign == []
    else:
        assert not any(word in page for word in ("MERCHANT", "AMOUNT", "TIP", "TOTAL", "COPY"))


def test_chip_data_that_cannot_be_read_leaves_its_lines_out() -> None:
    page = copies(CONFIG, "cup", replace(ROW, chip="9F26"))[0]
    assert "TVR" not in page
    assert "ARQC" not in page


@pytest.mark.parametrize(
    ("information", "end", "name"),
    [("80", "tc", "ARQC"), ("40", "", "TC"), ("00", "", "AAC"), ("", "tc", "TC"), ("", "aac", "AAC"), ("", "", "ARQC")],
)
def test_the_cryptogram_is_called_what_the_card_says_it_is(information: str, end: str, name: str) -> None:
    """9F27 in its two highest bits (EMV book 3); without it, what the transaction came to."""
    chip = "9F26080123456789ABCDEF" + (f"9F2701{information}" if information else "")
    lines = copies(CONFIG, "cup", replace(ROW, chip=chip, chip_end=end))[0].splitlines()
    assert f"{name}{' ' * (COLUMNS - len(name) - 16)}0123456789ABCDEF" in lines


def test_what_becomes_of_a_row_later_does_not_change_its_slip() -> None:
    """So a reprint out of the archive is the slip as it was."""
    image = Message("0220", {4: "000000010000"})
    offline = replace(ROW, kind=Kind.OFFLINE_SALE, rrn="", auth_code="", response_code="", stored=True, image=image)
    later = replace(offline, stored=False, rrn="000000000777", auth_code="B99999", response_code="00", uploaded=True)
    later = replace(later, issuer="03080000", acquirer="48520000", rejected="30")
    phoned = replace(offline, auth_code="A12345", image=Message("0220", {38: "A12345"}))
    for first, then in (
        (ROW, replace(ROW, state=RowState.VOIDED, uploaded=True)),
        (ROW, replace(ROW, adjusted=True)),
        (offline, later),
        (offline, replace(later, state=RowState.REJECTED)),
    ):
        assert copies(CONFIG, "cup", then) == copies(CONFIG, "cup", first)
    assert "A12345" in copies(CONFIG, "cup", phoned)[0]
