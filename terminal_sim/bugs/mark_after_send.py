"""mark-after-send: stores «settlement has begun» only when the wait for the 0510 is over.

A cut behind the sending leaves an open batch, and sales go into one that the host may have closed.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, freeze_first=False)


BUG = Bug("mark-after-send", "stores «settlement has begun» only when the wait for the 0510 is over", 29, "MAB", apply)
