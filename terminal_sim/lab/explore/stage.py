"""What the explorer needs of a world, and the real one in that shape.

The walk knows nothing else of it, so that a toy of a few states can stand in for it (tests/explore).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from specs.faults import Fault
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.world.record import PointSeen, Run

HEALING = -1
"""PointSeen.step of what happens after the last step. Nothing is struck there: finite faults have an end."""


class Verdict(NamedTuple):
    """How a schedule ended. classes: tags, sorted; invariants: those broken, sorted, each once."""

    classes: tuple[str, ...]
    invariants: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: Run) -> Verdict:
        """The verdict of a whole run."""
        return cls(run.classes, tuple(sorted({finding.invariant for finding in run.findings})))

    @classmethod
    def broken(cls, error: Exception) -> Verdict:
        """Of a run that came to no end: the world itself gave up, or has a mistake."""
        return cls(("error",), (type(error).__name__,))

    def __str__(self) -> str:
        return " ".join(self.classes) + (f" [{' '.join(self.invariants)}]" if self.invariants else "")


class Playing(Protocol):
    """A world at work (terminal_sim.lab.world.World)."""

    @property
    def at_step(self) -> int:
        """The place of the next step; as many as there are steps at the end."""

    @property
    def points(self) -> Sequence[PointSeen]:
        """All that were passed since the world began."""

    @property
    def fired(self) -> tuple[int, ...]:
        """How often each fault of its schedule has struck."""

    @property
    def quiet(self) -> bool:
        """Whether it can be copied here."""

    @property
    def trace_hash(self) -> str:
        """Of all that has happened so far."""

    @property
    def cut_short(self) -> bool:
        """Whether it stopped at a `middle` that was known: then it is no use any more."""

    @property
    def middle(self) -> tuple[int, str] | None:
        """The first point after its last fault struck at which all that is known could be told, as its place in
        `points`, and a key of what was known there; None when it was not watched or there was none."""

    def begin(self) -> None:
        """Before the first step."""

    def step(self) -> bool:
        """Play the next step; False when there is none left."""

    def snapshot(self) -> object:
        """A copy, None when it is not quiet."""

    def state_key(self) -> str:
        """Equal keys before the same step have equal futures."""

    def finish(self) -> Run:
        """Heal, check and judge."""


class Stage(Protocol):
    """Where a scenario is played: from its beginning with faults, or on from a snapshot. `faults` is always the whole
    schedule."""

    @property
    def scenario(self) -> Scenario:
        """What is played."""

    def start(self, faults: Sequence[Fault], scenario: Scenario | None = None) -> Playing:
        """A new world, of the stage's scenario or another one of it."""

    def resume(
        self, snapshot: object, faults: Sequence[Fault], *, watched: bool = False, known: Container[str] = ()
    ) -> Playing:
        """The world of a snapshot; the faults that its run had are the first ones. watched: it looks for its `middle`,
        and goes no further when the key of that is `known`."""


def judged(stage: Stage, faults: Sequence[Fault], scenario: Scenario | None = None) -> tuple[Verdict, Run | None]:
    """As `whole`, with its verdict; no run when it came to no end."""
    try:
        run = whole(stage, faults, scenario)
    except Exception as error:  # whatever it is, it is what this schedule does
        return Verdict.broken(error), None
    return Verdict.of(run), run


def passed(stage: Stage, faults: Sequence[Fault], scenario: Scenario | None = None) -> tuple[PointSeen, ...]:
    """The points of a run, as far as it comes."""
    world = stage.start(faults, scenario)
    with suppress(Exception):  # a schedule that comes to no end has points too
        world.begin()
        while world.step():
            pass
    return tuple(world.points)


def whole(stage: Stage, faults: Sequence[Fault], scenario: Scenario | None = None) -> Run:
    """A run from beginning to end, of the stage's scenario or another one of it."""
    world = stage.start(faults, scenario)
    world.begin()
    while world.step():
        pass
    return world.finish()
