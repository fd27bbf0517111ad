"""Each planted bug is hunted in its day, and must be found: `python -m tests.explore.hunting [NAME …]`.

A hunt explores every single fault of the day with the bug, leaves out what is found without it too, and makes the
simplest of the rest as small as it gets. Written: found/NAME.toml, a scenario file that shows the bug and nothing else,
found/figures.toml (how much was played), and docs/planted-bugs-found.md from both. Exit 1: a bug was not found.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any

from specs.faults import Fault
from specs.faults.fitting import fitting
from terminal_sim.lab.explore import jobs
from terminal_sim.lab.explore.classify import Allowing, rank
from terminal_sim.lab.explore.findings import Suspect, suspects
from terminal_sim.lab.explore.progress import Silent
from terminal_sim.lab.explore.real import silent_stage
from terminal_sim.lab.explore.shrink import Shrinker, Shrunk
from terminal_sim.lab.explore.stage import Stage, Verdict, judged, whole
from terminal_sim.lab.explore.tally import Group
from terminal_sim.lab.explore.walk import Sampling
from terminal_sim.lab.report import words
from terminal_sim.lab.scenario import reading
from terminal_sim.lab.scenario.model import Expect, Scenario
from terminal_sim.lab.scenario.writing import dumps
from terminal_sim.lab.world.record import Run

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
FIGURES = FOUND / "figures.toml"
PAGE = HERE.parents[1] / "docs" / "planted-bugs-found.md"
TERMINAL = "terminal"
SHRUNK = 3
"""So many of the simplest are made smaller; the smallest of them is told."""
TRIES_MAX = 250
_SIMPLE = ("drop", "reset", "stop", "delay", "down")


@dataclass(frozen=True)
class Bug:
    """A row of planted_bugs.toml. dialect "": the day's. waiting: why it cannot be hunted yet, "" = it can."""

    name: str
    where: str
    case: int
    day: str = ""
    profile: str = ""
    dialect: str = ""
    with_bugs: tuple[str, ...] = ()
    with_host: tuple[str, ...] = ()
    note: str = ""
    waiting: str = ""

    @property
    def file(self) -> Path:
        return FOUND / f"{self.name}.toml"

    def the_day(self, *, planted: bool) -> Scenario:
        """Its day, under its profile and with what it is crossed with."""
        path = reading.library().get(self.day, HERE / self.day)
        return self.on(reading.load(path), planted=planted)

    def on(self, day: Scenario, *, planted: bool) -> Scenario:
        """A day with what this one is crossed with, and with the bug or without."""
        bugs = (*self.with_bugs, *([self.name] if planted and self.where == TERMINAL else []))
        host = (*self.with_host, *([self.name] if planted and self.where != TERMINAL else []))
        return replace(
            day,
            world=replace(day.world, profile=self.profile, dialect=self.dialect or day.world.dialect, bugs=host),
            terminals=tuple(replace(unit, bugs=bugs) for unit in day.terminals),
            variants=(),
        )


@dataclass(frozen=True)
class Figures:
    """What a hunt took. schedules: complete ones; ends: how many of them only the bug spoils, by their verdict."""

    schedules: int
    seconds: float
    ends: Mapping[str, int]


def bugs() -> list[Bug]:
    """All of the catalogue, in its order."""
    return [_bug(**row) for row in tomllib.loads((HERE / "planted_bugs.toml").read_text("utf8"))["bugs"]]


def _bug(**row: Any) -> Bug:
    crossed = {key: tuple(row.pop(key, ())) for key in ("with_bugs", "with_host")}
    return Bug(**{**row, **crossed})


# ---- a hunt


