"""The codec's quick road: straight-line readers and writers, made once per shape of message from the dialect's rows.

It only ever answers what the careful road (pyiso8583 and the checks around it, specs.codec) would answer too. Whatever
is not plain (an odd filler, a wrong digit, an unknown element) makes it give up, and the careful road says what it is.

A shape is the bitmap of a message to read, and the elements of one to write. Making its function takes as long as the
careful road takes for PATIENCE messages, and is done for the PATIENCE-th of its shape: noise costs at most twice the
careful road, and bitmaps that were never seen before cost no more than that road.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Generic, TypeVar

from specs.dialect import Dialect
from specs.message import Message
from specs.quick_read import Reader, reader_of
from specs.quick_write import Writer, writer_of

SHAPES_MAX = 1_024
"""Shapes kept per dialect and direction, 9 kB each, of 120 elements 30: terminals have a few dozen, and noise must not
fill the memory."""
PATIENCE = 20
"""Messages of a shape until its function is made: 0.8 ms with what follows, against 40 µs of the careful road."""

_Shape = TypeVar("_Shape", bound=Hashable)
_Made = TypeVar("_Made")


class _Shapes(Generic[_Shape, _Made]):
    """The functions of the shapes that were asked for often enough."""

    def __init__(self, make: Callable[[_Shape], _Made | None], patience: int) -> None:
        self._make = make
        self._patience = patience
        self._asked: dict[_Shape, int] = {}
        self.made: dict[_Shape, _Made] = {}

    def missing(self, shape: _Shape) -> _Made | None:
        """The function of a shape that is not among the made ones, when its time has come."""
        asked = self._asked.get(shape, 0) + 1
        if asked < self._patience:
            if len(self._asked) >= SHAPES_MAX:
                self._asked.clear()
            self._asked[shape] = asked
            return None
        self._asked.pop(shape, None)
        made = self._make(shape)
        if made is not None:
            if len(self.made) >= SHAPES_MAX:
                self.made.clear()
            self.made[shape] = made
        return made


class QuickCodec:
    """Readers and writers of one dialect. `decode` and `encode` give None where the careful road must be taken."""

    def __init__(self, dialect: Dialect, patience: int = PATIENCE) -> None:
        self._dialect = dialect
        encodings = dialect.encodings
        start, size = encodings.mti_bytes, encodings.bitmap_bytes
        self._first, self._both = slice(start, start + size), slice(start, start + 2 * size)
        self._readers: _Shapes[bytes, Reader] = _Shapes(self._reader, patience)
        self._writers: _Shapes[tuple[int, ...], Writer] = _Shapes(lambda named: writer_of(dialect, named), patience)
        self._known_reader, self._known_writer = self._readers.made.get, self._writers.made.get
        another = range(128, 256) if encodings.bitmap == "binary" else "89ABCDEFabcdef".encode(encodings.codec)
        self._another = frozenset(bytes([first]) for first in another)
        """First bytes of a bitmap behind which there is another: bit 1 is set."""

    def decode(self, body: bytes, tpdu: str = "", header: str = "") -> Message | None:
        """The message, or None."""
        read = self._known_reader(body[self._first])
        try:
            if read is None:
                read = self._other_reader(body)
                if read is None:
                    return None
            return read(body, tpdu, header)
        except (LookupError, ValueError):
            return None

    def encode(self, mti: str, fields: Mapping[int, str]) -> bytes | None:
        """The body of these elements, in ascending order, or None."""
        named = tuple(fields)
        write = self._known_writer(named) or self._writers.missing(named)
        if write is None:
            return None
        try:
            return write(mti, fields.values())
        except (LookupError, ValueError):
            return None

    def _other_reader(self, body: bytes) -> Reader | None:
        """That of a message with two bitmaps, or of one whose first bitmap was not among the known ones."""
        first = body[self._first]
        shape = body[self._both] if first[:1] in self._another else first
        return self._known_reader(shape) or self._readers.missing(shape)

    def _reader(self, shape: bytes) -> Reader | None:
        """None also for bitmaps that are cut short, no hex, or two in a dialect of one."""
        encodings = self._dialect.encodings
        both = shape[:1] in self._another
        if len(shape) != encodings.bitmap_bytes * (2 if both else 1) or (both and not encodings.secondary_bitmap):
            return None
        raw = shape if encodings.bitmap == "binary" else _unhex(shape.decode(encodings.codec))
        bits = int.from_bytes(raw.ljust(16, b"\0"), "big")
        return reader_of(self._dialect, [de for de in range(2, 129) if bits >> (128 - de) & 1], both=both)


def _unhex(text: str) -> bytes:
    """Raises: ValueError, also for blanks, that bytes.fromhex() passes over."""
    raw = bytes.fromhex(text)
    if len(raw) * 2 != len(text):
        raise ValueError("blanks between hex characters")
    return raw


@lru_cache(maxsize=64)
def quick(dialect: Dialect) -> QuickCodec:
    """The quick codec of a dialect, made once."""
    return QuickCodec(dialect)
