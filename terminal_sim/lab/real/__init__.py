"""Scenarios with real processes over TCP: `terminal-sim run … --real`."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terminal_sim.lab.scenario.model import Scenario, Variant
    from terminal_sim.lab.world.record import Run


def player(
    connect: str = "", api: str = "", halt: threading.Event | None = None
) -> Callable[[Scenario, Variant | None], Run]:
    """What plays a scenario with processes of its own. connect, api: of a host that runs already, "" to start one for
    each run. halt: set by who does not want to wait for the end of a run. Raises: LabError for what they say."""
    from terminal_sim.lab.real.attached import AttachedWorld, checked
    from terminal_sim.lab.real.processes import Processes
    from terminal_sim.lab.real.world import RealWorld

    attached = bool(connect or api)
    if attached:
        checked(connect, api)
    processes = Processes(halt)
    atexit.register(processes.close)

    def play(scenario: Scenario, variant: Variant | None) -> Run:
        world = (
            AttachedWorld(scenario, variant, connect=connect, api=api, processes=processes)
            if attached
            else RealWorld(scenario, variant, processes=processes)
        )
        with world:
            return world.run()

    return play


def look(connect: str = "", api: str = "") -> Callable[[Scenario, Variant | None], None]:
    """What looks at a scenario before anything is started, and raises Unplayable. Raises: as `player`."""
    from specs.endpoint import parse
    from terminal_sim.lab.real import refusals
    from terminal_sim.lab.real.attached import check, checked

    if connect or api:
        checked(connect, api)
        ours = parse(connect).dialect
        return lambda scenario, variant: check(scenario, variant, ours)
    return lambda scenario, variant: refusals.check(scenario, variant, scenario.faults)
