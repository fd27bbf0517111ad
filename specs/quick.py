"""The codec's quick road: one reader and one writer per data element, made once from its row, for messages in order.

It only ever answers what the careful road (pyiso8583 and the checks around it, specs.codec) would answer too. Whatever
is not plain (an odd filler, a wrong digit, an unknown element) makes it give up, and the careful road says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from specs.dialect import Dialect
from specs.fields import PREFIX_DIGITS, FieldSpec
from specs.message import Message

SHAPES_MAX = 1_024
"""Bitmaps whose plan is kept per dialect: terminals have a few dozen, and noise must not fill the memory."""

Read = Callable[[bytes, int], tuple[str, int]]
"""Body and where the element begins -> its value and where the next one begins. Raises: ValueError to give up."""
Write = Callable[[str], bytes]
"""A value -> its bytes with the length prefix. Raises: ValueError to give up."""

_TRACK = re.compile(r"[0-9A-Fa-f=]*", re.ASCII)
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*", re.ASCII)


class QuickCodec:
    """Readers and writers of one dialect. `decode` and `encode` give None where the careful road must be taken."""

    def __init__(self, dialect: Dialect) -> None:
        encodings = dialect.encodings
        self._charset = encodings.codec
        self._bcd_mti = encodings.mti == "bcd"
        self._binary_bitmap = encodings.bitmap == "binary"
        self._mti_bytes, self._bitmap_bytes = encodings.mti_bytes, encodings.bitmap_bytes
        self._secondary = encodings.secondary_bitmap
        self._reads = {de: made for de, row in dialect.fields.items() if (made := _reader(row, self._charset))}
        self._writes = {de: ours for de, row in dialect.fields.items() if (ours := _writer(row, self._charset))}
        self._decode_only = encodings.decode_only
        self._read_plans: dict[int, tuple[tuple[int, Read], ...] | None] = {}
        self._write_plans: dict[tuple[int, ...], tuple[bytes, tuple[Write, ...]] | None] = {}

    def decode(self, body: bytes) -> Message | None:
        """The message, or None."""
        at = self._mti_bytes
        try:
            mti = body[:at].hex() if self._bcd_mti else body[:at].decode(self._charset)
            if len(mti) != 4 or not (mti.isascii() and mti.isdecimal()):
                return None
            bits, at = self._bits(body, at)
            plan = self._read_plan(bits)
            if plan is None:
                return None
            values: dict[int, str] = {}
            for de, read in plan:
                values[de], at = read(body, at)
        except ValueError:
            return None
        return Message(mti, values) if at == len(body) else None

    def encode(self, message: Message) -> bytes | None:
        """The body, or None."""
        mti, fields = message.mti, message.fields
        if len(mti) != 4 or not (mti.isascii() and mti.isdecimal()):
            return None
        plan = self._write_plan(tuple(fields))
        if plan is None or self._decode_only:
            return None
        bitmap, writes = plan
        parts = [bytes.fromhex(mti) if self._bcd_mti else mti.encode(self._charset), bitmap]
        try:
            parts += [write(value) for write, value in zip(writes, fields.values(), strict=True)]
        except ValueError:
            return None
        return b"".join(parts)

    def _bits(self, body: bytes, at: int) -> tuple[int, int]:
        """The bitmaps as one number of 128 bits without bit 1, and where the elements begin."""
        bits = self._word(body, at)
        at += self._bitmap_bytes
        if not bits >> 63:
            return bits << 64, at
        if not self._secondary:
            raise ValueError
        bits = (bits ^ 1 << 63) << 64 | self._word(body, at)
        return bits, at + self._bitmap_bytes

    def _word(self, body: bytes, at: int) -> int:
        raw = body[at : at + self._bitmap_bytes]
        if len(raw) != self._bitmap_bytes:
            raise ValueError
        if self._binary_bitmap:
            return int.from_bytes(raw, "big")
        text = raw.decode(self._charset)
        if not _HEX.fullmatch(text):
            raise ValueError
        return int(text, 16)

    def _read_plan(self, bits: int) -> tuple[tuple[int, Read], ...] | None:
        if bits in self._read_plans:
            return self._read_plans[bits]
        if len(self._read_plans) >= SHAPES_MAX:
            self._read_plans.clear()
        named = [de for de in range(2, 129) if bits >> (128 - de) & 1]
        known = all(de in self._reads for de in named)
        self._read_plans[bits] = tuple((de, self._reads[de]) for de in named) if known else None
        return self._read_plans[bits]

    def _write_plan(self, named: tuple[int, ...]) -> tuple[bytes, tuple[Write, ...]] | None:
        if named in self._write_plans:
            return self._write_plans[named]
        if len(self._write_plans) >= SHAPES_MAX:
            self._write_plans.clear()
        known = all(de in self._writes for de in named)
        self._write_plans[named] = (self._bitmap(named), tuple(self._writes[de] for de in named)) if known else None
        return self._write_plans[named]

    def _bitmap(self, named: tuple[int, ...]) -> bytes:
        bits = sum(1 << (128 - de) for de in named)
        both = bool(bits & (1 << 64) - 1)
        raw = (bits | (1 << 127 if both else 0)).to_bytes(16, "big")[: 16 if both else 8]
        return raw if self._binary_bitmap else raw.hex().upper().encode(self._charset)


@lru_cache(maxsize=64)
def quick(dialect: Dialect) -> QuickCodec:
    """The quick codec of a dialect, made once."""
    return QuickCodec(dialect)


# ---- reading


def _reader(row: FieldSpec, charset: str) -> Read | None:
    """None for what is rare and left to the careful road: signed amounts, binary in hex of variable length."""
    value = _READERS.get((row.format, row.encoding))
    if value is None or (row.encoding == "hex" and row.length != "fixed"):
        return None
    read = value(row, charset)
    if row.length == "fixed":
        size = row.max
        return lambda body, at: read(body, at, size)
    prefix, most = row.prefix_bytes, row.max
    if row.length_encoding == "bcd":

        def after_bcd(body: bytes, at: int) -> tuple[str, int]:
            start = at + prefix
            size = int(body[at:start].hex())  # ValueError for a nibble above 9 and for no bytes at all
            if size > most or start > len(body):
                raise ValueError
            return read(body, start, size)

        return after_bcd

    def after_text(body: bytes, at: int) -> tuple[str, int]:
        start = at + prefix
        digits = body[at:start].decode(charset)
        if len(digits) != prefix or not (digits.isascii() and digits.isdecimal()):
            raise ValueError
        size = int(digits)
        if size > most:
            raise ValueError
        return read(body, start, size)

    return after_text


_ReadSized = Callable[[bytes, int, int], tuple[str, int]]


def _read_text(row: FieldSpec, charset: str) -> _ReadSized:
    def read(body: bytes, at: int, size: int) -> tuple[str, int]:
        end = at + size
        if end > len(body):
            raise ValueError
        return body[at:end].decode(charset), end

    return read


def _read_characters(row: FieldSpec, charset: str) -> _ReadSized:
    """Digits and tracks with one character a byte."""
    plain = _read_text(row, charset)
    digits = row.format == "n"

    def read(body: bytes, at: int, size: int) -> tuple[str, int]:
        value, end = plain(body, at, size)
        if value and not (value.isascii() and value.isdecimal()) and (digits or not _TRACK.fullmatch(value)):
            raise ValueError
        return value, end

    return read


def _read_bcd(row: FieldSpec, charset: str) -> _ReadSized:
    digits, right, filler = row.format == "n", row.justify == "right", row.filler

    def read(body: bytes, at: int, size: int) -> tuple[str, int]:
        end = at + (size + 1) // 2
        if end > len(body):
            raise ValueError
        value = body[at:end].hex().upper()
        if size & 1:
            if value[0 if right else -1] != filler:
                raise ValueError
            value = value[1:] if right else value[:-1]
        if digits and value and not value.isdecimal():
            raise ValueError
        return value, end

    return read


def _read_raw(row: FieldSpec, charset: str) -> _ReadSized:
    def read(body: bytes, at: int, size: int) -> tuple[str, int]:
        end = at + size
        if end > len(body):
            raise ValueError
        return body[at:end].hex().upper(), end

    return read


def _read_hex(row: FieldSpec, charset: str) -> _ReadSized:
    plain = _read_text(row, charset)

    def read(body: bytes, at: int, size: int) -> tuple[str, int]:
        value, end = plain(body, at, size * 2)
        if not _HEX.fullmatch(value):
            raise ValueError
        return value.upper(), end

    return read


_READERS: Mapping[tuple[str, str], Callable[[FieldSpec, str], _ReadSized]] = {
    ("n", "bcd"): _read_bcd,
    ("z", "bcd"): _read_bcd,
    ("n", "ascii"): _read_characters,
    ("z", "ascii"): _read_characters,
    ("an", "ascii"): _read_text,
    ("ans", "ascii"): _read_text,
    ("b", "raw"): _read_raw,
    ("b", "hex"): _read_hex,
}


# ---- writing


def _writer(row: FieldSpec, charset: str) -> Write | None:
    made = _WRITERS.get((row.format, row.encoding))
    if made is None or (row.encoding == "hex" and row.length != "fixed"):
        return None
    write = made(row, charset)
    exact = row.length == "fixed" and not row.is_text
    most = row.max
    if row.length == "fixed":

        def fixed(value: str) -> bytes:
            size, raw = write(value)
            if size != most if exact else size > most:
                raise ValueError
            return raw

        return fixed
    prefixes = tuple(_prefix(row, size, charset) for size in range(most + 1))

    def variable(value: str) -> bytes:
        size, raw = write(value)
        if size > most:
            raise ValueError
        return prefixes[size] + raw

    return variable


def _prefix(row: FieldSpec, size: int, charset: str) -> bytes:
    if row.length_encoding == "bcd":
        return bytes.fromhex(f"{size:0{row.prefix_bytes * 2}d}")
    return f"{size:0{PREFIX_DIGITS[row.length]}d}".encode(charset)


_WriteSized = Callable[[str], tuple[int, bytes]]
"""A value -> its size in the units of its row, and its bytes."""


def _write_text(row: FieldSpec, charset: str) -> _WriteSized:
    if row.length != "fixed":
        return lambda value: (len(value), _one_byte_each(value, charset))
    width, filler, left = row.max, row.filler, row.justify == "left"

    def write(value: str) -> tuple[int, bytes]:
        filled = value.ljust(width, filler) if left else value.rjust(width, filler)
        return len(value), _one_byte_each(filled, charset)

    return write


def _one_byte_each(value: str, charset: str) -> bytes:
    """UnicodeEncodeError, a ValueError, for a character above 255."""
    return value.encode(charset)


def _write_characters(row: FieldSpec, charset: str) -> _WriteSized:
    digits = row.format == "n"

    def write(value: str) -> tuple[int, bytes]:
        if value and not (value.isascii() and value.isdecimal()) and (digits or not _TRACK.fullmatch(value)):
            raise ValueError
        return len(value), value.upper().encode(charset)

    return write


def _write_bcd(row: FieldSpec, charset: str) -> _WriteSized:
    digits, right, filler = row.format == "n", row.justify == "right", row.filler

    def write(value: str) -> tuple[int, bytes]:
        if not (value.isascii() and value.isdecimal()) and value:
            if digits or not _TRACK.fullmatch(value):
                raise ValueError
            value = value.upper().replace("=", "D")
        size = len(value)
        if size & 1:
            value = filler + value if right else value + filler
        return size, bytes.fromhex(value)

    return write


def _write_raw(row: FieldSpec, charset: str) -> _WriteSized:
    def write(value: str) -> tuple[int, bytes]:
        if not _HEX.fullmatch(value):
            raise ValueError
        return len(value) // 2, bytes.fromhex(value)

    return write


def _write_hex(row: FieldSpec, charset: str) -> _WriteSized:
    def write(value: str) -> tuple[int, bytes]:
        if not _HEX.fullmatch(value):
            raise ValueError
        return len(value) // 2, value.upper().encode(charset)

    return write


_WRITERS: Mapping[tuple[str, str], Callable[[FieldSpec, str], _WriteSized]] = {
    ("n", "bcd"): _write_bcd,
    ("z", "bcd"): _write_bcd,
    ("n", "ascii"): _write_characters,
    ("z", "ascii"): _write_characters,
    ("an", "ascii"): _write_text,
    ("ans", "ascii"): _write_text,
    ("b", "raw"): _write_raw,
    ("b", "hex"): _write_hex,
}
