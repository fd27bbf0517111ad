"""number-late: clears the batch in one save and raises its number in a later one.

A cut between the two: new items under a number that is closed.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, number_with_archive=False)


BUG = Bug("number-late", "clears the batch in one save and raises its number in a later one", 31, "LY", apply)
