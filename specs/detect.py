"""The doctor's core: which dialect and framing does this capture have?

Every built-in dialect is tried under every framing; a reading scores by how far it gets and how plausible its values
are. No single value decides: `0810` with four dates fits several dialects, and only the best fit is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from specs.codec import inspect_payload, split_payload
from specs.dialect import Dialect, builtin, load, with_options
from specs.errors import DecodeError, FrameError
from specs.framing import FRAME_BYTES_MAX, HEADER_BYTES, LENGTH_BYTES, LENGTH_TITLES, FrameFormat, read_length
from specs.inspection import Inspection, Note
from specs.message import Message
from specs.mti import Mti

#: Longest capture looked at: one frame with its length header.
CAPTURE_BYTES_MAX = FRAME_BYTES_MAX + 4
#: Readings that are reported; the first few are all that a person looks at.
CANDIDATES_MAX = 8

# Scores. A reading without notes always beats one with notes; the rest only orders equals.
_CLEAN, _COMPLETE, _PER_NOTE, _PROGRESS = 100.0, 40.0, 6.0, 30.0
_NO_MTI, _WRONG_VERSION, _NO_TPDU, _NO_HEADER, _WRONG_LENGTH = -60.0, -40.0, -30.0, -30.0, -40.0
_USUAL_FRAME, _GOOD, _ODD = 3.0, 2.0, -8.0

#: Which (TPDU, header bytes) a family is met with, most usual first. Source: cup.md and nac.md section 1.
_PREFIXES: dict[str, tuple[tuple[bool, int], ...]] = {
    "cup": ((True, HEADER_BYTES), (True, 0), (False, 0), (False, HEADER_BYTES)),
    "nac": ((True, 0), (False, 0)),
    "iso87": ((False, 0), (True, 0)),
    "iso93": ((False, 0), (True, 0)),
}
#: Dialects that are met often come before their rarer relatives when all else is equal.
_PRIOR = {"cup": 3.0, "nac": 3.0, "iso87": 3.0, "iso87-binary": 2.0, "iso93": 1.0, "as2805": -8.0}

_PRINTABLE = re.compile(r"[ -~]*")
_TIME = re.compile(r"([01]\d|2[0-3])[0-5]\d[0-5]\d")
_DATE = re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
#: DE 3 digits 1-2 that only EDC hosts know: settlement, trailer, keys, test, TC upload (nac.md section 4).
_NAC_CODES = ("92", "94", "96", "97", "99")

Check = Callable[[str], bool]
#: What a value usually looks like: everywhere, then by family. A miss counts against a reading, it never excludes it.
_PLAUSIBLE: dict[int, Check] = {
    12: lambda v: bool(_TIME.fullmatch(v[-6:])),
    37: lambda v: bool(_PRINTABLE.fullmatch(v)),
    38: lambda v: bool(_PRINTABLE.fullmatch(v)),
    39: lambda v: v.strip().isalnum() and v.isascii(),
    41: lambda v: bool(_PRINTABLE.fullmatch(v)),
    42: lambda v: bool(_PRINTABLE.fullmatch(v)),
    49: lambda v: v.isalnum() and v.isascii(),
}
_PLAUSIBLE_IN: dict[str, dict[int, Check]] = {
    "cup": {
        3: lambda v: v[:2] not in _NAC_CODES,
        13: lambda v: bool(_DATE.fullmatch(v)),
        44: lambda v: bool(_PRINTABLE.fullmatch(v)),
        60: lambda v: len(v) >= 8,
    },
    "nac": {
        24: lambda v: True,
        60: lambda v: bool(_PRINTABLE.fullmatch(v)),
        62: lambda v: bool(_PRINTABLE.fullmatch(v)),
    },
    "iso87": {7: lambda v: bool(_DATE.match(v)), 11: lambda v: True},
    "iso93": {11: lambda v: True, 22: lambda v: v.isalnum()},
}


@dataclass(frozen=True, slots=True)
class Detection:
    """One reading of a capture. `length` as in FrameFormat; notes are the breaches of that dialect."""

    dialect: str
    length: str
    inclusive: bool
    tpdu: bool
    header: int
    message: Message | None
    notes: tuple[Note, ...]
    bitmap: str
    complete: bool
    score: float

    @property
    def clean(self) -> bool:
        """Whether the capture was read to its last byte without a breach."""
        return self.complete and not self.notes

    @property
    def framing(self) -> dict[str, object]:
        """The shape of `decode --json` and vectors.json: {"length": "2-byte binary", "tpdu": True, "header": 6}."""
        length = LENGTH_TITLES[self.length] + (", itself included" if self.inclusive else "")
        return {"length": length, "tpdu": self.tpdu, "header": self.header}

    def as_dialect(self) -> Dialect:
        """The dialect with this framing, ready for a listener."""
        return _framed(self.dialect, self.length, self.inclusive, self.tpdu, self.header)


def detect(raw: bytes) -> tuple[Detection, ...]:
    """The readings of one captured frame or message, best first; empty for an empty or oversized capture.

    The first is the answer when it is `clean`; else the list says how far each variant gets, at which offset it stops
    and what it expected there.
    """
    if not 0 < len(raw) <= CAPTURE_BYTES_MAX:
        return ()
    found = [_read(raw[LENGTH_BYTES[f.length] :], name, f, gap) for f, gap in _lengths(raw) for name in _layouts()]
    flat = [reading for group in found for reading in group]
    return tuple(sorted(flat, key=lambda d: -d.score)[:CANDIDATES_MAX])


@lru_cache(maxsize=1)
def _layouts() -> tuple[str, ...]:
    """The built-in dialects whose messages differ; those that differ in framing only are one here."""
    seen: dict[object, str] = {}
    for name in sorted(builtin(), key=lambda n: (len(n), n)):
        dialect = load(name)
        seen.setdefault((tuple(dialect.fields.items()), dialect.encodings), name)
    return tuple(seen.values())


@lru_cache(maxsize=256)
def _framed(name: str, length: str, inclusive: bool, tpdu: bool, header: int) -> Dialect:
    return with_options(load(name), length=length, inclusive=inclusive, tpdu=tpdu, header=header)


def _lengths(raw: bytes) -> Iterator[tuple[FrameFormat, int]]:
    """The length headers that the capture may begin with, and by how many bytes each is wrong (0 = it fits)."""
    yield FrameFormat(length="none"), 0
    for kind in ("bin2", "bcd2", "ascii4"):
        own = LENGTH_BYTES[kind]
        if len(raw) <= own:
            continue
        misfit: tuple[FrameFormat, int] | None = None
        for inclusive in (False, True):
            fmt = FrameFormat(length=kind, inclusive=inclusive)
            try:
                gap = read_length(raw[:own], fmt) - (len(raw) - own)
            except FrameError:
                continue
            if gap == 0:
                yield fmt, 0
                break
            misfit = misfit or (fmt, gap)
        else:
            if misfit is not None:
                yield misfit


def _read(payload: bytes, name: str, fmt: FrameFormat, gap: int) -> list[Detection]:
    readings = []
    for tpdu, header in _PREFIXES[load(name).family]:
        dialect = _framed(name, fmt.length, fmt.inclusive, tpdu, header)
        try:
            prefix_tpdu, prefix_header, body = split_payload(payload, dialect)
        except DecodeError:
            continue
        seen = inspect_payload(payload, dialect)
        if gap:
            seen = replace(seen, notes=(_length_note(gap, len(payload)), *seen.notes))
        score = _score(seen, dialect, body, prefix_tpdu, prefix_header) + (_WRONG_LENGTH if gap else 0)
        readings.append(
            Detection(
                dialect=name,
                length=fmt.length,
                inclusive=fmt.inclusive,
                tpdu=tpdu,
                header=header,
                message=seen.message,
                notes=seen.notes,
                bitmap=seen.bitmap,
                complete=seen.complete,
                score=score,
            )
        )
    return readings


def _length_note(gap: int, size: int) -> Note:
    error = DecodeError(0, 0, f"{size + gap} bytes after the length header", f"{size} bytes")
    return Note(0, 0, error.expected, error.got, "the length header does not fit: " + str(error))


def _score(seen: Inspection, dialect: Dialect, body: bytes, tpdu: str, header: str) -> float:
    score = _PRIOR.get(dialect.name, 0.0)
    if seen.complete:
        score += _COMPLETE - _PER_NOTE * len(seen.notes) if seen.notes else _CLEAN
    else:
        score += _PROGRESS * seen.read_to / max(1, len(body)) - _PER_NOTE
    usual = load(dialect.name).frame
    score += _USUAL_FRAME * ((usual.tpdu, usual.header) == (dialect.frame.tpdu, dialect.frame.header))
    if tpdu and not tpdu.startswith("60"):
        score += _NO_TPDU
    if header and not (header.isdigit() and header[:2] in ("60", "61")):
        score += _NO_HEADER
    return score + (_plausibility(seen.message, dialect.family) if seen.message else _NO_MTI)


def _plausibility(message: Message, family: str) -> float:
    try:
        mti = Mti.parse(message.mti)
    except DecodeError:
        return _NO_MTI
    score = 0.0 if (mti.version > 0) == (family == "iso93") else _WRONG_VERSION
    for checks in (_PLAUSIBLE, _PLAUSIBLE_IN[family]):
        score += sum(_GOOD if check(message[de]) else _ODD for de, check in checks.items() if de in message)
    return score