def hunt(bug: Bug) -> tuple[Shrunk | None, Figures]:
    """The smallest schedule that shows the bug and nothing without it; None: the bug was not seen."""
    began = monotonic()
    day = bug.the_day(planted=True)
    plan = jobs.Plan(day, silent_stage, fitting, depth=1, sampling=Sampling(0, 0))
    stage, allowed = silent_stage(day), Allowing.on(day)
    baseline = Verdict.of(whole(stage, ()))
    walked, _ = jobs.walk(plan, 1, Silent())
    met = suspects(walked.firsts, allowed)
    if not allowed(baseline, ()):
        met = [Suspect(Group(baseline, ()), 1, ()), *(one for one in met if one.group.verdict != baseline)]
    own = [one for one in met if is_clean(bug, day, one.faults)]
    ends = Counter({str(one.group.verdict): 0 for one in own})
    for one in own:
        ends[str(one.group.verdict)] += one.count
    smallest = _smallest(stage, bug, day, own)
    return smallest, Figures(1 + len(walked.firsts), monotonic() - began, dict(ends.most_common()))


def is_clean(bug: Bug, scenario: Scenario, faults: Sequence[Fault]) -> bool:
    """Whether a schedule ends well without the bug: clean or late, or as its day does anyway."""
    day = bug.on(scenario, planted=False)
    verdict, _ = judged(silent_stage(day), faults)
    anyway = bug.the_day(planted=False).expect.classes or ()
    return Allowing(day.operator, anyway)(verdict, faults)


class _OfTheBug(Shrinker):
    """Keeps what the bug alone brings about: without it the smaller day is as good as the whole one."""

    def __init__(self, stage: Stage, verdict: Verdict, bug: Bug) -> None:
        super().__init__(stage, verdict, TRIES_MAX)
        self._bug = bug

    def _shows(self, candidate: Scenario) -> tuple[bool, Run | None]:
        shows, run = super()._shows(candidate)
        return shows and is_clean(self._bug, candidate, candidate.faults), run


def _smallest(stage: Stage, bug: Bug, day: Scenario, own: list[Suspect]) -> Shrunk | None:
    """Of the worst ends by the simplest faults, and one of each other end: it may need less."""
    first = sorted(own, key=lambda one: (len(one.faults), rank(one.group.verdict), _simple(one.faults)))
    of_each = {one.group.verdict: one for one in reversed(first)}
    tried = first[:SHRUNK] + [one for one in of_each.values() if all(one is not other for other in first[:SHRUNK])]
    found = (_OfTheBug(stage, one.group.verdict, bug).shrink(day, one.faults) for one in tried)
    return min((small for small in found if small is not None), key=_size, default=None)


def _simple(faults: Sequence[Fault]) -> int:
    """The simplest first."""
    return sum(_SIMPLE.index(fault.action) if fault.action in _SIMPLE else len(_SIMPLE) for fault in faults)


def _size(small: Shrunk) -> tuple[object, ...]:
    faults = small.scenario.faults
    return len(faults), rank(_verdict(small)), len(small.scenario.steps), _simple(faults)


def _verdict(small: Shrunk) -> Verdict:
    assert small.run is not None, "a schedule that comes to no end"
    return Verdict.of(small.run)


# ---- what is written down


def as_file(bug: Bug, small: Shrunk) -> Scenario:
    """The schedule as a scenario file that says how it ends."""
    verdict = _verdict(small)
    return replace(
        small.scenario,
        slug=bug.name,
        title=f"the smallest day that shows {bug.name}",
        notice=f"Found in {small.scenario.slug} {bug.profile} by `make explore-bugs`: {verdict}.",
        case=bug.case,
        expect=Expect(classes=verdict.classes, findings=verdict.invariants),
        source="",
    )


def figures() -> dict[str, Figures]:
    """Of the hunts so far."""
    if not FIGURES.exists():
        return {}
    return {name: Figures(**row) for name, row in tomllib.loads(FIGURES.read_text("utf8")).items()}


def _write_figures(every: Mapping[str, Figures]) -> None:
    lines = [
        f"{name} = {{schedules = {one.schedules}, seconds = {one.seconds:.1f}, ends = {_inline(one.ends)}}}\n"
        for name, one in sorted(every.items())
    ]
    head = "# How much each hunt played, and how the schedules ended that only its bug spoils.\n"
    FIGURES.write_text(head + "".join(lines), "utf8")


