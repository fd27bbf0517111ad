"""A MAC that is wrong (failure-catalogue 22)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.codec import mac_de
from specs.faults.model import Action, Effect, Passage, Place, Put, Value


def _on_frame(passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    """The MAC is the last element of every message that has one; written in hex it stays hex."""
    message, last = passage.message, passage.frame[-1]
    if message is None or mac_de(message.fields) not in message:
        return [Put(passage.frame)]
    raw = passage.dialect.fields[mac_de(message.fields)].encoding == "raw"
    codec = passage.dialect.encodings.codec
    wrong = bytes([last ^ 0xFF]) if raw else f"{int(bytes([last]).decode(codec), 16) ^ 0xF:X}".encode(codec)
    return [Put(passage.frame[:-1] + wrong)]


ACTION = Action(
    "bad-mac",
    (Place.WIRE,),
    "the last byte of the MAC is wrong; a frame without a MAC arrives as it is",
    on_frame=_on_frame,
)
