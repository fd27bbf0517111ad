"""rev-next-sale: sends a reversal before the next sale only: no idle timer, not at boot, not before a settlement.

The cardholder is debited overnight, or the 0500 overtakes the reversal.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, rev_before_all=False, idle_timer=False)


BUG = Bug(
    "rev-next-sale",
    "sends a reversal before the next sale only: no idle timer, not at boot, not before a settlement",
    11,
    "IDLEFLUSH",
    apply,
    also=(1,),
)
