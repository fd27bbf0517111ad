"""asked-amount: journals the amount that was asked for when less is approved.

The terminal counts 100 and the host 70.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, approved_amount=False)


BUG = Bug(
    "asked-amount", "journals the amount that was asked for when less is approved", 24, "catalogue", apply, also=(33,)
)
