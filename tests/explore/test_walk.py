"""The walk over a toy of a few states: what it finds is known by hand, and sharing changes nothing."""

from __future__ import annotations

import pytest

from specs.faults import Fault
from terminal_sim.lab.explore.classify import Allowing
from terminal_sim.lab.explore.plain import PlainWalker
from terminal_sim.lab.explore.shrink import Shrinker
from terminal_sim.lab.explore.space import Space
from terminal_sim.lab.explore.stage import Verdict, whole
from terminal_sim.lab.explore.tally import Group
from terminal_sim.lab.explore.walk import First, Sampling, Walker
from terminal_sim.lab.scenario.model import OperatorSpec
from tests.explore.toy import ANSWER, REQUEST, REVERSAL, ToyStage, day, fitting

DAY = day("sale", "sale", "settle", "sale", "settle")
ALLOWED = Allowing(OperatorSpec())
LOST = Verdict(("CNSale",), ("E5",))


def walked(stage: ToyStage, depth: int = 2, sampling: Sampling = Sampling()) -> tuple[Walker, list[First]]:
    walker = Walker(stage, Space(stage.scenario, fitting), ALLOWED, depth=depth, sampling=sampling)
    firsts = [
        walker.first(node, fault, step) for node, leg in walker.day() for fault, step in walker.faults_of(node, leg)
    ]
    return walker, firsts


def played_whole(stage: ToyStage, depth: int = 2) -> tuple[PlainWalker, list[First]]:
    walker = PlainWalker(stage, Space(stage.scenario, fitting), ALLOWED, depth=depth)
    return walker, [walker.first(fault, step) for fault, step in walker.faults()]


@pytest.mark.parametrize("bugs", [(), ("forgets-second",), ("gives-up",), ("double-post",)])
@pytest.mark.parametrize("never_quiet", [(), (2,), (1, 2, 3)])
def test_sharing_changes_nothing(bugs: tuple[str, ...], never_quiet: tuple[int, ...]) -> None:
    """Every schedule forked and shared ends as it does when it is played whole, also where no copy can be made."""
    shared = ToyStage(DAY, frozenset(bugs), frozenset(never_quiet))
    plain = ToyStage(DAY, frozenset(bugs))
    walker, firsts = walked(shared)
    _, others = played_whole(plain)
    assert [(f.fault.at, f.fault.action, f.fault.until) for f in sorted(firsts, key=_order)] == [
        (f.fault.at, f.fault.action, f.fault.until) for f in sorted(others, key=_order)
    ]
    for first, other in zip(sorted(firsts, key=_order), sorted(others, key=_order), strict=True):
        assert first.single == other.single, first.fault
        assert first.doubles.ends == other.doubles.ends, first.fault
        assert _numbers(first) == _numbers(other), first.fault
    assert not walker.problems
    assert shared.runs < plain.runs / 10


def _order(first: First) -> tuple[str, ...]:
    return (first.fault.at, first.fault.action, first.fault.since, first.fault.until)


def _numbers(first: First) -> dict[Group, int]:
    return {group: number for group, (number, _) in first.doubles.groups.items()}


@pytest.mark.parametrize("bug", ["forgets-second", "gives-up", "double-post"])
def test_every_example_does_what_it_says(bug: str) -> None:
    """The schedule that stands for a group, played whole, ends as the group does: its numbers count from the start."""
    stage = ToyStage(DAY, frozenset({bug}))
    _, firsts = walked(stage)
    tried = 0
    for first in firsts:
        for group, (_, schedule) in first.doubles.groups.items():
            tried += 1
            run = whole(stage, schedule)
            assert Verdict.of(run) == group.verdict, schedule
            assert all(run.fired), schedule
    assert tried


def test_what_only_a_second_fault_shows() -> None:
    stage = ToyStage(DAY, frozenset({"forgets-second"}))
    _, firsts = walked(stage)
    assert {first.single for first in firsts if not first.fault.since} == {Verdict(("clean",))}
    by_fault = {(first.fault.at, first.fault.action): first for first in firsts}
    found = by_fault[f"{ANSWER}#1", "drop"].doubles.groups
    schedules = [tuple((fault.at, fault.action) for fault in faults) for _, faults in found.values()]
    assert ((f"{ANSWER}#1", "drop"), (f"{REVERSAL}#1", "drop")) in schedules


