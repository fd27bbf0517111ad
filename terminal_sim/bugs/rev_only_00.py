"""rev-only-00: takes only 00 as the acknowledgement of a reversal.

A request that never arrived is answered 25 for ever, and the terminal cannot sell.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, rev_acks=frozenset({"00"}))


BUG = Bug("rev-only-00", "takes only 00 as the acknowledgement of a reversal", 8, "MAB, V5S", apply, also=(12,))
