"""flag-without-rc: flags an uploaded record without reading DE 39 of its answer.

A record that the host refused counts as delivered.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, upload_reads_code=False)


BUG = Bug("flag-without-rc", "flags an uploaded record without reading DE 39 of its answer", 37, "MAB", apply)
