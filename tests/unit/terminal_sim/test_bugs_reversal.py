"""Planted bugs around an answer, its row and its reversal: each shows what the catalogue says, the reference does not.

What must come of a schedule is worked out from failure-catalogue.md section 2, the row of the case that is named.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.operation import Entry, Kind
from terminal_sim.bugs import with_bugs
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import ClearReversal, Echo, End, OfflineSale, Sale, Settle, SignOn, Void
from terminal_sim.operators import documented_operators
from terminal_sim.state import ROLL_FORWARD, RowState
from tests.support.scripted_host import Fault, change, drop, garbage, hang_up
from tests.support.till import CARD, Till, a_till, agree

CHIP = replace(CARD, entry=Entry.CHIP)
Rows = list[tuple[str, int, RowState]]


def rows(till: Till) -> Rows:
    """STAN, amount and state of the open journal."""
    return [(row.stan, row.amount, row.state) for row in till.memory.rows]


# --- 14: the image goes before the row comes


def test_rev_clear_first_leaves_nothing_of_what_the_host_has_captured() -> None:
    till = a_till("rev-clear-first")
    assert till.press_and_cut(Sale(100, CARD), "journal", "before")
    till.power_up()
    assert till.host.live() == {"000002": 100}
    assert (rows(till), till.memory.pending, till.host.sent("0400")) == ([], None, [])


def test_the_reference_has_one_write_and_undoes_it() -> None:
    till = a_till()
    assert till.press_and_cut(Sale(100, CARD), "journal", "before")
    till.power_up()
    assert (till.host.live(), rows(till), len(till.host.sent("0400"))) == ({}, [], 1)


# --- 2: dropped by a counter


def test_rev_drop_n_forgets_after_three_lost_reversals() -> None:
    till = a_till("rev-drop-n")
    till.host.faults["0200", 1] = drop
    till.host.unheard = {("0400", 1), ("0400", 2), ("0400", 3)}
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    till.power_up()
    assert till.memory.pending is None
    assert till.host.live() == {"000002": 100}, "the host keeps what nobody reverses"
    till.power_up()
    assert len(till.host.sent("0400")) == 3


def test_rev_drop_n_counts_what_finds_no_connection_and_over_power_cuts() -> None:
    till = a_till("rev-drop-n")
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.line.down = True
    till.power_up()
    till.power_up()
    assert till.memory.pending is not None
    till.power_up()
    till.line.down = False
    till.power_up()
    assert till.memory.pending is None
    assert till.host.sent("0400") == []


def test_the_reference_never_drops_a_reversal() -> None:
    till = a_till()
    till.host.faults["0200", 1] = drop
    till.host.unheard = {("0400", nth) for nth in range(1, 10)}
    till.press(Sale(100, CARD))
    for _ in range(3):
        till.power_up()
        assert till.memory.pending is not None
    till.power_up()
    assert (till.memory.pending, till.host.live()) == (None, {})


# --- 8: 25 is no acknowledgement


def test_rev_only_00_is_stuck_with_a_request_that_never_arrived() -> None:
    till = a_till("rev-only-00")
    till.host.unheard.add(("0200", 1))
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    for _ in range(3):
        assert till.press(Sale(200, CARD)).end is End.NOT_SENT
    assert till.memory.pending is not None
    assert len(till.host.sent("0200")) == 1, "it cannot sell any more"


def test_the_reference_takes_25_and_sells_on() -> None:
    till = a_till()
    till.host.unheard.add(("0200", 1))
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    assert till.press(Sale(200, CARD)).end is End.APPROVED


# --- 15: row and image both survive


def test_row_kept_counts_a_sale_that_its_own_boot_reverses() -> None:
    till = a_till("row-kept")
    assert till.press_and_cut(Sale(100, CARD), "rev-clear", "before")
    till.power_up()
    assert rows(till) == [("000002", 100, RowState.JOURNALED)]
    assert till.host.books["000002"].state == "reversed"


def test_the_reference_has_no_such_moment() -> None:
    till = a_till()
    assert not till.press_and_cut(Sale(100, CARD), "rev-clear", "before")
    assert (till.host.live(), rows(till)) == ({"000002": 100}, [("000002", 100, RowState.JOURNALED)])


def test_row_first_lets_the_reversal_win() -> None:
    """The catalogue's «rev wins, row marked: undone on both sides», in a firmware where both can survive."""
    till = a_till("row-first")
    assert till.press_and_cut(Sale(100, CARD), "rev-clear", "before")
    both = (rows(till), till.memory.pending is not None)
    assert both == ([("000002", 100, RowState.JOURNALED)], True)
    till.power_up()
    assert rows(till) == [("000002", 100, RowState.REVERSED)]
    assert (till.host.live(), till.memory.pending, len(till.host.sent("0400"))) == ({}, None, 1)
    assert till.press(Sale(200, CARD)).end is End.APPROVED
    agree(till)


