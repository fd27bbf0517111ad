"""daycut-carry: takes the new keys and batch number at the day change and keeps yesterday's rows in the new batch.

The terminal counts two days, the host one.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, carries_rows=True)


BUG = Bug(
    "daycut-carry",
    "takes the new keys and batch number at the day change and keeps yesterday's rows in the new batch",
    51,
    "DAYCUT",
    apply,
    also=(26,),
)
