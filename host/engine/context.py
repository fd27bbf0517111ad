"""What a decision may know besides the books: the time, the settings, and the sources of ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property

from specs.profile import Profile


@dataclass(frozen=True, slots=True)
class Settings:
    """Host switches that are not a dialect's (rules.md, sections 4, 8, 9, 10). Units are in the names."""

    provisioning: str = "auto"  # "auto" | "strict"
    terminal_reset: str = "epoch"  # section 4: "epoch" | "keep"
    host_only: str = "fund-and-flag"  # section 9: "fund-and-flag" | "suspense"
    issuer_timeout_s: int = 20
    amount_max: int = 999_999_999_999
    currency: str = "156"
    acquirer_code: str = "48020000"
    issuer_code: str = "01020000"
    magic: bool = True
    cutoff_grace_s: int = 900  # section 7: a dispute that moves is left alone this long after its last 0500 or 0320
    cutoff_grace_max_s: int = 3600  # and at most this long after the cutoff
    stale_days: int = 3  # an alarm at each cutoff for what nobody has settled for so many days; 0 = none (FC 42)
    unknown_cards: str = "accept"  # "accept": an ordinary credit card without a limit | "refuse": 14
    test_tmk: str = "0123456789ABCDEFFEDCBA9876543210"
    """The documented test master key of auto-provisioned terminals (security.md, worked example)."""


@dataclass(slots=True)
class Ids:
    """The next id per table, and seeded sources for what must look unpredictable but replay. Not pure by itself: the
    caller hands the same object in the same state to get the same run."""

    next_by_table: dict[str, int] = field(default_factory=dict)
    seed: int = 0

    def new(self, table: str) -> int:
        """The next id of a table, from 1."""
        value = self.next_by_table.get(table, 0) + 1
        self.next_by_table[table] = value
        return value

    def peek(self, table: str) -> int:
        """The id given last, 0 before the first; takes none."""
        return self.next_by_table.get(table, 0)


@dataclass(frozen=True)
class Context:
    """The surroundings of one group's decisions. now is timezone-aware; business_date is the host's.

    The texts of the time are made once a group: each decision writes them a dozen times.
    """

    now: datetime
    business_date: date
    settings: Settings
    ids: Ids
    new_key: Callable[[int], bytes]
    """Seeded source of key bytes: new_key(16) gives 16 bytes of odd parity."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """Of the dialects that this host listens to, by name: what an issuer's answer needs to know of a stored txn. A
    built-in dialect that is missing here is looked up by its name."""

    @cached_property
    def stamp(self) -> str:
        """The time as rows store it: ISO 8601 with milliseconds and offset."""
        return self.now.isoformat(timespec="milliseconds")

    @cached_property
    def host_time(self) -> str:
        """The host's local time as answers carry it: MMDDhhmmss."""
        return self.now.strftime("%m%d%H%M%S")

    @cached_property
    def julian(self) -> str:
        """YDDD: last digit of the year, day of the year."""
        return self.now.strftime("%Y")[-1] + self.now.strftime("%j")

    @cached_property
    def month(self) -> str:
        """YYMM, as a card has its expiry."""
        return self.now.strftime("%y%m")

    @cached_property
    def issuer_deadline(self) -> str:
        """When what is asked or owed now is overdue, ISO 8601."""
        return (self.now + timedelta(seconds=self.settings.issuer_timeout_s)).isoformat()

    @cached_property
    def business_day(self) -> str:
        """The business date as rows store it: YYYY-MM-DD."""
        return self.business_date.isoformat()
