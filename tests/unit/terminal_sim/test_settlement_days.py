"""Settlement beyond CUP and NAC sales: the worked example per dialect, ISO 87's days and DE 66, the switches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.operation import Kind
from specs.totals import BatchItem
from terminal_sim.moves import (
    Adjust,
    Echo,
    End,
    OfflineSale,
    PreAuth,
    Refund,
    Sale,
    Settle,
    SignOff,
    SignOn,
    Void,
)
from terminal_sim.state import Phase, RowState
from tests.support.scripted_host import change, code, drop
from tests.support.till import CARD, FOREIGN, Till, agree


def ready(dialect: str, *amounts: int, **config: object) -> Till:
    till = Till(dialect, **config)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    for amount in amounts:
        assert till.press(Sale(amount, CARD)).end is End.APPROVED
    return till


def _the_example(dialect: str) -> Till:
    """rules.md 5: S1 100.00 with tip 10.00; S2 50.00 voided by V; R 20.00; S3 80.00 reversed; O 40.00; F 30.00."""
    till = ready(dialect)
    s1 = till.press(Sale(10_000, CARD)).stan
    till.press(Adjust(stan=s1, tip=1_000))
    s2 = till.press(Sale(5_000, CARD)).stan
    assert till.press(Void(stan=s2)).end is End.APPROVED
    assert till.press(Refund(2_000, stan=s1)).end is End.APPROVED
    till.host.faults["0200", till.host.counts["0200"] + 1] = drop
    assert till.press(Sale(8_000, CARD)).end is End.UNKNOWN
    assert till.press(OfflineSale(4_000, CARD)).end is End.APPROVED
    assert till.press(Sale(3_000, FOREIGN)).end is End.APPROVED
    return till


def test_the_worked_example_in_cup() -> None:
    till = _the_example("cup")
    assert till.press(Settle()).end is End.AGREED
    assert till.host.sent("0500")[0][48] == ("00000002000000300000000700000200000000030000010000000000000000")
    agree(till)


def test_the_worked_example_in_nac() -> None:
    till = _the_example("nac")
    assert till.press(Settle()).end is End.AGREED
    assert till.host.sent("0500")[0][63] == "003000000018000" + "001000000002000" + "0" * 60
    agree(till)


def test_the_worked_example_in_iso87() -> None:
    till = _the_example("iso87")
    assert till.press(Settle()).end is End.AGREED
    sent = till.host.sent("0500")[0]
    figures = {de: int(sent[de]) for de in (74, 75, 76, 77, 86, 87, 88, 89)}
    assert figures == {74: 1, 75: 0, 76: 5, 77: 2, 86: 2_000, 87: 0, 88: 31_000, 89: 13_000}
    assert sent[97] == "D0000000000016000"
    agree(till)


def test_the_worked_example_in_iso87_without_reversed_items() -> None:
    """`iso87.reversed` = "none": 76 = 4, 88 = 230.00, 77 = 1, 89 = 50.00; DE 97 is the same."""
    till = Till("iso87")
    till.wire = replace(till.wire, profile=replace(till.wire.profile, reversed="none"))
    till.power_up()
    till.press(Sale(23_000, CARD))
    till.host.faults["0200", 2] = drop
    till.press(Sale(8_000, CARD))
    till.press(Settle())
    sent = till.host.sent("0500")[0]
    assert (int(sent[76]), int(sent[88]), int(sent[77])) == (1, 23_000, 0)


# --- ISO 87: reversals on the journal


def test_a_reversal_acked_with_00_leaves_a_row_and_one_with_25_does_not() -> None:
    """rules.md 5: T knows that H had the sale from the 00."""
    till = ready("iso87")
    till.host.faults["0200", 1] = drop
    seen = till.press(Sale(100, CARD))
    till.power_up()
    till.host.unheard = {("0200", 2)}
    unseen = till.press(Sale(200, CARD))
    till.power_up()
    assert [(r.stan, r.amount, r.state) for r in till.memory.rows] == [(seen.stan, 100, RowState.REVERSED)]
    assert till.host.tombstones == {unseen.stan}
    assert till.press(Settle()).end is End.AGREED
    agree(till)


def test_a_reversed_void_leaves_no_row() -> None:
    till = ready("iso87", 100)
    till.host.faults["0200", 2] = drop
    till.press(Void(stan=till.memory.rows[0].stan))
    till.power_up()
    assert [(r.kind, r.state) for r in till.memory.rows] == [(Kind.SALE, RowState.JOURNALED)]
    assert till.press(Settle()).end is End.AGREED
    agree(till)


def test_a_reversal_names_its_original_in_de_90_and_marks_its_repeats() -> None:
    """rules.md section 1 and 2: DE 90 = MTI, STAN, DE 7; 0420, then 0421."""
    till = ready("iso87")
    till.host.faults["0200", 1] = drop
    sale = till.press(Sale(100, CARD))
    till.host.faults |= {("0420", 1): drop, ("0421", 1): drop}
    till.power_up()
    sent = [m for m in till.host.seen if m.mti in ("0420", "0421")]
    assert [m.mti for m in sent] == ["0420", "0421", "0421"]
    request = till.host.sent("0200")[0]
    assert {m[90][:20] for m in sent} == {"0200" + sale.stan + request[7]}
    assert till.memory.pending is None


# --- ISO 87: DE 66


def test_66_2_is_followed_by_the_0520_and_an_archive_that_says_not_agreed() -> None:
    till = ready("iso87", 100)
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    result = till.press(Settle())
    assert (result.end, result.exit_code) == (End.NOT_AGREED, 1)
    assert [m.mti for m in till.host.seen if m.mti[:2] == "05"] == ["0500", "0520"]
    first, last = till.host.sent("0500")[0], till.host.sent("0520")[0]
    assert [first[de] for de in (15, 76, 88, 97)] == [last[de] for de in (15, 76, 88, 97)]
    assert till.memory.archive[0].host_totals is not None
    assert result.slip is not None
    assert "43.00" in result.slip.copies[0]


def test_the_0520_agrees_when_the_host_has_corrected_itself() -> None:
    till = ready("iso87", 100)
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    till.host.faults["0520", 1] = drop
    till.host.faults |= {("0521", nth): drop for nth in (1, 2)}
    assert till.press(Settle()).end is End.UNANSWERED
    assert till.memory.settlement is not None
    assert till.memory.settlement.phase is Phase.UPLOADING


def test_the_0520_is_repeated_as_0521_with_the_same_stan() -> None:
    till = ready("iso87", 100)
    till.host.extra = [BatchItem(Kind.SALE, 4_200)]
    till.host.faults["0520", 1] = drop
    assert till.press(Settle()).end is End.NOT_AGREED
    advice, repeat = till.host.sent("0520")[0], till.host.sent("0521")[0]
    assert advice.fields == repeat.fields
    assert len(till.host.sent("0500")) == 1


def test_66_3_archives_and_says_not_agreed() -> None:
    till = ready("iso87", 100)
    till.host.faults["0500", 1] = change({66: "3", 88: "0000000000009900"})
    result = till.press(Settle())
    assert result.end is End.NOT_AGREED
    assert till.memory.rows == ()
    assert till.host.sent("0520") == []


def test_66_1_with_other_figures_is_not_called_agreed() -> None:
    """RH9: the slip is the terminal's own comparison."""
    till = ready("iso87", 100)
    till.host.faults["0500", 1] = change({88: "0000000000009900"})
    assert till.press(Settle()).end is End.NOT_AGREED


