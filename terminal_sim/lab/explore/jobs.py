"""The walk in several processes: one takes the first faults of one leg of the day at a time.

Each process has a walker of its own, so that states are shared among the faults of a leg, where nearly all of them
are equal. Every result is told at once; whoever stops the exploration keeps what is there. The results are put in the
order of the day, whatever order they came in.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

from specs.faults import Fault
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.explore.classify import Allowing
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.plain import PlainWalker
from terminal_sim.lab.explore.space import Fitting, Space
from terminal_sim.lab.explore.stage import Stage
from terminal_sim.lab.explore.walk import First, Leg, Node, Problem, Sampling, Walker
from terminal_sim.lab.interrupt import interruptible, leave_to_parent
from terminal_sim.lab.scenario.model import Scenario

LISTEN_S = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """What to walk. make, fitting: importable by name, since other processes need them. only: actions, None = all."""

    scenario: Scenario
    make: Callable[[Scenario], Stage]
    fitting: Fitting
    depth: int = 2
    share: bool = True
    sampling: Sampling = field(default_factory=Sampling)
    only: frozenset[str] | None = None


@dataclass(slots=True)
class Walked:
    """What came of it. firsts: in the order of the day; all: how many there would have been."""

    firsts: list[First] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    all: int = 0


class Progress(Protocol):
    """Told how far it is. weight, total: in schedules, as far as they can be foreseen."""

    def begin(self, total: int) -> None:
        """How much there is."""

    def advance(self, weight: int, schedules: int, findings: int) -> None:
        """So much of it is done, in so many schedules, with so many findings."""


@dataclass(frozen=True, slots=True)
class _Task:
    """The faults of one leg. weight: foreseen schedules of each."""

    place: int
    faults: tuple[tuple[Fault, int], ...]
    weight: int


class _Crew:
    """A walker with the legs of its day."""

    def __init__(self, plan: Plan, stop: Callable[[], bool]) -> None:
        stage, allowed = plan.make(plan.scenario), Allowing.on(plan.scenario)
        space = Space(plan.scenario, plan.fitting, plan.only)
        self.walker: Walker | PlainWalker
        self._legs: list[tuple[Node, Leg]] = []
        if plan.share:
            walker = Walker(stage, space, allowed, depth=plan.depth, sampling=plan.sampling, stop=stop)
            self._legs = walker.day()
            self.walker = walker
        else:
            self.walker = PlainWalker(stage, space, allowed, depth=plan.depth, sampling=plan.sampling, stop=stop)

    def tasks(self) -> list[_Task]:
        """All first faults, by the leg in which they strike."""
        if isinstance(self.walker, PlainWalker):
            found: dict[int, list[tuple[Fault, int]]] = {}
            for fault, step in self.walker.faults():
                found.setdefault(step, []).append((fault, step))
            by_leg = [tuple(faults) for _, faults in sorted(found.items())]
        else:
            by_leg = [tuple(self.walker.faults_of(node, leg)) for node, leg in self._legs]
        left = sum(len(faults) for faults in by_leg)
        tasks = []
        for place, faults in enumerate(by_leg):
            left -= len(faults)
            tasks.append(_Task(place, faults, 1 + len(faults) // 2 + left))
        return tasks

    def play(self, task: _Task, at: int) -> First:
        """One of a task's faults."""
        fault, step = task.faults[at]
        if isinstance(self.walker, PlainWalker):
            return self.walker.first(fault, step)
        node, _ = self._legs[task.place]
        return self.walker.first(node, fault, step)


def walk(plan: Plan, jobs: int, progress: Progress, *, time_limit_s: float = 0.0) -> tuple[Walked, str]:
    """Walks it all. Second: why it stopped early ("time limit", "interrupted"), "" = it did not."""
    ends = monotonic() + time_limit_s if time_limit_s > 0 else None
    halt = threading.Event()
    with interruptible(halt) as interrupted:

        def stop() -> bool:
            if ends is not None and monotonic() > ends:
                halt.set()
            return halt.is_set()

        crew = _Crew(plan, stop)
        tasks = crew.tasks()
        total = sum(len(task.faults) * (task.weight if plan.depth > 1 else 1) for task in tasks)
        progress.begin(total)
        walked = Walked(all=sum(len(task.faults) for task in tasks))
        found: dict[tuple[int, int], First] = {}
        for task, at, first in _alone(crew, tasks, stop) if jobs <= 1 else _together(plan, jobs, tasks, stop, walked):
            found[task.place, at] = first
            progress.advance(
                task.weight if plan.depth > 1 else 1, 1 + first.doubles.schedules, len(first.doubles.groups)
            )
        walked.firsts = [found[place] for place in sorted(found)]
        walked.meter.add(crew.walker.meter)
        walked.problems += crew.walker.problems
        walked.problems.sort(key=lambda problem: (problem.what, str(problem.schedule)))
        stopped = "" if len(found) == walked.all and not halt.is_set() else "time limit"
        return walked, "interrupted" if interrupted.is_set() else stopped


def _alone(crew: _Crew, tasks: list[_Task], stop: Callable[[], bool]) -> Iterator[tuple[_Task, int, First]]:
    for task in tasks:
        for at in range(len(task.faults)):
            if stop():
                return
            yield task, at, crew.play(task, at)


# ---- several processes


def _together(
    plan: Plan, jobs: int, tasks: list[_Task], stop: Callable[[], bool], walked: Walked
) -> Iterator[tuple[_Task, int, First]]:
    for what, *said in told_by(_work, (plan,), (task.place for task in tasks), jobs, stop):
        if what == "end":
            meter, problems = said
            walked.meter.add(meter)
            walked.problems += problems
        else:
            place, at, first = said
            yield tasks[place], at, first


def told_by(
    work: Callable[..., None], given: tuple[Any, ...], orders: Iterable[Any], jobs: int, stop: Callable[[], bool]
) -> Iterator[Any]:
    """What some processes tell, each of which runs `work(*given, orders, news, halt)`: it takes orders from one queue
    until None comes, and puts tuples into the other, ("end", …) as its last. Raises: LabError when one fails."""
    context = multiprocessing.get_context("spawn")
    queued: Any = context.Queue()
    news: Any = context.Queue()
    halt = context.Event()
    for order in (*orders, *[None] * jobs):
        queued.put(order)
    workers = [context.Process(target=work, args=(*given, queued, news, halt), daemon=True) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        at_work = jobs
        while at_work:
            if stop():
                halt.set()
            try:
                told = news.get(timeout=LISTEN_S)
            except queue.Empty:
                if not all(worker.is_alive() or worker.exitcode == 0 for worker in workers):
                    raise LabError("a process of the exploration has died") from None
                continue
            if told[0] == "failed":
                raise LabError(f"a process of the exploration failed:\n{told[1]}")
            at_work -= told[0] == "end"
            yield told
    finally:
        halt.set()
        for worker in workers:
            worker.join(timeout=5.0)
            if worker.is_alive():
                worker.terminate()


def _work(plan: Plan, orders: Any, news: Any, halt: Any) -> None:
    """A process: tasks until there are none."""
    leave_to_parent()
    try:
        crew = _Crew(plan, halt.is_set)
        tasks = crew.tasks()
        while (place := orders.get()) is not None and not halt.is_set():
            for at in range(len(tasks[place].faults)):
                if halt.is_set():
                    break
                news.put(("first", place, at, crew.play(tasks[place], at)))
        news.put(("end", crew.walker.meter, crew.walker.problems))
    except BaseException:
        news.put(("failed", traceback.format_exc()))
        raise


def cores() -> int:
    """Processes that have a core each."""
    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