# --- 13: stored only when the answer has not come


def test_rev_at_timeout_forgets_what_it_waited_for() -> None:
    till = a_till("rev-at-timeout")
    assert till.press_and_cut(Sale(100, CARD), "send", "after")
    till.power_up()
    assert (till.host.live(), rows(till), till.host.sent("0400")) == ({"000002": 100}, [], [])


def test_rev_at_timeout_reverses_when_the_power_stays() -> None:
    till = a_till("rev-at-timeout")
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    till.power_up()
    assert till.host.live() == {}


def test_the_reference_reverses_what_it_waited_for() -> None:
    till = a_till()
    assert till.press_and_cut(Sale(100, CARD), "send", "after")
    till.power_up()
    assert (till.host.live(), till.host.books["000002"].kind) == ({}, Kind.SALE)


# --- 10, 22, 80: doubts that nobody reverses


def keyed_again(*bugs: str) -> dict[str, int]:
    """The first answer is lost, the operator keys again; what stands at the host."""
    till = a_till(*bugs)
    till.host.faults["0200", 1] = drop
    assert till.press(Sale(100, CARD)).end is End.UNKNOWN
    assert till.press(Sale(100, CARD)).end is End.APPROVED
    assert [row.amount for row in till.memory.rows] == [100]
    return till.host.live()


def test_no_rev_leaves_both_sales_at_the_host() -> None:
    assert keyed_again("no-rev") == {"000002": 100, "000003": 100}
    assert keyed_again() == {"000003": 100}


@pytest.mark.parametrize("fault", [hang_up, garbage])
def test_no_rev_means_a_lost_line_and_bytes_that_are_no_answer_too(fault: Fault) -> None:
    till = a_till("no-rev")
    till.host.faults["0200", 1] = fault
    till.press(Sale(100, CARD))
    till.power_up()
    assert till.host.sent("0400") == []


def bad_mac(*bugs: str) -> tuple[End, dict[str, int]]:
    till = a_till(*bugs)
    till.host.faults["0200", 1] = change({64: "0000000000000000"})
    end = till.press(Sale(100, CARD)).end
    till.power_up()
    return end, till.host.live()


def test_mac_declined_says_no_to_what_the_host_has_captured() -> None:
    assert bad_mac("mac-declined") == (End.DECLINED, {"000002": 100})
    assert bad_mac() == (End.UNKNOWN, {})


def refused_by_the_card(*bugs: str) -> tuple[End, dict[str, int]]:
    till = a_till(*bugs)
    end = till.press(Sale(100, CHIP, chip_refuses=True)).end
    till.power_up()
    return end, till.host.live()


def test_chip_declined_leaves_the_approval_at_the_host() -> None:
    assert refused_by_the_card("chip-declined") == (End.DECLINED, {"000002": 100})
    assert refused_by_the_card() == (End.DECLINED, {})


# --- 1, 11: only at the next sale


def an_idle_night(*bugs: str) -> tuple[list[int], list[int]]:
    """A lost answer, then boots and a settlement, then a sale: what stands at the host before it and after."""
    till = a_till(*bugs)
    till.press(Sale(50, CARD))
    till.host.faults["0200", 2] = drop
    till.press(Sale(100, CARD))
    till.press(Echo())
    till.power_up()
    till.press(SignOn())
    till.press(Settle())
    before = list(till.host.live().values())
    till.press(Sale(70, CARD))
    return before, list(till.host.live().values())


def test_rev_next_sale_lets_the_0500_overtake_the_reversal() -> None:
    assert an_idle_night("rev-next-sale") == ([50, 100], [50, 70])
    assert an_idle_night() == ([50], [50, 70])


def test_rev_next_sale_has_no_idle_timer() -> None:
    assert (with_bugs(("rev-next-sale",)).idle_timer, with_bugs(()).idle_timer) == (False, True)


# --- 79: under a name that nobody knows


@pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
def test_rev_new_stan_undoes_nothing_and_takes_25_for_done(dialect: str) -> None:
    found = {}
    for bugs in ((), ("rev-new-stan",)):
        till = a_till(*bugs, dialect=dialect)
        till.host.faults["0200", 1] = drop
        sold = till.press(Sale(100, CARD)).stan
        till.power_up()
        assert till.memory.pending is None
        found[bugs] = till.host.live() == {sold: 100}
    assert found == {(): False, ("rev-new-stan",): True}


