"""Several processes, the order of results, stopping, the random tier and what a report is told, over the toy."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from time import monotonic

import pytest

from terminal_sim.lab.errors import LabError
from terminal_sim.lab.explore import jobs, swarm
from terminal_sim.lab.explore.classify import Allowing
from terminal_sim.lab.explore.gather import Request, explore
from terminal_sim.lab.explore.jobs import Plan
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.progress import Silent
from terminal_sim.lab.explore.random_tier import Draw, roam
from terminal_sim.lab.explore.result import Exploration
from terminal_sim.lab.explore.stage import Stage
from terminal_sim.lab.report.explored import exploration_shape
from terminal_sim.lab.scenario.model import OperatorSpec, Scenario
from tests.explore.toy import ToyStage, day, fitting

DAY = day("sale", "sale", "settle", "sale", "settle")


def forgetful(scenario: Scenario) -> Stage:
    return ToyStage(scenario, frozenset({"forgets-second", "double-post"}))


def forgets(scenario: Scenario) -> Stage:
    return ToyStage(scenario, frozenset({"forgets-second"}))


def failing(scenario: Scenario) -> Stage:
    raise AssertionError("this stage cannot be made")


def explored(number: int, *, share: bool = True, faults: int = 2, **more: float) -> Exploration:
    plan = Plan(DAY, forgetful, fitting, share=share)
    return explore(Request(plan, faults, number, **more), Silent(), lambda scenario: scenario.slug)  # type: ignore[arg-type]


def told(exploration: Exploration) -> dict[str, object]:
    """All that does not depend on who did what first."""
    shape = dict(exploration_shape(replace(exploration, fault_free=None)))
    for name in ("seconds", "spent", "jobs"):
        del shape[name]
    counts = {name: shape["counts"][name] for name in ("schedules", "singles", "doubles", "random", "windows")}  # type: ignore[index]
    findings = [{k: v for k, v in one.items() if k != "run"} for one in shape["findings"]]  # type: ignore[attr-defined]
    return json.loads(json.dumps({**shape, "counts": counts, "findings": findings}))  # type: ignore[no-any-return]


@pytest.mark.timeout(60)
def test_processes_change_nothing() -> None:
    alone, together = explored(1), explored(2)
    assert told(alone) == told(together)
    assert alone.counts.schedules > 300
    assert {found.signature.classes for found in alone.findings} == {("CNSale",), ("DC",)}


def test_sharing_changes_nothing_that_is_told() -> None:
    shared, plain = told(explored(1)), told(explored(1, share=False))
    for name in ("counts", "classes", "cells"):
        assert shared[name] == plain[name], name


def test_findings_are_counted_and_shrunk() -> None:
    exploration = explored(1)
    lost = next(found for found in exploration.findings if found.signature.classes == ("CNSale",))
    assert [fault.action for fault in lost.scenario.faults] == ["drop", "drop"]
    assert len(lost.scenario.steps) == 1
    assert lost.count > 1
    assert lost.run is not None
    assert lost.run.classes == ("CNSale",)
    assert sum(exploration.classes.values()) == exploration.counts.schedules


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [1, 2])
def test_a_time_limit_keeps_what_is_there(number: int) -> None:
    began = monotonic()
    exploration = explored(number, time_limit_s=0.001)
    assert exploration.stopped == "time limit"
    assert exploration.counts.schedules >= 1
    assert exploration.counts.singles < exploration.firsts
    assert monotonic() - began < 30


def test_findings_after_ctrl_c_say_that_they_were_not_made_smaller() -> None:
    """Pressed when a few first faults were played."""

    class Press(Silent):
        def advance(self, weight: int, schedules: int, findings: int) -> None:
            if findings:
                signal.raise_signal(signal.SIGINT)

    exploration = explore(Request(Plan(DAY, forgetful, fitting)), Press(), lambda scenario: scenario.slug)
    assert exploration.stopped == "interrupted"
    assert 0 < exploration.counts.singles < exploration.firsts
    assert exploration.findings
    assert {found.rough for found in exploration.findings} == {"not made smaller: interrupted"}
    assert all(not found.rough for found in explored(1).findings)


@pytest.mark.timeout(60)
def test_a_process_that_fails_is_told() -> None:
    plan = Plan(DAY, failing, fitting)
    with pytest.raises(AssertionError, match="cannot be made"):
        jobs.walk(plan, 1, Silent())


def test_the_random_tier_follows_its_seed() -> None:
    def schedules(seed: int) -> list[object]:
        stage = forgetful(DAY)
        grown = swarm.grow(stage, fitting, ["drop", "dup", "stop", "down"], seed, 6, Allowing(OperatorSpec()), Meter())
        return [(one.faults, one.verdict) for one in grown]

    assert schedules(3) == schedules(3)
    assert len({str(schedules(seed)) for seed in range(10)}) > 5


def test_the_random_tier_finds_and_shrinks() -> None:
    plan = Plan(DAY, forgets, fitting)
    exploration = explore(Request(plan, 5, 1, seed=1, seeds=300), Silent(), lambda scenario: scenario.slug)
    assert exploration.counts.random > 300
    found = [one for one in exploration.findings if one.signature.classes == ("CNSale",)]
    assert [len(one.scenario.faults) for one in found] == [2]


@pytest.mark.timeout(60)
def test_processes_draw_the_same_random_runs() -> None:
    def drawn(number: int) -> Exploration:
        plan = Plan(DAY, forgets, fitting)
        return explore(Request(plan, 5, number, seed=1, seeds=60), Silent(), lambda scenario: scenario.slug)

    alone, together = drawn(1), drawn(2)
    assert alone.counts.random > 100
    assert told(alone) == told(together)


@pytest.mark.timeout(60)
def test_a_process_of_the_random_tier_that_fails_is_told() -> None:
    with pytest.raises(LabError, match="cannot be made"):
        roam(Plan(DAY, failing, fitting), Draw(1, 4, 10), 2, Silent(), lambda: False)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [1, 2])
def test_the_random_tier_ends_with_its_time(number: int) -> None:
    plan = Plan(DAY, forgets, fitting)
    began = monotonic()
    exploration = explore(Request(plan, 5, number, time_limit_s=1.0), Silent(), lambda scenario: scenario.slug)
    assert exploration.stopped == ""
    assert monotonic() - began < 30
