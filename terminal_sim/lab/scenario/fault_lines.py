"""A fault of a scenario file: read by the vocabulary (specs.faults.reading), its errors at their line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from specs.faults import Fault
from specs.faults.errors import FaultError
from specs.faults.reading import fault_from
from terminal_sim.lab.scenario import times
from terminal_sim.lab.scenario.places import Spot


def fault_of(
    table: Mapping[str, object], start: datetime, terminals: Collection[str], steps: Collection[str], spot: Spot
) -> Fault:
    """The fault of a table. terminals, steps: the names that there are. Raises: ScenarioError."""
    try:
        return fault_from(
            table,
            terminals=terminals,
            steps=steps,
            moment=lambda text: times.moment(text, start),
            line=spot.line,
        )
    except FaultError as error:
        raise spot.at(*filter(None, error.key.split("."))).error(error.why) from None
