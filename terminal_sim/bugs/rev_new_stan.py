"""rev-new-stan: sends the reversal under a new STAN.

The host finds nothing of that name and says 25, which is taken for done.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, rev_own_stan=True)


BUG = Bug("rev-new-stan", "sends the reversal under a new STAN", 79, "catalogue", apply)
