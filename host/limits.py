"""What the host bounds at its edge, each limit with a name and a unit, and how often each was hit.

The table with what happens at each limit is docs/network.md. The values come from `[limits]` of closeout.toml.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import structlog

from host import clock

log = structlog.get_logger("host.limits")

DAYS_MAX = 36_500
"""Of the message log's age: a century; more leads before the first day that a clock can say."""
LOG_EVERY_S = 10.0
"""A limit that is hit ten thousand times writes one line in this time, with the count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Shape: one field a limit, its unit last in the name or in its text here. Source: rules.md, section 10.

    frame_bytes: the largest frame, without its length header; never above what the dialect allows.
    frame_s: from the first to the last byte of a frame; also how long a terminal may leave its answers unread.
    idle_s: a line that says nothing; 0 = never closed.
    handshake_s: from the connection to the end of the TLS handshake.
    closing_s: from the decision to close a line until it is cut, answers or not; above the issuer timeout.
    connections, connections_per_address: open lines; per address 0 = no limit of its own.
    in_flight_per_connection: requests of one line that wait for their answer; further ones are not read yet.
    write_buffer_bytes: answers of one line that its terminal does not read.
    queue: requests that wait for the writer.
    wire_log_rows, wire_log_days: size and age of the message log; 0 = unbounded.
    """

    frame_bytes: int = 8192
    frame_s: float = 60
    idle_s: float = 300
    handshake_s: float = 10
    closing_s: float = 30
    connections: int = 15_000
    connections_per_address: int = 0
    in_flight_per_connection: int = 256
    write_buffer_bytes: int = 262_144
    queue: int = 20_000
    wire_log_rows: int = 1_000_000
    wire_log_days: int = 30


DESCRIPTORS = "descriptors"
"""Not set by anybody but the machine: the process has no file descriptor left."""
NAMES = (*(f.name for f in fields(Limits)), DESCRIPTORS)


@dataclass(slots=True)
class LogRate:
    """At most one log line in `every_s` for each name, which then tells how many there were."""

    every_s: float = LOG_EVERY_S
    now: Callable[[], float] = clock.monotonic
    _last: dict[str, float] = field(default_factory=dict)
    _unsaid: dict[str, int] = field(default_factory=dict)

    def due(self, name: str) -> int:
        """0 = say nothing now; else how often it happened since it was last said, this time included."""
        count = self._unsaid.get(name, 0) + 1
        now = self.now()
        if now - self._last.get(name, float("-inf")) < self.every_s:
            self._unsaid[name] = count
            return 0
        self._last[name] = now
        self._unsaid[name] = 0
        return count


@dataclass(slots=True)
class LimitCounters:
    """How often each limit was hit, for /metrics. A counter is written by one thread, and read by any."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    rate: LogRate = field(default_factory=LogRate)

    def hit(self, name: str, **about: object) -> None:
        """Count it; a log line unless one about this limit was written a moment ago."""
        self.counts[name] += 1
        if times := self.rate.due(name):
            log.warning("limit reached", limit=name, times=times, **about)
