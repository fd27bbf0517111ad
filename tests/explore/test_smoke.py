"""The explorer on the real world, small: all doubles of a short day, all singles of the standard one, a planted bug."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from specs.faults.fitting import fitting
from terminal_sim.lab.explore.gather import Request, explore
from terminal_sim.lab.explore.jobs import Plan
from terminal_sim.lab.explore.progress import Silent
from terminal_sim.lab.explore.real import WorldStage
from terminal_sim.lab.explore.result import Exploration
from terminal_sim.lab.explore.stage import whole
from terminal_sim.lab.explore.walk import Sampling
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.scenario.reading import library, load, loads
from terminal_sim.lab.scenario.writing import dumps
from terminal_sim.lab.world.world import World

FEW = frozenset({"drop", "stop", "down"})
SHORT = """
world = {dialect="nac"}
terminals = [{tid="T0000001"}]
steps = [
  {id="A", at="09:05", do="sale", amount=26800, intent="p1"},
  {id="S", at="10:00", do="settle"},
]
"""
ROOT = Path(__file__).resolve().parents[2]


def explored(
    scenario: Scenario, faults: int, only: frozenset[str] | None = None, sampling: Sampling = Sampling(5, 5)
) -> Exploration:
    plan = Plan(scenario, WorldStage, fitting, sampling=sampling, only=only)
    return explore(Request(plan, faults), Silent(), dumps)


def short(**terminal: tuple[str, ...]) -> Scenario:
    scenario = loads(SHORT, "short")
    return replace(scenario, terminals=tuple(replace(t, **terminal) for t in scenario.terminals))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    """The host of the world would tell its log of every fault."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.timeout(300)
def test_every_double_of_a_short_day() -> None:
    """Lost messages, power cuts, outages, two at a time: nobody loses anything."""
    exploration = explored(short(), 2, FEW, Sampling(10, 5))
    assert [str(found.signature) for found in exploration.findings] == []
    assert exploration.counts.doubles > 800
    assert exploration.counts.verified
    assert exploration.counts.twice
    assert sum(exploration.classes.values()) == exploration.counts.schedules


@pytest.mark.timeout(300)
def test_every_single_of_the_standard_day() -> None:
    exploration = explored(load(library()["standard-day"]), 1, sampling=Sampling(20, 0))
    assert [str(found.signature) for found in exploration.findings] == []
    assert exploration.counts.singles > 1_000
    assert exploration.counts.windows > 30


@pytest.mark.timeout(300)
def test_a_planted_bug_and_its_smallest_file() -> None:
    """The reversal is deleted before the row is written (failure-catalogue 14): a power cut between the two shows it.

    The file that tells so plays to the same trace hash here and in a process with other hashes of text.
    """
    exploration = explored(short(bugs=("rev-clear-first",)), 1)
    assert exploration.findings
    found = exploration.findings[0]
    assert len(found.scenario.faults) == 1
    assert [step.do for step in found.scenario.steps] == ["sale"]
    assert found.run is not None
    again = World(loads(found.text, "found")).run()
    assert (again.trace_hash, again.classes, again.mismatches) == (found.run.trace_hash, found.run.classes, ())
    code = """
import sys
from terminal_sim.lab.scenario.reading import loads
from terminal_sim.lab.world.world import World
print(World(loads(sys.stdin.read(), "found")).run().trace_hash)
"""
    for seed in ("1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        said = subprocess.run(
            [sys.executable, "-c", code], input=found.text, env=environment, capture_output=True, text=True, check=True
        )
        assert said.stdout.split()[-1] == found.run.trace_hash


def test_a_fork_is_the_run_that_it_was_forked_from() -> None:
    """Step by step, copied and resumed at each boundary, a day comes to the same trace hash as played at once."""
    stage = WorldStage(load(library()["standard-day"]))
    world = stage.start(())
    world.begin()
    snapshot = world.snapshot()
    for _ in stage.scenario.steps:
        world = stage.resume(snapshot, ())
        world.step()
        snapshot = world.snapshot()
        assert snapshot is not None
    assert stage.resume(snapshot, ()).finish().trace_hash == whole(stage, ()).trace_hash