def _inline(table: Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{json.dumps(key)} = {value}" for key, value in table.items()) + "}"


_HEAD = """# Planted bugs that the explorer has found

Every bug that the failure catalogue plants (section 4; what each does is told in [planted-bugs.md](planted-bugs.md)) is
hunted: the day is explored with it, each single fault of it, and what is found without it too is left out. The smallest
schedule is what is left when no fault, step, time or amount can be taken away (1-minimal). It is a scenario file of
its own: `terminal-sim run tests/explore/found/NAME.toml` plays it. With the bug off the same schedule ends clean or
late, or as its day does anyway (an uploaded batch: `TM`), and breaks no invariant: tests/explore/test_planted_bugs.py
plays both.

`make explore-bugs` (minutes) hunts them all again and writes this page; `make explore-bugs ARGS="rev-drop-n"` one.
Runs: complete schedules of the hunt, spoilt: those that only the bug spoils; seconds: with one process.

<!-- found -->
| bug | case | day, profile, crossed with | smallest schedule | steps | class | invariants | runs | spoilt | seconds |
|---|---|---|---|---|---|---|---|---|---|
"""
_NOTES = """
Notes:

"""


def page() -> str:
    """The page, from the files."""
    known = figures()
    rows = "".join(_row(bug, known.get(bug.name)) for bug in bugs())
    notes = "".join(f"- `{bug.name}`: {bug.note}.\n" for bug in bugs() if bug.note)
    ends = "".join(
        f"| `{bug.name}` | {'; '.join(f'{end} {count}' for end, count in known[bug.name].ends.items())} |\n"
        for bug in bugs()
        if bug.name in known
    )
    return _HEAD + rows + _NOTES + notes + _ENDS + ends


_ENDS = """
All ends that a hunt met, with the number of schedules (the same bug loses other people's money in other places):

<!-- ends -->
| bug | ends |
|---|---|
"""


def _row(bug: Bug, took: Figures | None) -> str:
    if bug.waiting or took is None or not bug.file.exists():
        why = bug.waiting or "not found"
        return f"| `{bug.name}` ({bug.where}) | {bug.case} | - | {why} | - | - | - | - | - | - |\n"
    found = reading.load(bug.file)
    cells = (
        f"`{bug.name}` ({bug.where})",
        str(bug.case),
        _crossed(bug),
        "; ".join(f"`{words.fault_text(fault, found.world.start)}`" for fault in found.faults) or "no fault at all",
        ", ".join(f"{step.id} {step.do}" for step in found.steps),
        " ".join(found.expect.classes or ()),
        " ".join(found.expect.findings or ()) or "-",
        f"{took.schedules:,}",
        f"{sum(took.ends.values()):,}",
        f"{took.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |\n"


def _crossed(bug: Bug) -> str:
    day = reading.load(reading.library().get(bug.day, HERE / bug.day))
    more = "".join(f", `{name}`" for name in (*bug.with_bugs, *bug.with_host))
    return f"{day.slug}, {bug.dialect or day.world.dialect} {bug.profile}{more}"


def main(names: Sequence[str]) -> int:
    """Hunts those named, all without a name."""
    wanted = [bug for bug in bugs() if not bug.waiting and (not names or bug.name in names)]
    missed = []
    FOUND.mkdir(exist_ok=True)
    for bug in wanted:
        small, took = hunt(bug)
        print(f"{bug.name}: {_told(small)} ({took.schedules} schedules, {took.seconds:.0f} s)", flush=True)
        if small is None:
            missed.append(bug.name)
            continue
        bug.file.write_text(dumps(as_file(bug, small)), "utf8")
        _write_figures({**figures(), bug.name: took})
    PAGE.write_text(page(), "utf8")
    if missed:
        print(f"not found: {', '.join(missed)}")
    return 1 if missed else 0


def _told(small: Shrunk | None) -> str:
    if small is None:
        return "NOT FOUND"
    schedule = "; ".join(words.schedule(small.scenario.faults, small.scenario.world.start)) or "no fault at all"
    return f"{_verdict(small)} by {schedule}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
