"""The real world as a stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from specs.faults import Fault
from terminal_sim.lab.explore.canon import canonical_key
from terminal_sim.lab.explore.stage import Playing
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.world.record import PointSeen, Run
from terminal_sim.lab.world.world import Snapshot, World


class WorldStage:
    """Plays a scenario in the world."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def start(self, faults: Sequence[Fault], scenario: Scenario | None = None) -> Playing:
        """A world before its first step."""
        return _Played(World(scenario or self.scenario, faults=tuple(faults)))

    def resume(self, snapshot: object, faults: Sequence[Fault]) -> Playing:
        """The world of a snapshot; whatever else was made of that world ends with it."""
        return _Played(World.resume(cast(Snapshot, snapshot), tuple(faults)))


class _Played:
    """A world whose key does not count names."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.begin, self.step, self.snapshot = world.begin, world.step, world.snapshot

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
        return self.world.finish()
