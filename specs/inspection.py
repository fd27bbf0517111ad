"""The explaining reader: walks a message element by element and says where and how it breaks its dialect.

It is slower than pyiso8583 but reads on after what it can understand, takes any filler nibble, and knows the exact
offset of the first wrong byte. The codec asks it whenever pyiso8583 is not content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from specs.dialect import Dialect
from specs.errors import DecodeError
from specs.fields import FieldSpec
from specs.message import Message

#: What a value may consist of, by format. Tracks hold any nibble: encrypted ones are arbitrary (security.md).
ALPHABETS: dict[str, re.Pattern[str]] = {
    "n": re.compile(r"[0-9]*"),
    "z": re.compile(r"[0-9A-Fa-f=]*"),
    "b": re.compile(r"[0-9A-Fa-f]*"),
    "x+n": re.compile(r"(?:[CD][0-9]*)?"),
}
_ALPHABET_WORDS = {
    "n": "digits",
    "z": "digits and a separator",
    "b": "hex characters",
    "x+n": "C or D, then digits",
}


@dataclass(frozen=True, slots=True)
class Note:
    """One breach of the dialect. de 0 = MTI, 1 = bitmap; offset counts bytes from the MTI. Never shows card data."""

    de: int
    offset: int
    expected: str
    got: str
    message: str

    def as_error(self) -> DecodeError:
        """The same as an exception."""
        return DecodeError(self.de, self.offset, self.expected, self.got)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What could be read. message None = not even MTI and bitmap. complete = every element of the bitmap was read.

    Values of elements with a note are as on the wire and may hold characters that their format does not allow.
    read_to = offset of the first byte that was not understood (the message's length when all was).
    """

    message: Message | None
    notes: tuple[Note, ...]
    bitmap: str = ""
    complete: bool = False
    read_to: int = 0


class _Stop(Exception):
    """Nothing behind this point can be located."""


