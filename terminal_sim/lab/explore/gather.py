"""A whole exploration: the walk or the random tier, then the findings, then what a report needs."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from time import monotonic, perf_counter

from specs.faults.actions import ACTIONS
from specs.faults.points import HOST_FILES, HOST_STEPS, MOMENTS, NOT_WRITTEN, TERMINAL_STEPS, WHENS
from terminal_sim.lab.explore import jobs
from terminal_sim.lab.explore.classify import Allowing, worst
from terminal_sim.lab.explore.findings import Clerk, Suspect, Write, suspects
from terminal_sim.lab.explore.jobs import Plan, Progress, Walked
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.random_tier import NOT_FOR_THE_WORLD, Draw, roam
from terminal_sim.lab.explore.result import Cell, Counts, Exploration, Planted
from terminal_sim.lab.explore.space import is_window, kind_of
from terminal_sim.lab.explore.stage import HEALING, Verdict, whole
from terminal_sim.lab.explore.tally import Group, Tally
from terminal_sim.lab.explore.walk import First
from terminal_sim.lab.interrupt import interruptible

SWARM_S = 60.0
"""How long the random tier goes on when nobody says."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted. faults: 1 or 2 for all of them, more for random runs of up to so many. jobs: processes; seed: of
    the random tier; time_limit_s 0: none; seeds: most of the random tier, 0 = until the time is over."""

    plan: Plan
    faults: int = 2
    jobs: int = 1
    seed: int = 1
    time_limit_s: float = 0.0
    seeds: int = 0


def explore(request: Request, progress: Progress, write: Write) -> Exploration:
    """Explores. What is there when somebody stops it is told all the same."""
    plan, began = request.plan, perf_counter()
    stage = plan.make(plan.scenario)
    allowed = Allowing.on(plan.scenario)
    clerk_halt = threading.Event()
    fault_free = whole(stage, ())
    grown: list[Suspect] = []
    ends: Counter[Verdict] = Counter()
    if request.faults <= 2:
        deep = replace(plan, depth=request.faults)
        walked, stopped = jobs.walk(deep, request.jobs, progress, time_limit_s=request.time_limit_s)
    else:
        walked, grown, ends, stopped = _swarm(request, progress)
    meter = walked.meter
    if stopped == "interrupted":
        clerk_halt.set()
    baseline = Verdict.of(fault_free)
    clerk = Clerk(stage, clerk_halt.is_set, write, meter)
    met = [] if allowed(baseline, ()) else [Suspect(Group(baseline, ()), 1, ())]
    with interruptible(clerk_halt) as interrupted:
        clerk.take([*met, *suspects(walked.firsts, allowed), *grown])
    clerk.trouble(walked.problems)
    ends[baseline] += 1
    for first in walked.firsts:
        ends[first.single] += 1
        ends.update(first.doubles.ends)
    points = [kind_of(seen.point) for seen in fault_free.points if seen.step != HEALING]
    kinds = list(dict.fromkeys((*points, *sorted(meter.kinds))))
    bugs = tuple(bug for terminal in plan.scenario.terminals for bug in terminal.bugs)
    found = clerk.findings()
    return Exploration(
        scenario=plan.scenario,
        faults_max=request.faults,
        counts=_counts(walked, meter),
        seconds=perf_counter() - began,
        jobs=request.jobs,
        seed=request.seed,
        bugs=tuple(dict.fromkeys(bugs)),
        host_bugs=plan.scenario.world.bugs,
        spent={what: round(seconds, 3) for what, seconds in sorted(meter.spent.items())},
        findings=found,
        cells=tuple(_cells(walked.firsts)),
        classes={" ".join(classes): number for classes, number in sorted(_by_classes(ends).items())},
        points=tuple(kinds),
        never_reached=tuple(kind for kind in vocabulary() if kind not in kinds),
        never_fired=tuple(sorted(ACTIONS.keys() - meter.struck - NOT_FOR_THE_WORLD)),
        planted=tuple(
            Planted(name, any(not one.problem for one in found), sum(ends.values()))
            for name in dict.fromkeys((*bugs, *plan.scenario.world.bugs))
        ),
        stopped="interrupted" if interrupted.is_set() else stopped,
        firsts=walked.all,
        fault_free=fault_free,
    )


def vocabulary() -> tuple[str, ...]:
    """Every kind of point that has a name of its own; of messages the dialect says which there are."""
    made = [f"crash/T/{step}.{when}" for step in TERMINAL_STEPS for when in WHENS]
    made += [f"crash/H/{step}.{when}" for step in HOST_STEPS for when in WHENS]
    made += [f"store/T/{step}" for step in TERMINAL_STEPS if step not in NOT_WRITTEN]
    made += [f"store/H/{file}" for file in HOST_FILES]
    made += [f"op/T/{moment}" for moment in MOMENTS]
    return (*made, "conn/T", "clock/T", "clock/H", "cal/H")


def _by_classes(ends: Counter[Verdict]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for verdict, number in ends.items():
        found[verdict.classes] += number
    return found


def _counts(walked: Walked, meter: Meter) -> Counts:
    done = meter.done
    singles = len(walked.firsts)
    doubles = sum(first.doubles.schedules for first in walked.firsts)
    return Counts(
        schedules=1 + singles + doubles + done["random"],
        singles=singles,
        doubles=doubles,
        random=done["random"],
        windows=sum(is_window(first.fault) for first in walked.firsts),
        legs=done["legs"],
        shared=done["shared"],
        whole=done["whole"],
        twice=done["twice"],
        verified=done["verified"],
        steps=done["steps"],
    )


def _cells(firsts: Iterable[First]) -> Iterable[Cell]:
    by_cell: dict[tuple[str, str], Tally] = {}
    singles: dict[tuple[str, str], list[Verdict]] = {}
    for first in firsts:
        cell = (kind_of(first.fault.at), first.fault.action)
        tally = by_cell.setdefault(cell, Tally())
        tally.ends[first.single] += 1
        tally.ends.update(first.doubles.ends)
        singles.setdefault(cell, []).append(first.single)
    for (kind, action), tally in by_cell.items():
        counts = {" ".join(classes): number for classes, number in sorted(_by_classes(tally.ends).items())}
        single = worst(singles[kind, action])
        yield Cell(kind, action, tally.schedules, worst(tally.ends).classes, counts, single.classes)


def _swarm(request: Request, progress: Progress) -> tuple[Walked, list[Suspect], Counter[Verdict], str]:
    """The random tier."""
    limit = request.time_limit_s or (0.0 if request.seeds else SWARM_S)
    over = monotonic() + limit if limit else None
    halt = threading.Event()
    with interruptible(halt) as interrupted:

        def stop() -> bool:
            return halt.is_set() or (over is not None and monotonic() > over)

        draw = Draw(request.seed, request.faults, request.seeds)
        roamed = roam(request.plan, draw, request.jobs, progress, stop)
    walked = Walked(meter=roamed.meter)
    return walked, roamed.suspects(), roamed.ends, "interrupted" if interrupted.is_set() else ""
