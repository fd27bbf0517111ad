"""Settlement and batch upload (rules.md section 6, column «T after»), and RT6 to RT8, against a scripted host."""

from __future__ import annotations

import pytest

from specs.message import Message
from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim.moves import Balance, Echo, End, Order, Sale, Settle, SignOn, Void
from terminal_sim.state import Phase
from tests.support.scripted_host import Reply, ScriptedHost, change, code, drop, garbage
from tests.support.till import CARD, FOREIGN, Till, agree

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
UPLOADING = pytest.mark.parametrize("dialect", ["cup", "nac"])
"""ISO 87 has no upload on the wire (rules.md, section 1)."""


def with_sales(dialect: str, *amounts: int, settle_empty: bool = False) -> Till:
    till = Till(dialect, settle_empty=settle_empty)
    if dialect == "cup":
        till.press(SignOn())
    for amount in amounts:
        assert till.press(Sale(amount, CARD)).end is End.APPROVED
    return till


def dispute(till: Till) -> Till:
    """One item that only the host has, on the domestic side."""
    till.host.extra = [BatchItem(Kind.SALE, 4200)]
    return till


def _balance_if_offered(dialect: str) -> list[Order]:
    return [Balance(CARD)] if dialect == "cup" else []


# --- agreed


@DIALECTS
def test_an_agreed_batch_is_archived_and_the_next_number_opened(dialect: str) -> None:
    till = with_sales(dialect, 100, 200)
    result = till.press(Settle())
    assert (result.end, result.exit_code) == (End.AGREED, 0)
    assert till.memory.rows == ()
    assert till.memory.batch == "000002"
    assert [(c.batch, c.result, len(c.rows)) for c in till.memory.archive] == [("000001", "agreed", 2)]
    agree(till)


def test_cup_ends_an_agreed_settlement_with_207_and_no_items() -> None:
    till = with_sales("cup", 100)
    till.press(Settle())
    end = till.host.sent("0320")
    assert [(m[60], m[48]) for m in end] == [("00000001207", "0000")]


def test_the_worked_totals_of_rules_section_5() -> None:
    """S1 100.00, S2 50.00 voided by V, foreign 30.00: the example of rules.md 5 without tip, refund and offline."""
    till = with_sales("cup", 10000)
    voided = till.press(Sale(5000, CARD))
    till.press(Void(stan=voided.stan))
    till.press(Sale(3000, FOREIGN))
    till.press(Settle())
    expected = "00000001500000200000000500000100000000030000010000000000000000"
    assert till.host.sent("0500")[0][48] == expected


def test_nac_leaves_voided_sales_out_of_its_totals() -> None:
    till = with_sales("nac", 10000)
    voided = till.press(Sale(5000, CARD))
    till.press(Void(stan=voided.stan))
    till.press(Settle())
    assert till.host.sent("0500")[0][63] == "001000000010000".ljust(90, "0")


@DIALECTS
def test_an_empty_batch_sends_no_0500_unless_asked(dialect: str) -> None:
    till = with_sales(dialect)
    assert till.press(Settle()).end is End.NOTHING
    assert till.host.sent("0500") == []
    asked = with_sales(dialect, settle_empty=True)
    assert asked.press(Settle()).end is End.AGREED
    assert len(asked.host.sent("0500")) == 1


# --- RT6: frozen until the end


@DIALECTS
def test_rt6_a_retry_has_the_same_number_and_totals_and_a_new_stan(dialect: str) -> None:
    till = with_sales(dialect, 100, 200)
    till.host.faults["0500", 1] = drop
    result = till.press(Settle())
    assert (result.end, result.exit_code) == (End.UNANSWERED, 3)
    assert till.press(Settle()).end is End.AGREED
    first, second = till.host.sent("0500")[:2]
    same = {"cup": (48, 60), "nac": (60, 63), "iso87": (15, 74, 75, 76, 77, 86, 87, 88, 89, 97)}[dialect]
    assert [first[de] for de in same] == [second[de] for de in same]
    assert first[11] != second[11]
    agree(till)


@DIALECTS
def test_rt6_nothing_is_sold_between_the_freeze_and_the_end(dialect: str) -> None:
    """Case 29: a sale after the freeze would fall into a batch that the host may have closed."""
    till = with_sales(dialect, 100)
    sold = till.memory.rows[0].stan
    till.host.faults["0500", 1] = drop
    till.press(Settle())
    orders: list[Order] = [Sale(200, CARD), Void(stan=sold), *_balance_if_offered(dialect)]
    for order in orders:
        assert till.press(order).end is End.REFUSED_LOCALLY
    assert till.press(Echo()).end is End.OK
    till.press(Settle())
    assert till.press(Sale(200, CARD)).end is End.APPROVED


