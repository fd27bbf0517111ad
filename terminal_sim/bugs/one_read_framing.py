"""one-read-framing: takes what one read of the line brings for one message.

A split answer is unreadable twice, two in one read are one: each becomes a reversal.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, one_read_framing=True)


BUG = Bug("one-read-framing", "takes what one read of the line brings for one message", 72, "LY", apply)
