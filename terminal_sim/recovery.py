"""What a terminal owes, the orders by which `recover` clears it, and how long its timer waits (RT3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from terminal_sim.moves import Boot, Settle, SignOn
from terminal_sim.state import Memory
from terminal_sim.wire import Wire

IDLE_MAX_S = 900.0
JITTER = 0.2
"""rules.md section 10: the idle timer is doubled up to 900 s, give or take 20 %."""


class What(StrEnum):
    """The kinds of debt, in the order in which they are told."""

    APPROVAL = "approval"
    """Stored and not booked yet (profile roll-forward). It needs no host."""
    REVERSAL = "reversal"
    SCRIPT_RESULT = "script-result"
    STORED = "stored"
    SETTLEMENT = "settlement"


_WORDS = {
    What.APPROVAL: "the booking of the approval of STAN",
    What.REVERSAL: "the reversal of STAN",
    What.SCRIPT_RESULT: "the result of an issuer's script, STAN",
    What.STORED: "the stored item of STAN",
    What.SETTLEMENT: "the settlement of batch",
}


@dataclass(frozen=True, slots=True)
class Debt:
    """One thing owed. number: a STAN, of a settlement the batch number."""

    what: What
    number: str

    def __str__(self) -> str:
        return f"{_WORDS[self.what]} {self.number}"


def owed(memory: Memory) -> tuple[Debt, ...]:
    """Everything that the terminal has still to do or to tell the host."""
    found = []
    if memory.pending is not None:
        found.append(Debt(What.APPROVAL if memory.kept else What.REVERSAL, memory.pending.stan))
    if memory.script is not None:
        found.append(Debt(What.SCRIPT_RESULT, memory.script.stan))
    found += [Debt(What.STORED, row.stan) for row in memory.stored_rows]
    if memory.settlement is not None:
        found.append(Debt(What.SETTLEMENT, memory.settlement.batch))
    return tuple(found)


# --- what clears it ---------------------------------------------------------------------------------------------------


def must_sign_on(memory: Memory, wire: Wire) -> bool:
    """Whether the host takes nothing of what is owed before a sign-on."""
    wants_host = any(debt.what is not What.APPROVAL for debt in owed(memory))
    return wants_host and wire.profile.requires_sign_on and not memory.signed_on


def sign_on(memory: Memory, wire: Wire) -> Boot | None:
    """Only where something is owed: a till that is signed off and owes nothing stays as it is."""
    return Boot(SignOn()) if must_sign_on(memory, wire) else None


def send(memory: Memory, wire: Wire) -> Boot | None:
    """What every boot sends (terminal_sim.orders: owed)."""
    return Boot() if any(debt.what is not What.SETTLEMENT for debt in owed(memory)) else None


def settle(memory: Memory, wire: Wire) -> Boot | None:
    """A settlement that has begun, and no other."""
    return Boot(Settle()) if memory.settlement is not None else None


Step = Callable[[Memory, Wire], Boot | None]
STEPS: tuple[Step, ...] = (sign_on, send, sign_on, send, settle)
"""Twice, since a host with new keys refuses the first reversal and asks for a sign-on."""


def next_wait(last: float, first: float, *, clear: bool) -> float:
    """Seconds until the timer looks again: doubled from look to look while something stays owed."""
    return first if clear else min(2 * last, max(first, IDLE_MAX_S))
