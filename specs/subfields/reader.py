"""Cutting a sub-field value from left to right, and filling one in: what every layout here shares.

Units: offsets in errors count characters within the data element. Errors say how much was there, never what: the values
hold card numbers.
"""

from __future__ import annotations

from specs.errors import DecodeError, EncodeError


class Reader:
    """The characters of one data element, taken from the left."""

    def __init__(self, de: int, value: str) -> None:
        self.de = de
        self.value = value
        self.at = 0

    @property
    def left(self) -> int:
        """How many characters are not taken yet."""
        return len(self.value) - self.at

    def text(self, length: int, what: str) -> str:
        """The next characters as they are. Raises: DecodeError when fewer are left."""
        if self.left < length:
            raise DecodeError(self.de, self.at, f"{what}, {length} characters", f"{self.left} characters")
        taken = self.value[self.at : self.at + length]
        self.at += length
        return taken

    def digits(self, length: int, what: str) -> str:
        """The next characters, all digits. Raises: DecodeError."""
        start = self.at
        taken = self.text(length, what)
        if not (taken.isascii() and taken.isdigit()):
            raise DecodeError(self.de, start, f"{what}, {length} digits", "a character that is not a digit")
        return taken

    def number(self, length: int, what: str) -> int:
        """The next digits as an integer. Raises: DecodeError."""
        return int(self.digits(length, what))

    def optional_digits(self, length: int, what: str) -> str | None:
        """The next digits, or None when fewer characters are left: a field may end between its sub-fields."""
        return self.digits(length, what) if self.left >= length else None

    def one_of(self, characters: str, what: str) -> str:
        """The next character, one of those given. Raises: DecodeError."""
        start = self.at
        taken = self.text(1, what)
        if taken not in characters:
            raise DecodeError(self.de, start, f"{what}, one of {characters}", "another character")
        return taken

    def rest(self) -> str:
        """Everything that is left."""
        return self.text(self.left, "the rest")

    def end(self, what: str) -> None:
        """Raises: DecodeError when characters are left over."""
        if self.left:
            raise DecodeError(self.de, self.at, f"the end of {what}", f"{self.left} more characters")


def number_field(de: int, value: int, width: int, what: str) -> str:
    """An integer as `width` digits. Raises: EncodeError when it is negative or too large."""
    if not 0 <= value < 10**width:
        raise EncodeError(de, f"{what} does not fit {width} digits")
    return f"{value:0{width}d}"


def digits_field(de: int, value: str, width: int, what: str) -> str:
    """A digit string that must have exactly this width. Raises: EncodeError."""
    if len(value) != width or not (value.isascii() and value.isdigit()):
        raise EncodeError(de, f"{what} must have {width} digits")
    return value


def text_field(de: int, value: str, width: int, what: str) -> str:
    """Text, blank filled on the right. Raises: EncodeError when it is too long."""
    if len(value) > width:
        raise EncodeError(de, f"{what} is longer than {width} characters")
    return value.ljust(width)
