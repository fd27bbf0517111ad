"""A frame with something wrong in it, of the right length.

A `byte` is made unreadable as a rule; a `field` keeps its form and says something else, so that only a MAC, or a
comparison with what was asked, can tell.
"""

from __future__ import annotations

from collections.abc import Mapping

from specs.codec import encode_payload, split_payload
from specs.errors import SpecError
from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value
from specs.framing import LENGTH_BYTES, frame
from specs.inspection import place


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    field = int(params["field"])
    return [Put(_other_field(passage, field) if field else _other_byte(passage, int(params["byte"])))]


def _other_byte(passage: Passage, byte: int) -> bytes:
    form = passage.dialect.frame
    spoilt = bytearray(passage.frame)
    spoilt[min(LENGTH_BYTES[form.length] + form.prefix_bytes + byte, len(spoilt) - 1)] ^= 0xFF
    return bytes(spoilt)


def _other_field(passage: Passage, de: int) -> bytes:
    """Where the message was not written as we would write it, the element's last byte is changed in its place."""
    message, dialect = passage.message, passage.dialect
    if message is None or not message.get(de):
        return passage.frame
    try:
        if frame(encode_payload(message, dialect), dialect.frame) == passage.frame:
            changed = message.with_fields({de: _other_value(message[de], dialect.fields[de].format)})
            return frame(encode_payload(changed, dialect), dialect.frame)
        _, _, body = split_payload(passage.frame[LENGTH_BYTES[dialect.frame.length] :], dialect)
    except SpecError:
        return passage.frame
    behind = min((number for number in message.fields if number > de), default=0)
    end = place(behind, body, dialect) if behind else len(body)
    spoilt = bytearray(passage.frame)
    spoilt[len(spoilt) - len(body) + end - 1] ^= 0x01
    return bytes(spoilt)


def _other_value(value: str, form: str) -> str:
    """The last character becomes the next one of its kind: 26800 -> 26801, 00 -> 01, text that ends in X -> Y."""
    last = value[-1]
    if form == "b":
        return value[:-1] + f"{int(last, 16) ^ 1:X}"
    if last.isascii() and last.isdigit():
        return value[:-1] + str((int(last) + 1) % 10)
    return value[:-1] + ("Y" if last == "X" else "X")


ACTION = Action(
    "corrupt",
    (Place.WIRE,),
    "all bits of the byte `byte` are turned, or the data element `field` says something else; the length stays",
    (
        Param("byte", "byte", 0, "counted from the MTI; past the end it is the last one"),
        Param("field", "field", 0, "number of a data element; a frame without it arrives as it is"),
    ),
    on_frame=_on_frame,
    alone=("byte", "field"),
)
