"""Scenarios with real processes over TCP: `terminal-sim run … --real`."""

from __future__ import annotations

import atexit
from collections.abc import Callable

from terminal_sim.lab.errors import LabError
from terminal_sim.lab.real.processes import Processes
from terminal_sim.lab.real.world import RealWorld
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.record import Run


def player(connect: str = "", api: str = "") -> Callable[[Scenario, Variant | None], Run]:
    """What plays a scenario with processes of its own. connect, api: of a host that runs already."""
    if connect or api:
        raise LabError("--connect, --api: not built yet")
    processes = Processes()
    atexit.register(processes.close)

    def play(scenario: Scenario, variant: Variant | None) -> Run:
        with RealWorld(scenario, variant, processes=processes) as world:
            return world.run()

    return play
