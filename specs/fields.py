"""FieldSpec: how one data element looks on the wire; a dialect file has one row per data element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Format = Literal["n", "an", "ans", "b", "z", "x+n"]
LengthKind = Literal["fixed", "LL", "LLL"]
#: bcd = two digits a byte; ascii = one byte a character; hex = two hex characters a byte; raw = the bytes themselves.
Encoding = Literal["bcd", "ascii", "hex", "raw"]
Justify = Literal["left", "right"]

FORMATS: tuple[str, ...] = ("n", "an", "ans", "b", "z", "x+n")
LENGTHS: tuple[str, ...] = ("fixed", "LL", "LLL")
#: Digits of the length prefix by kind.
PREFIX_DIGITS: dict[str, int] = {"fixed": 0, "LL": 2, "LLL": 3}


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One data element of one dialect.

    Units: `max` counts digits (n, z; in x+n those after the sign), characters (an, ans) or bytes (b); it is the exact
    size when the length is fixed. `justify` says on which side the digits stand when a filler nibble or character is
    needed; `filler` is what we send there (decoding takes any in a variable element).
    Source: cup.md section 2, nac.md section 2, iso87.md section 1; `source` names the row's own when it differs.
    """

    de: int
    name: str
    format: Format
    length: LengthKind
    max: int
    encoding: Encoding
    length_encoding: Literal["bcd", "ascii"]
    justify: Justify
    filler: str
    sensitive: bool = False
    source: str = ""

    @property
    def prefix_bytes(self) -> int:
        """Bytes of the length prefix: LL 1 (BCD) or 2 (ASCII), LLL 2 or 3, fixed 0."""
        digits = PREFIX_DIGITS[self.length]
        return (digits + 1) // 2 if self.length_encoding == "bcd" else digits

    @property
    def is_text(self) -> bool:
        """Whether the value is text of any byte (an, ans), as against digits or binary."""
        return self.format in ("an", "ans")

    @property
    def unit(self) -> str:
        """The word for what `max` counts."""
        return {"n": "digits", "z": "digits", "b": "bytes"}.get(self.format, "characters")

    def wire_bytes(self, size: int) -> int:
        """Bytes that a value of `size` units takes, without its length prefix."""
        if self.encoding == "bcd":
            return (size + 1) // 2
        if self.encoding == "hex":
            return size * 2
        return size + 1 if self.format == "x+n" else size

    def describe(self) -> str:
        """The notation of the protocol documents: n6, n..19, ans...999, x+n16."""
        dots = {"fixed": "", "LL": "..", "LLL": "..."}[self.length]
        return f"{self.format}{dots}{self.max * 8 if self.format == 'b' and not dots else self.max}"
