"""Track 2 (ISO/IEC 7813): card number, separator `D` or `=`, expiry YYMM, service code, discretionary data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from specs.errors import DecodeError
from specs.luhn import luhn_ok
from specs.masking import mask_pan

__all__ = ["Track2", "luhn_ok", "parse_track2"]

_PAN_DIGITS_MAX = 19
_NUMBER = re.compile(r"[0-9]*")


@dataclass(frozen=True, slots=True)
class Track2:
    """A clear track. Shape: digit strings; expiry YYMM; service_code three digits or ""."""

    pan: str
    expiry: str
    service_code: str
    discretionary: str

    def format(self, separator: str = "D") -> str:
        """The track as a string, `D` or `=` between the parts."""
        return f"{self.pan}{separator}{self.expiry}{self.service_code}{self.discretionary}"

    def __repr__(self) -> str:
        return f"Track2({mask_pan(self.pan)}, service code {self.service_code or 'absent'})"


def parse_track2(track: str, *, de: int = 35) -> Track2:
    """Read a clear track 2. An encrypted one (DE 53 digit 3 = 1) is first for `security.decrypt_track`.

    Units:  the offset in an error counts characters within the track. Raises: DecodeError.
    """
    pan_match = _NUMBER.match(track)
    pan = pan_match[0] if pan_match else ""
    if not 1 <= len(pan) <= _PAN_DIGITS_MAX:
        raise DecodeError(de, 0, f"a card number of 1 to {_PAN_DIGITS_MAX} digits", f"{len(pan)} digits")
    if track[len(pan) : len(pan) + 1] not in ("D", "="):
        raise DecodeError(de, len(pan), "separator D or =", "another character" if track[len(pan) :] else "the end")
    at = len(pan) + 1
    data = track[at:]
    if len(data) < 4 or not data.isascii() or not data[:4].isdigit():
        raise DecodeError(de, at, "expiry YYMM", f"{len(data)} characters, not 4 digits at their start")
    service_code = data[4:7] if data[4:7].isdigit() and len(data) >= 7 else ""
    return Track2(pan, data[:4], service_code, data[4 + len(service_code) :])
