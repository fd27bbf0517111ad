"""DE 54 in groups of 20 characters, as CUP and ISO 8583:1987 carry balances (cup.md 5.4; iso87.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specs.errors import DecodeError, EncodeError
from specs.subfields.reader import Reader, digits_field, number_field, text_field

_DE = 54
AMOUNT_LENGTH = 20
"""Characters of one amount."""
GROUPS_MAX = 6
"""an...120."""
AVAILABLE, LEDGER = "02", "01"
"""Amount types."""


@dataclass(frozen=True, slots=True)
class AdditionalAmount:
    """One amount. Shape: account and amount type two characters, currency three digits; `minor` is negative for D."""

    account_type: str
    amount_type: str
    currency: str
    minor: int


def parse_amounts(value: str) -> tuple[AdditionalAmount, ...]:
    """Read one to six groups. Raises: DecodeError."""
    if not value or len(value) % AMOUNT_LENGTH or len(value) > AMOUNT_LENGTH * GROUPS_MAX:
        raise DecodeError(_DE, 0, f"1 to {GROUPS_MAX} groups of {AMOUNT_LENGTH} characters", f"{len(value)} characters")
    reader = Reader(_DE, value)
    amounts = []
    while reader.left:
        account, kind = reader.text(2, "account type"), reader.text(2, "amount type")
        currency, sign = reader.text(3, "currency"), reader.one_of("CD", "sign")
        minor = reader.number(12, "amount")
        amounts.append(AdditionalAmount(account, kind, currency, -minor if sign == "D" else minor))
    return tuple(amounts)


def format_amounts(amounts: Sequence[AdditionalAmount]) -> str:
    """The groups in order. Raises: EncodeError."""
    if not 1 <= len(amounts) <= GROUPS_MAX:
        raise EncodeError(_DE, f"takes 1 to {GROUPS_MAX} amounts, not {len(amounts)}")
    return "".join(
        text_field(_DE, amount.account_type, 2, "account type")
        + text_field(_DE, amount.amount_type, 2, "amount type")
        + digits_field(_DE, amount.currency, 3, "currency")
        + ("D" if amount.minor < 0 else "C")
        + number_field(_DE, abs(amount.minor), 12, "amount")
        for amount in amounts
    )
