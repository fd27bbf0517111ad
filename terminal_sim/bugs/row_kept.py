"""row-kept: writes the row, then clears the reversal: two saves; a reversal acknowledged later leaves the row in the
totals.

A cut between the two leaves both. The boot reverses the sale, and the row is counted, printed and uploaded.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Writes


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, booking=Writes.ROW_FIRST, rev_takes_row=False)


BUG = Bug(
    "row-kept",
    "writes the row, then clears the reversal: two saves; a reversal acknowledged later leaves the row in the totals",
    15,
    "MAB",
    apply,
    also=(39,),
)