@DIALECTS
def test_a_settlement_without_a_connection_was_not_sent(dialect: str) -> None:
    till = with_sales(dialect, 100)
    till.line.down = True
    assert till.press(Settle()).exit_code == 4
    till.line.down = False
    assert till.press(Settle()).end is End.AGREED


@pytest.mark.parametrize(("dialect", "refusal"), [("cup", "96"), ("cup", "30"), ("nac", "96"), ("nac", "89")])
def test_a_refused_0500_leaves_the_batch_frozen(dialect: str, refusal: str) -> None:
    till = with_sales(dialect, 100)
    till.host.faults["0500", 1] = code(refusal)
    result = till.press(Settle())
    assert (result.end, result.code) == (End.PENDING, refusal)
    assert till.memory.settlement is not None
    assert till.memory.settlement.phase is Phase.FROZEN


# --- disputed: the upload


def test_cup_uploads_only_the_side_that_differs_in_groups_of_eight_and_ends_with_202() -> None:
    till = with_sales("cup", *range(100, 110))
    till.press(Sale(777, FOREIGN))
    result = dispute(till).press(Settle())
    assert (result.end, result.exit_code) == (End.NOT_AGREED, 1)
    groups = till.host.sent("0320")
    assert [m[48][:2] for m in groups[:2]] == ["08", "02"]
    assert (groups[2][60][-3:], groups[2][48]) == ("202", "0010")
    assert len({m[11] for m in groups}) == 3
    domestic = sorted(row.stan for row in till.memory.archive[0].rows if not row.foreign)
    assert till.host.ended["000001"] == domestic


def test_cup_uploads_the_voided_sale_and_its_void_and_nac_neither() -> None:
    """rules.md 5: both count in CUP; NAC nets them."""
    uploaded = {}
    for dialect in ("cup", "nac"):
        till = with_sales(dialect, 100, 200)
        void = till.press(Void(stan=till.memory.rows[0].stan))
        assert dispute(till).press(Settle()).end is End.NOT_AGREED
        uploaded[dialect] = till.host.ended["000001"]
        assert (void.stan in uploaded[dialect]) is (dialect == "cup")
    assert (len(uploaded["cup"]), len(uploaded["nac"])) == (3, 1)


def test_nac_uploads_one_record_a_message_and_ends_with_960000() -> None:
    till = with_sales("nac", 100, 200, 300)
    assert dispute(till).press(Settle()).end is End.NOT_AGREED
    uploads = till.host.sent("0320")
    assert [m[3][-1] for m in uploads] == ["1", "1", "0"]
    assert [m[60][4:10] for m in uploads] == ["000001", "000002", "000003"]
    assert [m[3] for m in till.host.sent("0500")] == ["920000", "960000"]
    first, last = till.host.sent("0500")
    assert first[63] == last[63]


def test_cup_code_3_is_uploaded_like_2_and_the_slip_says_error() -> None:
    """Case 31: the host has closed this number with other totals."""
    till = with_sales("cup", 100)
    digits = "00000000010000100000000000000030000000000000000000000000000001"
    till.host.faults["0500", 1] = change({48: digits})
    result = till.press(Settle())
    assert result.end is End.NOT_AGREED
    assert till.host.sent("0320")[-1][60][-3:] == "202"
    assert result.slip is not None
    assert "对账出错 ERROR" in result.slip.copies[0]


@UPLOADING
def test_rt8_a_refused_record_goes_to_the_rejected_list_and_the_upload_goes_on(dialect: str) -> None:
    """Case 37: flagged as sent without looking at DE 39, it would be lost."""
    till = dispute(with_sales(dialect, *range(100, 110)))
    for sent in (1, 2, 3):
        till.host.faults["0320", sent] = code("30")
    result = till.press(Settle())
    assert result.end is End.NOT_AGREED
    rows = till.memory.archive[0].rows
    refused = [row.stan for row in rows if row.rejected == "30"]
    assert len(refused) == (8 if dialect == "cup" else 1)
    assert not any(row.uploaded for row in rows if row.rejected)
    assert result.slip is not None
    assert "UPLOAD REFUSED" in result.slip.copies[0]
    assert all(stan in result.slip.copies[0] for stan in refused)
    if dialect == "cup":
        assert till.host.sent("0320")[-1][48] == "0002"


