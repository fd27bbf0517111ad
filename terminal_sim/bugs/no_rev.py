"""no-rev: sends no reversal when the answer is missing or cannot be read.

The operator keys again, and both sales stand at the host.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Doubt, Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, reversed_on=firmware.reversed_on - {Doubt.NO_ANSWER, Doubt.GARBLED})


BUG = Bug("no-rev", "sends no reversal when the answer is missing or cannot be read", 10, "RESEND", apply)
