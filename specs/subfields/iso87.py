"""Reconciliation fields and original data elements of ISO 8583:1987 (iso87.md 2 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields

from specs.subfields.amounts import AVAILABLE, AdditionalAmount, format_amounts, parse_amounts
from specs.subfields.reader import Reader, digits_field, number_field

__all__ = [
    "AVAILABLE",
    "CASH",
    "DEFAULT_ACCOUNT",
    "GRATUITY",
    "AdditionalAmount",
    "OriginalData",
    "Totals",
    "format_de54",
    "format_de90",
    "format_de97",
    "format_totals",
    "parse_de54",
    "parse_de90",
    "parse_de97",
    "parse_totals",
    "part_of_de54",
    "sign_as_byte",
]

parse_de54 = parse_amounts
format_de54 = format_amounts

CASH, GRATUITY = "40", "44"
"""Amount types of a request: the cash of a sale with cash back, the tip. Networks differ in the second."""
DEFAULT_ACCOUNT = "00"
_BARE = 12


def part_of_de54(value: str, amount_type: str) -> int | None:
    """The amount of one type in minor units; an only amount is taken whatever its type, and so are bare 12 digits.

    None when several are there and none of that type. Raises: DecodeError.
    """
    if len(value) == _BARE:
        reader = Reader(54, value)
        return reader.number(_BARE, "amount")
    amounts = parse_amounts(value)
    found = next((a for a in amounts if a.amount_type == amount_type), amounts[0] if len(amounts) == 1 else None)
    return abs(found.minor) if found else None


# --- DE 74-89 and 97 ---


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts and amounts of one period, in minor units. Field order is DE order.

    Debit is a purchase, credit a refund; reversals stand beside the forward figures and do not reduce them.
    """

    credits_number: int = 0
    credits_reversal_number: int = 0
    debits_number: int = 0
    debits_reversal_number: int = 0
    transfers_number: int = 0
    transfers_reversal_number: int = 0
    inquiries_number: int = 0
    authorizations_number: int = 0
    credits_processing_fee: int = 0
    credits_transaction_fee: int = 0
    debits_processing_fee: int = 0
    debits_transaction_fee: int = 0
    credits_amount: int = 0
    credits_reversal_amount: int = 0
    debits_amount: int = 0
    debits_reversal_amount: int = 0

    @property
    def net(self) -> int:
        """DE 97: (credits + debit reversals) - (debits + credit reversals); positive is sign C."""
        return self.credits_amount + self.debits_reversal_amount - self.debits_amount - self.credits_reversal_amount


@dataclass(frozen=True, slots=True)
class _Figure:
    de: int
    name: str
    width: int


_NUMBERS, _FEES, _AMOUNTS = range(74, 82), range(82, 86), range(86, 90)
_WIDTHS = {**dict.fromkeys(_NUMBERS, 10), **dict.fromkeys(_FEES, 12), **dict.fromkeys(_AMOUNTS, 16)}
FIGURES = tuple(
    _Figure(de, column.name, _WIDTHS[de]) for de, column in zip(range(74, 90), dataclass_fields(Totals), strict=True)
)
"""DE -> attribute of `Totals` and width in digits."""
NET_DE = 97
_NET_WIDTH = 16


def parse_totals(fields: Mapping[int, str]) -> Totals:
    """Read DE 74-89 of a message; an absent one is zero. DE 97 is read apart. Raises: DecodeError."""
    return Totals(**{figure.name: _figure(figure, fields[figure.de]) for figure in FIGURES if figure.de in fields})


def format_totals(totals: Totals) -> dict[int, str]:
    """DE 74-81, 86-89 and 97; the fees 82-85 only where they are not zero. Raises: EncodeError."""
    values = {figure: int(getattr(totals, figure.name)) for figure in FIGURES}
    fields = {
        figure.de: number_field(figure.de, value, figure.width, figure.name.replace("_", " "))
        for figure, value in values.items()
        if value or figure.de not in _FEES
    }
    return {**fields, NET_DE: format_de97(totals.net)}


_SIGN_BYTES = {"43": "C", "44": "D"}


def parse_de97(value: str) -> int:
    """The net settlement amount in minor units, negative for D. Raises: DecodeError.

    Also in the form of AS 2805: the sign's byte in hex, then 16 digits.
    """
    if len(value) == _NET_WIDTH + 2:
        value = _SIGN_BYTES.get(value[:2], "?") + value[2:]
    reader = Reader(NET_DE, value)
    sign = reader.one_of("CD", "sign")
    minor = reader.number(_NET_WIDTH, "net amount")
    reader.end("the net amount")
    return -minor if sign == "D" else minor


def format_de97(net: int) -> str:
    """The inverse; zero is written with C. Raises: EncodeError."""
    return ("D" if net < 0 else "C") + number_field(NET_DE, abs(net), _NET_WIDTH, "net amount")


def sign_as_byte(value: str) -> str:
    """DE 97 as AS 2805 has it: `D…` -> `44…`."""
    return next(code for code, sign in _SIGN_BYTES.items() if sign == value[0]) + value[1:]


def _figure(figure: _Figure, value: str) -> int:
    reader = Reader(figure.de, value)
    number = reader.number(figure.width, figure.name.replace("_", " "))
    reader.end(figure.name.replace("_", " "))
    return number


# --- DE 90 ---

_ID_WIDTH = 11


@dataclass(frozen=True, slots=True)
class OriginalData:
    """Which message is meant. Shape: MTI n4, STAN n6, DE 7 n10, acquirer and forwarder id n11, zero filled."""

    mti: str
    stan: str
    transmitted: str
    acquirer: str = "0" * _ID_WIDTH
    forwarder: str = "0" * _ID_WIDTH

    @property
    def given(self) -> bool:
        """A zero STAN names nothing (rules.md 1)."""
        return self.stan.strip("0") != ""


def parse_de90(value: str) -> OriginalData:
    """Read DE 90, 42 digits. Raises: DecodeError."""
    reader = Reader(90, value)
    data = OriginalData(
        reader.digits(4, "original MTI"),
        reader.digits(6, "original STAN"),
        reader.digits(10, "original date and time"),
        reader.digits(_ID_WIDTH, "acquirer id"),
        reader.digits(_ID_WIDTH, "forwarder id"),
    )
    reader.end("the original data elements")
    return data


def format_de90(data: OriginalData) -> str:
    """The inverse; ids shorter than 11 digits are zero filled. Raises: EncodeError."""
    return (
        digits_field(90, data.mti, 4, "original MTI")
        + digits_field(90, data.stan, 6, "original STAN")
        + digits_field(90, data.transmitted, 10, "original date and time")
        + digits_field(90, data.acquirer.zfill(_ID_WIDTH), _ID_WIDTH, "acquirer id")
        + digits_field(90, data.forwarder.zfill(_ID_WIDTH), _ID_WIDTH, "forwarder id")
    )
