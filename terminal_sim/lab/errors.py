"""The exceptions of the lab, one tree.

LabError
├── Unplayable        a scenario asks for what this player has not; what else there is can be played
└── ScenarioError     a scenario file is wrong: which file, line, key, why
"""

from __future__ import annotations

from terminal_sim.errors import TerminalError


class LabError(TerminalError):
    """A process did not start, did not answer, or said what the lab cannot go on with; the text says which."""


class Unplayable(LabError):
    """What a player cannot play, and why: nothing was started. how: of the player, as its option is called."""

    def __init__(self, how: str, what: str, why: str) -> None:
        self.short = f"{what} cannot be played: {why}"
        """In a list of what one player leaves out."""
        super().__init__(f"{how}: {self.short}")


class ScenarioError(LabError):
    """A scenario file that cannot be played: one line. line: from 1, 0 = no line of it can be named."""

    def __init__(self, file: str, line: int, key: str, why: str) -> None:
        where = f"{file}:{line}" if line else file
        super().__init__(f"{where}: {key}: {why}" if key else f"{where}: {why}")
        self.file, self.line, self.key, self.why = file, line, key, why
