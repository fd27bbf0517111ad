"""Printing again (补打): which slip, out of the journal and the archive, and the note that it was done.

Slips of single transactions are not kept: they are made anew from their rows (terminal_sim.slips). A slip is printed
again only if there was one, and whatever it says today stands on stderr, since the paper must not differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from terminal_sim import slips
from terminal_sim.firmware import REFERENCE, Firmware
from terminal_sim.settlement_slip import marks
from terminal_sim.state import Memory, Row, RowState, Slip


@dataclass(frozen=True, slots=True)
class Again:
    """The slip with its mark, or why there is none. stan: for the note; remark: what has become of it since."""

    slip: Slip | None = None
    why: str = ""
    stan: str = ""
    remark: str = ""


def _marked(firmware: Firmware, slip: Slip) -> Slip:
    """With its mark, where the firmware knows one."""
    return slips.duplicate(slip) if firmware.marks_reprints else slip


def last(memory: Memory, firmware: Firmware = REFERENCE) -> Again:
    """Whatever was printed last."""
    return Again(_marked(firmware, memory.last_slip)) if memory.last_slip else Again(why="no slip to print again")


def settlement(memory: Memory, firmware: Firmware = REFERENCE) -> Again:
    """The last settlement."""
    slip = memory.settlement_slip
    return Again(_marked(firmware, slip)) if slip else Again(why="no settlement to print again")


def transaction(memory: Memory, family: str, *, stan: str = "", rrn: str = "", firmware: Firmware = REFERENCE) -> Again:
    """The newest transaction with this STAN or RRN, of the open batch or any in the archive."""
    name = f"STAN {stan}" if stan else f"RRN {rrn}"
    row = find(memory, stan=stan, rrn=rrn)
    if row is None:
        return Again(why=f"{name} is neither in the open batch nor in the archive")
    if row.state is RowState.REVERSED:
        return Again(why=f"{name} was reversed: it has no slip")
    if row.stored and row.kind not in slips.ADVISED:
        return Again(why=f"{name}: unknown, the host has not answered yet: there is no slip")
    remark = ", ".join(marks(row))
    slip = _marked(firmware, slips.transaction(memory.config, family, row))
    return Again(slip, stan=row.stan, remark=f"{name} is {remark}" if remark else "")


def listing(memory: Memory, family: str, batch: str = "", firmware: Firmware = REFERENCE) -> Again:
    """The transactions of the open batch, or when it has none of the last closed one; or of a batch by its number."""
    again = detail_slip(memory, family, batch)
    return Again(_marked(firmware, again)) if again else Again(why="no transactions to print")


def detail_slip(memory: Memory, family: str, batch: str = "") -> Slip | None:
    """The list of `listing` as it is printed first. None when there is no such batch."""
    if memory.rows and batch in ("", memory.batch):
        return slips.detail(memory.config, family, memory.batch, memory.rows, operator=memory.rows[-1].operator)
    closed = next((c for c in reversed(memory.archive) if batch in ("", c.batch)), None)
    if closed is None:
        return None
    operator = closed.rows[-1].operator if closed.rows else ""
    return slips.detail(memory.config, family, closed.batch, closed.rows, operator=operator, at=closed.at)


def find(memory: Memory, *, stan: str = "", rrn: str = "") -> Row | None:
    """The newest row with this STAN or RRN: STANs come round again, so the open batch goes first."""
    for rows in (memory.rows, *(closed.rows for closed in reversed(memory.archive))):
        for row in reversed(rows):
            if (stan and row.stan == stan) or (rrn and row.rrn == rrn):
                return row
    return None


def noted(memory: Memory, again: Again, what: str, at: str) -> Memory:
    """The same memory, knowing that a slip was printed again, by whom and when (case 78)."""
    return memory.noted("reprint", stan=again.stan, detail=f"{what} by {memory.who}", at=at)
