"""The moment as messages write it: no offset, and no year but for the chip. Pure: the time is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

_NOBODY_KNOWS = "2000-01-01T00:00:00+00:00"
"""For a machine that was told no time: a fixed moment, so that a run can be repeated."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Shape: MMDDhhmmss. local: where the terminal stands (DE 13 and 12). transmitted: the same in UTC (DE 7).
    day: YYMMDD, where it stands; only the chip is told the year (9A)."""

    local: str
    transmitted: str
    day: str = "000101"


def moment(now: str) -> Moment:
    """now: RFC 3339 with an offset; "" = not told. Raises: ValueError for another form."""
    at = datetime.fromisoformat(now or _NOBODY_KNOWS)
    return Moment(f"{at:%m%d%H%M%S}", f"{at.astimezone(UTC):%m%d%H%M%S}", f"{at:%y%m%d}")
