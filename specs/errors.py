"""The exceptions of specs, one tree.

    SpecError
    ├── FrameError        the byte stream cannot be cut into frames
    │   └── FrameTooLong  it announces more bytes than may be
    ├── DecodeError       a message breaks its dialect, at a data element and an offset
    ├── EncodeError       we built a message that the dialect cannot carry: our own mistake
    ├── DialectError      a dialect file is wrong: which file, key, why
    └── SecurityError     a key, check value or PIN block cannot be used

No text of these exceptions ever contains a card number, track, PIN block or key.
"""

from __future__ import annotations

from dataclasses import dataclass


class SpecError(Exception):
    """Root of everything that specs raises on bad input."""


class FrameError(SpecError):
    """The length header or the bytes after it cannot be a frame of this listener.

    Units: offset counts bytes from the length header; expected and got may be "" where the text says it all.
    """

    def __init__(self, text: str, *, offset: int = 0, expected: str = "", got: str = "") -> None:
        super().__init__(text)
        self.offset, self.expected, self.got = offset, expected, got


class FrameTooLong(FrameError):
    """A length header that announces more than the largest frame."""


@dataclass(eq=False)
class DecodeError(SpecError):
    """The first data element that cannot be read.

    Units: offset counts bytes from the first byte of the MTI; de is 0 for the MTI, 1 for the bitmap.
    """

    de: int
    offset: int
    expected: str
    got: str

    def __str__(self) -> str:
        where = {0: "MTI", 1: "bitmap"}.get(self.de, f"DE {self.de}")
        return f"{where} at byte {self.offset}: expected {self.expected}, got {self.got}"


@dataclass(eq=False)
class EncodeError(SpecError):
    """A value that the dialect cannot carry."""

    de: int
    why: str

    def __str__(self) -> str:
        return f"DE {self.de}: {self.why}"


@dataclass(eq=False)
class DialectError(SpecError):
    """A dialect file that cannot be used."""

    file: str
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.why}"


class SecurityError(SpecError):
    """A key, check value or PIN block that cannot be used; the text names which, never its value."""
