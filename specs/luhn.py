"""The check digit of a card number (ISO/IEC 7812-1, annex B)."""

from __future__ import annotations

_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
"""A digit doubled, the digits of the result added: 7 -> 14 -> 5."""
_ZERO = ord("0")


def luhn_ok(pan: str) -> bool:
    """Whether the last digit is the right check digit; anything but ASCII digits is not."""
    if not (pan.isascii() and pan.isdigit()):
        return False
    digits = pan.encode()
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - _ZERO * len(digits)) % 10 == 0
