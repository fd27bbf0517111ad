"""Currencies and amounts. An amount is an integer of minor units; a decimal point appears only for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specs.errors import SpecError


@dataclass(frozen=True, slots=True)
class Currency:
    """ISO 4217: three-digit code, three letters, digits after the point."""

    numeric: str
    alpha: str
    exponent: int


_ROWS = (
    ("036", "AUD", 2),
    ("048", "BHD", 3),
    ("124", "CAD", 2),
    ("152", "CLP", 0),
    ("156", "CNY", 2),
    ("170", "COP", 2),
    ("344", "HKD", 2),
    ("356", "INR", 2),
    ("360", "IDR", 2),
    ("392", "JPY", 0),
    ("400", "JOD", 3),
    ("410", "KRW", 0),
    ("414", "KWD", 3),
    ("446", "MOP", 2),
    ("458", "MYR", 2),
    ("484", "MXN", 2),
    ("496", "MNT", 2),
    ("512", "OMR", 3),
    ("554", "NZD", 2),
    ("604", "PEN", 2),
    ("608", "PHP", 2),
    ("634", "QAR", 2),
    ("682", "SAR", 2),
    ("702", "SGD", 2),
    ("704", "VND", 0),
    ("710", "ZAR", 2),
    ("756", "CHF", 2),
    ("764", "THB", 2),
    ("784", "AED", 2),
    ("826", "GBP", 2),
    ("840", "USD", 2),
    ("901", "TWD", 2),
    ("978", "EUR", 2),
    ("986", "BRL", 2),
)

CURRENCIES: Mapping[str, Currency] = {row[0]: Currency(*row) for row in _ROWS}
"""Numeric code -> currency: where the dialects are spoken, and the large ones. Source: ISO 4217 list one."""


def currency(numeric: str) -> Currency:
    """The currency of DE 49. Raises: SpecError when the table has none."""
    try:
        return CURRENCIES[numeric]
    except KeyError:
        raise SpecError(f"currency {numeric!r} is not in the table") from None


def format_amount(minor: int, numeric: str) -> str:
    """Minor units for people: 10000, "156" -> "100.00"; 10000, "392" -> "10000". Raises: SpecError."""
    exponent = currency(numeric).exponent
    if exponent == 0:
        return str(minor)
    whole, part = divmod(abs(minor), 10**exponent)
    return f"{'-' if minor < 0 else ''}{whole}.{part:0{exponent}d}"
