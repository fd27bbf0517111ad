"""The real world as a stage."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import cast

from specs.faults import Facts, Fault
from terminal_sim.lab.explore.canon import canonical_key, middle_key
from terminal_sim.lab.explore.stage import Playing
from terminal_sim.lab.logs import critical_only
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.world.record import PointSeen, Run
from terminal_sim.lab.world.world import Snapshot, World


def silent_stage(scenario: Scenario) -> WorldStage:
    """A stage in a process of its own: its host tells no log of all the faults that it meets."""
    critical_only()
    return WorldStage(scenario)


class WorldStage:
    """Plays a scenario in the world."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def start(self, faults: Sequence[Fault], scenario: Scenario | None = None) -> Playing:
        """A world before its first step."""
        return _Played(World(scenario or self.scenario, faults=tuple(faults)))

    def resume(
        self, snapshot: object, faults: Sequence[Fault], *, watched: bool = False, known: Container[str] = ()
    ) -> Playing:
        """The world of a snapshot; whatever else was made of that world ends with it."""
        return _Played(World.resume(cast(Snapshot, snapshot), tuple(faults)), watched=watched, known=known)


_AT_THE_HOST = re.compile(r"/H(/|>|$)")
"""Points within the host's work: what it has still to do cannot be told."""


class _Enough(BaseException):
    """The rest is known. No handler of the world may catch it."""


class _Played:
    """A world whose key does not count names."""

    def __init__(self, world: World, *, watched: bool = False, known: Container[str] = ()) -> None:
        self.world = world
        self.middle: tuple[int, str] | None = None
        self.cut_short = False
        self.begin, self.snapshot = world.begin, world.snapshot
        self._known = known
        vars(world.scene).pop("point", None)
        if watched and not world.faults[-1].since:
            self._passed = world.scene.point
            world.scene.point = self._look  # type: ignore[method-assign]

    def _look(self, name: str, facts: Facts | None = None) -> Fault | None:
        """At each point, until the last fault has struck and the state can be told."""
        scene = self.world.scene
        if scene.plan.fired[-1] and not _AT_THE_HOST.search(name) and (key := middle_key(self.world)):
            key = f"{key} {scene.step} {name}"
            self.middle = (len(scene.points), key)
            del vars(scene)["point"]
            if key in self._known:
                raise _Enough
        return self._passed(name, facts)

    def step(self) -> bool:
        """As the world's; False when it was cut short."""
        try:
            return self.world.step()
        except _Enough:
            self.cut_short = True
            return False

    @property
    def at_step(self) -> int:
        return self.world.at_step

    @property
    def points(self) -> Sequence[PointSeen]:
        return self.world.points

    @property
    def fired(self) -> tuple[int, ...]:
        return self.world.fired

    @property
    def quiet(self) -> bool:
        return self.world.quiet

    @property
    def trace_hash(self) -> str:
        return self.world.trace_hash

    def state_key(self) -> str:
        return canonical_key(self.world)

    def finish(self) -> Run:
        vars(self.world.scene).pop("point", None)  # the healing has no faults to look at
        return self.world.finish()
