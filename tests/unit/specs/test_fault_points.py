"""Points: the texts of the failure catalogue (section 4), and what is refused with which hint."""

from __future__ import annotations

import pytest

from specs.faults import FaultError, Place
from specs.faults.points import TERMINAL_STEPS, check_terminal, general, parse_point
from terminal_sim.flash import STEPS

CATALOGUE = (
    "wire/T0000001>H/0200#2",
    "wire/H>T0000001/0210#1",
    "wire/H>I/0420#1",
    "conn/T0000001",
    "crash/T/rev-store.before",
    "crash/H/rev-commit.after#4",
    "op/T0000001/after-unknown#1",
    "op/T/query",
    "op/T/end-of-day",
    "clock/T",
    "cal/H",
    "store/T/journal",
    "store/H/commit#1",
    "link/T0000001",
    "wire/T>H",
)


@pytest.mark.parametrize("text", CATALOGUE)
def test_a_point_is_printed_as_it_was_read(text: str) -> None:
    assert str(parse_point(text)) == text


def test_the_parts_of_a_point() -> None:
    wire = parse_point("wire/H>T0000001/0210#12")
    assert (wire.place, wire.who, wire.to, wire.what, wire.nth) == (Place.WIRE, "H", "T0000001", "0210", 12)
    assert (wire.text, wire.direction, wire.terminal) == ("wire/H>T0000001/0210", "H>T", "T0000001")
    crash = parse_point("crash/T0000002/upload-flag.after")
    assert (crash.what, crash.when, crash.nth, crash.terminal) == ("upload-flag", "after", 0, "T0000002")
    assert parse_point("cal/H").terminal == ""


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("wier/T>H/0200", "did you mean 'wire'?"),
        ("crash/T/jornal.before", "did you mean 'journal'?"),
        ("crash/H/comit.after", "did you mean 'commit'?"),
        ("crash/T/journal.befor", "neither before nor after"),
        ("crash/T/journal", "crash/TID|H/STEP.before|after"),
        ("store/H/comit", "did you mean 'commit'?"),
        ("op/T/after-unkown", "did you mean 'after-unknown'?"),
        ("op/H/query", "op/TID/MOMENT"),
        ("wire/T>I/0200", "no frame goes that way"),
        ("wire/T0000001/0200", "wire/A>B/MTI"),
        ("wire/T>H/02", "no MTI"),
        ("wire/T>H/0200#0", "a number from 1 on"),
        ("wire/T>H/0200#", "a number from 1 on"),
        ("cal/T0000001", "cal/H"),
        ("conn/H", "conn/TID"),
        ("", "no kind of point"),
    ],
)
def test_an_unknown_point_gets_the_nearest_name(text: str, hint: str) -> None:
    with pytest.raises(FaultError) as caught:
        parse_point(text)
    assert caught.value.key == "at"
    assert hint in caught.value.why
    assert "\n" not in str(caught.value)


def test_a_point_of_an_unknown_terminal() -> None:
    check_terminal(parse_point("conn/T0000001"), ["T0000001"])
    check_terminal(parse_point("conn/T"), ["T0000001"])
    check_terminal(parse_point("crash/H/commit.after"), ["T0000001"])
    with pytest.raises(FaultError, match="did you mean 'T0000001'"):
        check_terminal(parse_point("wire/T0000011>H/0200"), ["T0000001"])


def test_a_point_under_its_general_names() -> None:
    assert general("wire/T0000001>H/0200") == (
        *("wire/T0000001>H/0200", "wire/T>H/0200", "wire/T0000001>H", "wire/T>H"),
    )
    assert general("crash/T0000001/journal.before") == ("crash/T0000001/journal.before", "crash/T/journal.before")
    assert general("crash/H/commit.after") == ("crash/H/commit.after",)
    assert general("wire/H>I/0420") == ("wire/H>I/0420", "wire/H>I")


def test_the_steps_are_those_of_the_terminal() -> None:
    assert set(TERMINAL_STEPS) == set(STEPS)
