"""cross-accept: takes any approving 0210 that its connection brings, whatever terminal it is for.

Another terminal's approval sells here; its own is missed there.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware

WHOSE_AND_WHICH = frozenset({4, 11, 41, 42})
"""DE 41 and DE 42, and since another terminal's sale is another sale, DE 4 and DE 11."""


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, not_compared=firmware.not_compared | WHOSE_AND_WHICH)


BUG = Bug(
    "cross-accept",
    "takes any approving 0210 that its connection brings, whatever terminal it is for",
    75,
    "catalogue",
    apply,
)
