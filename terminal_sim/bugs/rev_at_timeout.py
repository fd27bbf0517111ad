"""rev-at-timeout: stores the reversal only when the answer has not come.

A cut while it waits leaves nothing that could be reversed.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, image_first=False)


BUG = Bug("rev-at-timeout", "stores the reversal only when the answer has not come", 13, "catalogue", apply)
