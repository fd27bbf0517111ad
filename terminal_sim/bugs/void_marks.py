"""void-marks: marks a void without an answer as done, and reverses it too.

The sale lives at the host and is voided here.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, void_marks_early=True, rev_takes_row=False)


BUG = Bug("void-marks", "marks a void without an answer as done, and reverses it too", 54, "catalogue", apply)
