"""Private data elements of NAC: DE 54, 60, 62, 63 (nac.md 3 and 5). All are ASCII text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specs.errors import DecodeError, EncodeError
from specs.subfields.amounts import AdditionalAmount, format_amounts, parse_amounts
from specs.subfields.reader import Reader, digits_field, number_field, text_field

# --- DE 54 ---


def parse_de54(value: str) -> int | tuple[AdditionalAmount, ...]:
    """Tip or cash back, 12 digits of minor units; or the balance groups of 20 characters that some hosts answer."""
    if len(value) == 12:
        return Reader(54, value).number(12, "tip or cash amount")
    return parse_amounts(value)


def format_de54(value: int | Sequence[AdditionalAmount]) -> str:
    """The inverse of `parse_de54`. Raises: EncodeError."""
    return number_field(54, value, 12, "tip or cash amount") if isinstance(value, int) else format_amounts(value)


# --- DE 60, told by its length ---


@dataclass(frozen=True, slots=True)
class BatchNumber:
    """0500: the batch number, six digits. In financial messages six digits mean nothing (rules.md 1)."""

    batch: str


@dataclass(frozen=True, slots=True)
class OriginalAmount:
    """Void and adjustment: the original amount in minor units."""

    minor: int


@dataclass(frozen=True, slots=True)
class OriginalData:
    """0320: the message that is uploaded. Shape: MTI four digits, STAN six, RRN twelve characters or None."""

    mti: str
    stan: str
    rrn: str | None


Private60 = BatchNumber | OriginalAmount | OriginalData


def parse_de60(value: str) -> Private60:
    """Read DE 60 by its length 6, 12 or 22. An RRN of blanks or zeros is not known. Raises: DecodeError."""
    reader = Reader(60, value)
    match len(value):
        case 6:
            return BatchNumber(reader.digits(6, "batch number"))
        case 12:
            return OriginalAmount(reader.number(12, "original amount"))
        case 22:
            mti, stan = reader.digits(4, "original MTI"), reader.digits(6, "original STAN")
            rrn = reader.text(12, "original RRN")
            return OriginalData(mti, stan, rrn if rrn.strip(" 0") else None)
    raise DecodeError(60, 0, "6, 12 or 22 characters", f"{len(value)} characters")


def format_de60(value: Private60) -> str:
    """The inverse of `parse_de60`; an unknown RRN is twelve blanks (nac.md 10). Raises: EncodeError."""
    match value:
        case BatchNumber(batch):
            return digits_field(60, batch, 6, "batch number")
        case OriginalAmount(minor):
            return number_field(60, minor, 12, "original amount")
        case OriginalData(mti, stan, rrn):
            head = digits_field(60, mti, 4, "original MTI") + digits_field(60, stan, 6, "original STAN")
            return head + text_field(60, rrn or "", 12, "original RRN")


# --- DE 62 ---


def parse_de62(value: str) -> str:
    """The invoice (ROC, ticket) number, six digits. Raises: DecodeError."""
    reader = Reader(62, value)
    invoice = reader.digits(6, "invoice number")
    reader.end("the invoice number")
    return invoice


def format_de62(invoice: str) -> str:
    """The inverse of `parse_de62`. Raises: EncodeError."""
    return digits_field(62, invoice, 6, "invoice number")


# --- DE 63 of 0500 and 0510 ---

GROUP_NAMES = ("credit_sales", "credit_refunds", "debit_sales", "debit_refunds", "authorize_sales", "authorize_refunds")
GROUP_DIGITS = 15
TOTALS_LENGTHS = (15, 30, 36, 60, 75, 90)
"""Forms seen on the wire; 36 is two groups and a remainder (Amex)."""


@dataclass(frozen=True, slots=True)
class Group:
    """Count and amount in minor units: the opposite order of CUP."""

    count: int = 0
    minor: int = 0

    def __add__(self, other: Group) -> Group:
        return Group(self.count + other.count, self.minor + other.minor)


@dataclass(frozen=True, slots=True)
class Totals:
    """DE 63. Shape: one to six groups in the order of `GROUP_NAMES`."""

    groups: tuple[Group, ...]

    @property
    def sales(self) -> Group:
        """Groups 1, 3 and 5 together: what the host compares (rules.md 5)."""
        return sum(self.groups[0::2], Group())

    @property
    def refunds(self) -> Group:
        """Groups 2, 4 and 6 together."""
        return sum(self.groups[1::2], Group())


def parse_de63(value: str) -> Totals:
    """Read the totals by length / 15, at most six groups; a remainder is ignored. Raises: DecodeError."""
    count = min(len(value) // GROUP_DIGITS, len(GROUP_NAMES))
    if not count:
        raise DecodeError(63, 0, f"groups of {GROUP_DIGITS} digits", f"{len(value)} characters")
    reader = Reader(63, value)
    return Totals(tuple(_group(reader, name) for name in GROUP_NAMES[:count]))


def format_de63(totals: Totals, length: int = 90) -> str:
    """The totals in a form of 15, 30, 36, 60, 75 or 90 digits; groups that are not given are zero.

    Raises: EncodeError when the form cannot hold a group that is not zero.
    """
    if length not in TOTALS_LENGTHS:
        raise EncodeError(63, f"no form of {length} digits; there are {TOTALS_LENGTHS}")
    held = length // GROUP_DIGITS
    if any(group != Group() for group in totals.groups[held:]):
        raise EncodeError(63, f"a form of {length} digits holds only {held} groups")
    groups = totals.groups[:held]
    text = "".join(
        number_field(63, group.count, 3, "count") + number_field(63, group.minor, 12, "amount") for group in groups
    )
    return text.ljust(length, "0")


def _group(reader: Reader, name: str) -> Group:
    return Group(reader.number(3, f"count of {name}"), reader.number(12, f"amount of {name}"))
