"""A place in a scenario file, to say what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from terminal_sim.lab.errors import ScenarioError
from terminal_sim.toml_places import KeyPath, line_of, spelt
from terminal_sim.toml_places import lines as lines


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a scenario file, to say what is wrong there."""

    file: str
    lines: Mapping[KeyPath, int] = field(repr=False)
    path: KeyPath = ()

    def at(self, *keys: str | int) -> Spot:
        """A place inside this one."""
        return replace(self, path=(*self.path, *keys))

    @property
    def line(self) -> int:
        """The line where it stands, or what it stands in; 0 for the whole file."""
        return line_of(self.lines, self.path)

    @property
    def name(self) -> str:
        """How an error calls it: steps[2].amount, counted from 1."""
        return spelt(self.path)

    def error(self, why: str) -> ScenarioError:
        """To be raised."""
        return ScenarioError(self.file, self.line, self.name, why)
