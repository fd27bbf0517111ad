"""reprint-unmarked: prints a slip again without a mark.

One sale has two proofs.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, marks_reprints=False)


BUG = Bug("reprint-unmarked", "prints a slip again without a mark", 78, "catalogue", apply)
