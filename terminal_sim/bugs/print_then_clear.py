"""print-then-clear: prints the settlement slip before the batch is closed on flash.

No paper, or a cut while it prints: the host has closed, the old batch stands here, and is settled again.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, archive_first=False)


BUG = Bug("print-then-clear", "prints the settlement slip before the batch is closed on flash", 41, "V5S", apply)
