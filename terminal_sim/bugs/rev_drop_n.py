"""rev-drop-n: drops a reversal after three sends without an acknowledgement.

A send without a connection counts too. An outage longer than three tries leaves the sale at the host for good.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware

TRIES = 3


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, rev_tries_max=TRIES)


BUG = Bug("rev-drop-n", "drops a reversal after three sends without an acknowledgement", 2, "LY, V5S", apply)
