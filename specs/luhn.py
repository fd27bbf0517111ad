"""The check digit of a card number (ISO/IEC 7812-1, annex B)."""

from __future__ import annotations

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""A digit doubled, the digits of the result added: 7 -> 14 -> 5."""


def luhn_ok(pan: str) -> bool:
    """Whether the last digit is the right check digit; anything but ASCII digits is not."""
    if not (pan.isascii() and pan.isdigit()):
        return False
    total = sum(
        int(digit) if position % 2 == 0 else _DOUBLED[int(digit)] for position, digit in enumerate(reversed(pan))
    )
    return total % 10 == 0