@UPLOADING
@pytest.mark.parametrize("times", [1, 2])
def test_rt8_what_the_host_could_not_read_goes_again(dialect: str, times: int) -> None:
    """One byte too few on the way is a 30 as well: only what is refused three times is the record's own fault."""
    till = dispute(with_sales(dialect, *range(100, 110)))
    for sent in range(1, times + 1):
        till.host.faults["0320", sent] = code("30")
    result = till.press(Settle())
    assert result.end is End.NOT_AGREED
    assert result.slip is not None
    assert "UPLOAD REFUSED" not in result.slip.copies[0]
    assert all(row.uploaded and not row.rejected for row in till.memory.archive[0].rows)


@UPLOADING
def test_rt8_a_record_that_was_lost_and_refused_is_still_owed(dialect: str) -> None:
    """Three sends, of which two were refused and one lost: the settlement stays open, and goes on where it stopped."""
    till = dispute(with_sales(dialect, 100))
    till.host.faults |= {("0320", 1): code("30"), ("0320", 2): drop, ("0320", 3): code("30")}
    assert till.press(Settle()).end is End.PENDING
    assert not till.memory.rows[0].rejected
    assert till.press(Settle()).end is End.NOT_AGREED
    assert till.memory.archive[0].rows[0].uploaded


@UPLOADING
def test_rt8_94_in_the_0330_counts_as_delivered(dialect: str) -> None:
    till = dispute(with_sales(dialect, 100))
    till.host.faults["0320", 1] = code("94")
    till.press(Settle())
    assert till.memory.archive[0].rows[0].uploaded


@UPLOADING
def test_an_upload_that_stays_unanswered_goes_on_at_the_first_record_without_a_flag(dialect: str) -> None:
    """Case 35: three sends of one record, then it waits; the next order begins there, not at the start (case 36)."""
    till = dispute(with_sales(dialect, *range(100, 110)))
    till.host.faults |= {("0320", nth): drop for nth in (2, 3, 4)}
    assert till.press(Settle()).end is End.UNANSWERED
    assert len(till.host.sent("0320")) == 4
    flagged = sum(row.uploaded for row in till.memory.rows)
    assert flagged == (8 if dialect == "cup" else 1)
    asked = len(till.host.sent("0500"))
    assert till.press(Settle()).end is End.NOT_AGREED
    resumed = till.host.sent("0320")[4]
    named = resumed[48][4:10] if dialect == "cup" else resumed[60][4:10]
    assert named == till.memory.archive[0].rows[flagged].stan
    after = till.host.sent("0500")[asked:]
    assert [m[3] for m in after] == ([] if dialect == "cup" else ["960000"])


def test_nac_95_after_960000_uploads_again_at_most_three_rounds() -> None:
    """Case 40: the host lacks some. Bounded, then pending and shown; never cleared."""
    till = dispute(with_sales("nac", 100, 200))
    till.host.faults |= {("0500", nth): code("95") for nth in (2, 3, 4)}
    result = till.press(Settle())
    assert result.end is End.PENDING
    assert len(till.host.sent("0320")) == 3 * 2
    assert [m[3] for m in till.host.sent("0500")] == ["920000", "960000", "960000", "960000"]
    assert len(till.memory.rows) == 2
    assert till.press(Settle()).end is not End.PENDING
    assert len(till.memory.rows) == 0


@pytest.mark.parametrize("answer", ["80", "85"])
def test_nac_80_takes_the_next_number_and_keeps_the_items(answer: str) -> None:
    """Case 31: the terminal's number is stale, its items belong to the host's open batch."""
    till = with_sales("nac", 100, 200)
    till.host.refuse_numbers = {"000001"}
    till.host.faults["0500", 1] = code(answer)
    assert till.press(Settle()).end is End.AGREED
    assert [m[60] for m in till.host.sent("0500")] == ["000001", "000002"]
    assert till.memory.batch == "000003"
    closed = till.memory.archive[0]
    assert (closed.batch, len(closed.rows)) == ("000002", 2)


def test_nac_80_after_the_upload_sends_every_record_again_under_the_next_number() -> None:
    """What was staged before was staged for another batch: rules.md 7, «sends all under number + 1»."""
    till = dispute(with_sales("nac", 100, 200))
    till.host.faults["0500", 2] = code("80")
    till.press(Settle())
    assert [m[60][4:10] for m in till.host.sent("0320")] == ["000001", "000002"] * 2
    assert [(m[3], m[60]) for m in till.host.sent("0500")][:3] == [
        ("920000", "000001"),
        ("960000", "000001"),
        ("920000", "000002"),
    ]


