"""The slip of a closed batch and the list of its transactions; written by hand, figures from rules.md section 5."""

from __future__ import annotations

from dataclasses import replace

from specs.operation import Entry, Kind
from specs.totals import Sum, Totals
from terminal_sim import slips
from terminal_sim.paper import COLUMNS, width
from terminal_sim.state import Archived, Config, Row, RowState

CONFIG = Config("12345678", "123456789012345", "cup://127.0.0.1:1", merchant_name="茶馆 TEA HOUSE")


def row(stan: int, kind: Kind, amount: int, **parts: object) -> Row:
    base = Row(f"{stan:06d}", "000001", kind, amount, "6223164991230014", entry=Entry.SWIPE, auth_code="A12345")
    return replace(base, **parts)  # type: ignore[arg-type]


WORKED = (
    row(1, Kind.SALE, 10000, adjusted=True),
    row(2, Kind.TIP, 11000, tip=1000, original_stan="000001"),
    row(3, Kind.SALE, 5000, state=RowState.VOIDED),
    row(4, Kind.VOID, 5000, of=Kind.SALE, original_stan="000003"),
    row(5, Kind.REFUND, 2000),
    row(6, Kind.SALE, 8000, state=RowState.REVERSED),
    row(7, Kind.OFFLINE_SALE, 4000),
    row(8, Kind.SALE, 3000, foreign=True),
)
"""rules.md section 5, the worked example: net 110 + 40 + 30 - 20 = 160.00."""

HEAD = """\
        结算总计单 SETTLEMENT
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
批次号 BATCH NO                 000001
日期/时间 DATE/TIME     11-21 22:00:00
--------------------------------------
"""

CUP_WORKED = (
    HEAD
    + """\
内卡 DOMESTIC            对账平 AGREED
  消费/SALE               1     110.00
  退货/REFUND             1      20.00
  离线/OFFLINE            1      40.00
外卡 FOREIGN             对账平 AGREED
  消费/SALE               1      30.00
--------------------------------------
净额 NET                    CNY 160.00
--------------------------------------
"""
)

ISO87_WORKED = """\
              SETTLEMENT
--------------------------------------
MERCHANT                茶馆 TEA HOUSE
MERCHANT NO            123456789012345
TERMINAL NO                   12345678
OPERATOR                            02
BATCH NO                        000001
DATE/TIME               11-21 22:00:00
--------------------------------------
RESULT                          AGREED
  SALE                    2     140.00
  REFUND                  1      20.00
  OFFLINE                 1      40.00
--------------------------------------
NET                         CNY 160.00
--------------------------------------
RECONCILED
  CREDITS                 1      20.00
  DEBITS                  5     310.00
  DEBIT REVERSALS         2     130.00
--------------------------------------
"""

HOTEL = (
    HEAD
    + """\
内卡 DOMESTIC           对账出错 ERROR
  完成/AUTH COMPLETE      1     200.00
  完成(通知)/AUTH SETTLEMENT
                          1     300.00
--------------------------------------
净额 NET                    CNY 500.00
--------------------------------------
上送被拒 UPLOAD REFUSED
  000013                 05      45.00
--------------------------------------
"""
)

DETAIL = """\
        交易明细单 DETAIL LIST
--------------------------------------
商户名称 MERCHANT       茶馆 TEA HOUSE
商户编号 MERCHANT NO   123456789012345
终端编号 TERMINAL NO          12345678
操作员号 OPERATOR                   01
批次号 BATCH NO                 000001
--------------------------------------
000001 消费/SALE                100.00
  622316******0014 /S           A12345
  已调整 ADJUSTED
000002 小费/TIP                 110.00
  622316******0014 /S           A12345
  待上送 TO BE SENT
000003 消费/SALE                 50.00
  622316******0014 /S           A12345
  已撤销 VOIDED
000004 消费撤销/VOID            -50.00
  622316******0014 /S           A12345
000005 退货/REFUND              -20.00
  622316******0014 /S           A12345
000006 消费/SALE                 80.00
  622316******0014 /S           A12345
  已冲正 REVERSED
000009 离线/OFFLINE              45.00
  622316******0014 /S           A12345
  被拒 REJECTED 05
--------------------------------------
净额 NET                     CNY 90.00
--------------------------------------
"""


