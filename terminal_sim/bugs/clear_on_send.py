"""clear-on-send: closes the batch when it sends the 0500.

A lost 0500 leaves the batch open at the host, and nothing here that could be sent again.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, clears_on_send=True)


BUG = Bug("clear-on-send", "closes the batch when it sends the 0500", 27, "catalogue", apply)