# --- 23: the MAC of another day


def with_new_keys(*bugs: str) -> tuple[bool, str]:
    """A reversal was stored under other keys; it is sent with today's: whether it is owed still, and its MAC."""
    till = a_till(*bugs)
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    assert till.memory.pending is not None
    image = till.memory.pending.image.with_fields({64: "0000000000000000"})
    if bugs:  # what it would have been under yesterday's keys
        till.flash = MemoryFlash(replace(till.memory, pending=replace(till.memory.pending, image=image)))
    till.power_up(SignOn())
    return till.memory.pending is not None, till.host.sent("0400")[-1][64]


def test_old_mac_is_refused_for_ever() -> None:
    owed, mac = with_new_keys("old-mac")
    assert (owed, mac) == (True, "0000000000000000")
    owed, mac = with_new_keys()
    assert not owed
    assert mac != "0000000000000000"


def test_old_mac_keeps_the_mac_of_the_day_in_the_image() -> None:
    for bugs, kept in (((), False), (("old-mac",), True)):
        till = a_till(*bugs)
        till.host.faults["0200", 1] = drop
        till.press(Sale(100, CARD))
        assert till.memory.pending is not None
        assert (64 in till.memory.pending.image) is kept
        till.power_up()
        assert till.host.live() == {}, "as long as the keys are the same it is a good MAC"


# --- 54: done and undone


@pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
def test_void_marks_leaves_the_sale_voided_here_and_live_at_the_host(dialect: str) -> None:
    for bugs, state in (((), RowState.JOURNALED), (("void-marks",), RowState.VOIDED)):
        till = a_till(*bugs, dialect=dialect)
        sale = till.press(Sale(100, CARD))
        till.host.faults["0200", 2] = drop
        assert till.press(Void(stan=sale.stan)).end is End.UNKNOWN
        till.power_up()
        assert till.host.live() == {sale.stan: 100}
        assert till.memory.rows[0].state is state
        assert till.memory.pending is None


# --- 21: by hand


def test_the_reference_gives_up_a_reversal_with_slip_and_record() -> None:
    till = a_till()
    till.host.faults["0200", 1] = drop
    sold = till.press(Sale(100, CARD)).stan
    given_up = till.press(ClearReversal())
    assert given_up.end is End.OK
    assert till.memory.pending is None
    assert [(e.event, e.stan, e.detail) for e in till.memory.events][-1] == ("rev-abandoned", sold, "by 01")
    (copy,) = till.screen.slips[-1].copies
    assert sold in copy
    assert till.press(ClearReversal()).end is End.REFUSED_LOCALLY
    assert till.host.live() == {sold: 100}


def test_admin_clear_is_silent_and_takes_a_settlement_along() -> None:
    till = a_till("admin-clear")
    till.press(Sale(100, CARD))
    till.host.faults["0500", 1] = drop
    assert till.press(Settle()).end is End.UNANSWERED
    seen = len(till.screen.slips), len(till.screen.lines), till.memory.events
    assert till.press(ClearReversal()).end is End.OK
    assert (len(till.screen.slips), len(till.screen.lines), till.memory.events) == seen
    assert till.memory.settlement is None
    till.host.faults["0200", 2] = drop
    till.press(Sale(200, CARD))
    assert till.press(ClearReversal()).end is End.OK
    assert till.memory.pending is None
    assert "rev-abandoned" not in {event.event for event in till.memory.events}


def test_the_reference_does_not_give_up_a_settlement() -> None:
    till = a_till()
    till.press(Sale(100, CARD))
    till.host.faults["0500", 1] = drop
    till.press(Settle())
    assert till.press(ClearReversal()).end is End.REFUSED_LOCALLY
    assert till.memory.settlement is not None


def test_only_the_supervisor_gives_up_a_reversal() -> None:
    till = a_till()
    till.host.faults["0200", 1] = drop
    till.press(Sale(100, CARD))
    for number, end in (("01", End.REFUSED_LOCALLY), ("00", End.OK)):
        till.flash = MemoryFlash(replace(till.memory, operators=documented_operators(), operator=number))
        till._boot()
        assert till.press(ClearReversal()).end is end


# --- 84: the mark moves behind the row


def test_row_twice_writes_the_row_again_at_boot() -> None:
    till = a_till("row-twice", dialect="nac")
    assert till.press_and_cut(Sale(100, CARD), "rev-clear", "before")
    till.power_up()
    assert rows(till) == [("000001", 100, RowState.JOURNALED)] * 2
    assert till.host.live() == {"000001": 100}


