"""What people do to a terminal beside its menu: swap it, lose a row, put a copy back.

Each changes the flash by hand, as a repair would (failure-catalogue 31, 32, 46).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from terminal_sim.lab.scenario.model import StepSpec
from terminal_sim.lab.world.record import Lane
from terminal_sim.state import Memory

if TYPE_CHECKING:
    from terminal_sim.lab.world.till import Till
    from terminal_sim.lab.world.world import World


def _swap(world: World, step: StepSpec) -> None:
    """Another unit in its place: the same set-up, nothing in it."""
    swapped(world.tills[step.unit], str(step.args.get("stan", "000000")), str(step.args.get("batch", "000001")))


def swapped(till: Till, stan: str = "000000", batch: str = "000001") -> None:
    """A new unit stands there; what the old one owed has gone with it."""
    _tell(till, "replaced by a new unit")
    till.meddle(Memory(till.memory.config, stan=stan, batch=batch))


def _wipe_row(world: World, step: StepSpec) -> None:
    """A journal row is lost, and every trace of it: as if an older copy of the flash had been put back."""
    till = world.tills[step.unit]
    stan = world.people.stans.get(str(step.args.get("of", "")), "")
    memory = till.memory
    events = tuple(event for event in memory.events if event.stan != stan)
    _tell(till, f"the row of STAN {stan} is lost")
    till.meddle(replace(memory, rows=tuple(row for row in memory.rows if row.stan != stan), events=events))


def _restore(world: World, step: StepSpec) -> None:
    """A copy of the flash is put back: the one that stood at the beginning of a step."""
    till = world.tills[step.unit]
    copy = world.copies[step.unit, str(step.args["of"])]
    _tell(till, f"the copy of before {step.args['of']} is put back")
    till.meddle(copy.restored(till.time()) if step.args.get("numbers", True) else copy)


def _tell(till: Till, text: str) -> None:
    till.scene.tell(Lane.FLASH, till.name, text, fault=True)


DEEDS: Mapping[str, Callable[[World, StepSpec], None]] = {
    "swap": _swap,
    "wipe-row": _wipe_row,
    "restore": _restore,
}