class _Walk:
    """One reading of one message; `pos` is the next unread byte."""

    def __init__(self, body: bytes, dialect: Dialect) -> None:
        self.body = body
        self.dialect = dialect
        self.pos = 0
        self.mti = ""
        self.bitmap = ""
        self.values: dict[int, str] = {}
        self.starts: dict[int, int] = {}
        self.notes: list[Note] = []
        self.complete = False
        self.astray = False  # values may not be those of their elements

    def run(self) -> Inspection:
        try:
            self._read_mti()
            for de in self._read_bitmaps():
                self._read_element(de)
            self.complete = True
            if self.pos < len(self.body):
                last = max(self.values, default=1)
                self.astray = True
                self._note(last, self.pos, "the end of the message", f"{len(self.body) - self.pos} more bytes")
        except _Stop:
            self.astray = True
        doubtful = frozenset(self.values if self.astray else (note.de for note in self.notes))
        message = Message(self.mti, self.values, doubtful=doubtful) if self.bitmap else None
        return Inspection(message, tuple(self.notes), self.bitmap, self.complete, self.pos)

    def _note(self, de: int, offset: int, expected: str, got: str) -> None:
        note = DecodeError(de, offset, expected, got)
        spec = self.dialect.fields.get(de)
        self.notes.append(Note(de, offset, expected, got, f"{note} ({spec.name})" if spec else str(note)))

    def _take(self, de: int, size: int, what: str) -> bytes:
        left = len(self.body) - self.pos
        if left < size:
            self._note(de, self.pos, f"{what} of {size} bytes", f"{left} bytes to the end of the message")
            raise _Stop
        self.pos += size
        return self.body[self.pos - size : self.pos]

    def _read_mti(self) -> None:
        encodings = self.dialect.encodings
        raw = self._take(0, encodings.mti_bytes, "an MTI")
        text = raw.hex() if encodings.mti == "bcd" else raw.decode(self.dialect.encodings.codec)
        if not ALPHABETS["n"].fullmatch(text):
            words = "two BCD bytes" if encodings.mti == "bcd" else "four ASCII digits"
            self._note(0, 0, f"an MTI of {words}", raw.hex().upper())
            raise _Stop
        self.mti = text

    def _read_bitmaps(self) -> list[int]:
        des = self._read_bitmap(0)
        if des and des[0] == 1:
            if not self.dialect.encodings.secondary_bitmap:
                self.astray = True
                self._note(1, self.dialect.encodings.mti_bytes, "bit 1 clear: this dialect has one bitmap", "bit 1 set")
            des = des[1:] + self._read_bitmap(64)
        return des

    def _read_bitmap(self, base: int) -> list[int]:
        encodings = self.dialect.encodings
        start = self.pos
        raw = self._take(1, encodings.bitmap_bytes, "a bitmap")
        text = raw.hex() if encodings.bitmap == "binary" else raw.decode(self.dialect.encodings.codec)
        if not ALPHABETS["b"].fullmatch(text):
            self._note(1, start + _first_bad(text, "b"), "16 hex characters", "another character")
            self.pos = start
            raise _Stop
        self.bitmap += text.upper()
        bits = int(text, 16)
        return [base + i + 1 for i in range(64) if bits >> (63 - i) & 1]

    def _read_element(self, de: int) -> None:
        spec = self.dialect.fields.get(de)
        start = self.starts[de] = self.pos
        if spec is None:
            self._note(de, start, f"a data element that {self.dialect.name} has", f"DE {de} in the bitmap")
            raise _Stop
        size = self._read_size(spec) if spec.prefix_bytes else spec.max
        try:
            raw = self._take(de, spec.wire_bytes(size), f"{size} {spec.unit}")
        except _Stop:
            self.pos = start
            raise
        self.values[de] = self._value(spec, raw, size, self.pos - len(raw))

    def _read_size(self, spec: FieldSpec) -> int:
        start = self.pos
        raw = self._take(spec.de, spec.prefix_bytes, "a length")
        text = raw.hex() if spec.length_encoding == "bcd" else raw.decode(self.dialect.encodings.codec)
        if not ALPHABETS["n"].fullmatch(text):
            words = "BCD digits" if spec.length_encoding == "bcd" else "ASCII digits"
            self._note(spec.de, start, f"a length in {words}", raw.hex().upper())
            self.pos = start
            raise _Stop
        size = int(text)
        if spec.encoding == "hex":  # the length counts characters (iso87.md 1)
            if size % 2:
                self._note(spec.de, start, "an even length: two hex characters a byte", f"a length of {size}")
                self.pos = start
                raise _Stop
            size //= 2
        if size > spec.max:
            self.astray = True
            self._note(spec.de, start, f"at most {spec.max} {spec.unit}", f"a length of {size}")
        return size

    def _value(self, spec: FieldSpec, raw: bytes, size: int, start: int) -> str:
        if spec.encoding == "bcd":
            return self._bcd_value(spec, raw, size, start)
        if spec.encoding == "raw":
            return raw.hex().upper()
        text = raw.decode(self.dialect.encodings.codec)
        if spec.format in ALPHABETS and not ALPHABETS[spec.format].fullmatch(text):
            at = _first_bad(text, spec.format)
            self._bad_byte(spec, start + at, raw[at])
            return text
        return text.upper() if spec.format == "b" else text

    def _bcd_value(self, spec: FieldSpec, raw: bytes, size: int, start: int) -> str:
        nibbles = raw.hex().upper()
        skip = 0
        if size % 2:
            skip = 1 if spec.justify == "right" else 0
            filler = nibbles[0] if skip else nibbles[-1]
            nibbles = nibbles[1:] if skip else nibbles[:-1]
            # In a fixed element the filler's side is all that tells `02 10` from `00 22`: there it is checked.
            if spec.length == "fixed" and filler != spec.filler:
                at = start if skip else start + len(raw) - 1
                self._note(
                    spec.de, at, f"{size} digits {spec.justify}-justified, filler {spec.filler}", "another filler"
                )
        if not ALPHABETS[spec.format].fullmatch(nibbles):
            at = (_first_bad(nibbles, spec.format) + skip) // 2
            self._bad_byte(spec, start + at, raw[at])
        return nibbles

    def _bad_byte(self, spec: FieldSpec, offset: int, byte: int) -> None:
        got = "another byte" if spec.sensitive else f"byte {byte:02X}"
        self._note(spec.de, offset, _ALPHABET_WORDS[spec.format], got)


def _first_bad(text: str, kind: str) -> int:
    """Index of the first character that the alphabet of this format does not have there."""
    alphabet = ALPHABETS[kind]
    return next((i for i in range(len(text)) if not alphabet.fullmatch(text[: i + 1])), 0)


def inspect(body: bytes, dialect: Dialect) -> Inspection:
    """Read what can be read of a message that begins at its MTI; never raises on bad input.

    Lengths count digits (n, z), characters (an, ans) or bytes (b).
    """
    return _Walk(body, dialect).run()


def place(de: int, body: bytes, dialect: Dialect) -> int:
    """The byte at which a data element begins, its length included; of one that is absent, where it would begin.

    0 = MTI, 1 = bitmap. Never raises on bad input; of an element that could not be reached, where the reading ended.
    """
    if de <= 1:
        return min(de * dialect.encodings.mti_bytes, len(body))
    walk = _Walk(body, dialect)
    walk.run()
    return next((start for found, start in sorted(walk.starts.items()) if found >= de), walk.pos)
