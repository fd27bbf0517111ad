"""saf-total: leaves a stored item that the host refused in the totals.

The terminal counts a sale that nobody will pay.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, refused_leaves_totals=False)


BUG = Bug("saf-total", "leaves a stored item that the host refused in the totals", 61, "catalogue", apply)
