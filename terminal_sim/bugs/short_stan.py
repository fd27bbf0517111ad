"""short-stan: counts its STANs to 99 and takes every number in turn.

After 99 messages of a batch a sale has the number of an earlier one of it, which still stands in the journal.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, stan_max=99, skips_stans=False)


BUG = Bug(
    "short-stan", "counts STANs to 99 and then takes them again, also those of its open journal", 48, "catalogue", apply
)
