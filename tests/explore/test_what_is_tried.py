"""What the explorer tries, what it allows, and which states it holds for equal: in the real world, where a bug hid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from specs.faults import Fault
from specs.faults.fitting import fitting
from specs.journal import TerminalEvent
from terminal_sim.lab.explore.classify import Allowing
from terminal_sim.lab.explore.plain import PlainWalker
from terminal_sim.lab.explore.real import silent_stage
from terminal_sim.lab.explore.shrink import Shrinker
from terminal_sim.lab.explore.space import Space
from terminal_sim.lab.explore.stage import Verdict
from terminal_sim.lab.explore.walk import Sampling, Walker
from terminal_sim.lab.scenario.model import Expect, Scenario, StepSpec
from terminal_sim.lab.world.key import history
from terminal_sim.lab.world.world import World
from terminal_sim.state import Config, Memory
from tests.support.world_days import HOUR, TID, a_day, step

ALONE = Sampling(0, 0)
TM = Verdict(("TM",))


def with_bugs(day: Scenario, *bugs: str) -> Scenario:
    return replace(day, terminals=tuple(replace(unit, bugs=bugs) for unit in day.terminals))


def sales(count: int) -> tuple[StepSpec, ...]:
    return tuple(step(f"A{n}", "sale", n * 900, amount=10_000) for n in range(1, count + 1))


# ---- what is tried


def test_a_line_goes_down_at_an_answer() -> None:
    """A reversal that is dropped after three sends needs four losses: one fault that lasts."""
    day = a_day(steps=sales(2))
    cut = next(fault for fault in Space(day, fitting).at(f"wire/H>{TID}/0210#1") if fault.action == "down")
    assert World(day, faults=(cut,)).run().classes == ("clean",)
    assert "CNSale" in World(with_bugs(day, "rev-drop-n"), faults=(cut,)).run().classes


def test_a_line_that_brings_answers_in_pieces_does_not_heal() -> None:
    """TCP is like that: whoever takes one read for one message never sells there."""
    day = a_day(steps=sales(1))
    (pieces,) = [fault for fault in Space(day, fitting).windows(0) if fault.action == "split"]
    assert (pieces.at, pieces.times, pieces.until) == (f"wire/H>{TID}", 0, "")
    assert World(day, faults=(pieces,)).run().classes == ("clean",)
    stuck = World(with_bugs(day, "one-read-framing"), faults=(pieces,)).run()
    assert stuck.classes == ("STUCK",)
    assert [finding.invariant for finding in stuck.findings] == ["L1"]


def test_lines_are_in_pieces_only_where_frames_are_split() -> None:
    day = a_day(steps=sales(2))
    assert not [fault for fault in Space(day, lambda _: ()).windows(0) if fault.action == "split"]
    assert not [fault for fault in Space(day, fitting).windows(1) if fault.action == "split"]


def test_only_what_fits_at_a_point_is_tried_as_simpler() -> None:
    """At the issuer's link a frame is not dropped but silent."""
    day = replace(a_day(steps=sales(1)), faults=(Fault("wire/H>I/0200#1", "silence"),))
    assert list(Shrinker(silent_stage(day), TM)._simpler_actions(day)) == []
    day = replace(day, faults=(Fault(f"wire/H>{TID}/0210#1", "corrupt"),))
    tried = Shrinker(silent_stage(day), TM)._simpler_actions(day)
    assert [one.faults[0].action for one in tried] == ["delay", "drop", "reset"]


# ---- what is allowed


@pytest.mark.parametrize(
    ("day", "allowed"),
    [
        (a_day(), False),
        (replace(a_day(), expect=Expect(classes=("TM",))), True),
        (replace(a_day(), expect=Expect(classes=("TM",)), faults=(Fault(f"wire/H>{TID}/0210#1", "drop"),)), False),
        (a_day(steps=(*sales(1), step("C", "clear-rev", HOUR))), True),
    ],
    ids=["a day", "that does not agree", "that does not agree because of its fault", "a supervisor clears"],
)
def test_what_a_day_allows(day: Scenario, allowed: bool) -> None:
    """Case 21 and a file's own end; never a broken invariant, nor another class beside it."""
    allowing = Allowing.on(day)
    assert allowing(TM, ()) is allowed
    assert not allowing(Verdict(("TM",), ("A5",)), ())
    assert not allowing(Verdict(("DC", "TM")), ())
    assert allowing(Verdict(("late",)), ())


# ---- which states are equal


def a_history(*events: tuple[str, str] | tuple[str, str, str]) -> tuple[int, int, int, bool]:
    made = (TerminalEvent(TID, name, "000001", stan, detail="".join(more)) for name, stan, *more in events)
    return history(Memory(Config(TID, "123456789012345", "cup://127.0.0.1:1"), events=tuple(made)))


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ((), (0, 0, 0, False)),
        ((("rev-stored", "1"), ("rev-cleared", "1"), ("slip", "1", "approved")), (0, 0, 0, False)),
        ((("rev-stored", "1"), ("rev-abandoned", "1")), (0, 0, 0, False)),
        ((("rev-stored", "1"),), (1, 0, 0, False)),  # A5
        ((("rev-stored", "1"), ("rev-stored", "2"), ("rev-cleared", "2")), (1, 0, 0, False)),
        ((("rev-stored", "1"), ("rev-cleared", "1")) * 2, (0, 1, 0, False)),  # A13
        ((("frozen", ""),), (0, 0, 0, True)),
        ((("frozen", ""), ("slip", "1", "approved")), (0, 0, 1, True)),  # A12
        ((("frozen", ""), ("archived", ""), ("slip", "1", "approved")), (0, 0, 0, False)),
    ],
)
def test_what_the_checks_find_in_the_events_is_part_of_the_state(
    events: Iterable[tuple[str, str]], told: tuple[int, int, int, bool]
) -> None:
    assert a_history(*events) == told


def test_a_number_that_was_used_twice_is_not_forgotten_by_sharing() -> None:
    """stan-late leaves nothing but a repeated STAN behind (A13): the books are those of the day without a fault."""
    day = with_bugs(a_day(steps=(step("L", "signon", 60), *sales(1), step("E", "echo", HOUR))), "stan-late")
    stage, allowed = silent_stage(day), Allowing.on(day)
    only = frozenset({"stop", "down"})
    walker = Walker(stage, Space(day, fitting, only), allowed, depth=1, sampling=ALONE)
    legs = [(node, fault, at) for node, leg in walker.day() for fault, at in walker.faults_of(node, leg)]
    shared = {fault.at: walker.first(node, fault, at).single for node, fault, at in legs}
    whole = PlainWalker(stage, Space(day, fitting, only), allowed, depth=1, sampling=ALONE)
    assert shared == {fault.at: whole.first(fault, at).single for fault, at in whole.faults()}
    assert shared[f"crash/{TID}/send.after#2"] == Verdict(("clean",), ("A13",))
