"""RT2, profile roll-forward: an approval that has arrived is finished after a power cut, never half of it, never twice.

The power fails around every step of a sale and of what else is booked; then the terminal boots, the day is closed, and
the books agree: with a scripted host for every step, with the real one for the whole day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from specs import tlv
from specs.operation import Card, Entry
from specs.tlv import Tlv
from terminal_sim import hostquery
from terminal_sim.flash import STEPS, WHENS, MemoryFlash
from terminal_sim.flash_format import dump, load
from terminal_sim.hostquery import Do, Found, Reply
from terminal_sim.moves import Complete, Echo, End, Order, PreAuth, Refund, Sale, Settle, SignOn, Void
from terminal_sim.state import PROFILES, ROLL_FORWARD, Memory, RowState
from tests.support.scripted_host import change, drop
from tests.support.till import CARD, Till, agree
from tests.support.two_books import Sell, Step, TwoBooks
from tests.support.two_books import Void as VoidDeed

DIALECTS = pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
CHIP = Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)
SCRIPT = tlv.build([Tlv("91", bytes.fromhex("1122334455667788") + b"00"), Tlv("72", b"")])


def a_till(dialect: str, profile: str = ROLL_FORWARD) -> Till:
    """Signed on where that is needed, with a sale of 1.00 and a pre-authorisation of 50.00."""
    till = Till(dialect, profile=profile)
    if dialect == "cup":
        till.press(SignOn())
    assert till.press(Sale(100, CARD)).end is End.APPROVED
    assert till.press(PreAuth(5_000, CARD)).end is End.APPROVED
    return till


def close(till: Till) -> None:
    """The next day: on, settled, both books alike."""
    if till.wire.name == "cup" and not till.memory.signed_on:
        till.power_up(SignOn())
    for _ in range(3):
        if till.power_up(Settle()).end is End.NOTHING:
            break
    assert till.memory.rows == ()
    agree(till)


# What became of the order when the power failed at (step, when, nth): r nothing or undone, s sold once.
FATES: dict[tuple[str, int], tuple[str, str]] = {
    ("stan", 1): ("r", "r"),
    ("rev-store", 1): ("r", "r"),
    ("send", 1): ("r", "r"),
    ("recv", 1): ("r", "r"),  # the answer arrives in the terminal
    ("recv", 2): ("r", "s"),  # and is stored
    ("journal", 1): ("s", "s"),
    ("print", 1): ("s", "s"),
}
ORDERS: dict[str, Callable[[Till], Order]] = {
    "sale": lambda till: Sale(900, CARD),
    "void": lambda till: Void(stan=till.memory.rows[0].stan),
    "refund": lambda till: Refund(50, stan=till.memory.rows[0].stan),
    "completion": lambda till: Complete(stan=till.memory.rows[1].stan),
}
MONEY = [
    (name, dialect) for name in ORDERS for dialect in ("cup", "nac", "iso87") if (name, dialect) != ("refund", "cup")
]
"""A refund of CUP is an advice: it owes no reversal in any profile."""


@pytest.mark.parametrize(("name", "dialect"), MONEY)
def test_rt2_a_cut_at_any_step_leaves_the_whole_of_it_or_nothing(name: str, dialect: str) -> None:
    reached = set()
    for step in STEPS:
        for nth in (1, 2, 3):
            for at, when in enumerate(WHENS):
                till = a_till(dialect)
                before = till.host.standing()
                if not till.press_and_cut(ORDERS[name](till), step, when, nth):
                    continue
                reached.add((step, nth))
                till.power_up()
                assert till.memory.pending is None, "the boot must have finished or undone it"
                sold = till.host.standing() != before
                assert ("s" if sold else "r") == FATES[step, nth][at], (step, when, nth)
                agree(till)
                close(till)
    assert reached == FATES.keys()


@DIALECTS
def test_rt2_what_the_boot_finishes_is_said_printed_and_sent_to_nobody(dialect: str) -> None:
    till = a_till(dialect)
    assert till.press_and_cut(Sale(900, CARD), "journal", "before")
    kept = till.memory.kept
    assert kept is not None
    assert (len(till.memory.rows), kept.row.amount, kept.code) == (2, 900, "00")
    heard, printed = len(till.host.seen), len(till.screen.slips)
    till.power_up()
    row = till.memory.rows[-1]
    assert len(till.host.seen) == heard, "no reversal, and nothing else"
    assert (row.stan, row.amount, row.state, row.rrn) == (kept.row.stan, 900, RowState.JOURNALED, kept.row.rrn)
    assert row.rrn
    (slip,) = till.screen.slips[printed:]
    assert slip == till.memory.last_slip
    assert row.stan in slip.copies[0]
    assert any(f"STAN {row.stan} was stored" in line for line in till.screen.lines)


@pytest.mark.parametrize("when", WHENS)
def test_rt2_a_second_cut_in_the_boot_that_finishes_it(when: str) -> None:
    """Case 84: the boot that writes the row loses its power too; there is one row in the end."""
    for step in ("journal", "print"):
        till = a_till("nac")
        assert till.press_and_cut(Sale(900, CARD), "journal", "before")
        assert till.power_up_and_cut(Echo(), step, when)
        till.power_up()
        assert [row.amount for row in till.memory.rows] == [100, 5_000, 900]
        close(till)


def test_rt2_a_row_that_stands_already_is_not_written_twice() -> None:
    """Case 84, as firmware leaves it whose marker moves after the row: the row's key is unique."""
    till = a_till("nac")
    assert till.press_and_cut(Sale(900, CARD), "journal", "before")
    kept = till.memory.kept
    assert kept is not None
    till.flash = MemoryFlash(replace(till.memory, rows=(*till.memory.rows, kept.row)))
    till.power_up()
    assert [row.amount for row in till.memory.rows] == [100, 5_000, 900]
    close(till)


