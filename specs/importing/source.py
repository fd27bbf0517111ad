"""What an imported file says, in words that both formats share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specs.errors import SpecError

BYTES_MAX = 1024 * 1024
"""A packager is some thousand lines; anything larger is the wrong file."""

Kind = Literal["n", "text", "any", "b", "amount"]
"""n: digits; text: characters; any: characters or digits, the file does not say; b: binary; amount: sign and digits."""
Data = Literal["ascii", "ebcdic", "bcd", "raw", "hex", "ebcdic-hex"]
Prefix = Literal["", "ascii", "ebcdic", "bcd"]


class ImportRefused(SpecError):
    """A file that cannot be imported at all; the text says why in one line."""


@dataclass(frozen=True, slots=True)
class Unmapped:
    """What a dialect file cannot say. de: its data element, 0 the MTI, 1 the bitmap, -1 the whole. word: the file's."""

    de: int
    word: str
    why: str

    def __str__(self) -> str:
        where = {-1: "message", 0: "MTI", 1: "bitmap"}.get(self.de, f"DE {self.de}")
        return f"{where}: {self.word}: {self.why}"


@dataclass(frozen=True, slots=True)
class Element:
    """One data element. Units: max as in specs.fields, of an amount without its sign.

    prefix "" = fixed. justify and filler "" = not said. word: the class or type that the file names.
    """

    de: int
    name: str
    kind: Kind
    data: Data
    max: int
    word: str
    prefix: Prefix = ""
    digits: int = 0
    """Digits of the length prefix, 0 = fixed."""
    justify: Literal["", "left", "right"] = ""
    filler: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One file. mti, bitmap: how they are written. secondary: whether the bitmap may have 128 bits."""

    title: str
    mti: Data
    bitmap: Data
    secondary: bool
    elements: tuple[Element, ...]
    unmapped: tuple[Unmapped, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """toml: the dialect file. extends: the dialect that it builds on. unmapped: what it does not say, by element."""

    toml: str
    extends: str
    unmapped: tuple[Unmapped, ...]