def test_nac_80_is_followed_three_times_at_most() -> None:
    till = with_sales("nac", 100)
    till.host.refuse_numbers = {f"{n:06d}" for n in range(1, 20)}
    assert till.press(Settle()).end is End.PENDING
    assert [m[60] for m in till.host.sent("0500")] == ["000001", "000002", "000003", "000004"]
    assert len(till.memory.rows) == 1


def test_nac_77_archives_with_a_slip_that_says_not_agreed() -> None:
    till = with_sales("nac", 100)
    till.host.extra = [BatchItem(Kind.SALE, 4200)]
    till.host.faults["0500", 1] = code("77")
    result = till.press(Settle())
    assert (result.end, result.code) == (End.NOT_AGREED, "77")
    assert till.memory.archive[0].result == "not-agreed"
    assert result.slip is not None
    assert "NOT AGREED" in result.slip.copies[0]
    assert "43.00" in result.slip.copies[0]  # the host's total: 1.00 and its own 42.00
    assert till.host.sent("0320") == []


def test_nac_00_with_other_figures_is_not_called_agreed() -> None:
    """RH9: the slip is the terminal's own comparison, whatever the host calls it."""
    till = with_sales("nac", 100)
    till.host.faults["0500", 1] = change({63: "002000000004300".ljust(90, "0")})
    result = till.press(Settle())
    assert result.end is End.NOT_AGREED
    assert till.memory.batch == "000002"


def test_cup_22_signs_on_renames_the_batch_and_settles_again() -> None:
    """Case 30: the rows keep the number they were sent under."""
    till = with_sales("cup", 100)
    till.host.refuse_numbers = {"000001"}
    till.host.batch = "000009"
    result = till.press(Settle())
    assert result.batch == "000009"
    assert [m[60] for m in till.host.sent("0500")] == ["00000001201", "00000009201"]
    closed = till.memory.archive[0]
    assert (closed.batch, closed.rows[0].batch) == ("000009", "000001")
    assert till.memory.batch == "000010"


def test_cup_22_is_followed_three_times_at_most() -> None:
    till = with_sales("cup", 100)
    till.host.refuse_numbers = {"000001"}
    assert till.press(Settle()).end is End.PENDING
    assert len(till.host.sent("0500")) == 4
    assert len(till.memory.rows) == 1


@pytest.mark.parametrize("mti", ["0500", "0320"])
def test_an_unreadable_answer_is_no_answer(mti: str) -> None:
    till = with_sales("cup", 100)
    till.host.faults |= {(mti, nth): garbage for nth in (1, 2, 3)}
    assert till.press(Settle()).end is End.UNANSWERED
    assert len(till.memory.rows) == 1


def test_rt7_the_archive_is_one_write_before_the_slip() -> None:
    """Case 41: paper out must not leave a batch that is settled twice."""
    till = with_sales("cup", 100)
    seen: list[tuple[int, int, str, bool]] = []
    save = till.flash.save

    def watch(step: str, memory: object) -> None:
        before = till.memory
        save(step, memory)  # type: ignore[arg-type]
        if step == "archive":
            after = till.memory
            printed = any("SETTLEMENT" in slip.title for slip in till.screen.slips)
            seen.append((len(before.rows) - len(after.rows), len(after.archive), after.batch, printed))

    till.flash.save = watch  # type: ignore[method-assign]
    till.press(Settle())
    assert seen == [(1, 1, "000002", False)]
    assert till.memory.last_slip == till.screen.slips[-1]


def test_a_host_that_closes_no_empty_batch_leaves_number_and_shop_open() -> None:
    """rules.md section 6, «empty on both sides»: NAC 21 keeps the number; a frozen batch would block sales for ever."""
    till = with_sales("nac", settle_empty=True)

    def empty(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        host.closed.clear()
        host.batch = "000001"
        return code("21")(host, request, reply)

    till.host.faults["0500", 1] = empty
    assert till.press(Settle()).end is End.NOTHING
    assert (till.memory.settlement, till.memory.batch) == (None, "000001")
    assert till.press(Sale(100, CARD)).end is End.APPROVED
    assert till.press(Settle()).end is End.AGREED
    agree(till)


def test_21_to_a_batch_with_rows_closes_nothing() -> None:
    till = with_sales("nac", 100)
    till.host.faults["0500", 1] = code("21")
    assert till.press(Settle()).end is End.PENDING
    assert till.memory.settlement is not None
