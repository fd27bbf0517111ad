"""The time line as rows: what stands in which lane, how long a wait is drawn, where somebody is switched off. Pure.

Time goes down the page. A moment without anything takes no room: each row stands below the one before it by a gap that
grows with the logarithm of the wait, and a wait that people would notice is written into it («+30 s»).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from specs.faults.errors import FaultError
from specs.faults.model import ANY_TERMINAL, HOST, ISSUER
from specs.faults.points import general
from terminal_sim.lab.report.shape import EventShape, FaultShape
from terminal_sim.lab.report.words import LATE, span

GAP_MAX_PX = 34
"""However long the wait is."""
LABEL_FROM_S = 1.0
"""A wait from here on is written out, and has at least the room for that."""
LABEL_PX = 18
HEALING = -1

COLUMNS: tuple[str, ...] = ("operator", "screen", "flash", "wire", "host", "link", "issuer", "merchant")
"""The lanes from left to right. `link` is the wire between host and issuer and has no lane of its own in a trace."""


class Sort(StrEnum):
    """What a row draws."""

    NOTE = "note"
    FRAME = "frame"
    BREAK = "break"


@dataclass(frozen=True, slots=True)
class Spot:
    """One event, placed. column: of COLUMNS. index: its place in the trace. wait_s: since the row before it. fault: its
    number in the schedule from 1, 0 = none that is known. action: of that fault. rightward: a frame's direction.
    off, off_before: columns that are switched off while it happens, and in the wait before it."""

    index: int
    at: float
    step: int
    sort: Sort
    column: str
    who: str
    text: str
    point: str
    wait_s: float = 0.0
    struck: bool = False
    fault: int = 0
    action: str = ""
    rightward: bool = True
    lost: bool = False
    late: bool = False
    off: tuple[str, ...] = ()
    off_before: tuple[str, ...] = ()

    @property
    def gap_px(self) -> int:
        """The room above it."""
        return gap_px(self.wait_s)

    @property
    def gap_label(self) -> str:
        """What is written into that room, "" = nothing."""
        return gap_label(self.wait_s)


@dataclass(frozen=True, slots=True)
class Chapter:
    """The rows of one step, in their order; a row has one event, or several of one moment that read from left to right.

    step: its place in the scenario, -1 = before the first or the healing.
    """

    step: int
    rows: tuple[tuple[Spot, ...], ...]

    @property
    def first(self) -> Spot:
        """What it begins with."""
        return self.rows[0][0]

    @property
    def count(self) -> int:
        """Its events."""
        return sum(map(len, self.rows))

    @property
    def eventful(self) -> bool:
        """Whether a fault struck in it."""
        return any(spot.struck for row in self.rows for spot in row)


def gap_px(wait_s: float) -> int:
    """The height of a wait: 0 for none, growing with its logarithm, never above GAP_MAX_PX."""
    if wait_s <= 0:
        return 0
    least = LABEL_PX if wait_s >= LABEL_FROM_S else 0
    return min(GAP_MAX_PX, max(least, round(2 * math.log2(1 + wait_s))))


def gap_label(wait_s: float) -> str:
    """A wait in words, "" for one too short to tell."""
    return f"+{span(wait_s)}" if wait_s >= LABEL_FROM_S else ""


def chapters(trace: Sequence[EventShape], faults: Sequence[FaultShape]) -> list[Chapter]:
    """All events as rows, cut where another step begins. The order of the trace is kept: it is the order of cause."""
    found: list[list[list[Spot]]] = []
    for spot in _with_windows(_with_power(_once(_placed(trace, faults))), faults):
        if not found or found[-1][0][0].step != spot.step:
            found.append([[spot]])
        elif _beside(found[-1][-1], spot):
            found[-1][-1].append(spot)
        else:
            found[-1].append([spot])
    return [Chapter(rows[0][0].step, tuple(map(tuple, rows))) for rows in found]


def _beside(row: Sequence[Spot], spot: Spot) -> bool:
    """Whether an event may stand to the right of those before it: plain words of the same moment and state."""
    last = row[-1]
    plain = all(one.sort is Sort.NOTE and not one.struck for one in (last, spot))
    return plain and not spot.wait_s and last.off == spot.off and _place(last) < _place(spot)


def _place(spot: Spot) -> int:
    return COLUMNS.index(spot.column) if spot.column in COLUMNS else -1


# ---- one event


def _placed(trace: Sequence[EventShape], faults: Sequence[FaultShape]) -> list[Spot]:
    spots = []
    for index, event in enumerate(trace):
        wait = event["at"] - trace[index - 1]["at"] if index else 0.0
        spots.append(_spot(index, event, faults, max(0.0, wait)))
    return spots


def _once(spots: list[Spot]) -> list[Spot]:
    """A power cut is told where it strikes and again as its effect («power off»): the second is left out."""
    found: list[Spot] = []
    for spot in spots:
        last = found[-1] if found else None
        again = last is not None and last.sort is spot.sort is Sort.BREAK and last.who == spot.who
        if not again or spot.wait_s >= LABEL_FROM_S:
            found.append(spot)
    return found


def _spot(index: int, event: EventShape, faults: Sequence[FaultShape], wait_s: float) -> Spot:
    point, who = event["point"], event["who"]
    spot = Spot(index, event["at"], event["step"], Sort.NOTE, event["lane"], who, event["text"], point, wait_s)
    if event["fault"]:
        number = fault_at(point, faults) if point else fault_named(event["text"], faults)
        spot = replace(spot, struck=True, fault=number, action=faults[number - 1]["action"] if number else "")
    if ends := ends_of(point) or _ends_by_mti(event):
        return _frame(_bare(spot), *ends, lost=event["fault"] and (_LOST in spot.text or _loses(spot, faults)))
    if event["fault"] and (event["text"] in _GONE or point.startswith("crash/")) and spot.action in ("", "stop"):
        return replace(spot, sort=Sort.BREAK, column="host" if who == HOST else "screen")
    return spot


_GONE = ("power off", "the host process is gone")
"""How a trace tells that somebody is switched off now."""
_LOST = " lost"
_ADDED = re.compile(r"\s*(?:✗ )?(?P<action>[a-z-]+)$")


def _bare(spot: Spot) -> Spot:
    """The words of a frame without the name of the fault at their end: the page marks it in its own way."""
    found = _ADDED.search(spot.text)
    named = spot.struck and found is not None and found["action"] in (spot.action, _LOST.strip())
    return replace(spot, text=spot.text[: found.start()]) if named and found else spot


def _frame(spot: Spot, sender: str, receiver: str, *, lost: bool) -> Spot:
    inner = ISSUER in (sender, receiver)
    return replace(
        spot,
        sort=Sort.FRAME,
        column="link" if inner else "wire",
        rightward=sender == HOST if inner else receiver == HOST,
        lost=lost,
        late=spot.struck and spot.action in LATE,
    )


def _loses(spot: Spot, faults: Sequence[FaultShape]) -> bool:
    return bool(spot.fault) and faults[spot.fault - 1]["lost"]


_WIRE = re.compile(r"wire/(?P<sender>[^>/]+)>(?P<receiver>[^/]+)/")
_LEADING_MTI = re.compile(r"\d{4}\b")


def ends_of(point: str) -> tuple[str, str] | None:
    """Who sends and who gets the frame of a point, None when it is no frame: "wire/T1>H/0200#1" -> T1, H."""
    found = _WIRE.match(point)
    return (found["sender"], found["receiver"]) if found else None


def _ends_by_mti(event: EventShape) -> tuple[str, str] | None:
    """A frame without a point says by its MTI where it goes: an odd third digit is an answer."""
    found = _LEADING_MTI.match(event["text"])
    if event["lane"] not in ("wire", "issuer") or found is None:
        return None
    left, right = (ANY_TERMINAL, HOST) if event["lane"] == "wire" else (HOST, ISSUER)
    return (left, right) if int(found[0][2]) % 2 == 0 else (right, left)


def fault_at(point: str, faults: Sequence[FaultShape]) -> int:
    """The number (from 1) of the fault that strikes at a point, 0 when none is known to. The most exact name wins."""
    best, found = 0, 0
    for number, fault in enumerate(faults, start=1):
        if fault["fired"] and (rank := _fits(fault["at"], point)) > best:
            best, found = rank, number
    return found


def fault_named(text: str, faults: Sequence[FaultShape]) -> int:
    """The number of the fault whose action a text without a point names, 0 when none does."""
    said = {_SAID.get(word, word) for word in re.findall(r"[A-Za-z-]+", text)}
    return next(
        (number for number, fault in enumerate(faults, start=1) if fault["fired"] and fault["action"] in said), 0
    )


_SAID = {"room": "disk-full", "torn": "torn-write", "LOST": "lost-write", "paper": "paper-out"}
"""The word by which a trace speaks of an action."""


def _fits(at: str, point: str) -> int:
    """How exactly a fault's place names a point: 0 not at all, 1 its whole line, 2 by kind, 3 by its number."""
    body, _, number = at.partition("#")
    passed, _, count = point.partition("#")
    if body.startswith("link/") and passed.startswith(("wire/", "conn/")):
        units = passed.split("/")[1].split(">")
        return int(body.removeprefix("link/") in (ANY_TERMINAL, *units))
    if number not in ("", count) or body not in _names(passed):
        return 0
    return 3 if number else 2


