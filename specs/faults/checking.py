"""What makes a fault one that can be: an action that exists and fits at its point, with the parameters it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from specs.faults.actions import ACTIONS
from specs.faults.errors import FaultError, nearest
from specs.faults.model import Action, Effect, Fault, Param, Passage, Place, Put, Value
from specs.faults.points import Point, parse_point

SECONDS_MAX = 366 * 86_400.0
COUNT_MAX = 1_000_000
DAYS_MAX = 366
BYTE_MAX = 8191
FIELD_MAX = 128
RATE_MAX = 1_000_000.0
TEXT_MAX = 400
SIZES_MAX = 32
"""Pieces that one frame is split into."""
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(s|m|h|d)?")
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@lru_cache(maxsize=65_536)
def action_at(at: str, name: str) -> tuple[Point, Action]:
    """The point and the action of a fault. Raises: FaultError for one that is unknown, or an action that does not fit.

    Its key is "at" or "action".
    """
    point = parse_point(at)
    if name not in ACTIONS:
        raise FaultError("", "action", f"{name!r} is no action; {nearest(name, ACTIONS)}")
    action = ACTIONS[name]
    if not fits(point, action):
        there = ", ".join(other.name for other in ACTIONS.values() if fits(point, other))
        raise FaultError("", "action", f"{name} cannot happen at {point.text}; what can: {there}")
    return point, action


def fits(point: Point, action: Action) -> bool:
    """Whether an action makes sense at a point."""
    if point.place not in action.places:
        return False
    if point.place is Place.WIRE:
        return point.direction in action.ends
    return not action.steps or point.what in action.steps


def checked_params(action: Action, given: Mapping[str, object]) -> dict[str, Value]:
    """The parameters that were given, each as its kind wants it. Raises: FaultError naming the one that is wrong."""
    params = {param.name: param for param in action.params}
    for key in given:
        if key not in params:
            raise FaultError("", key, f"{action.name} knows no {key!r}; {_params_of(action)}")
    for param in action.params:
        if param.default is None and param.name not in given:
            raise FaultError("", param.name, f"{action.name} needs it: {param.meaning}")
    if len(set(action.alone) & given.keys()) > 1:
        raise FaultError("", action.alone[-1], f"only one of {' and '.join(action.alone)} can be given")
    return {key: checked_value(params[key], value) for key, value in given.items()}


def checked_value(param: Param, value: object) -> Value:
    """Raises: FaultError whose key is the parameter."""
    made = KINDS[param.kind][1](value)
    if made is None:
        raise FaultError("", param.name, f"expected {KINDS[param.kind][0]}")
    return made


def params_of(fault: Fault) -> Mapping[str, Value]:
    """The parameters of a fault, with the defaults of those that it does not say."""
    return {p.name: p.default for p in ACTIONS[fault.action].params if p.default is not None} | dict(fault.params)


def effects(fault: Fault, passage: Passage) -> list[Effect]:
    """What a fault does to a frame. An action of people or of a machine lets it through: it is done by its owner."""
    on_frame = ACTIONS[fault.action].on_frame
    return [Put(passage.frame)] if on_frame is None else on_frame(passage, params_of(fault))


def seconds_of(value: object) -> float | None:
    """Seconds from a number, or from text as "90", "90s", "10m", "2h", "1d"; None = it is none of these."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        value = float(found[1]) * _UNITS[found[2]] if found else -1.0
    return float(value) if 0 <= value <= SECONDS_MAX else None


def _shift(value: object) -> float | None:
    if isinstance(value, str) and value.startswith(("-", "+")):
        size = seconds_of(value[1:])
        return None if size is None else (-size if value[0] == "-" else size)
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        size = seconds_of(-value)
        return None if size is None else -size
    return seconds_of(value)


def _whole(low: int, high: int) -> Callable[[object], int | None]:
    def check(value: object) -> int | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return value if good and isinstance(value, int) else None

    return check


def _rate(value: object) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= RATE_MAX
    return float(value) if good and isinstance(value, int | float) else None


def _matching(pattern: str) -> Callable[[object], str | None]:
    compiled = re.compile(pattern)

    def check(value: object) -> str | None:
        return value if isinstance(value, str) and compiled.fullmatch(value) else None

    return check


def _params_of(action: Action) -> str:
    return f"it has {', '.join(param.name for param in action.params)}" if action.params else "it has no parameter"


KINDS: Mapping[str, tuple[str, Callable[[object], Value | None]]] = {
    "seconds": ("seconds, or text as 45s, 10m, 2h, 1d", seconds_of),
    "shift": ("seconds, below zero too, or text as -10m", _shift),
    "count": (f"a whole number from 0 to {COUNT_MAX}", _whole(0, COUNT_MAX)),
    "signed": (f"a whole number from -{COUNT_MAX} to {COUNT_MAX}", _whole(-COUNT_MAX, COUNT_MAX)),
    "days": (f"a whole number from 1 to {DAYS_MAX}", _whole(1, DAYS_MAX)),
    "byte": (f"a whole number from 0 to {BYTE_MAX}", _whole(0, BYTE_MAX)),
    "field": (f"the number of a data element, 2 to {FIELD_MAX}", _whole(2, FIELD_MAX)),
    "rate": ("bytes a second, above 0", _rate),
    "sizes": (
        f"whole numbers from 1 on with commas, at most {SIZES_MAX}",
        _matching(r"[1-9]\d{0,3}(,[1-9]\d{0,3}){0,31}"),
    ),
    "code": ("a response code, two letters or digits", _matching(r"[0-9A-Za-z]{2}")),
    "tid": ("a terminal's name", _matching(r"[A-Za-z0-9_.-]{1,32}")),
    "text": (f"text of at most {TEXT_MAX} characters", _matching(rf"(?s).{{1,{TEXT_MAX}}}")),
}
"""Kind of parameter -> (what it is, value as given -> as kept; None = it is wrong)."""
