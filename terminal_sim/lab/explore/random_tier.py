"""The random tier in one process or several: each takes every n-th seed, so the seeds are the same with any number.

What is kept of a group is its schedule of the smallest seed; with a bounded number of seeds the outcome is the same
whatever order the processes were in.
"""

from __future__ import annotations

import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from specs.faults.actions import ACTIONS
from terminal_sim.lab.explore import swarm
from terminal_sim.lab.explore.classify import Allowing
from terminal_sim.lab.explore.findings import Suspect
from terminal_sim.lab.explore.jobs import Plan, Progress, told_by
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.stage import Verdict
from terminal_sim.lab.explore.swarm import Grown
from terminal_sim.lab.explore.tally import Group, struck_by

NOT_FOR_THE_WORLD = frozenset({"nothing", "prompt"})
"""Actions that change nothing here."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What is drawn: schedules of up to `faults` faults from the seeds `seed`, `seed + 1`, …; at most `seeds` of them,
    0 = until told to stop."""

    seed: int
    faults: int
    seeds: int = 0


@dataclass(slots=True)
class Roamed:
    """What came of it. first: of each group that is not expected the seed and schedule that are kept."""

    meter: Meter = field(default_factory=Meter)
    ends: Counter[Verdict] = field(default_factory=Counter)
    met: Counter[Group] = field(default_factory=Counter)
    first: dict[Group, Grown] = field(default_factory=dict)

    def take(self, grown: Grown) -> None:
        """One more schedule."""
        self.ends[grown.verdict] += 1
        if grown.expected:
            return
        group = Group(grown.verdict, struck_by(*grown.faults))
        self.met[group] += 1
        known = self.first.get(group)
        if known is None or (grown.seed, len(grown.faults)) < (known.seed, len(known.faults)):
            self.first[group] = grown

    def suspects(self) -> list[Suspect]:
        """In the order of their seeds."""
        listed = sorted(self.first.items(), key=lambda one: (one[1].seed, len(one[1].faults)))
        return [Suspect(group, self.met[group], grown.faults) for group, grown in listed]


def roam(plan: Plan, draw: Draw, jobs: int, progress: Progress, stop: Callable[[], bool]) -> Roamed:
    """Plays until the seeds are used up or somebody says stop. Raises: LabError when a process dies."""
    progress.begin(draw.seeds)
    roamed = Roamed()
    for seed_of in _alone(plan, draw, stop, roamed.meter) if jobs <= 1 else _together(plan, draw, jobs, stop, roamed):
        for grown in seed_of:
            roamed.take(grown)
        progress.advance(1, len(seed_of), len(roamed.first))
    return roamed


def _alone(
    plan: Plan, draw: Draw, stop: Callable[[], bool], meter: Meter, place: int = 0, of: int = 1
) -> Iterator[list[Grown]]:
    """Every `of`-th seed from the `place`-th on, each with its schedules."""
    stage, allowed = plan.make(plan.scenario), Allowing.on(plan.scenario)
    actions = sorted(ACTIONS.keys() - NOT_FOR_THE_WORLD)
    for seed in swarm.seeds(draw.seed, stop, draw.seeds, place, of):
        played: list[Grown] = []
        for grown in swarm.grow(stage, plan.fitting, actions, seed, draw.faults, allowed, meter):
            played.append(grown)
            if stop():
                break
        yield played


def _together(plan: Plan, draw: Draw, jobs: int, stop: Callable[[], bool], roamed: Roamed) -> Iterator[list[Grown]]:
    for what, said in told_by(_work, (plan, draw, jobs), range(jobs), jobs, stop):
        if what == "end":
            roamed.meter.add(said)
        else:
            yield said


def _work(plan: Plan, draw: Draw, jobs: int, orders: Any, news: Any, halt: Any) -> None:
    """A process: the seeds of its place until there are none."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever presses Ctrl-C presses it for the one that collects
    try:
        meter = Meter()
        for played in _alone(plan, draw, halt.is_set, meter, orders.get(), jobs):
            news.put(("seed", played))
        news.put(("end", meter))
    except BaseException:
        news.put(("failed", traceback.format_exc()))
        raise
