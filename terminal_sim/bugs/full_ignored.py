"""full-ignored: goes on when its flash refuses a write.

What it has in mind is then ahead of what a power cut leaves. Here a later write mends that, as it writes everything.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, heeds_flash=False)


BUG = Bug("full-ignored", "goes on when its flash refuses a write", 83, "catalogue", apply)
