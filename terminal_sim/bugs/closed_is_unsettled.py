"""closed-is-unsettled: on «closed already» or «number not known» keeps the batch pending and asks to phone.

Sales are blocked until somebody clears the terminal by hand.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, closed_ends_it=False)


BUG = Bug(
    "closed-is-unsettled",
    "on «closed already» or «number not known» keeps the batch pending and asks to phone",
    28,
    "QD",
    apply,
    also=(31,),
)
