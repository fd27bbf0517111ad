"""stan-late: stores the STAN only when the wait for the answer is over.

After a cut the next request has the same STAN and another content.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, stan_first=False)


BUG = Bug("stan-late", "stores the STAN only when the wait for the answer is over", 49, "MAB", apply)
