"""chip-declined: shows «declined» when the card refuses what the host approved, and does not reverse it.

The host has captured what the screen called declined.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Doubt, Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, reversed_on=firmware.reversed_on - {Doubt.CARD})


BUG = Bug(
    "chip-declined",
    "shows «declined» when the card refuses what the host approved, and does not reverse it",
    80,
    "catalogue",
    apply,
)
