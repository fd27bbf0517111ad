"""The wires of a world, whose frames real connections bring and take."""

from __future__ import annotations

from typing import Any

from specs.faults import Effect, End
from terminal_sim.lab.world.wires import Wires


class RealWires(Wires):
    """See the module. resets: lines that a fault ends by a reset; a real connection knows the difference."""

    def __init__(self, *wires: Any) -> None:
        super().__init__(*wires)
        self.resets: set[int] = set()

    def _apply(self, effect: Effect, unit: str, direction: str, line: int) -> None:
        if isinstance(effect, End) and effect.how == "reset":
            self.resets.add(line)
        super()._apply(effect, unit, direction, line)
