"""What a run leaves behind: its time line, its end, what was found. Values for verdicts, explorer and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from host.checker.books import Finding, HostBooks
from host.checker.purchases import Purchase
from specs.faults import Fault
from specs.journal import TerminalBook
from terminal_sim.lab.scenario.model import Scenario


class Lane(StrEnum):
    """The columns of a time line."""

    OPERATOR = "operator"
    SCREEN = "screen"
    FLASH = "flash"
    WIRE = "wire"
    HOST = "host"
    ISSUER = "issuer"
    MERCHANT = "merchant"


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened. at: seconds since the world's start. step: the place of the step at work in the
    scenario, -1 = none yet or the healing. who: a unit, "H", "I" or "O". point: the fault point passed there, "".
    fault: whether a fault struck here. Nothing in it is clear card data."""

    at: float
    step: int
    lane: Lane
    who: str
    text: str
    point: str = ""
    fault: bool = False


@dataclass(frozen=True, slots=True)
class StepEnd:
    """How a step ended. end: a word of moves.End, "power-cut", "done" for what is no order. attempts: how often the
    purchase was keyed."""

    id: str
    end: str
    code: str = ""
    text: str = ""
    at: float = 0.0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class PointSeen:
    """A point that the run passed. point: as faults name it, with its number. step: as in Happened."""

    point: str
    step: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A batch that the host has closed. amount: the net of what stands, minor units; count: those items."""

    tid: str
    batch: str
    count: int
    amount: int
    state: str
    business_date: str


@dataclass(frozen=True)
class Run:
    """A whole run. faults, fired: the schedule and how often each struck. state: of the books at the end.

    classes: the tags of the catalogue, sorted, ("clean",) when nothing is wrong. mismatches: what is not as the file
    expects, one sentence each. trace_hash: of every event and byte in order. messages: frames on the wire.
    """

    scenario: Scenario
    variant: str
    faults: tuple[Fault, ...]
    fired: tuple[int, ...]
    steps: tuple[StepEnd, ...]
    trace: tuple[Happened, ...]
    points: tuple[PointSeen, ...]
    trace_hash: str
    findings: tuple[Finding, ...]
    purchases: tuple[Purchase, ...]
    classes: tuple[str, ...]
    settled: tuple[Settled, ...]
    exceptions: tuple[str, ...]
    messages: int
    books: HostBooks
    terminals: Mapping[str, TerminalBook]
    mismatches: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nobody lost anything and no invariant broke."""
        return self.classes == ("clean",) and not self.findings

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """Faults that never struck: the schedule did not do what it says."""
        return tuple(fault for fault, times in zip(self.faults, self.fired, strict=True) if not times)
