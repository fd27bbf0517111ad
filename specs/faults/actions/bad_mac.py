"""A MAC that is wrong (failure-catalogue 22)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.codec import mac_de
from specs.faults.model import Action, Effect, Passage, Place, Put, Value


def _on_frame(passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    """The MAC is the last element of every message that has one; written in hex it stays hex."""
    message, dialect = passage.message, passage.dialect
    if message is None or mac_de(message.fields) not in message:
        return [Put(passage.frame)]
    row, codec = dialect.fields[mac_de(message.fields)], dialect.encodings.codec
    start = len(passage.frame) - row.wire_bytes(row.max)
    mac = passage.frame[start:]
    wrong = turned(mac) if row.encoding == "raw" else _hex(turned(bytes.fromhex(mac.decode(codec)))).encode(codec)
    return [Put(passage.frame[:start] + wrong)]


def turned(data: bytes) -> bytes:
    """Every bit the other way."""
    return bytes(byte ^ 0xFF for byte in data)


def _hex(data: bytes) -> str:
    return data.hex().upper()


ACTION = Action(
    "bad-mac",
    (Place.WIRE,),
    "all bits of the MAC (DE 64 or 128) are turned; a frame without a MAC arrives as it is",
    on_frame=_on_frame,
)