def test_the_order_behind_the_cut_comes_after_what_it_finishes() -> None:
    till = a_till("cup")
    assert till.press_and_cut(Sale(900, CARD), "recv", "after", nth=2)
    heard = len(till.host.seen)
    assert till.power_up(Sale(300, CARD)).end is End.APPROVED
    assert till.host.mtis()[heard:] == ["0200"]
    assert [row.amount for row in till.memory.rows] == [100, 5_000, 900, 300]
    assert len({row.stan for row in till.memory.rows}) == 4
    close(till)


# --- what is not rolled forward


@DIALECTS
def test_rt2_the_default_profile_reverses_at_the_same_moments(dialect: str) -> None:
    assert Till(dialect).memory.config.profile == next(iter(PROFILES)) == "reference"
    for step, when in (("recv", "after"), ("journal", "before")):
        till = a_till(dialect, "reference")
        assert till.press_and_cut(Sale(900, CARD), step, when)
        assert till.memory.kept is None
        till.power_up()
        assert till.host.live() == {till.memory.rows[0].stan: 100}
        close(till)


@pytest.mark.parametrize(
    ("dialect", "fault"),
    [
        ("cup", drop),
        ("cup", change({64: "0000000000000000"})),  # the MAC does not fit
        ("cup", change({4: "000000000901"})),
        ("nac", change({11: "999999"})),
        ("iso87", drop),
    ],
    ids=["none", "mac", "amount", "stan", "none-iso87"],
)
def test_rt2_only_an_answer_that_fits_is_stored(dialect: str, fault: object) -> None:
    """RT5 goes before: what is ignored, or cannot be trusted, leaves a reversal here as everywhere."""
    till = a_till(dialect)
    till.host.faults["0200", 2] = fault  # type: ignore[assignment]
    assert till.press(Sale(900, CARD)).end is End.UNKNOWN
    assert till.memory.pending is not None
    assert till.memory.kept is None
    till.power_up()
    assert till.host.live() == {till.memory.rows[0].stan: 100}
    close(till)


@DIALECTS
def test_a_no_is_not_stored(dialect: str) -> None:
    till = a_till(dialect)
    till.host.decline[900] = "51"
    steps = len(till.flash.steps)
    assert till.press(Sale(900, CARD)).end is End.DECLINED
    assert till.flash.steps[steps:] == ["stan", "rev-store", "rev-clear"]