def test_the_reference_that_rolls_forward_writes_it_once() -> None:
    till = a_till(dialect="nac", profile=ROLL_FORWARD)
    assert till.press_and_cut(Sale(100, CARD), "journal", "before")
    till.power_up()
    till.power_up()
    assert rows(till) == [("000001", 100, RowState.JOURNALED)]


# --- 49: the STAN behind the message


def stans_of_two(*bugs: str) -> list[str]:
    """A sale is cut while it waits, the boot reverses it, the next sale follows: their STANs."""
    till = a_till(*bugs, dialect="nac")
    assert till.press_and_cut(Sale(100, CARD), "recv", "after")
    till.power_up()
    till.host.books.clear()  # this host would not have a STAN twice
    till.press(Sale(200, CARD))
    return [message[11] for message in till.host.sent("0200")]


def test_stan_late_uses_one_number_twice() -> None:
    assert stans_of_two("stan-late") == ["000001", "000001"]
    assert stans_of_two() == ["000001", "000002"]


@pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
def test_stan_late_counts_on_while_the_power_stays(dialect: str) -> None:
    till, reference = a_till("stan-late", dialect=dialect), a_till(dialect=dialect)
    for one in (till, reference):
        one.press(Sale(100, CARD))
        one.press(OfflineSale(50, CARD))
        one.press(Sale(200, CARD))
        one.power_up(Settle())
        one.press(Sale(300, CARD))
    assert [m.get(11) for m in till.host.seen] == [m.get(11) for m in reference.host.seen]
    assert till.memory.stan == reference.memory.stan


# --- 83: the flash refuses a write


def refused(step: str, *bugs: str) -> tuple[End, Rows, list[str], Till]:
    """A sale whose write of this step the flash refuses, and then the power: how it ended, what is left of it."""
    till = a_till(*bugs)
    till.flash.refuse = step
    end = till.press(Sale(100, CARD)).end
    till.flash.refuse = ""
    till.power_up()
    return end, rows(till), [str(message.mti) for message in till.host.seen[1:]], till


def test_full_ignored_sells_without_a_row_and_takes_it_back_at_the_next_power_on() -> None:
    end, left, mtis, till = refused("journal", "full-ignored")
    assert (end, left, mtis, till.host.live()) == (End.APPROVED, [], ["0200", "0400"], {})
    assert [slip.title for slip in till.screen.slips] == ["SALE"], "in the customer's hand"


def test_the_reference_prints_no_slip_of_what_it_cannot_write() -> None:
    end, left, mtis, till = refused("journal")
    assert (end, left, mtis, till.host.live()) == (End.UNKNOWN, [], ["0200", "0400"], {})
    assert till.screen.slips == []


def test_full_ignored_sends_what_it_could_not_reverse_after_a_cut() -> None:
    """The catalogue's 14: the host has it, and nothing is left here that would undo it."""
    till = a_till("full-ignored")
    till.flash.refuse = "rev-store"
    assert till.press_and_cut(Sale(100, CARD), "recv", "after")
    till.flash.refuse = ""
    till.power_up()
    assert till.host.live() == {"000002": 100}
    assert (rows(till), till.host.sent("0400")) == ([], [])


def test_the_reference_sends_nothing_that_it_could_not_reverse() -> None:
    end, left, mtis, _ = refused("rev-store")
    assert (end, left, mtis) == (End.NOT_SENT, [], [])


# --- 48: a short counter


def stans_around_the_wrap(*bugs: str) -> list[str]:
    """A sale under 000098, a sale behind it, and 97 echoes later two more: their STANs."""
    till = a_till(*bugs, dialect="nac")
    till.flash.save("stan", replace(till.memory, stan="000097"))
    till.power_up()
    till.press(Sale(100, CARD))
    till.press(Sale(200, CARD))
    for _ in range(97):
        till.press(Echo())
    till.host.books.clear()  # this host would not have a STAN twice
    till.press(Sale(300, CARD))
    return [message[11] for message in till.host.sent("0200")]


def test_short_stan_comes_round_to_a_number_of_its_open_journal() -> None:
    assert stans_around_the_wrap("short-stan") == ["000098", "000099", "000098"]
    assert stans_around_the_wrap() == ["000098", "000099", "000197"]


def test_short_stan_takes_what_the_reference_skips() -> None:
    till = a_till(dialect="nac")
    till.flash.save("stan", replace(till.memory, stan="999998"))
    till.power_up()
    till.press(Sale(100, CARD))
    memory = replace(till.memory, stan="999998")
    assert (memory.next_stan(), memory.next_stan(skips=False)) == ("000001", "999999")
