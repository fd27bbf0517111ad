"""late-accept: takes any approving 0210 of its own terminal for the answer to its sale, open or being reversed.

Neither STAN nor amount is looked at: a late answer approves the next sale, at the amount of that one. One that comes
while the 0400 of its sale is open sells all the same: the row is booked, the slip printed, the reversal forgotten.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware

STAN_AND_AMOUNT = frozenset({4, 11})
"""DE 4 and DE 11."""


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, not_compared=firmware.not_compared | STAN_AND_AMOUNT, late_sells=True)


BUG = Bug(
    "late-accept",
    "takes any approving 0210 of its own terminal for the answer to its sale, open or being reversed",
    5,
    "UNHANDLED",
    apply,
    also=(4,),
)
