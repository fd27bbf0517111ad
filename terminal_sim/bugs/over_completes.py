"""over-completes: does not look at the limit of a completion.

The host has the last word, and refuses what is above 115 % of the reservation (61).
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, completion_limit=False)


BUG = Bug("over-completes", "sends a completion above 115 % of its reservation to the host", 58, "catalogue", apply)
