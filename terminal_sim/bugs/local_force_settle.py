"""local-force-settle: the service menu prints the report and clears the journal without a 0500.

The shop believes the batch settled; at the host it stays open.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, local_settle=True)


BUG = Bug(
    "local-force-settle", "the service menu prints the report and clears the journal without a 0500", 45, "V5S", apply
)