@pytest.mark.parametrize("answer", ["96", "58"])
def test_a_refused_0500_leaves_the_day_frozen(answer: str) -> None:
    till = ready("iso87", 100)
    till.host.faults["0500", 1] = change({39: answer, 66: None})
    assert till.press(Settle()).end is End.PENDING
    assert till.press(Sale(200, CARD)).end is End.REFUSED_LOCALLY
    assert till.press(Settle()).exit_code in (0, 1)
    assert till.memory.rows == ()


# --- ISO 87: one 0500 a day


def _two_days() -> Till:
    till = ready("iso87", 100, 200)
    till.host.day, till.host.batch = "1122", "000002"
    till.press(Sale(400, CARD))
    return till


def test_each_de_15_among_the_rows_is_settled_by_itself_oldest_first() -> None:
    till = _two_days()
    assert till.press(Settle()).end is End.AGREED
    assert [(m[15], int(m[88])) for m in till.host.sent("0500")] == [("1121", 300), ("1122", 400)]
    assert [(len(c.rows), c.batch) for c in till.memory.archive] == [(2, "000001"), (1, "000002")]
    assert till.memory.rows == ()
    agree(till)


def test_the_second_day_is_settled_by_the_next_order_when_it_was_not_answered() -> None:
    till = _two_days()
    till.host.faults["0500", 2] = drop
    assert till.press(Settle()).end is End.UNANSWERED
    assert (len(till.memory.archive), len(till.memory.rows)) == (1, 1)
    assert till.press(Settle()).end is End.AGREED
    assert [m[15] for m in till.host.sent("0500")] == ["1121", "1122", "1122"]


