"""The walk without forks and without sharing: every schedule is played whole. The measure of `walk` (`--no-share`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from specs.faults import Fault
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.space import ALONE, Space, is_window, kind_of
from terminal_sim.lab.explore.stage import HEALING, Stage, Verdict, whole
from terminal_sim.lab.explore.tally import Allowed
from terminal_sim.lab.explore.walk import First, Problem, Sampling
from terminal_sim.lab.world.record import PointSeen, Run


class PlainWalker:
    """As Walker, whole."""

    def __init__(
        self,
        stage: Stage,
        space: Space,
        allowed: Allowed,
        *,
        depth: int = 2,
        sampling: Sampling = Sampling(),
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.meter = Meter()
        self.problems: list[Problem] = []
        self._stage = stage
        self._space = space
        self._allowed = allowed
        self._depth = depth
        self._sampling = sampling
        self._stop = stop

    def faults(self) -> list[tuple[Fault, int]]:
        """All single faults, in the order of the day: of each step its windows, then its points."""
        return self._faults(self._points(self._play(())), -1)

    def first(self, fault: Fault, step: int) -> First:
        """A fault alone and with every second one."""
        run = self._play((fault,))
        found = First(fault, Verdict.of(run))
        if self._depth == 1 or fault.action in ALONE:
            return found
        points = self._points(run)
        if is_window(fault):
            later = [seen for seen in points if seen.step >= step]
        else:
            places = [place for place, seen in enumerate(points) if seen.point == fault.at]
            later = [*points[places[0] + 1 :]] if places else []
        for second, _ in self._faults(later, step):
            if self._stop():
                break
            if second.action in ALONE:
                continue
            schedule = (fault, second)
            verdict = Verdict.of(self._play(schedule))
            found.doubles.add(verdict, schedule, self._allowed(verdict, schedule))
        return found

    def _faults(self, points: Sequence[PointSeen], after: int) -> list[tuple[Fault, int]]:
        windows = [
            (window, step)
            for step in range(after + 1, len(self._stage.scenario.steps))
            for window in self._space.windows(step)
        ]
        struck = [(fault, seen.step) for seen in points for fault in self._space.at(seen.point)]
        return sorted([*windows, *struck], key=lambda pair: pair[1])

    def _points(self, run: Run) -> list[PointSeen]:
        return [seen for seen in run.points if seen.step != HEALING]

    def _play(self, faults: tuple[Fault, ...]) -> Run:
        with self.meter.time("world"):
            run = whole(self._stage, faults)
        self.meter.done["whole"] += 1
        self.meter.kinds.update(kind_of(seen.point) for seen in run.points)
        for fault, times in zip(run.faults, run.fired, strict=True):
            if times:
                self.meter.struck.add(fault.action)
            elif not is_window(fault):
                self.problems.append(Problem("did not fire", faults, fault.at))
        if self._sampling.twice and whole(self._stage, faults).trace_hash != run.trace_hash:
            self.problems.append(Problem("not deterministic", faults))
        return run
