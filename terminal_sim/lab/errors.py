"""The one exception of the lab."""

from __future__ import annotations

from terminal_sim.errors import TerminalError


class LabError(TerminalError):
    """A process did not start, did not answer, or said what the lab cannot go on with; the text says which."""
