"""Planted bugs around an answer, its row and its reversal: each shows what the catalogue says, the reference does not.

What must come of a schedule is worked out from failure-catalogue.md section 2, the row of the case that is named.
"""

from __future__ import annotations

from specs.operation import Kind
from terminal_sim.moves import End, Sale, SignOn
from terminal_sim.state import RowState
from tests.support.scripted_host import drop
from tests.support.till import CARD, Till

Rows = list[tuple[str, int, RowState]]


def a_till(*bugs: str, dialect: str = "cup", **config: object) -> Till:
    """Signed on where that is needed."""
    till = Till(dialect, bugs=bugs, **config)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


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
