"""pending-77: says «settlement done» when the host has closed without agreement, and keeps the batch pending.

No sale is possible, and every settlement ends the same way.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, disputed_ends_it=False)


BUG = Bug(
    "pending-77",
    "says «settlement done» when the host has closed without agreement, and keeps the batch pending",
    40,
    "MAB",
    apply,
)
