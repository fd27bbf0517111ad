"""The host's clock. The only module of the host that reads the machine's time.

It can be set forward, advanced and frozen through the API (virtual days pass in milliseconds), and never goes back:
when the machine's own clock is set back it waits for it. Deadlines are counted on `steady`, which such jumps do not
move.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from threading import Lock
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from host.errors import ConfigError, HostError

monotonic = time.monotonic
"""Seconds that only ever grow, for time-outs of the machine itself; never shown, never stored."""


def zone(name: str) -> tzinfo | None:
    """The time zone of a setting, e.g. "Asia/Shanghai"; "" = that of the machine. Raises: ConfigError."""
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"unknown time zone: {name}") from None


class ClockError(HostError):
    """The clock was asked to go back."""


class Clock:
    """Shape: `now` is aware, in the host's zone, and never smaller than before. Safe to use from any thread.

    start: the time it shows at first (naive = in the host's zone); None = the machine's. running False = frozen.
    cutoff: when the business date turns, in the host's zone; None = at midnight.
    """

    def __init__(
        self,
        timezone: tzinfo | None = None,
        start: datetime | None = None,
        *,
        running: bool = True,
        cutoff: time_of_day | None = None,
    ) -> None:
        self._zone = timezone
        self.cutoff = cutoff or time_of_day.min
        self._lock = Lock()
        self._ahead = timedelta(0)
        self._frozen_at: datetime | None = None
        self._latest = datetime.min.replace(tzinfo=UTC)
        if not running:
            self._frozen_at = _machine() if start is None else self._aware(start)
        elif start is not None:
            self._ahead = self._aware(start) - _machine()
        self._steady = self._read()
        self._runs_since: float | None = monotonic() if running else None

    def now(self) -> datetime:
        """The host's time."""
        with self._lock:
            return self._read()

    def steady(self) -> datetime:
        """A time for deadlines: passes as the machine's monotonic clock does, is set and frozen with this clock, and
        does not notice when the machine's own time is changed. Not for records, and of no meaning after a restart."""
        with self._lock:
            return self._read_steady()

    @property
    def running(self) -> bool:
        """False while it is frozen."""
        return self._frozen_at is None

    @property
    def moved(self) -> bool:
        """Whether somebody has set or stopped it, so that it does not show the machine's time."""
        return bool(self._ahead) or self._frozen_at is not None

    def business_date(self, now: datetime | None = None) -> date:
        """The host's business date: from the cutoff on it is the next day's (rules.md, section 7)."""
        local = (now or self.now()).astimezone(self._zone)
        after = self.cutoff != time_of_day.min and local.time() >= self.cutoff
        return local.date() + timedelta(days=after)

    def end_of(self, day: date) -> datetime:
        """When a business date ends, and the next one begins."""
        last = day if self.cutoff != time_of_day.min else day + timedelta(days=1)
        return self._aware(datetime.combine(last, self.cutoff)).astimezone(self._zone)

    def set(self, when: datetime) -> datetime:
        """Go forward to a time (naive = in the host's zone). Raises: ClockError for a time that is past."""
        target = self._aware(when)
        with self._lock:
            present = self._read()
            if target < present:
                raise ClockError(f"the clock never goes back: it is {present.isoformat(timespec='seconds')}")
            self._shift(target - present)
            return self._read()

    def advance(self, seconds: float) -> datetime:
        """Go forward by a number of seconds. Raises: ClockError for a negative one."""
        if seconds < 0:
            raise ClockError("the clock never goes back: seconds must not be negative")
        with self._lock:
            self._shift(timedelta(seconds=seconds))
            return self._read()

    def freeze(self) -> None:
        """Stand still; `set` and `advance` still move it."""
        with self._lock:
            self._frozen_at = self._read()
            self._steady, self._runs_since = self._read_steady(), None

    def run(self, running: bool = True) -> None:
        """Go on from where it stands; with False, stand still."""
        if not running:
            self.freeze()
            return
        with self._lock:
            if self._frozen_at is not None:
                self._ahead = self._frozen_at - _machine()
                self._frozen_at = None
                self._runs_since = monotonic()

    def _read_steady(self) -> datetime:
        if self._runs_since is None:
            return self._steady
        return self._steady + timedelta(seconds=monotonic() - self._runs_since)

    def _shift(self, by: timedelta) -> None:
        self._steady += by
        if self._frozen_at is not None:
            self._frozen_at += by
        else:
            # From what it shows: where it waits for the machine, the machine's own time is further back.
            self._ahead = self._read() + by - _machine()

    def _read(self) -> datetime:
        reading = self._frozen_at if self._frozen_at is not None else _machine() + self._ahead
        self._latest = max(self._latest, reading)  # the machine's own clock may be set back; ours waits for it
        return self._latest.astimezone(self._zone)

    def _aware(self, when: datetime) -> datetime:
        if when.tzinfo is None:
            when = when.replace(tzinfo=self._zone) if self._zone is not None else when.astimezone()
        return when.astimezone(UTC)


def _machine() -> datetime:
    return datetime.now(UTC)
