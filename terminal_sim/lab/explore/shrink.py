"""From a schedule that shows something to the smallest file that still does.

In this order, again and again until nothing more can be taken away: fewer faults, fewer steps, a simpler action,
shorter times, smaller amounts. What must stay is the verdict: its classes and its broken invariants. So the result is
1-minimal: each single change that is tried here loses the finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from specs.faults import Fault
from specs.faults.actions import ACTIONS as VOCABULARY
from specs.faults.checking import fits
from specs.faults.points import parse_point
from terminal_sim.lab.explore.space import base_of, is_window, number_of
from terminal_sim.lab.explore.stage import Stage, Verdict, judged, passed
from terminal_sim.lab.scenario.model import Scenario, StepSpec
from terminal_sim.lab.world.record import PointSeen, Run

TRIES_MAX = 600
"""Runs that one finding may take."""
ACTIONS = ("delay", "drop", "reset", "stop")
"""The simple ones, the simplest first; any other counts as less simple, and a window as the least."""
SECONDS = (1.0, 5.0, 31.0, 61.0, 120.0, 300.0)
"""What is tried in place of a longer time."""
AMOUNTS = (1, 100, 1000)
INTERRUPTED = "interrupted"
"""Why a finding may not be the smallest: somebody pressed Ctrl-C."""
WIRE_POINTS_MAX = 12
"""Places of a single message that are tried in place of a window."""


@dataclass(frozen=True, slots=True)
class Shrunk:
    """scenario: with its faults; run: of it, None when it comes to no end; tries: runs that it took. cut: why it may
    not be the smallest, "" = it is."""

    scenario: Scenario
    run: Run | None
    tries: int
    cut: str = ""


class Shrinker:
    """Makes one finding smaller. verdict: what must stay. stop: once true, what there is has to do."""

    def __init__(
        self,
        stage: Stage,
        verdict: Verdict,
        tries_max: int = TRIES_MAX,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.tries = 0
        self._stage = stage
        self._verdict = verdict
        self._max = tries_max
        self._stop = stop

    def shrink(self, scenario: Scenario, faults: tuple[Fault, ...]) -> Shrunk | None:
        """The smallest that was found; None when the schedule itself does not show the verdict."""
        now = replace(scenario, faults=faults, variants=())
        shows, run = self._shows(now)
        if not shows:
            return None
        changed = True
        while changed and not self._over():
            changed = False
            for smaller in (fewer_faults, self._fewer_steps, self._simpler_actions, shorter_times, smaller_amounts):
                while (better := self._first(smaller, now)) is not None:
                    now, run = better
                    changed = True
        return Shrunk(now, run, self.tries, self._over())

    def _over(self) -> str:
        """Why no smaller one is looked for any more; "" = it is."""
        if self._stop():
            return INTERRUPTED
        return f"{self._max} runs were not enough" if self.tries >= self._max else ""

    def _first(
        self, smaller: Callable[[Scenario], Iterator[Scenario]], now: Scenario
    ) -> tuple[Scenario, Run | None] | None:
        for candidate in smaller(now):
            if self._over():
                return None
            shows, run = self._shows(candidate)
            if shows:
                return candidate, run
        return None

    def _shows(self, candidate: Scenario) -> tuple[bool, Run | None]:
        """Whether it ends alike and each of its faults struck."""
        self.tries += 1
        verdict, run = judged(self._stage, candidate.faults, candidate)
        return verdict == self._verdict and (run is None or all(run.fired)), run

    def _points(self, scenario: Scenario, faults: tuple[Fault, ...]) -> tuple[PointSeen, ...]:
        self.tries += 1
        return passed(self._stage, faults, scenario)

    # ---- fewer steps

    def _fewer_steps(self, now: Scenario) -> Iterator[Scenario]:
        seen = self._points(now, now.faults)
        for place in reversed(range(len(now.steps))):
            gone = now.steps[place]
            if any(step.args.get("of") == gone.id for step in now.steps):
                continue
            steps = _without(now.steps, place)
            faults = self._moved(replace(now, steps=steps), now, seen, gone.id)
            if steps and faults is not None:
                yield replace(now, steps=steps, faults=faults)

    def _moved(
        self, fewer: Scenario, now: Scenario, points: tuple[PointSeen, ...], gone: str
    ) -> tuple[Fault, ...] | None:
        """The faults where they were: the k-th time in the same step. None: that step has no such time any more."""
        moved: list[Fault] = []
        for fault in now.faults:
            if is_window(fault) or not number_of(fault.at):
                window = _rehung(fault, now, gone)
                if window is None:
                    return None
                moved.append(window)
                continue
            where = _where(now, points, fault.at)
            if where is None:
                return None
            text = _again(fewer, self._points(fewer, tuple(moved)), base_of(fault.at), *where)
            if not text:
                return None
            moved.append(replace(fault, at=text))
        return tuple(moved)

    # ---- simpler actions

    def _simpler_actions(self, now: Scenario) -> Iterator[Scenario]:
        for place, fault in enumerate(now.faults):
            if is_window(fault):
                points = self._points(now, (*now.faults[:place], *now.faults[place + 1 :]))
                others = [Fault(at, "drop") for at in _in_window(now, points, fault)]
            elif fault.at.startswith("wire/"):
                late = Fault(fault.at, "delay", {"seconds": 75.0})
                simple = (late, Fault(fault.at, "drop"), Fault(fault.at, "reset"))
                others = [other for other in simple if fits(parse_point(other.at), VOCABULARY[other.action])]
            else:
                others = []
            for other in others:
                if _rank(other) < _rank(fault):
                    yield _with_fault(now, place, other)


def fewer_faults(now: Scenario) -> Iterator[Scenario]:
    """One less."""
    for place in range(len(now.faults)):
        yield replace(now, faults=(*now.faults[:place], *now.faults[place + 1 :]))


def shorter_times(now: Scenario) -> Iterator[Scenario]:
    """A shorter window, a shorter delay."""
    for place, fault in enumerate(now.faults):
        if fault.until.startswith("+"):
            for seconds in SECONDS:
                if seconds < float(fault.until):
                    yield _with_fault(now, place, replace(fault, until=f"+{seconds:g}"))
        for name, value in fault.params.items():
            if name not in ("seconds", "restart", "gap"):
                continue
            for seconds in SECONDS:
                if seconds < float(value):
                    yield _with_fault(now, place, replace(fault, params={**fault.params, name: seconds}))


def smaller_amounts(now: Scenario) -> Iterator[Scenario]:
    """Smaller amounts, and no terminals that nobody uses."""
    used = {step.unit for step in now.steps}
    terminals = tuple(terminal for terminal in now.terminals if terminal.name in used)
    if terminals and terminals != now.terminals:
        yield replace(now, terminals=terminals)
    for place, step in enumerate(now.steps):
        amount = step.args.get("amount")
        for smaller in AMOUNTS:
            if isinstance(amount, int) and smaller < amount:
                args = {**step.args, "amount": smaller}
                yield replace(now, steps=(*now.steps[:place], replace(step, args=args), *now.steps[place + 1 :]))


# ---- helpers


def _without(steps: tuple[StepSpec, ...], place: int) -> tuple[StepSpec, ...]:
    return (*steps[:place], *steps[place + 1 :])


def _with_fault(now: Scenario, place: int, fault: Fault) -> Scenario:
    return replace(now, faults=(*now.faults[:place], fault, *now.faults[place + 1 :]))


def _rank(fault: Fault) -> int:
    if is_window(fault):
        return len(ACTIONS) + 1
    return ACTIONS.index(fault.action) if fault.action in ACTIONS else len(ACTIONS)


def _rehung(window: Fault, now: Scenario, gone: str) -> Fault | None:
    """A window that hung on the step that is gone hangs on the next one; None: there is none."""
    named = f"step:{gone}"
    if named not in (window.since, window.until):
        return window
    place = next(place for place, step in enumerate(now.steps) if step.id == gone)
    if place + 1 == len(now.steps):
        return None
    following = f"step:{now.steps[place + 1].id}"
    since = following if window.since == named else window.since
    until = following if window.until == named else window.until
    return replace(window, since=since, until=until) if since != until else None


def _where(scenario: Scenario, points: tuple[PointSeen, ...], at: str) -> tuple[str, int] | None:
    """In which step a point was passed, and the how-manieth time in it."""
    step = next((seen.step for seen in points if seen.point == at), -1)
    if step < 0:
        return None
    base = base_of(at)
    same = [seen.point for seen in points if seen.step == step and base_of(seen.point) == base]
    return scenario.steps[step].id, same.index(at)


def _again(scenario: Scenario, points: tuple[PointSeen, ...], base: str, step_id: str, nth: int) -> str:
    """The point that stands there now; "" = none does."""
    place = next((place for place, step in enumerate(scenario.steps) if step.id == step_id), -1)
    same = [seen.point for seen in points if seen.step == place and base_of(seen.point) == base]
    return same[nth] if place >= 0 and nth < len(same) else ""


def _in_window(scenario: Scenario, points: tuple[PointSeen, ...], window: Fault) -> list[str]:
    """Messages on the line from the step on with which a window begins."""
    begins = next((place for place, step in enumerate(scenario.steps) if window.since == f"step:{step.id}"), 0)
    unit = window.at.removeprefix("link/")
    tids = {terminal.tid for terminal in scenario.terminals if unit in (terminal.name, "T")}
    found = [
        seen.point
        for seen in points
        if seen.point.startswith("wire/") and seen.step >= begins and any(tid in seen.point for tid in tids)
    ]
    return found[:WIRE_POINTS_MAX]
