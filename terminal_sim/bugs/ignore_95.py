"""ignore-95: takes «totals differ» for «agreed»: no upload, and the batch is cleared.

The difference is in nobody's list.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, heeds_differences=False)


BUG = Bug(
    "ignore-95", "takes «totals differ» for «agreed»: no upload, and the batch is cleared", 32, "catalogue", apply
)
