"""All that can be struck: the points of a run with the actions that fit them, and windows from step to step.

A point is counted over a whole run (`wire/T>H/0200#3`). Two runs that come to the same state may have passed it another
number of times, so what is struck later is told from there: the k-th time since the boundary (`Later`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from specs.faults import Fault
from terminal_sim.lab.scenario.model import HOST_DEEDS, Scenario
from terminal_sim.lab.world.record import PointSeen

DAY_S = 86_400
SHORT_S, AFTER_CUTOFF_S = 600, 3600
"""How long a short window is, and how long a long one stays down after the cutoff."""

Fitting = Callable[[str], Sequence[Fault]]


def base_of(point: str) -> str:
    """A point without its number."""
    return point.partition("#")[0]


def number_of(point: str) -> int:
    """The number of a point, 0 = it has none."""
    return int(point.partition("#")[2] or 0)


@lru_cache(maxsize=100_000)
def kind_of(point: str) -> str:
    """The kind of a point: without its number, with T in place of any terminal."""
    parts = base_of(point).split("/")
    if len(parts) > 1:
        parts[1] = ">".join(who if who in ("H", "I") else "T" for who in parts[1].split(">"))
    return "/".join(parts)


def is_window(fault: Fault) -> bool:
    """Whether it lasts from step to step and has no number."""
    return bool(fault.since)


ALONE = frozenset({"lost-write"})
"""Actions that are tried as single faults only. A flash that says that it has written, and has not, takes away what
RT1 rests on: alone it is survived (the next write mends it), with a second fault before that nothing is promised."""


class Space:
    """The faults of a scenario. fitting: the actions for a point, with their parameters. only: names of the actions
    that are switched on, None = all."""

    def __init__(self, scenario: Scenario, fitting: Fitting, only: frozenset[str] | None = None) -> None:
        self.scenario = scenario
        self._only = only
        self._fitting = fitting
        self._known: dict[str, tuple[Fault, ...]] = {}
        self._windows = [self._windows_from(place) for place in range(len(scenario.steps))]

    def at(self, point: str) -> list[Fault]:
        """The faults for a point of a run, each to strike just there."""
        return [replace(fault, at=point) for fault in self._of(base_of(point))]

    def count(self, points: Iterable[PointSeen], steps: Iterable[int]) -> int:
        """How many faults these points and the beginnings of these steps have."""
        struck = sum(len(self._of(base_of(seen.point))) for seen in points)
        return struck + sum(len(self._windows[step]) for step in steps)

    def windows(self, step: int) -> tuple[Fault, ...]:
        """The outages that begin with a step: ten minutes, until the step after the next, over the cutoff.

        With the first step also what a line is like all the time.
        """
        return self._windows[step]

    def _of(self, base: str) -> tuple[Fault, ...]:
        known = self._known.get(base)
        if known is None:
            fitting = self._fitting(base)
            known = tuple(fault for fault in fitting if self._only is None or fault.action in self._only)
            self._known[base] = known
        return known

    def _windows_from(self, place: int) -> tuple[Fault, ...]:
        step = self.scenario.steps[place]
        if step.do in HOST_DEEDS or (self._only is not None and "down" not in self._only):
            return ()
        untils = [f"+{SHORT_S}"]
        if place + 2 < len(self.scenario.steps):
            untils.append(f"step:{self.scenario.steps[place + 2].id}")
        if past := _after_cutoff(self.scenario, place):
            untils.append(str(past))
        units = [step.unit] if step.unit else [terminal.name for terminal in self.scenario.terminals]
        down = (
            Fault(f"link/{unit}", "down", since=f"step:{step.id}", until=until) for unit in units for until in untils
        )
        return (*down, *(self._in_pieces() if place == 0 else ()))

    def _in_pieces(self) -> Iterator[Fault]:
        """Lines that bring every answer in pieces, from the first step on and for good."""
        since = f"step:{self.scenario.steps[0].id}"
        for tid in sorted({terminal.tid for terminal in self.scenario.terminals}):
            splits = [fault for fault in self._of(f"wire/H>{tid}") if fault.action == "split"]
            yield from (replace(fault, times=0, since=since) for fault in splits)


def _after_cutoff(scenario: Scenario, place: int) -> int:
    """An hour after the first cutoff that follows a step, in seconds since the start; 0 = the day ends before it."""
    times = [step.at for step in scenario.steps]
    begins = max((at for at in times[: place + 1] if at >= 0), default=0.0)
    start = datetime.fromisoformat(scenario.world.start)
    hour, minute = (int(part) for part in (scenario.world.cutoff or "00:00").split(":"))
    cutoff = start.replace(hour=hour, minute=minute, second=0)
    while (cutoff - start).total_seconds() <= begins:
        cutoff += timedelta(days=1)
    past = int((cutoff - start).total_seconds()) + AFTER_CUTOFF_S
    return past if max(times, default=0.0) > past - AFTER_CUTOFF_S else 0


# ---- numbers, told from a boundary


def counted(points: Iterable[PointSeen], before: Mapping[str, int]) -> dict[str, int]:
    """How often each point has been passed, with those that were passed before."""
    counts = dict(before)
    for seen in points:
        base = base_of(seen.point)
        counts[base] = counts.get(base, 0) + 1
    return counts


def shifted(fault: Fault, counts: Mapping[str, int], sign: int = 1) -> Fault:
    """The fault with its number moved by what has been passed: told from a boundary (-1), or from the start (1)."""
    number = number_of(fault.at)
    if not number:
        return fault
    base = base_of(fault.at)
    moved = counts.get(base, 0)
    return replace(fault, at=f"{base}#{number + sign * moved}") if moved else fault
