"""The words of a fault: where (a point), what (an action), to whom (a match), how often.

Source: failure-catalogue.md, section 4. The same words serve the world, the line of a real terminal and the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from specs.dialect import Dialect
from specs.message import Message

Value = str | int | float | bool
HOST, ISSUER, ANY_TERMINAL = "H", "I", "T"


class Place(StrEnum):
    """The kinds of points.

    wire/A>B/MTI     a frame on its way; A and B are a TID (T = any), H or I
    conn/TID         a connection being made
    link/TID         the line as a whole, over a time
    crash/W/STEP.when  W a TID or H; when before|after
    store/W/FILE     a write: W a TID and a flash step, or H and commit | issuer-commit
    op/TID/MOMENT    the operator: after-unknown, query, after-declined, end-of-day
    clock/W          a clock: W a TID or H
    cal/H            the host's calendar
    """

    WIRE = "wire"
    CONN = "conn"
    LINK = "link"
    CRASH = "crash"
    STORE = "store"
    OPERATOR = "op"
    CLOCK = "clock"
    CALENDAR = "cal"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a rule may be matched on at a point. "" or -1 = the point has none of it. phase: before-commit or
    after-commit at the host. step: the id of the scenario's step at work."""

    tid: str = ""
    mti: str = ""
    kind: str = ""
    stan: str = ""
    amount: int = -1
    phase: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. at: a point, with «#n» the n-th time that it is passed (without: any, `times` bounds it). match:
    values of Facts by name. params: of the action. since, until: for windows, seconds since the world's start, or
    "step:ID", "+seconds" after the beginning (until only); "" = none. times 0 = without end. line: in its file."""

    at: str
    action: str
    params: Mapping[str, Value] = field(default_factory=dict)
    match: Mapping[str, Value] = field(default_factory=dict)
    phase: str = ""
    times: int = 1
    probability: float = 1.0
    seed: int = 0
    since: str = ""
    until: str = ""
    line: int = 0


# ---- what a message action does to a frame


@dataclass(frozen=True, slots=True)
class Put:
    """Bytes arrive at the other end, so many seconds later than they would have, in one read."""

    data: bytes = field(repr=False)
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class End:
    """The connection ends for both: how = "reset" | "fin" | "half-open" (silence for good in both directions)."""

    how: str
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Behind:
    """The frame waits until `frames` more have passed on the same terminal's wire, whatever their direction and
    connection, then arrives where it was going; at the latest when the world heals."""

    data: bytes = field(repr=False)
    frames: int = 1


@dataclass(frozen=True, slots=True)
class With:
    """The frame waits for the next one in its direction and leaves in one read with it; alone after `most_s`."""

    data: bytes = field(repr=False)
    most_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Across:
    """The frame arrives on the open connection of another terminal; nowhere when that has none."""

    data: bytes = field(repr=False)
    tid: str


Effect = Put | End | Behind | With | Across


@dataclass(frozen=True, slots=True)
class Passage:
    """A frame at a point. frame: with its length header. message: as read, None when it cannot be. reseal: writes a
    changed message as a frame with a right MAC; None where nobody here knows the key (it then goes out without a
    right one)."""

    frame: bytes = field(repr=False)
    dialect: Dialect
    message: Message | None = None
    reseal: Callable[[Message], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an action. kind: a key of specs.faults.checking.KINDS. default None: it must be given."""

    name: str
    kind: str
    default: Value | None = None
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One action: its name, where it fits, its parameters; for a frame, what it does to it.

    places: kinds of points. ends: at wire points, which directions ("T>H", "H>T", "H>I", "I>H"). steps: at crash,
    store and operator points, which steps ((), any). on_frame None: whoever owns the point does it (a crash, an
    operator). opens_window: it holds from its first strike until `Fault.until`. alone: parameters of which only one
    may be given.
    """

    name: str
    places: tuple[Place, ...]
    meaning: str
    params: tuple[Param, ...] = ()
    ends: tuple[str, ...] = ("T>H", "H>T")
    on_frame: Callable[[Passage, Mapping[str, Value]], list[Effect]] | None = None
    steps: tuple[str, ...] = ()
    opens_window: bool = False
    alone: tuple[str, ...] = ()