def test_a_card_that_refuses_the_host_s_yes_is_reversed() -> None:
    """Case 80: the card's word is the last one, so there is nothing to finish."""
    till = a_till("nac")
    for step, nth in (("recv", 1), ("rev-store", 2), ("send", 2)):
        assert till.press_and_cut(Sale(900, CHIP, chip_refuses=True), step, "after", nth)
        assert till.memory.kept is None
        till.power_up()
        assert till.host.live() == {till.memory.rows[0].stan: 100}


@pytest.mark.parametrize("dialect", ["cup", "iso87"])
def test_a_script_s_result_is_owed_once_whichever_write_was_the_last(dialect: str) -> None:
    for step, when, nth in (("recv", "after", 2), ("journal", "before", 1), ("journal", "after", 1)):
        till = a_till(dialect)
        till.host.chip = SCRIPT
        assert till.press_and_cut(Sale(900, CHIP), step, when, nth)
        till.host.chip = None
        till.power_up()
        assert [message.mti for message in till.host.seen].count("0620") == 1, (step, when)
        assert till.memory.script is None
        assert till.memory.rows[-1].amount == 900
        close(till)


# --- on flash, and what people are told of it


def a_kept_one() -> Memory:
    till = a_till("cup")
    assert till.press_and_cut(Sale(900, CARD), "journal", "before")
    return till.memory


def test_it_survives_the_file() -> None:
    memory = a_kept_one()
    assert load(dump(memory)) == memory
    assert CARD.pan not in repr(memory)


def test_query_says_reprint_as_long_as_it_is_not_booked() -> None:
    """RO1: nobody may charge again what the next boot books."""
    memory = a_kept_one()
    assert memory.kept is not None
    stan = memory.kept.row.stan
    for asked in (hostquery.question(memory), hostquery.question(memory, stan)):
        assert asked == hostquery.Question(stan, "000001", 900)
    item = {"stan": stan, "amount": 900, "state": "captured", "response_code": "00"}
    assert hostquery.advice(memory, Reply(Found.YES, stan, item)).do is Do.REPRINT
    assert hostquery.advice(memory, Reply(Found.NO, stan)).do is Do.WAIT
    assert hostquery.advice(memory, Reply(Found.YES, stan, item | {"state": "reversed"})).do is Do.WAIT


def test_a_full_flash_leaves_it_to_the_next_boot() -> None:
    """What could not be booked is not told as sold, and is not lost either."""
    till = a_till("cup")
    till.flash.refuse = "journal"
    result = till.press(Sale(900, CARD))
    assert (result.end, "query first" in result.text) == (End.UNKNOWN, True)
    till.flash.refuse = ""
    till.power_up()
    assert till.memory.rows[-1].amount == 900
    close(till)


# --- the real host


@pytest.mark.parametrize("dialect", ["cup", "nac", "iso87"])
def test_rt2_the_books_of_a_real_host_agree_after_every_cut(dialect: str) -> None:
    """One day with a cut at every step of a sale and of a void; every invariant of the checker after each."""
    world = TwoBooks(dialect)
    config = replace(world.memory.config, profile=ROLL_FORWARD)
    world.flash = MemoryFlash(replace(world.memory, config=config))
    world.play(Step(SignOn()))
    sold, fates = 0, []
    for step, nth in FATES:
        for at, when in enumerate(WHENS):
            before = len(world.memory.live_rows)
            assert world.play(Step(Sell(100 + sold), cut=(step, when, nth))) is None, (step, when)
            world.play(Step(None))
            sold += 1
            fates.append((len(world.memory.live_rows) - before, FATES[step, nth][at]))
            assert world.memory.pending is None
    assert fates == [(1 if fate == "s" else 0, fate) for _, fate in fates]
    for step, when, nth in (("recv", "before", 2), ("recv", "after", 2), ("journal", "before", 1)):
        world.play(Step(VoidDeed(sold), cut=(step, when, nth)))
        world.play(Step(None))
        sold += 1
    world.heal()
    world.settled()
