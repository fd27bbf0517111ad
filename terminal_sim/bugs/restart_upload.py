"""restart-upload: begins the upload at the first record again, with new STANs, after a cut or a lost answer.

The host gets records twice; one that tells them apart by the STAN of the 0320 counts them twice.
"""

from __future__ import annotations

from dataclasses import replace

from terminal_sim.bugs.bug import Bug
from terminal_sim.firmware import Firmware


def apply(firmware: Firmware) -> Firmware:
    """See the module."""
    return replace(firmware, upload_resumes=False)


BUG = Bug(
    "restart-upload",
    "begins the upload at the first record again, with new STANs, after a cut or a lost answer",
    36,
    "V5S",
    apply,
)