def _names(point: str) -> tuple[str, ...]:
    """What a fault may call a point; of one that this version does not know, its own text alone."""
    try:
        return general(point)
    except FaultError:
        return (point,)


# ---- who is switched off


def _with_power(spots: list[Spot]) -> list[Spot]:
    """Marks the lanes of a party from its crash until it is heard of again."""
    off: dict[str, tuple[str, ...]] = {}
    found = []
    for spot in spots:
        before = tuple(column for columns in off.values() for column in columns)
        if spot.sort is not Sort.BREAK and spot.column in _LANES_OF.get(_kind(spot.who), ()):
            off.pop(spot.who, None)
        now = tuple(column for columns in off.values() for column in columns)
        found.append(replace(spot, off=now, off_before=before))
        if spot.sort is Sort.BREAK:
            off[spot.who] = _LANES_OF[_kind(spot.who)]
    return found


def _with_windows(spots: list[Spot], faults: Sequence[FaultShape]) -> list[Spot]:
    """Marks the wire as switched off while a line is down."""
    windows = [(fault["since"], fault["until"]) for fault in faults if fault["action"] == "down" and fault["fired"]]
    if not windows:
        return spots

    def down(at: float) -> bool:
        return any(since <= at < until for since, until in windows)

    found, was = [], False
    for spot in spots:
        now = down(spot.at)
        wire = ("wire",)
        found.append(replace(spot, off=spot.off + wire * now, off_before=spot.off_before + wire * (was and now)))
        was = now
    return found


_LANES_OF = {"unit": ("screen", "flash"), HOST: ("host",)}


def _kind(who: str) -> str:
    return who if who in (HOST, ISSUER, "O") else "unit"
