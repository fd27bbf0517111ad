"""A plan: the faults of one run, what each has seen of it, and which strikes where. Pure: time is an argument.

Two plans of the same faults that are told the same things say the same things: chance comes from each fault's own seed
and from how often it was asked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from specs.faults.checking import action_at
from specs.faults.errors import FaultError, nearest
from specs.faults.model import ANY_TERMINAL, ISSUER, Facts, Fault, Place, Value
from specs.faults.points import general

NTH = "nth"
STEP = "step:"
_FACTS = frozenset((*Facts.__dataclass_fields__, NTH)) - {"phase"}
_NEVER, _ALWAYS = math.inf, -math.inf
_ISSUER_WIRE = ("wire/H>I", "wire/I>H")
_Match = tuple[tuple[str, Value], ...]
State = tuple[
    dict[str, int],
    dict[str, float],
    tuple[int, ...],
    tuple[int, ...],
    tuple[int, ...],
    tuple[float, ...],
    tuple[float, ...],
]
"""What a plan knows: passings by point, beginnings by step, and for each fault passings, seen, fired, start, end."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which a fault holds, seconds since the world's start. place: the fault's in the plan."""

    place: int
    since: float
    until: float


class Plan:
    """See the module. Raises: FaultError for an unknown point, action or step (its where: "faults[n]").

    steps: the ids of the scenario's steps; None = they are not checked.
    """

    __slots__ = (
        *("_at", "_cuts", "_down", "_end", "_fired", "_match", "_nth", "_outages", "_passed", "_passings", "_seen"),
        *("_start", "_step_at", "_timed", "_wild", "faults"),
    )

    def __init__(self, faults: Sequence[Fault], steps: Collection[str] | None = None) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        self._at: dict[str, tuple[int, ...]] = {}
        self._nth: list[int] = []
        self._match: list[_Match] = []
        self._passed: dict[str, int] = {}
        self._step_at: dict[str, float] = {}
        self._passings, self._seen, self._fired = [0] * count, [0] * count, [0] * count
        self._start, self._end = [_ALWAYS] * count, [_NEVER] * count
        self._down: list[tuple[int, str]] = []
        self._outages: list[int] = []
        self._cuts: list[tuple[int, str]] = []
        self._timed: list[int] = []
        self._wild = False
        for place, fault in enumerate(self.faults):
            self._take(place, fault, steps)

    def _take(self, place: int, fault: Fault, steps: Collection[str] | None) -> None:
        try:
            point, action = action_at(fault.at, fault.action)
        except FaultError as error:
            raise FaultError(f"faults[{place}]", error.key, error.why) from None
        for key in fault.match:
            if key not in _FACTS:
                raise FaultError(f"faults[{place}]", f"match.{key}", f"cannot be matched; {nearest(key, _FACTS)}")
        self._nth.append(point.nth)
        self._match.append(tuple((key, value) for key, value in fault.match.items() if key != NTH))
        if point.place is Place.LINK and action.opens_window:
            self._down.append((place, point.who))
            self._start[place] = 0.0
        else:
            text = point.text
            self._at[text] = (*self._at.get(text, ()), place)
            self._wild |= point.terminal == ANY_TERMINAL or (point.place is Place.WIRE and not point.what)
            if action.opens_window and ISSUER in (point.who, point.to):
                self._outages.append(place)
            elif action.opens_window:
                self._cuts.append((place, point.terminal))
        if fault.since or fault.until:
            self._timed.append(place)
            self._set_times(place, fault, steps)

    def _set_times(self, place: int, fault: Fault, steps: Collection[str] | None) -> None:
        for key, text in (("from", fault.since), ("until", fault.until)):
            name = text.removeprefix(STEP)
            if name != text and steps is not None and name not in steps:
                raise FaultError(f"faults[{place}]", key, f"there is no step {name!r}; {nearest(name, steps)}")
        if fault.since.startswith(STEP):
            self._start[place] = _NEVER
        elif fault.since:
            self._begin(place, _seconds(place, "from", fault.since))
        elif self._start[place] == 0.0:
            self._begin(place, 0.0)
        if fault.until and not fault.until.startswith((STEP, "+")):
            self._end[place] = _seconds(place, "until", fault.until)
        elif fault.until.startswith("+"):
            _seconds(place, "until", fault.until[1:])

    def _begin(self, place: int, now: float) -> None:
        self._start[place] = now
        until = self.faults[place].until
        if until.startswith("+"):
            self._end[place] = now + float(until[1:])

    # ---- the run

    def passed(self, point: str, facts: Facts, now: float) -> tuple[str, Fault | None]:
        """A point (without its number) was passed: its text with the number, and the first fault that strikes there."""
        passings = self._passed
        count = passings[point] = passings.get(point, 0) + 1
        text = f"{point}#{count}"
        if self._wild:
            places: Sequence[int] = self._everywhere(point)
        else:
            places = self._at.get(point, ())
        if places or self._outages:
            return text, self._struck(point, places, facts, now)
        return text, None

    def _everywhere(self, point: str) -> list[int]:
        at = self._at
        return sorted(place for text in general(point) for place in at.get(text, ()))

    def _struck(self, point: str, places: Sequence[int], facts: Facts, now: float) -> Fault | None:
        hit = self._by_outage(point, now)
        for place in places:
            self._passings[place] += 1
            if place == hit or not self._fits(place, facts, now):
                continue
            self._seen[place] += 1
            if (hit < 0 or self._gives_way(hit, place)) and self._strikes(place):
                hit = place
                if not self.faults[place].since and self._start[place] == _ALWAYS:
                    self._begin(place, now)
        if hit < 0:
            return None
        self._fired[hit] += 1
        return self.faults[hit]

    def _gives_way(self, hit: int, place: int) -> bool:
        """What strikes every time, an outage that goes on among it, leaves one passing to a fault that names it."""
        always = not self.faults[hit].times and not self._nth[hit]
        return self._nth[place] > 0 and (always or (hit in self._outages and self._fired[hit] > 0))

    def _by_outage(self, point: str, now: float) -> int:
        """The outage that holds at the issuer's link; -1 = none."""
        if self._outages and point.startswith(_ISSUER_WIRE):
            return next((place for place in self._outages if self._is_out(place, now)), -1)
        return -1

    def _is_out(self, place: int, now: float) -> bool:
        """An outage, or a line cut at a frame, holds from its beginning if it names one, else from where it struck."""
        return bool(self.faults[place].since or self._fired[place]) and self._holds(place, now)

    def _holds(self, place: int, now: float) -> bool:
        return self._start[place] <= now < self._end[place]

    def _fits(self, place: int, facts: Facts, now: float) -> bool:
        fault = self.faults[place]
        if not self._start[place] <= now < self._end[place] or (fault.phase and fault.phase != facts.phase):
            return False
        return all(getattr(facts, key) == value for key, value in self._match[place])

    def _strikes(self, place: int) -> bool:
        fault, nth = self.faults[place], self._nth[place]
        if nth and self._passings[place] != nth:
            return False
        if fault.times and self._fired[place] >= fault.times:
            return False
        wanted = fault.match.get(NTH)
        if wanted is not None and self._seen[place] != wanted:
            return False
        return fault.probability >= 1.0 or chance(fault.seed, self._seen[place]) < fault.probability

    # ---- windows

    def step_began(self, step_id: str, now: float) -> None:
        """A step of the scenario begins; only its first beginning counts. Windows «from» it open, «until» it end."""
        if step_id in self._step_at:
            return
        self._step_at[step_id] = now
        for place in self._timed:
            self._step_met(place, step_id, now)

    def _step_met(self, place: int, step_id: str, now: float) -> None:
        fault = self.faults[place]
        if fault.since == STEP + step_id:
            self._begin(place, now)
        if fault.until == STEP + step_id and self._start[place] <= now:
            self._end[place] = now

    def is_down(self, who: str, now: float) -> bool:
        """Whether the line of this terminal (or "I": the link to the issuer) is down. The faults that make it so count
        as fired from the first time that somebody asked."""
        if who == ISSUER:
            return any(self._is_out(place, now) for place in self._outages)
        found = False
        for place, name in self._down:
            if name in (who, ANY_TERMINAL) and self._holds(place, now):
                found = True
                self._fired[place] = self._fired[place] or 1
        return found or any(name in (who, ANY_TERMINAL) and self._is_out(place, now) for place, name in self._cuts)

    def next_change(self, now: float) -> float | None:
        """The next moment at which a window opens or ends; None = none is known yet."""
        moments = [at for place in self._timed for at in (self._start[place], self._end[place]) if now < at < _NEVER]
        return min(moments, default=None)

    def windows(self, now: float) -> tuple[Window, ...]:
        """The windows that have begun, ended ones too; a line that is down without a given time among them."""
        places = sorted({*self._timed, *(place for place, _ in (*self._down, *self._cuts))})
        return tuple(
            Window(p, self._start[p], self._end[p]) for p in places if _ALWAYS < self._start[p] <= now < _NEVER
        )

    # ---- what it knows

    @property
    def fired(self) -> tuple[int, ...]:
        """How often each fault struck."""
        return tuple(self._fired)

    @property
    def seen(self) -> tuple[int, ...]:
        """How often each fault's point was passed by what it matches."""
        return tuple(self._seen)

    def ahead(self, now: float) -> tuple[object, ...]:
        """What decides the faults to come, and nothing of the past: equal for plans that will do the same."""
        return tuple(self._left(place, now) for place in range(len(self.faults)) if self._may_strike(place, now))

    def _may_strike(self, place: int, now: float) -> bool:
        fault, nth, wanted = self.faults[place], self._nth[place], self.faults[place].match.get(NTH)
        if self._end[place] <= now:
            return False
        opened = self._fired[place] and (place in self._outages or any(place == cut for cut, _ in self._cuts))
        if fault.at.startswith(Place.LINK) or opened:
            return True
        spent = fault.times and self._fired[place] >= fault.times
        late = (nth and self._passings[place] >= nth) or (isinstance(wanted, int) and self._seen[place] >= wanted)
        return not (spent or late)

    def _left(self, place: int, now: float) -> tuple[object, ...]:
        fault, nth, wanted = self.faults[place], self._nth[place], self.faults[place].match.get(NTH)
        return (
            *(fault.at.partition("#")[0], fault.action, tuple(sorted(fault.params.items())), self._match[place]),
            *(fault.phase, fault.times and fault.times - self._fired[place], nth and nth - self._passings[place]),
            wanted - self._seen[place] if isinstance(wanted, int) else 0,
            (fault.probability, fault.seed, self._seen[place]) if fault.probability < 1.0 else (),
            *(max(self._start[place], now), self._end[place], fault.since, fault.until),
        )

    def snapshot(self) -> State:
        """All that it knows, to be given to `restore`; never changed afterwards."""
        return (
            *(self._passed.copy(), self._step_at.copy(), tuple(self._passings), tuple(self._seen), tuple(self._fired)),
            *(tuple(self._start), tuple(self._end)),
        )

    def restore(self, state: State) -> None:
        """Know what a plan knew whose faults are the first ones of this plan; the ones after them have only watched."""
        passed, steps, passings, seen, fired, start, end = state
        known = len(passings)
        assert known <= len(self.faults), "a plan of fewer faults than were run"
        self._passed, self._step_at = passed.copy(), steps.copy()
        self._passings[:known], self._seen[:known], self._fired[:known] = passings, seen, fired
        self._start[:known], self._end[:known] = start, end
        for place in range(known, len(self.faults)):
            text = self.faults[place].at.partition("#")[0]
            self._passings[place] = sum(n for point, n in passed.items() if point == text or text in general(point))
        for step_id, at in steps.items():
            for place in self._timed:
                if place >= known:
                    self._step_met(place, step_id, at)


def chance(seed: int, asked: int) -> float:
    """A number from 0 to below 1 that follows from the seed and from how often it was asked (SplitMix64)."""
    mixed = (seed * 0x9E3779B97F4A7C15 + asked * 0xD1B54A32D192ED03) & _WORD
    mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & _WORD
    mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & _WORD
    return (mixed ^ mixed >> 31) / 2**64


_WORD = 2**64 - 1


def _seconds(place: int, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < _NEVER:
        raise FaultError(f"faults[{place}]", key, f"{text!r} is neither seconds nor step:ID")
    return value
