"""admin-clear: the service menu clears a reversal without a record, and a settlement that has begun with it.

The host keeps the sale; what the terminal had frozen is open again, and sales go on in a batch that may be closed.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, abandon_recorded=False)


BUG = Bug(
    "admin-clear",
    "the service menu clears a reversal without a record, and a settlement that has begun with it",
    21,
    "MAB",
    apply,
)
