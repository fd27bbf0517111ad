"""partial-frame: reads an answer whose line breaks inside it as though it were whole.

Its buffer is never cleared, so what is missing is what stood there: the bytes of the answer before. A MAC shows it;
where there is none, a refusal that breaks off before its DE 39 has the code of the answer before.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware, Rest


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, unfinished=Rest.PARSED)


BUG = Bug(
    "partial-frame",
    "reads an answer whose line breaks inside it to its end, in a buffer that still holds the answer before",
    71,
    "catalogue",
    apply,
)
