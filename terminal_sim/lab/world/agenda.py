"""What is going to happen and when: errands as plain values, so that a copy of the agenda is a copy of the future."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ToHost:
    """Bytes reach the host's end of a line."""

    unit: str
    line: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToTill:
    """Bytes reach a terminal. late: they were held up, and find the terminal's present line if their own is gone, as
    behind a concentrator that knows terminals by their TPDU."""

    unit: str
    line: int
    data: bytes = field(repr=False)
    late: bool = False


@dataclass(frozen=True, slots=True)
class HostLineEnds:
    """The host learns that a line has ended. broken: by a reset."""

    line: int
    broken: bool = False


@dataclass(frozen=True, slots=True)
class TillLineEnds:
    """A terminal learns that its line has ended."""

    unit: str
    line: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """A terminal has waited long enough. token: of the request; another one by then, and nothing happens."""

    unit: str
    token: int


@dataclass(frozen=True, slots=True)
class Idle:
    """A terminal at rest looks at what it owes (RT3). token: as in Deadline."""

    unit: str
    token: int
    wait: float


@dataclass(frozen=True, slots=True)
class PowerOn:
    """Somebody switches a terminal on again."""

    unit: str


@dataclass(frozen=True, slots=True)
class Again:
    """An operator goes on with what is being done. token: of the task."""

    unit: str
    token: int


@dataclass(frozen=True, slots=True)
class Loose:
    """A frame that waited for company leaves alone."""

    unit: str
    direction: str
    token: int


@dataclass(frozen=True, slots=True)
class HostUp:
    """The host starts again."""


@dataclass(frozen=True, slots=True)
class HostTick:
    """The host looks at its deadlines."""


@dataclass(frozen=True, slots=True)
class FrameOverdue:
    """The host looks whether a frame that began on this line has come whole (rules.md section 10)."""

    line: int


@dataclass(frozen=True, slots=True)
class AutoSettle:
    """A terminal settles by its own clock."""

    unit: str


Errand = (
    ToHost
    | ToTill
    | HostLineEnds
    | TillLineEnds
    | Deadline
    | Idle
    | PowerOn
    | Again
    | Loose
    | HostUp
    | HostTick
    | FrameOverdue
    | AutoSettle
)


class Agenda:
    """Errands in order of time, those of one moment in the order in which they were put. Times in seconds."""

    def __init__(self, errands: tuple[tuple[float, int, Errand], ...] = (), count: int = 0) -> None:
        self._heap = list(errands)
        self._count = count

    def put(self, at: float, errand: Errand) -> None:
        """Have it happen then."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, errand))

    def pop(self) -> tuple[float, Errand]:
        """The next one and its time."""
        at, _, errand = heapq.heappop(self._heap)
        return at, errand

    @property
    def next_at(self) -> float | None:
        """When the next one is due; None = nothing is."""
        return self._heap[0][0] if self._heap else None

    def drop(self, dead: object) -> None:
        """Take out every errand that `dead(errand)` says is void."""
        assert callable(dead)
        self._heap = [entry for entry in self._heap if not dead(entry[2])]
        heapq.heapify(self._heap)

    def listed(self) -> tuple[tuple[float, int, Errand], ...]:
        """All of it, in order."""
        return tuple(sorted(self._heap, key=lambda entry: entry[:2]))

    @property
    def count(self) -> int:
        """How many were ever put."""
        return self._count