def closed(rows: tuple[Row, ...] = WORKED, totals: Totals | None = None, result: str = "agreed") -> Archived:
    return Archived("000001", rows, totals or Totals(), result, at="1121220000")


def test_the_worked_totals_on_a_cup_slip() -> None:
    """The tip counts once, in the sale's line; voided, reversed and adjusted-away items are left out."""
    sides = (("domestic", "agreed"), ("foreign", "agreed"))
    assert slips.settlement(CONFIG, "cup", closed(), sides).copies == (CUP_WORKED,)


def test_the_worked_totals_on_an_iso87_slip_show_what_was_reconciled() -> None:
    """DE 74, 76, 77 and 86, 88, 89: reversals and voids are in sums of their own, which the lines above do not show."""
    sums = (("credits", 1, 2000), ("credit-reversals", 0, 0), ("debits", 5, 31000), ("debit-reversals", 2, 13000))
    totals = Totals(tuple(Sum("all", *one) for one in sums))
    assert slips.settlement(CONFIG, "iso87", closed(totals=totals), (), "02").copies == (ISO87_WORKED,)


def test_completions_have_lines_of_their_own_and_reservations_none() -> None:
    rows = (
        row(10, Kind.PRE_AUTH, 90000),
        row(11, Kind.COMPLETION, 20000),
        row(12, Kind.COMPLETION_ADVICE, 30000),
        row(13, Kind.OFFLINE_SALE, 4500, state=RowState.REJECTED, rejected="05"),
        row(14, Kind.COMPLETION, 7000, state=RowState.VOIDED),
        row(15, Kind.COMPLETION_VOID, 7000, of=Kind.COMPLETION),
    )
    text = slips.settlement(CONFIG, "cup", closed(rows), (("domestic", "closed-other-totals"),)).copies[0]
    assert text == HOTEL


def test_an_adjustment_of_an_adjustment_counts_in_the_line_of_the_sale() -> None:
    rows = (
        row(1, Kind.OFFLINE_SALE, 10000, adjusted=True),
        row(2, Kind.ADJUST, 12000, original_stan="000001", adjusted=True),
        row(3, Kind.TIP, 13000, original_stan="000002"),
    )
    lines = slips.settlement(CONFIG, "nac", closed(rows), ()).copies[0].splitlines()
    assert "  OFFLINE                 1     130.00" in lines
    assert not any("TIP" in line or "ADJUST" in line for line in lines)


def test_a_voided_tip_leaves_nothing_of_its_sale() -> None:
    rows = (
        row(1, Kind.SALE, 10000, adjusted=True),
        row(2, Kind.TIP, 11000, original_stan="000001", state=RowState.VOIDED),
        row(3, Kind.VOID, 11000, of=Kind.SALE, original_stan="000002"),
    )
    lines = slips.settlement(CONFIG, "nac", closed(rows), ()).copies[0].splitlines()
    assert "NET                           CNY 0.00" in lines
    assert not any(line.startswith("  ") and line.strip()[:4] in ("SALE", "VOID", "TIP ") for line in lines)


def test_the_detail_list_has_every_row_with_what_became_of_it() -> None:
    rows = (
        *WORKED[:1],
        replace(WORKED[1], stored=True),
        *WORKED[2:6],
        row(9, Kind.OFFLINE_SALE, 4500, state=RowState.REJECTED, rejected="05"),
    )
    assert slips.detail(CONFIG, "cup", "000001", rows).copies == (DETAIL,)


def test_an_empty_detail_list_says_so_and_every_line_fits() -> None:
    page = slips.detail(CONFIG, "cup", "000001", ()).copies[0]
    assert "无交易 NO TRANSACTIONS\n" in page
    many = tuple(
        row(n, kind, 999_999_999_999, state=RowState.VOIDED) for n, kind in enumerate(Kind) if n in range(5, 18)
    )
    for text in (
        page,
        slips.detail(CONFIG, "cup", "000001", tuple(r for r in many if r.kind is not Kind.REVERSAL)).copies[0],
        slips.settlement(CONFIG, "cup", closed(), (("domestic", "differs"),)).copies[0],
    ):
        assert all(width(line) <= COLUMNS for line in text.splitlines())