def test_one_day_that_does_not_agree_is_told_although_the_last_one_does() -> None:
    till = _two_days()
    till.host.faults["0500", 1] = change({66: "3", 88: "0000000000009900"})
    assert till.press(Settle()).exit_code == 1
    assert [c.result for c in till.memory.archive] == ["not-agreed", "agreed"]


def test_a_day_of_pre_authorisations_alone_is_not_settled_by_itself() -> None:
    """It is in no total: the host has nothing under its DE 15, and the zeros would meet the next day's books."""
    till = ready("iso87")
    assert till.press(PreAuth(500, CARD)).end is End.APPROVED
    till.host.day = "1122"
    till.press(Sale(400, CARD))
    assert till.press(Settle()).end is End.AGREED
    assert [(m[15], int(m[88])) for m in till.host.sent("0500")] == [("1122", 400)]
    assert [row.kind for row in till.memory.archive[0].rows] == [Kind.PRE_AUTH, Kind.SALE]
    assert till.memory.rows == ()


# --- switches


@pytest.mark.parametrize("dialect", ["cup", "iso87"])
def test_auto_sign_off_follows_a_closed_settlement(dialect: str) -> None:
    till = ready(dialect, auto_signoff=True)
    till.press(SignOn())
    till.press(Sale(100, CARD))
    result = till.press(Settle())
    assert result.end is End.AGREED, "the settlement's own result stands"
    assert not till.memory.signed_on
    assert till.host.seen[-1].mti in ("0820", "0800")


def test_without_the_switch_the_terminal_stays_signed_on() -> None:
    till = ready("cup", 100)
    till.press(Settle())
    assert till.memory.signed_on


def test_an_auto_sign_off_without_an_answer_takes_nothing_back() -> None:
    till = ready("cup", 100, auto_signoff=True)
    till.host.faults["0820", 1] = drop
    assert till.press(Settle()).end is End.AGREED
    assert till.memory.rows == ()


def test_77_may_mean_that_nothing_is_closed() -> None:
    """`terminal.rc77` = "error": for hosts whose 77 is a failure (nac.md 10)."""
    till = ready("nac", 100)
    till.wire = replace(till.wire, profile=replace(till.wire.profile, rc77="error"))
    till.power_up()
    till.host.faults["0500", 1] = code("77")
    result = till.press(Settle())
    assert (result.end, result.code) == (End.PENDING, "77")
    assert len(till.memory.rows) == 1


@pytest.mark.parametrize("dialect", ["cup", "iso87"])
def test_sign_on_echo_and_sign_off(dialect: str) -> None:
    till = Till(dialect)
    for order in (SignOn(), Echo(), SignOff()):
        assert till.press(order).end is End.OK, order
    codes = [m.get(70) or m[60][8:11] for m in till.host.seen]
    assert codes == (["001", "301", "002"] if dialect == "iso87" else ["003", "301", "002"])


def test_a_rejected_row_survives_a_new_batch_number() -> None:
    """nac 80: all items are uploaded again, but what the host has refused as an advice stays refused."""
    till = ready("nac", 100)
    till.host.decline[50] = "14"
    till.press(OfflineSale(50, CARD))
    till.host.refuse_numbers = {"000001"}
    assert till.press(Settle()).end is End.AGREED
    assert [r.rejected for r in till.memory.archive[0].rows] == ["", "14"]
