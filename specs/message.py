"""A decoded message: the one value that passes between codec, families and logs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from specs import masking
from specs.values import replace


def _frozen(fields: Mapping[int, str]) -> Mapping[int, str]:
    if type(fields) is MappingProxyType:
        return fields  # of another message, in order already
    return MappingProxyType(dict(sorted(fields.items())))


@dataclass(frozen=True)
class Message:
    """One ISO 8583 message.

    Shape: `fields` maps DE number to a string: digits without filler for n and z fields (track separator `D`),
    text (latin-1, one character a byte, so GBK survives) for an/ans, upper-case hex for b. `tpdu` is 10 hex digits
    or "", `header` 12 digits or "". `doubtful`: elements whose value broke the dialect, or all of them once the reader
    lost its way; they are shown with less, since a card number may stand anywhere there.
    """

    mti: str
    fields: Mapping[int, str] = field(default_factory=dict)
    tpdu: str = ""
    header: str = ""
    doubtful: frozenset[int] = field(default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", _frozen(self.fields))

    def get(self, de: int) -> str | None:
        """The value of a data element, None when absent."""
        return self.fields.get(de)

    def __getitem__(self, de: int) -> str:
        return self.fields[de]

    def __contains__(self, de: int) -> bool:
        return de in self.fields

    def with_fields(self, changes: Mapping[int, str | None]) -> Message:
        """The same message with elements set, or removed where the value is None."""
        merged = {**self.fields, **{k: v for k, v in changes.items() if v is not None}}
        for de in [k for k, v in changes.items() if v is None]:
            merged.pop(de, None)
        return replace(self, fields=merged)

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
