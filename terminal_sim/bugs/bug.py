"""What a known deviation is: a name, what it does, where the catalogue tells its end, and how the firmware changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from terminal_sim.firmware import Firmware


@dataclass(frozen=True, slots=True)
class Bug:
    """One deviation. meaning: one line, what such a terminal does. case: the number in failure-catalogue.md section 2
    that tells what comes of it; also: further ones. source: the catalogue's evidence tag, "catalogue" where its last
    column names the deviation without one. apply: the firmware with it; it goes together with any other."""

    name: str
    meaning: str
    case: int
    source: str
    apply: Callable[[Firmware], Firmware]
    also: tuple[int, ...] = ()

    @property
    def cases(self) -> tuple[int, ...]:
        """Every case that tells of it."""
        return (self.case, *self.also)
