"""From what a walk has met to what a reader wants: one finding a signature, each with its smallest file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from specs.faults import Fault
from terminal_sim.lab.explore.meter import Meter
from terminal_sim.lab.explore.result import Found, Signature
from terminal_sim.lab.explore.shrink import INTERRUPTED, Shrinker
from terminal_sim.lab.explore.stage import Stage, Verdict
from terminal_sim.lab.explore.tally import Allowed, Group, struck_by
from terminal_sim.lab.explore.walk import First, Problem
from terminal_sim.lab.scenario.model import Expect, Scenario

SHRUNK_MAX = 40
"""Findings that are made smaller; those after them are told as they were found."""
PROBLEMS_MAX = 20

Write = Callable[[Scenario], str]


@dataclass(frozen=True, slots=True)
class Suspect:
    """Schedules that ended alike, before they are made smaller."""

    group: Group
    count: int
    faults: tuple[Fault, ...]


def suspects(firsts: Iterable[First], allowed: Allowed) -> list[Suspect]:
    """What is no expected end: singles before doubles, in the order of the day."""
    known: dict[Group, Suspect] = {}
    doubles: list[Suspect] = []
    for first in firsts:
        if not allowed(first.single, (first.fault,)):
            _put(known, Suspect(Group(first.single, struck_by(first.fault)), 1, (first.fault,)))
        doubles += [Suspect(group, count, faults) for group, (count, faults) in first.doubles.groups.items()]
    for double in doubles:
        _put(known, double)
    return sorted(known.values(), key=lambda suspect: len(suspect.faults))


def _put(known: dict[Group, Suspect], suspect: Suspect) -> None:
    before = known.get(suspect.group)
    count = suspect.count + (before.count if before else 0)
    known[suspect.group] = replace(before or suspect, count=count)


class Clerk:
    """Writes findings down. stop: once true, nothing is made smaller any more. write: a scenario as a file's text."""

    def __init__(self, stage: Stage, stop: Callable[[], bool], write: Write, meter: Meter) -> None:
        self.found: dict[Signature, Found] = {}
        self._stage = stage
        self._stop = stop
        self._write = write
        self._meter = meter
        self._explained: list[tuple[Verdict, tuple[str, ...], Signature]] = []
        self._shrunk = 0

    def take(self, suspects: Iterable[Suspect]) -> None:
        """Each suspect: as one more of a known finding, or as a new one."""
        for suspect in suspects:
            signature = self._known(suspect)
            if signature is not None:
                self._count(signature, suspect.count)
            else:
                self._new(suspect)

    def trouble(self, problems: Iterable[Problem]) -> None:
        """What went wrong with the exploring itself, one finding a kind of it and of points."""
        for problem in problems:
            kinds = struck_by(*problem.schedule)
            signature = Signature((problem.what,), (), kinds)
            if signature in self.found:
                self._count(signature, 1)
            elif len(self.found) < SHRUNK_MAX + PROBLEMS_MAX:
                self._put_plain(signature, problem.schedule, 1, f"{problem.what}: {problem.text}".rstrip(": "))

    def findings(self) -> tuple[Found, ...]:
        """The simplest first."""
        return tuple(sorted(self.found.values(), key=lambda found: (bool(found.problem), len(found.scenario.faults))))

    def _known(self, suspect: Suspect) -> Signature | None:
        """A finding with the same verdict that needs no more than what struck here."""
        for verdict, struck, signature in self._explained:
            if verdict == suspect.group.verdict and _within(struck, suspect.group.struck):
                return signature
        return None

    def _count(self, signature: Signature, count: int) -> None:
        found = self.found[signature]
        self.found[signature] = replace(found, count=found.count + count)

    def _new(self, suspect: Suspect) -> None:
        verdict, struck = suspect.group
        plain = Signature(verdict.classes, verdict.invariants, struck)
        if self._shrunk >= SHRUNK_MAX or self._stop():
            why = INTERRUPTED if self._stop() else f"more than {SHRUNK_MAX} findings"
            self._put_plain(plain, suspect.faults, suspect.count, "", f"not made smaller: {why}")
            return
        self._shrunk += 1
        shrinker = Shrinker(self._stage, verdict, stop=self._stop)
        with self._meter.time("shrinking"):
            small = shrinker.shrink(self._stage.scenario, suspect.faults)
        if small is None:
            self._put_plain(plain, suspect.faults, suspect.count, "sharing: played whole it ends otherwise")
            return
        signature = Signature(verdict.classes, verdict.invariants, struck_by(*small.scenario.faults))
        self._explained.append((verdict, struck, signature))
        self._explained.append((verdict, signature.kinds, signature))
        if signature in self.found:
            self._count(signature, suspect.count)
            return
        scenario = _named(small.scenario, verdict, signature)
        self.found[signature] = Found(
            *(signature, suspect.faults, scenario, suspect.count, small.run, self._write(scenario), "", small.tries),
            f"perhaps not the smallest: {small.cut}" if small.cut else "",
        )

    def _put_plain(
        self, signature: Signature, faults: tuple[Fault, ...], count: int, problem: str, rough: str = ""
    ) -> None:
        if signature in self.found:
            self._count(signature, count)
            return
        scenario = replace(self._stage.scenario, faults=faults, variants=(), expect=Expect())
        text = self._write(scenario)
        self.found[signature] = Found(signature, faults, scenario, count, None, text, problem, rough=rough)


def _within(few: tuple[str, ...], many: tuple[str, ...]) -> bool:
    left = list(many)
    for one in few:
        if one not in left:
            return False
        left.remove(one)
    return True


def _named(scenario: Scenario, verdict: Verdict, signature: Signature) -> Scenario:
    """As a file of its own: it expects what was found, so that `run` says whether it still is so."""
    slug = "-".join(("found", *verdict.classes)).lower()
    notice = f"Found by the explorer in {scenario.slug}: {signature}"
    expect = Expect(classes=verdict.classes, findings=verdict.invariants)
    return replace(
        scenario, slug=slug, notice=notice, title=f"found: {verdict}", case=0, expect=expect, variants=(), source=""
    )
