"""What an exploration leaves behind: counts, findings, the matrix, what was never reached. Values for reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specs.faults import Fault
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.world.record import Run

CLEAN, LATE = "clean", "late"


@dataclass(frozen=True, slots=True)
class Signature:
    """What makes two findings the same one. classes: tags, sorted. invariants: those broken, sorted. kinds: of the
    points of its faults with their actions ("wire/T>H/0200 drop"), sorted."""

    classes: tuple[str, ...]
    invariants: tuple[str, ...]
    kinds: tuple[str, ...]

    def __str__(self) -> str:
        broken = f" [{' '.join(self.invariants)}]" if self.invariants else ""
        return f"{' '.join(self.classes)}{broken}: {' + '.join(self.kinds) or 'no fault'}"


@dataclass(frozen=True)
class Found:
    """One finding: all schedules of one signature, told by the first of them.

    problem: what is wrong with the exploring itself ("not deterministic", "did not fire", "sharing"), "" = a finding
    about the day. schedule: as found; scenario: the smallest file that still shows classes and invariants (its faults
    stand in it), and `text` that file; run: what it does. count: complete schedules with this signature.
    """

    signature: Signature
    schedule: tuple[Fault, ...]
    scenario: Scenario
    count: int = 1
    run: Run | None = None
    text: str = ""
    problem: str = ""
    tries: int = 0
    """Runs that the shrinking took."""
    rough: str = ""
    """Why `scenario` may not be the smallest ("not made smaller: interrupted"), "" = it is."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One field of the matrix. kind: of a point, without its number and with T for the terminal. worst: tags of the
    worst class; counts: complete schedules by their tags, joined by a space; singles: those of this fault alone."""

    kind: str
    action: str
    schedules: int
    worst: tuple[str, ...]
    counts: Mapping[str, int]
    single: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Complete schedules, and what was done for them.

    schedules = singles + doubles + the run without a fault + random ones (swarm). windows: those with an outage window
    (of singles). legs: pieces of a day that were played from a fork; shared: schedules of which at least the end was
    known from an equal state; whole: days played from their beginning; twice: pieces and days played again for
    determinism; verified: shared schedules played whole to see that sharing told the truth; steps: steps played.
    """

    schedules: int = 0
    singles: int = 0
    doubles: int = 0
    random: int = 0
    windows: int = 0
    legs: int = 0
    shared: int = 0
    whole: int = 0
    twice: int = 0
    verified: int = 0
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Planted:
    """A planted bug that was on, and whether the exploration saw it."""

    name: str
    found: bool
    schedules: int = 0


@dataclass(frozen=True)
class Exploration:
    """A whole exploration. seconds: wall time; spent: where the processes' time went, in seconds: world, snapshot,
    hashing, checker, shrinking. expected: schedules by class tags that are no findings. stopped: "" = went to its end,
    "time limit", "interrupted". firsts: first faults that there are, of which counts.singles were played; 0 in the
    random tier, which has no end."""

    scenario: Scenario
    faults_max: int
    counts: Counts
    seconds: float
    jobs: int = 1
    seed: int = 0
    bugs: tuple[str, ...] = ()
    host_bugs: tuple[str, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Found, ...] = ()
    cells: tuple[Cell, ...] = ()
    classes: Mapping[str, int] = field(default_factory=dict)
    """Complete schedules by their tags, joined by a space."""
    points: tuple[str, ...] = ()
    """Kinds of points that were reached."""
    never_reached: tuple[str, ...] = ()
    never_fired: tuple[str, ...] = ()
    """Actions of the vocabulary that never struck."""
    planted: tuple[Planted, ...] = ()
    stopped: str = ""
    firsts: int = 0
    fault_free: Run | None = None

    @property
    def rate(self) -> float:
        """Complete schedules a second, over all processes."""
        return self.counts.schedules / self.seconds if self.seconds else 0.0

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings
