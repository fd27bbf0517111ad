"""stream-off: goes on reading a line as one stream whatever its frames said.

What a wrong length has left over stands before the next answer, also on the next line; a length that cannot be one is
thrown away with what came behind it, and the line stays.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Rest


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, unfinished=Rest.KEPT)


BUG = Bug(
    "stream-off", "reads the next answer behind what a wrong length has left in its buffer", 74, "catalogue", apply
)
