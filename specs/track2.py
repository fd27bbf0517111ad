"""Track 2 (ISO/IEC 7813): card number, separator `D` or `=`, expiry YYMM, service code, discretionary data."""

from __future__ import annotations

from dataclasses import dataclass

from specs.errors import DecodeError
from specs.luhn import luhn_ok
from specs.masking import mask_pan
from specs.values import quick_init

__all__ = ["Track2", "luhn_ok", "parse_track2"]

_PAN_DIGITS_MAX = 19
_DIGITS = "0123456789"


@quick_init
@dataclass(frozen=True, repr=False)
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
    behind = track.lstrip(_DIGITS)
    size = len(track) - len(behind)
    if not 1 <= size <= _PAN_DIGITS_MAX:
        raise DecodeError(de, 0, f"a card number of 1 to {_PAN_DIGITS_MAX} digits", f"{size} digits")
    if behind[:1] not in ("D", "="):
        raise DecodeError(de, size, "separator D or =", "another character" if behind else "the end")
    data = behind[1:]
    expiry, service_code = data[:4], data[4:7]
    if len(data) < 4 or not data.isascii() or not expiry.isdigit():
        raise DecodeError(de, size + 1, "expiry YYMM", f"{len(data)} characters, not 4 digits at their start")
    if len(service_code) < 3 or not service_code.isdigit():
        service_code = ""
    return Track2(track[:size], expiry, service_code, data[4 + len(service_code) :])
