"""What the people have in mind: what each is doing, and the purchases as they know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.checker.purchases import Attempt
from terminal_sim.lab.world.record import StepEnd
from terminal_sim.moves import Result


@dataclass(slots=True)
class Task:
    """What somebody is doing. phase: which order is at work or awaited: "main", "mend" (a sign-on or settlement before
    another try), "instead" (another order in its place; the step's own when the terminal refuses it), "boot", "pause",
    "look". handed: whether goods were given for it. stan: of the last attempt."""

    unit: str
    step: int
    token: int
    phase: str = "main"
    tries: int = 0
    looks: int = 0
    mended: int = 0
    handed: bool = False
    stan: str = ""
    batch: str = ""
    printed: int = 0
    last: Result | None = None
    cut: bool = False
    before: frozenset[str] = frozenset()
    """STANs of the journal when the order was given."""
    began: frozenset[str] | None = None
    """The same, when it was given for the first time."""


@dataclass(slots=True)
class Wanted:
    """A purchase as the people know it. amount: signed minor units, what it is worth by now."""

    name: str
    amount: int = 0
    delivered: int = 0
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PeopleShot:
    """They at rest."""

    wanted: Mapping[str, tuple[int, int, tuple[Attempt, ...]]]
    stans: Mapping[str, str]
    ends: tuple[StepEnd, ...]
    token: int
    recovering: Mapping[str, tuple[int, float]]
    idle: Mapping[str, int]
    forgetful: Mapping[str, float]
