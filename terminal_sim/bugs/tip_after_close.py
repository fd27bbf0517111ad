"""tip-after-close: does not send stored tips and adjustments before the 0500.

The terminal counts 110, the host 100, and the batch closes without the tip.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, adjusts_before_close=False)


BUG = Bug(
    "tip-after-close", "does not send stored tips and adjustments before the 0500", 59, "catalogue", apply, also=(33,)
)