def test_what_only_a_window_shows() -> None:
    """A power cut and two losses: no double of lost messages has them, a link that is down does."""
    stage = ToyStage(day("sale", "sale", "sale", "sale", "settle"), frozenset({"gives-up"}))
    _, firsts = walked(stage)
    messages = [first for first in firsts if not first.fault.since]
    assert {first.single for first in messages} == {Verdict(("clean",))}
    lost = [
        schedule
        for first in messages
        for _, schedule in first.doubles.groups.values()
        if not any(fault.since for fault in schedule)
    ]
    assert not lost
    with_window = [
        schedule for first in firsts for _, schedule in first.doubles.groups.values() if any(f.since for f in schedule)
    ]
    assert with_window


def test_what_is_not_deterministic_is_found() -> None:
    walker, _ = walked(ToyStage(day("sale", "settle"), frozenset({"chance"})))
    assert {problem.what for problem in walker.problems} == {"not deterministic"}


def test_a_key_that_hides_something_is_found() -> None:
    """A key that says nothing of what went wrong joins what differs: some of the schedules played whole say so."""
    stage = ToyStage(DAY, frozenset({"hidden", "forgets-second", "double-post"}))
    walker, _ = walked(stage, sampling=Sampling(twice=0, verify=1))
    assert "sharing" in {problem.what for problem in walker.problems}
    honest, _ = walked(ToyStage(DAY, frozenset({"forgets-second"})), sampling=Sampling(twice=0, verify=1))
    assert honest.meter.done["verified"]
    assert not honest.problems


def test_singles_alone() -> None:
    stage = ToyStage(DAY, frozenset({"double-post"}))
    _, firsts = walked(stage, depth=1)
    _, others = played_whole(ToyStage(DAY, frozenset({"double-post"})), depth=1)
    assert {_order(f): f.single for f in firsts} == {_order(f): f.single for f in others}
    assert [f.fault.action for f in firsts if f.single.classes == ("DC",)] == ["dup"] * 3


def test_a_fault_that_never_strikes_is_told() -> None:
    stage = ToyStage(day("sale"))
    walker = Walker(stage, Space(stage.scenario, fitting), ALLOWED, depth=1)
    node, _ = walker.day()[0]
    walker.first(node, Fault(f"{ANSWER}#9", "drop"), 0)
    assert [problem.what for problem in walker.problems] == ["did not fire"]


def test_a_world_that_gives_up_is_a_finding() -> None:
    """One schedule that comes to no end does not end the others."""
    stage = ToyStage(day("sale", "sale", "settle"), frozenset({"breaks"}))
    walker, firsts = walked(stage)
    broken = Verdict(("error",), ("LabError",))
    assert {first.single for first in firsts} == {Verdict(("clean",)), broken}
    assert all(first.single == broken for first in firsts if first.fault.action == "dup" and "0200" in first.fault.at)
    assert not walker.problems
    small = Shrinker(stage, broken).shrink(stage.scenario, (Fault(f"{REQUEST}#2", "dup"),))
    assert small is not None
    assert len(small.scenario.steps) == 1


def test_what_no_rule_can_prevent_is_allowed_and_nothing_more() -> None:
    """An operator who keys again without asking; not a broken invariant, not another class, not without that fault."""
    lost = Fault("wire/H>T0000001/0210#1", "drop")
    again = Fault("op/T0000001/after-unknown#1", "rekey")
    assert ALLOWED(Verdict(("DC", "DS"), ()), [lost, again])
    assert not ALLOWED(Verdict(("DC", "DS"), ()), [lost])
    assert not ALLOWED(Verdict(("DC", "DS"), ("E5",)), [lost, again])
    assert not ALLOWED(Verdict(("SNF",), ()), [lost, again])
