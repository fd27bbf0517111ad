"""rev-clear-first: deletes the reversal when the approval comes, before the row is written: two saves.

A cut between the two leaves nothing: the host has captured, and nobody here knows of it.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Writes


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, booking=Writes.CLEAR_FIRST)


BUG = Bug(
    "rev-clear-first",
    "deletes the reversal when the approval comes, before the row is written: two saves",
    14,
    "LY",
    apply,
)
