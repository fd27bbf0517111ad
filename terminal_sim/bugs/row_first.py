"""row-first: writes the row, then clears the reversal: two saves; all else is by the rules.

A cut between the two leaves both. The reversal wins, and its acknowledgement takes the row out (RT2, second half).
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Writes


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, booking=Writes.ROW_FIRST)


BUG = Bug(
    "row-first",
    "writes the row, then clears the reversal: two saves; a reversal acknowledged later takes the row out",
    15,
    "MAB",
    apply,
)
