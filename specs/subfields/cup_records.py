"""DE 62 of CUP's IC uploads, 0320 with 60.3 = 203 to 206 (cup.md 5.10, [C]).

A TC is `61`, card kind, `00`, amount, currency; a failed item is `71`, card kind, reason, amount, currency and two
digits more. The digits are ASCII; the same digits in BCD are read too.
"""

from __future__ import annotations

from dataclasses import dataclass

from specs.errors import DecodeError
from specs.subfields.reader import Reader, digits_field, number_field

_TC, _FAILED = "61", "71"
_KINDS = "00", "01"
ARPC_WRONG = "05"
"""Reason of a failed item that the card approved all the same; `11` is a decline by the card (AAC)."""
_AFTER_ARPC, _AFTER_OTHERS = "10", "22"


@dataclass(frozen=True, slots=True)
class ChipRecord:
    """What an IC upload says beside the chip data. Units: minor units. reason "" = a TC."""

    foreign: bool
    minor: int
    reason: str = ""
    currency: str = "156"


def parse_chip_record(value: str) -> ChipRecord:
    """Read DE 62, given as hex. Raises: DecodeError."""
    reader = Reader(62, value if value[:2] in (_TC, _FAILED) else _text(value))
    form = reader.digits(2, "kind of record")
    if form not in (_TC, _FAILED):
        raise DecodeError(62, 0, f"{_TC} or {_FAILED}", form)
    kind, reason = reader.digits(2, "card kind"), reader.digits(2, "reason")
    if kind not in _KINDS:
        raise DecodeError(62, 2, "card kind 00 or 01", kind)
    minor, currency = reader.number(12, "amount"), reader.digits(3, "currency")
    return ChipRecord(kind == _KINDS[1], minor, reason if form == _FAILED else "", currency)


def format_chip_record(record: ChipRecord) -> str:
    """The inverse of `parse_chip_record`, in hex of ASCII. Raises: EncodeError."""
    middle = number_field(62, record.minor, 12, "amount") + digits_field(62, record.currency, 3, "currency")
    kind = _KINDS[record.foreign]
    if not record.reason:
        text = f"{_TC}{kind}00{middle}"
    else:
        tail = _AFTER_ARPC if record.reason == ARPC_WRONG else _AFTER_OTHERS
        text = f"{_FAILED}{kind}{digits_field(62, record.reason, 2, 'reason')}{middle}{tail}"
    return text.encode("ascii").hex().upper()


def _text(value: str) -> str:
    try:
        return bytes.fromhex(value).decode("latin-1")
    except ValueError:
        raise DecodeError(62, 0, "hex", "other characters") from None
