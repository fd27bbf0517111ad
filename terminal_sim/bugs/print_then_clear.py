"""print-then-clear: takes the next batch number, prints the settlement slip, and clears the rows only then.

No paper, or a cut while it prints: the host has closed, the rows stand here, open, and are settled again.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, archive_first=False)


BUG = Bug(
    "print-then-clear",
    "takes the next batch number, prints the settlement slip, and clears the rows only then",
    41,
    "V5S",
    apply,
)
