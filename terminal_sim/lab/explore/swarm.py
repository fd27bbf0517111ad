"""The random tier: more than two faults, from a seed. Each seed switches some of the actions off.

A schedule grows fault by fault: the next one is drawn from the points that the run with those before it has passed
since the last of them, so that a fault may strike what only faults have brought about. Every run on the way is a
complete schedule, and is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random

from specs.faults import Fault
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.space import Fitting, Space, kind_of
from terminal_sim.lab.explore.stage import HEALING, Stage, Verdict, judged, whole
from terminal_sim.lab.explore.tally import Allowed
from terminal_sim.lab.world.record import Run

FAULTS_LEAST = 3
WINDOW_ODDS = 0.1
NEAR_ODDS, NEAR_POINTS = 0.6, 40
"""How often the next fault is taken from soon after the last: faults that have to do with each other stand close."""


@dataclass(frozen=True, slots=True)
class Grown:
    """A complete schedule of the random tier."""

    seed: int
    faults: tuple[Fault, ...]
    verdict: Verdict
    expected: bool


def switched_on(scenario_actions: list[str], seed: int) -> frozenset[str]:
    """The actions of a seed: each with even odds, at least one."""
    chance = Random(f"actions {seed}")
    on = [action for action in scenario_actions if chance.random() < 0.5]
    return frozenset(on or [chance.choice(scenario_actions)])


def grow(
    stage: Stage, fitting: Fitting, actions: list[str], seed: int, most: int, allowed: Allowed, meter: Meter
) -> Iterator[Grown]:
    """The schedules of one seed, each one fault longer; ends at the first that is not expected."""
    chance = Random(f"schedule {seed}")
    space = Space(stage.scenario, fitting, switched_on(actions, seed))
    wanted = chance.randint(FAULTS_LEAST, max(FAULTS_LEAST, most))
    faults: tuple[Fault, ...] = ()
    run = whole(stage, ())
    place = 0
    while len(faults) < wanted:
        fault, place = _next(space, run, place, chance)
        if fault is None:
            return
        faults = (*faults, fault)
        with meter.time("world"):
            verdict, played = judged(stage, faults)
        meter.done["random"] += 1
        meter.done["whole"] += 1
        if played is None:
            yield Grown(seed, faults, verdict, expected=False)
            return
        run = played
        meter.struck.update(one.action for one, times in zip(faults, run.fired, strict=True) if times)
        meter.kinds.update(kind_of(seen.point) for seen in run.points)
        expected = allowed(verdict, faults)
        yield Grown(seed, faults, verdict, expected)
        if not expected:
            return


def _next(space: Space, run: Run, place: int, chance: Random) -> tuple[Fault | None, int]:
    """A fault at or after a place of the points of a run, and the place from which the next one is drawn."""
    points = run.points
    later = [at for at in range(place, len(points)) if points[at].step != HEALING]
    if not later:
        return None, place
    if chance.random() < NEAR_ODDS and place:
        later = later[:NEAR_POINTS]
    for _ in range(20):
        at = chance.choice(later)
        step = points[at].step
        if chance.random() < WINDOW_ODDS and step + 1 < len(run.scenario.steps):
            windows = space.windows(step + 1)
            if windows:
                return chance.choice(windows), at + 1
        if found := space.at(points[at].point):
            return chance.choice(found), at + 1
    return None, place


def seeds(first: int, stop: Callable[[], bool], most: int = 0, place: int = 0, of: int = 1) -> Iterator[int]:
    """Every `of`-th seed from the `place`-th on, until told to stop. most 0: without end."""
    for number in count(place, of):
        if stop() or (most and number >= most):
            return
        yield first + number
