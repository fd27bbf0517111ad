"""old-mac: repeats a stored reversal with the MAC that it was stored with.

After a sign-on the host refuses it for ever.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, rev_mac_kept=True)


BUG = Bug("old-mac", "repeats a stored reversal with the MAC that it was stored with", 23, "catalogue", apply)
