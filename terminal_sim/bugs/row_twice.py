"""row-twice: keeps every approval until its row is written, moves that mark behind the row, and writes the row again
at boot.

A cut between row and mark: two rows of one STAN.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Writes


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, booking=Writes.ROW_FIRST, keeps_replies=True, unique_rows=False)


BUG = Bug(
    "row-twice",
    "keeps every approval until its row is written, moves that mark behind the row, and writes the row again at boot",
    84,
    "V5S",
    apply,
)
