"""A decoded message: the one value that passes between codec, families and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from specs import masking

_new = object.__new__
_NONE: frozenset[int] = frozenset()
_NO_FIELDS: Mapping[int, str] = MappingProxyType({})


def _frozen(fields: Mapping[int, str]) -> Mapping[int, str]:
    if type(fields) is MappingProxyType:
        return fields  # of another message, in order already
    return MappingProxyType(_ordered(dict(fields)))


def _ordered(fields: dict[int, str]) -> dict[int, str]:
    """The same elements in ascending order; mostly they are, and then it is the same object."""
    order = sorted(fields)
    return fields if order == list(fields) else {de: fields[de] for de in order}


@dataclass(frozen=True, init=False)
class Message:
    """One ISO 8583 message.

    Shape: `fields` maps DE number to a string: digits without filler for n and z fields (track separator `D`),
    text (latin-1, one character a byte, so GBK survives) for an/ans, upper-case hex for b. `tpdu` is 10 hex digits
    or "", `header` 12 digits or "". `doubtful`: elements whose value broke the dialect, or all of them once the reader
    lost its way; they are shown with less, since a card number may stand anywhere there.
    """

    mti: str
    fields: Mapping[int, str]
    tpdu: str = ""
    header: str = ""
    doubtful: frozenset[int] = field(default=_NONE, compare=False)

    def __init__(
        self,
        mti: str,
        fields: Mapping[int, str] = _NO_FIELDS,
        tpdu: str = "",
        header: str = "",
        doubtful: frozenset[int] = _NONE,
    ) -> None:
        cells = self.__dict__  # of a frozen value this is the quick way in (specs.values)
        cells["mti"] = mti
        cells["fields"] = _frozen(fields)
        cells["tpdu"] = tpdu
        cells["header"] = header
        cells["doubtful"] = doubtful

    def __post_init__(self) -> None:  # for specs.values.replace
        self.__dict__["fields"] = _frozen(self.fields)

    def get(self, de: int) -> str | None:
        """The value of a data element, None when absent."""
        return self.fields.get(de)

    def __getitem__(self, de: int) -> str:
        return self.fields[de]

    def __contains__(self, de: int) -> bool:
        return de in self.fields

    def with_fields(self, changes: Mapping[int, str | None]) -> Message:
        """The same message with elements set, or removed where the value is None."""
        merged = self.own_fields()
        for de, value in changes.items():
            if value is None:
                merged.pop(de, None)
            else:
                merged[de] = value
        return in_order(self.mti, _ordered(merged), self.tpdu, self.header, self.doubtful)

    def own_fields(self) -> dict[int, str]:
        """A copy of the fields for the caller to change: twenty times as fast as dict() of them."""
        fields = self.fields
        assert isinstance(fields, MappingProxyType)
        return fields.copy()

    def masked(self) -> dict[int, str]:
        """The fields with card numbers, tracks, PIN blocks, keys and chip data masked (specs.masking)."""
        return masking.mask_fields(self.fields, self.doubtful)

    def describe(self) -> str:
        """One line for people and logs: MTI and masked elements."""
        return self.mti + " " + " ".join(f"{de}={value}" for de, value in self.masked().items())

    __str__ = describe

    def __repr__(self) -> str:
        # pytest prints repr() of both sides of a failed comparison: it must not show a card number either.
        return f"<Message {self.describe()}>"


def in_order(
    mti: str, fields: dict[int, str], tpdu: str = "", header: str = "", doubtful: frozenset[int] = _NONE
) -> Message:
    """A message of fields that stand in ascending order and that the caller gives away: neither sorted nor copied."""
    made = _new(Message)
    cells = made.__dict__
    cells["mti"] = mti
    cells["fields"] = MappingProxyType(fields)
    cells["tpdu"] = tpdu
    cells["header"] = header
    cells["doubtful"] = doubtful
    return made
