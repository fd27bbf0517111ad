"""BER-TLV of DE 55, in order and with repeated tags kept (EMV book 3, annex B; cup.md 5.6).

Constructed objects are not opened here: their value is again TLV, and `parse` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specs.errors import DecodeError

_TAG_BYTES_MAX = 4
_LENGTH_BYTES_MAX = 2
"""A DE 55 ends at 255 bytes, a DE 62 at 512: two bytes of length are plenty."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One object. Shape: tag in upper-case hex, value as bytes."""

    tag: str
    value: bytes

    @property
    def constructed(self) -> bool:
        """Whether the value is itself TLV (bit 6 of the first tag byte)."""
        return bool(int(self.tag[:2], 16) & 0x20)

    def __repr__(self) -> str:
        # 5A, 57 and others carry card data: a repr says only how much there is.
        return f"Tlv({self.tag}, {len(self.value)} bytes)"


def parse(data: bytes, *, de: int = 55) -> list[Tlv]:
    """Read every object; 00 bytes between objects are padding.

    Units:  the offset in an error counts bytes within the data.
    Raises: DecodeError where a tag, a length or a value is cut off or too long.
    """
    items: list[Tlv] = []
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        tag_end = _tag_end(data, at, de)
        length, value_at = _length(data, tag_end, de)
        if value_at + length > len(data):
            raise DecodeError(de, value_at, f"{length} bytes of value", f"{len(data) - value_at} bytes")
        items.append(Tlv(data[at:tag_end].hex().upper(), data[value_at : value_at + length]))
        at = value_at + length
    return items


def build(items: Iterable[Tlv]) -> bytes:
    """The objects in the order given, with the shortest lengths."""
    return b"".join(bytes.fromhex(item.tag) + _length_bytes(len(item.value)) + item.value for item in items)


def _tag_end(data: bytes, at: int, de: int) -> int:
    end = at + 1
    if data[at] & 0x1F == 0x1F:
        while end < len(data) and data[end] & 0x80:
            end += 1
        end += 1
    if end > len(data):
        raise DecodeError(de, at, "a whole tag", f"{len(data) - at} bytes")
    if end - at > _TAG_BYTES_MAX:
        raise DecodeError(de, at, f"a tag of at most {_TAG_BYTES_MAX} bytes", f"{end - at} bytes")
    return end


def _length(data: bytes, at: int, de: int) -> tuple[int, int]:
    """The length and where the value starts."""
    if at >= len(data):
        raise DecodeError(de, at, "a length", "the end")
    first = data[at]
    if first < 0x80:
        return first, at + 1
    count = first & 0x7F
    if not 1 <= count <= _LENGTH_BYTES_MAX:
        raise DecodeError(de, at, f"a length of 1 to {_LENGTH_BYTES_MAX} bytes", f"{first:02X}")
    if at + 1 + count > len(data):
        raise DecodeError(de, at, f"{count} bytes of length", f"{len(data) - at - 1} bytes")
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


def _length_bytes(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    size = 1 if length < 0x100 else 2
    return bytes([0x80 | size]) + length.to_bytes(size, "big")
