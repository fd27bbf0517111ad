"""What was it, when it was none of ours? A stranger's greeting, or a frame that another listener would have read.

Pure, and asked only about what could not be read: `greeting` looks at the first bytes of an unfinished frame, `Doctor`
tries the built-in dialects and framings (specs.detect) on the whole of it, a few times a second at most.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from specs.detect import Detection, detect
from specs.dialect import Dialect, load
from specs.framing import LENGTH_TITLES, FrameFormat

LOOKS_PER_S = 20
"""A look costs some milliseconds of the loop's thread; under a flood of garbage the rest goes without."""
LOOK_BYTES_MAX = 2048
"""Larger than any frame that a terminal sends but for uploads of pictures and the like."""
_SURE = 80.0
"""Score of specs.detect above which a clean reading is told: bytes that fit by chance stay below."""

_GREETINGS: Mapping[str, re.Pattern[bytes]] = {
    "a TLS client speaks to a plain listener": re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL),
    "an HTTP client speaks to a terminal's listener": re.compile(
        rb"(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) |PRI \* HTTP"
    ),
    "an SSH client speaks to a terminal's listener": re.compile(rb"SSH-"),
}
"""What a stranger's first bytes look like. None of them begins a frame whose third byte is a TPDU (60) or a digit of an
MTI, but by the length alone some would be waited for: 16 03 says 5,635 bytes."""


def greeting(head: bytes) -> str:
    """Who speaks here by mistake, in words, from the first bytes of a line; "" when it is nobody that we know."""
    return next((words for words, pattern in _GREETINGS.items() if pattern.match(head)), "")


@dataclass(slots=True)
class Doctor:
    """Looks at what could not be read. Bound: `looks_per_s`, counted by the caller's clock."""

    looks_per_s: int = LOOKS_PER_S
    _second: int = -1
    _looks: int = 0

    def look(self, raw: bytes, dialect: Dialect, now: float) -> str:
        """Which listener would have read these bytes (from the length header on), as a sentence; "" when none or when
        there is no time. now: seconds of a clock that does not go back.
        """
        if not self._may_look(now) or not 0 < len(raw) <= LOOK_BYTES_MAX:
            return ""
        found = would_fit(raw, dialect)
        return f"it reads clean as {describe(found)}" if found else ""

    def _may_look(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._looks = int(now), 0
        self._looks += 1
        return self._looks <= self.looks_per_s


def would_fit(raw: bytes, dialect: Dialect) -> Detection | None:
    """The best clean reading; None when there is none, or when it is this listener's own."""
    best = next((d for d in detect(raw) if d.clean and d.score >= _SURE), None)
    return best if best is not None and not _is(best, dialect) else None


def _is(found: Detection, dialect: Dialect) -> bool:
    return found.as_dialect().fields == dialect.fields and _framing_of(found) == (
        dialect.frame.length,
        dialect.frame.inclusive,
        dialect.frame.tpdu,
        dialect.frame.header,
    )


def _framing_of(found: Detection) -> tuple[str, bool, bool, int]:
    return found.length, found.inclusive, found.tpdu, found.header


def describe(found: Detection) -> str:
    """A reading in the words of a listener's URL: `nac://…?length=bcd2 (2-byte BCD length, TPDU, no header)`."""
    usual = load(found.dialect).frame
    options = {
        "length": "" if found.length == usual.length else found.length,
        "inclusive": "" if found.inclusive == usual.inclusive else str(int(found.inclusive)),
        "tpdu": "" if found.tpdu == usual.tpdu else str(int(found.tpdu)),
        "header": "" if found.header == usual.header else str(found.header),
    }
    query = "&".join(f"{key}={value}" for key, value in options.items() if value)
    return f"{found.dialect}://…{'?' if query else ''}{query} ({_words(_format_of(found))})"


def _format_of(found: Detection) -> FrameFormat:
    return found.as_dialect().frame


def framing(dialect: Dialect) -> str:
    """What a listener expects round a message, in words."""
    return f"{dialect.name}: {_words(dialect.frame)}"


def _words(fmt: FrameFormat) -> str:
    length = "no length header" if fmt.length == "none" else f"{LENGTH_TITLES[fmt.length]} length"
    return ", ".join(
        (
            length + (" that counts itself" if fmt.inclusive else ""),
            "TPDU" if fmt.tpdu else "no TPDU",
            f"{fmt.header} bytes of header" if fmt.header else "no header",
        )
    )
