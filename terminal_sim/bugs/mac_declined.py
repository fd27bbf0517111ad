"""mac-declined: shows an approval with a wrong MAC as declined and does not reverse it.

The host has captured what the screen called declined.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Doubt, Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, reversed_on=firmware.reversed_on - {Doubt.BAD_MAC})


BUG = Bug(
    "mac-declined", "shows an approval with a wrong MAC as declined and does not reverse it", 22, "catalogue", apply
)
