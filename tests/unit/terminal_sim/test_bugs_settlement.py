"""Planted bugs of settlement, upload, stored items and paper: each shows what the catalogue says, the reference not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from specs.operation import Kind, Outcome, Verdict
from specs.totals import BatchItem
from terminal_sim import reprints
from terminal_sim.bugs import with_bugs
from terminal_sim.errors import PaperOut
from terminal_sim.moves import Adjust, End, ForceSettle, OfflineSale, Sale, Settle, SignOn
from terminal_sim.slip_texts import DUPLICATE
from terminal_sim.state import RowState, Slip
from tests.support.scripted_host import ScriptedHost, code, drop
from tests.support.till import CARD, Screen, Till, a_till

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
CUP_NAC = pytest.mark.parametrize("dialect", ["cup", "nac"])


def sold(*bugs: str, dialect: str = "cup", amounts: tuple[int, ...] = (100, 200, 300)) -> Till:
    """A till with that many sales."""
    till = a_till(*bugs, dialect=dialect)
    for amount in amounts:
        assert till.press(Sale(amount, CARD)).end is End.APPROVED
    return till


def disputed(*bugs: str, dialect: str = "cup") -> Till:
    """The host has one sale more."""
    till = sold(*bugs, dialect=dialect)
    till.host.extra = [BatchItem(Kind.SALE, 4200)]
    return till


def batches(till: Till) -> list[tuple[str, str]]:
    """Number and result of what is closed here."""
    return [(closed.batch, closed.result) for closed in till.memory.archive]


# --- 29: the mark behind the 0500


@CUP_NAC
def test_mark_after_send_lets_sales_into_a_batch_that_the_host_has_closed(dialect: str) -> None:
    frozen = {}
    for bugs in ((), ("mark-after-send",)):
        till = sold(*bugs, dialect=dialect)
        assert till.press_and_cut(Settle(), "send", "after")
        assert "000001" in till.host.closed
        till.power_up()
        frozen[bugs] = till.press(Sale(400, CARD)).end is End.REFUSED_LOCALLY
        last = till.host.sent("0200")[-1]
        assert bool(bugs) == (last[4] == "000000000400"), "what was refused here was not sent"
    assert frozen == {(): True, ("mark-after-send",): False}


@DIALECTS
def test_mark_after_send_settles_well_while_the_power_stays(dialect: str) -> None:
    till = sold("mark-after-send", dialect=dialect)
    assert till.press(Settle()).end is End.AGREED
    assert batches(till) == [("000001", "agreed")]


def test_mark_after_send_is_frozen_once_the_answer_has_not_come() -> None:
    till = sold("mark-after-send")
    till.host.faults["0500", 1] = drop
    assert till.press(Settle()).end is End.UNANSWERED
    assert till.press(Sale(400, CARD)).end is End.REFUSED_LOCALLY


# --- 37, 36: the upload


def refused_item(*bugs: str) -> tuple[list[bool], list[str]]:
    """The host refuses the second record with 30 as often as it comes: which are flagged as sent, and the list of the
    rejected."""
    till = disputed(*bugs, dialect="nac")
    for sent in (2, 3, 4) if not bugs else (2,):
        till.host.faults["0320", sent] = code("30")
    till.press_and_cut(Settle(), "archive", "before")
    return [row.uploaded for row in till.memory.rows], [row.rejected for row in till.memory.rows]


def test_flag_without_rc_takes_a_refused_record_for_delivered() -> None:
    assert refused_item("flag-without-rc") == ([True, True, True], ["", "", ""])
    assert refused_item() == ([True, False, True], ["", "30", ""])


def uploaded(till: Till) -> list[str]:
    return [stan for _, stan, _ in till.host.uploaded]


def test_restart_upload_begins_again_after_a_cut() -> None:
    found = {}
    for bugs in ((), ("restart-upload",)):
        till = disputed(*bugs, dialect="nac")
        assert till.press_and_cut(Settle(), "upload-flag", "after", nth=2)
        till.power_up(Settle())
        found[bugs] = uploaded(till)
        numbers = [message[11] for message in till.host.sent("0320")]
        assert len(set(numbers)) == len(numbers), "each 0320 has a STAN of its own"
        assert batches(till) == [("000001", "not-agreed")]
    first, second, third = "000001", "000002", "000003"
    assert found[()] == [first, second, third]
    assert found["restart-upload",] == [first, second, first, second, third]


def test_restart_upload_begins_again_after_a_lost_answer() -> None:
    found = {}
    for bugs in ((), ("restart-upload",)):
        till = disputed(*bugs, dialect="nac")
        till.host.faults["0320", 2] = drop
        till.press(Settle())
        found[bugs] = uploaded(till)
    first, second, third = "000001", "000002", "000003"
    assert found[()] == [first, second, second, third]
    assert found["restart-upload",] == [first, second, first, second, third]


def test_restart_upload_ends_all_the_same_when_a_record_is_never_answered() -> None:
    till = disputed("restart-upload", dialect="nac")
    till.host.faults |= {("0320", nth): drop for nth in (2, 4, 6)}
    assert till.press(Settle()).end is End.UNANSWERED
    assert len(till.host.sent("0320")) == 6, "rounds are bounded"


# --- 41: the paper first


@dataclass
class Printer(Screen):
    """A screen whose printer may be empty."""

    paper: bool = True
    tried: list[str] = field(default_factory=list)

    def print(self, slip: Slip) -> None:
        self.tried.append(slip.title)
        if not self.paper:
            raise PaperOut
        super().print(slip)


def without_paper(till: Till) -> Printer:
    till.screen = printer = Printer(paper=False)
    till._boot()
    return printer


@DIALECTS
def test_print_then_clear_settles_the_old_rows_again_when_the_paper_was_out(dialect: str) -> None:
    till = sold("print-then-clear", dialect=dialect)
    printer = without_paper(till)
    assert till.press(Settle()).end is End.PENDING
    assert till.host.closed
    assert (batches(till), len(till.memory.rows), till.memory.settlement) == ([], 3, None)
    printer.paper = True
    again = till.press(Settle())
    assert printer.slips
    if dialect == "iso87":  # the day is named and no number: the host knows it, and answers as before
        assert again.end is End.AGREED
    else:
        assert (again.end, len(uploaded(till))) == (End.NOT_AGREED, 3)


@DIALECTS
def test_the_reference_closes_without_paper_and_prints_later(dialect: str) -> None:
    till = sold(dialect=dialect)
    printer = without_paper(till)
    assert till.press(Settle()).end is End.AGREED
    assert (batches(till), till.memory.rows, printer.slips) == ([("000001", "agreed")], (), [])
    assert any("no paper" in line for line in printer.lines)
    assert reprints.settlement(till.memory).slip is not None


def test_print_then_clear_loses_its_power_while_it_prints() -> None:
    for bugs, closed in (((), True), (("print-then-clear",), False)):
        till = sold(*bugs)
        assert till.press_and_cut(Settle(), "print", "before")
        assert bool(batches(till)) is closed


# --- 45: on paper alone


@DIALECTS
def test_local_force_settle_clears_the_journal_and_the_host_hears_nothing(dialect: str) -> None:
    till = sold("local-force-settle", dialect=dialect)
    assert till.press(ForceSettle()).end is End.AGREED
    assert (till.memory.rows, batches(till), till.memory.batch) == ((), [("000001", "forced")], "000002")
    assert (till.host.sent("0500"), till.host.closed) == ([], {})
    (copy,) = till.screen.slips[-1].copies
    assert "agreed" in copy.lower(), "the shop holds a slip like any"
    assert "not agreed" not in copy.lower()
    assert till.press(ForceSettle()).end is End.NOTHING


def test_the_reference_closes_a_batch_with_the_host_alone() -> None:
    till = sold()
    assert till.press(ForceSettle()).end is End.REFUSED_LOCALLY
    assert len(till.memory.rows) == 3


# --- 51: yesterday in today


def new_day(*bugs: str) -> tuple[str, str]:
    """The host has closed the batch at its cutoff; the terminal signs on with a row in its journal, then settles."""
    till = sold(*bugs, amounts=(100,))
    till.host.batch = "000002"
    till.press(SignOn())
    till.press(Settle())
    return till.memory.archive[-1].batch if till.memory.archive else "", till.host.sent("0500")[0][60][2:8]


def test_daycut_carry_settles_yesterday_under_today_s_number() -> None:
    assert new_day("daycut-carry") == ("000002", "000002")
    assert new_day() == ("000001", "000001")


# --- 27, 31, 32: closed too early, in two steps, in spite of the host


def lost_0500(*bugs: str, dialect: str) -> tuple[list[tuple[str, str]], int]:
    till = sold(*bugs, dialect=dialect)
    till.host.unheard.add(("0500", 1))
    till.press(Settle())
    till.power_up(Settle())
    return batches(till), len(till.host.closed)


@DIALECTS
def test_clear_on_send_closes_what_the_host_never_hears_of(dialect: str) -> None:
    assert lost_0500("clear-on-send", dialect=dialect) == ([("000001", "agreed")], 0)
    assert lost_0500(dialect=dialect) == ([("000001", "agreed")], 1)


@DIALECTS
def test_clear_on_send_settles_well_without_a_fault(dialect: str) -> None:
    till = sold("clear-on-send", dialect=dialect)
    assert till.press(Settle()).end is End.AGREED
    assert len(till.host.closed) == len(batches(till)) == 1


def cut_behind_the_archive(*bugs: str) -> tuple[int, str]:
    till = sold(*bugs)
    assert till.press_and_cut(Settle(), "archive", "after")
    till.power_up()
    return len(till.memory.rows), till.memory.batch


def test_number_late_leaves_an_empty_journal_under_the_closed_number() -> None:
    assert cut_behind_the_archive("number-late") == (0, "000001")
    assert cut_behind_the_archive() == (0, "000002")


@DIALECTS
def test_ignore_95_closes_as_agreed_without_an_upload(dialect: str) -> None:
    till = disputed("ignore-95", dialect=dialect)
    assert till.press(Settle()).end is End.AGREED
    assert (batches(till), till.host.mtis()[-1], till.host.closed) == ([("000001", "agreed")], "0500", {})
    right = disputed(dialect=dialect)
    assert right.press(Settle()).end is End.NOT_AGREED
    assert batches(right) == [("000001", "not-agreed")]
    assert right.host.mtis()[-1] != "0500" or dialect == "nac"


# --- 40, 28: no end


@DIALECTS
def test_pending_77_says_done_and_cannot_sell(dialect: str) -> None:
    till = disputed("pending-77", dialect=dialect)
    for _ in range(3):
        assert till.press(Settle()).end is End.AGREED
        assert batches(till) == []
        assert till.press(Sale(400, CARD)).end is End.REFUSED_LOCALLY
    assert till.host.closed
    right = disputed(dialect=dialect)
    right.press(Settle())
    assert right.press(Sale(400, CARD)).end is End.APPROVED


@DIALECTS
def test_closed_is_unsettled_waits_for_a_phone_call(dialect: str) -> None:
    """The host has closed the batch with other totals (forced close): code 3, 77, 66 = 3."""
    ends = {}
    for bugs in ((), ("closed-is-unsettled",)):
        till = sold(*bugs, dialect=dialect)
        till.host._close("000001", till.host.family.count([]), _agreed(till.host))
        till.host.batch = "000002"
        ends[bugs] = [till.press(Settle()).end for _ in range(2)]
        assert bool(till.memory.settlement) is bool(bugs)
    assert ends[()] == [End.NOT_AGREED, End.NOTHING]
    assert ends["closed-is-unsettled",] == [End.PENDING, End.PENDING]


def _agreed(host: ScriptedHost) -> Outcome:
    """What this host once answered to the totals that it closed with."""
    sides = (("domestic", Verdict.CLOSED_OTHER), ("foreign", Verdict.AGREED)) if host.mac else ()
    return Outcome(code="", verdict=Verdict.AGREED, sides=sides)


# --- 61, 59: stored items


@CUP_NAC
def test_saf_total_counts_what_the_host_has_refused(dialect: str) -> None:
    states = {}
    for bugs in ((), ("saf-total",)):
        till = a_till(*bugs, dialect=dialect)
        till.host.decline[500] = "51"
        till.press(OfflineSale(500, CARD))
        till.press(Sale(100, CARD))
        states[bugs] = till.memory.rows[0].state
        assert not till.memory.rows[0].stored
        assert till.press(Settle()).end is (End.NOT_AGREED if bugs else End.AGREED)
    assert states == {(): RowState.REJECTED, ("saf-total",): RowState.JOURNALED}


@CUP_NAC
def test_tip_after_close_settles_without_the_tip(dialect: str) -> None:
    ends = {}
    for bugs in ((), ("tip-after-close",)):
        till = sold(*bugs, dialect=dialect, amounts=(100,))
        till.press(Adjust(stan=till.memory.rows[0].stan, tip=10))
        ends[bugs] = till.press(Settle()).end
        assert [message[4] for message in till.host.sent("0220")] == ([] if bugs else till_tip(dialect))
    assert ends == {(): End.AGREED, ("tip-after-close",): End.NOT_AGREED}


def till_tip(dialect: str) -> list[str]:
    """CUP says the base in DE 4, NAC the new total (rules.md, section 1)."""
    return ["000000000100" if dialect == "cup" else "000000000110"]


def test_tip_after_close_waits_for_the_offline_sales_all_the_same() -> None:
    till = a_till("tip-after-close", dialect="nac")
    till.press(OfflineSale(500, CARD))
    till.host.unheard |= {("0220", nth) for nth in range(1, 4)}
    assert till.press(Settle()).end is End.UNANSWERED
    assert till.memory.settlement is None


# --- 78: no mark


def test_reprint_unmarked_looks_like_the_first_slip() -> None:
    till = sold(amounts=(100,))
    first, firmware = till.screen.slips[-1], with_bugs(("reprint-unmarked",))
    stan = till.memory.rows[0].stan
    for again in (
        reprints.last(till.memory, firmware),
        reprints.transaction(till.memory, "cup", stan=stan, firmware=firmware),
    ):
        assert again.slip == first
    for again in (reprints.last(till.memory), reprints.transaction(till.memory, "cup", stan=stan)):
        assert again.slip is not None
        assert all(DUPLICATE in copy.splitlines()[0] for copy in again.slip.copies)
