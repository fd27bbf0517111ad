"""Moments and durations as a scenario writes them. Inside, a moment is seconds since the world's start.

moment    "09:05"  "day2 09:00"  "2026-03-03T09:00"  "+10m"  or a number of seconds
duration  "45s"  "10m"  "2h"  "3d"  or a number of seconds
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

DAY_S = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": DAY_S}
DURATION = r"[0-9]{1,12}(?:\.[0-9]{1,6})?[smhd]?"
TIME_OF_DAY = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
MOMENT = rf"\+(?:{DURATION})|{TIME_OF_DAY}|day[1-9][0-9]{{0,3}} {TIME_OF_DAY}|{DATE}T{TIME_OF_DAY}"
_FORMS = "«09:05», «day2 09:00», «2026-03-03T09:00», «+10m» or seconds as a number"


def duration(text: str) -> float:
    """Seconds. Raises: ValueError that says what is wanted."""
    if not re.fullmatch(DURATION, text):
        raise ValueError(f"{text!r} is no duration: write «45s», «10m», «2h», «3d»")
    unit = text[-1] if text[-1] in _UNITS else ""
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1)


def start_of(text: str) -> datetime:
    """The world's start. Raises: ValueError."""
    if not re.fullmatch(rf"{DATE}T{TIME_OF_DAY}", text):
        raise ValueError(f"{text!r} is no moment: write «2026-03-02T09:00»")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r}: there is no such day") from None


def moment(value: str | float, start: datetime, before: float | None = 0.0) -> float:
    """Seconds since the start. before: when the step before this began, None when that is not known: «+10m» counts from
    there, and «09:05» is a time of its day (of the first day when it is not known). Raises: ValueError."""
    if not isinstance(value, str):
        return float(value)
    if not re.fullmatch(MOMENT, value):
        raise ValueError(f"{value!r} is no time: write {_FORMS}")
    if value.startswith("+"):
        if before is None:
            raise ValueError(f"{value!r} counts from the step before, which has no time of its own")
        return before + duration(value[1:])
    if "T" in value:
        return (start_of(value) - start).total_seconds()
    day, _, clock = value.rpartition(" ")
    standing = start + timedelta(seconds=before or 0.0)
    when: date = start.date() + timedelta(days=int(day[3:]) - 1) if day else standing.date()
    return (datetime.combine(when, time.fromisoformat(clock)) - start).total_seconds()


def number(seconds: float) -> str:
    """As text, without a fraction that says nothing."""
    return str(int(seconds)) if float(seconds).is_integer() else repr(float(seconds))


def written(at: float, start: datetime) -> str | float:
    """A moment for a file: "day1 09:05" where it falls on a whole second, else seconds; `moment` reads it back."""
    if at < 0 or not float(at).is_integer():
        return at
    then = start + timedelta(seconds=at)
    if then.microsecond:
        return at
    days = (then.date() - start.date()).days + 1
    return f"day{days} {then:%H:%M:%S}" if then.second else f"day{days} {then:%H:%M}"
