"""voids-archived: sends the void of a sale of a closed batch.

The host has the last word, and refuses it (12); one that goes by the place in the batch voids another sale.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, voids_archived=True)


BUG = Bug("voids-archived", "sends the void of a sale of a closed batch to the host", 53, "VOIDREF", apply)
