"""The only reader of time in the terminal, and its only source of chance."""

from __future__ import annotations

import secrets
import time
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """What the driver needs of time."""

    def now(self) -> str:
        """Local time, RFC 3339 with offset."""

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> str:
        """See Clock."""
        return datetime.now().astimezone().isoformat(timespec="milliseconds")

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()


def idle(seconds: float) -> None:
    """Let time pass; a signal whose handler raises ends it at once."""
    time.sleep(seconds)


def jittered(seconds: float, share: float) -> float:
    """The same, give or take a share of it: terminals that lost their power together do not come back together."""
    return seconds * (1 + share * (2 * secrets.randbelow(1001) / 1000 - 1))


def new_salt() -> str:
    """Sixteen random bytes in hex, for a new password."""
    return secrets.token_hex(16)
