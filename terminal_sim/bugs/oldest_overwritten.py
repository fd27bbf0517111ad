"""oldest-overwritten: lets the oldest row give way when the journal is full.

A sale is gone from totals and upload.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, full_refuses=False)


BUG = Bug("oldest-overwritten", "lets the oldest row give way when the journal is full", 50, "catalogue", apply)
