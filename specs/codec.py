"""Message <-> bytes, on pyiso8583 behind the Dialect.

pyiso8583 reads and writes; around it stands what it leaves out: unknown elements, digit checks, lengths such as `+10`,
any filler nibble, exact offsets, and values that are not changed under the caller's hands. Messages in plain order take
the quick road before it (specs.quick).

    payload = TPDU | message header | body          body = MTI | bitmap | data elements in ascending order
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import iso8583

from specs.dialect import MAC_FIELDS, Dialect, Encodings
from specs.errors import DecodeError, EncodeError
from specs.fields import FieldSpec
from specs.framing import TPDU_BYTES
from specs.inspection import ALPHABETS, Inspection, Note, inspect
from specs.message import Message, in_order
from specs.quick import quick
from specs.values import replace

_HEX = re.compile(r"[0-9A-F]*")
_HEADS_MAX = 1_024
"""TPDUs and message headers whose bytes are kept: a terminal has the same ones in all its messages."""


@dataclass(frozen=True)
class _Plan:
    """What pyiso8583 needs for one dialect, and what we check beside it."""

    spec: Mapping[str, Mapping[str, Any]]
    known: frozenset[int]
    ascii_lengths: frozenset[str]
    checks: Mapping[str, re.Pattern[str]]
    hex_values: frozenset[str]


@lru_cache(maxsize=64)
def _plan(dialect: Dialect) -> _Plan:
    encodings = dialect.encodings
    bitmap = {"data_enc": "b" if encodings.bitmap == "binary" else encodings.codec, **_FIXED, "max_len": 16}
    spec: dict[str, Mapping[str, Any]] = {
        "h": {"data_enc": "ascii", **_FIXED, "max_len": 0},
        "t": {"data_enc": "b" if encodings.mti == "bcd" else encodings.codec, **_FIXED, "max_len": 4},
        "p": bitmap,
        "1": bitmap,
    }
    spec |= {str(de): _row(field, encodings.codec) for de, field in dialect.fields.items()}
    by_text = {str(de): field for de, field in dialect.fields.items()}
    return _Plan(
        spec=spec,
        known=frozenset(dialect.fields),
        ascii_lengths=frozenset(k for k, f in by_text.items() if f.prefix_bytes and f.length_encoding == "ascii"),
        checks={k: _alphabet(f) for k, f in by_text.items() if f.format in ALPHABETS and f.encoding != "raw"},
        hex_values=frozenset(k for k, f in by_text.items() if f.encoding == "hex"),
    )


def _alphabet(field: FieldSpec) -> re.Pattern[str]:
    return _HEX_PAIRS if field.encoding == "hex" else ALPHABETS[field.format]


_HEX_PAIRS = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_FIXED: Mapping[str, Any] = {"len_enc": "ascii", "len_type": 0}


def _row(field: FieldSpec, codec: str) -> Mapping[str, Any]:
    """One row of a pyiso8583 spec; codec: what characters are written in."""
    units = {"hex": field.max * 2}.get(field.encoding, field.max + (1 if field.format == "x+n" else 0))
    row: dict[str, Any] = {
        "data_enc": "b" if field.encoding in ("bcd", "raw") else codec,
        "len_enc": codec if field.length_encoding == "ascii" else field.length_encoding,
        "len_type": field.prefix_bytes,
        "max_len": units,
        "desc": field.name,
    }
    if field.encoding == "bcd":
        row["len_count"] = "nibbles"
        row["left_pad" if field.justify == "right" else "right_pad"] = field.filler
    return row


def decode(body: bytes, dialect: Dialect) -> Message:
    """Read one message: no length header, no TPDU, no message header.

    Shape:   MTI, bitmap, then the data elements in ascending order.
    Units:   lengths count digits (n, z), characters (an, ans) or bytes (b).
    Raises:  DecodeError at the first element that breaks the dialect.
    Source:  ISO 8583:1987, message structure; differences in specs/dialects/.
    """
    return quick(dialect).decode(body) or _read_otherwise(body, dialect)


def _read_otherwise(body: bytes, dialect: Dialect) -> Message:
    """What the quick road does not read. Raises: DecodeError."""
    message = read_with_care(body, dialect)
    if message is not None:
        return message
    seen = inspect(body, dialect)
    if seen.notes:
        raise seen.notes[0].as_error()
    assert seen.message is not None
    return seen.message


def read_with_care(body: bytes, dialect: Dialect) -> Message | None:
    """What pyiso8583 makes of a message in its plain form; None for anything it or our checks stumble over."""
    plan = _plan(dialect)
    if not _bits_known(body, dialect, plan):
        return None
    try:
        values, raw = iso8583.decode(body, plan.spec)
    except iso8583.DecodeError:
        return None
    mti = values.pop("t")
    values.pop("p")
    values.pop("1", None)
    if not mti.isdecimal():
        return None
    for key, value in values.items():
        if key in plan.ascii_lengths and not raw[key]["len"].decode(dialect.encodings.codec).isdecimal():
            return None
        check = plan.checks.get(key)
        if check is not None and not check.fullmatch(value):
            return None
    return Message(mti, {int(k): v.upper() if k in plan.hex_values else v for k, v in values.items()})


def _bits_known(body: bytes, dialect: Dialect, plan: _Plan) -> bool:
    """Whether the bitmaps are whole and name only elements of the dialect; pyiso8583 raises KeyError for others."""
    encodings = dialect.encodings
    at, size = encodings.mti_bytes, encodings.bitmap_bytes
    primary = _bits(body[at : at + size], encodings)
    if primary is None:
        return False
    if primary >> 63:
        secondary = _bits(body[at + size : at + 2 * size], encodings)
        if secondary is None or not encodings.secondary_bitmap:
            return False
        primary = (primary ^ 1 << 63) << 64 | secondary
    else:
        primary <<= 64
    return not primary & ~_known_bits(plan.known)


def _bits(raw: bytes, encodings: Encodings) -> int | None:
    if encodings.bitmap == "binary":
        return int.from_bytes(raw, "big") if len(raw) == 8 else None
    text = raw.decode(encodings.codec)
    return int(text, 16) if len(text) == 16 and ALPHABETS["b"].fullmatch(text) else None


@lru_cache(maxsize=64)
def _known_bits(known: frozenset[int]) -> int:
    return sum(1 << (128 - de) for de in known)


def encode(msg: Message, dialect: Dialect) -> bytes:
    """Write one message; text of a fixed element is filled with blanks, digits must have their exact number.

    Raises: EncodeError naming the element (0 = the MTI); its text never shows the value.
    """
    return quick(dialect).encode(msg.mti, msg.fields) or write_with_care(msg, dialect)


def write_with_care(msg: Message, dialect: Dialect) -> bytes:
    """What pyiso8583 makes of it, with our checks around. Raises: EncodeError."""
    if dialect.encodings.decode_only:
        raise EncodeError(0, f"{dialect.name} is for decoding only")
    if not (len(msg.mti) == 4 and msg.mti.isascii() and msg.mti.isdigit()):
        raise EncodeError(0, "an MTI is four digits")
    document = {"t": msg.mti, **{str(de): _wire_value(de, value, dialect) for de, value in msg.fields.items()}}
    try:
        raw, _ = iso8583.encode(document, _plan(dialect).spec)
    except iso8583.EncodeError as error:
        de = int(error.field) if error.field.isdigit() else 0
        raise EncodeError(de, error.msg) from None
    return bytes(raw)


def _wire_value(de: int, value: str, dialect: Dialect) -> str:
    """The value as pyiso8583 wants it, checked against its row."""
    spec = dialect.fields.get(de)
    if spec is None:
        raise EncodeError(de, f"{dialect.name} has no such data element")
    if spec.is_text:
        return _wire_text(spec, value)
    value = value.upper()
    if spec.format == "z" and spec.encoding == "bcd":
        value = value.replace("=", "D")
    if not ALPHABETS[spec.format].fullmatch(value):
        raise EncodeError(de, f"format {spec.describe()} does not allow these characters")
    size = {"b": len(value) // 2, "x+n": len(value) - 1}.get(spec.format, len(value))
    if spec.format == "b" and len(value) % 2:
        raise EncodeError(de, "hex has two characters a byte")
    _check_size(spec, size, exact=spec.length == "fixed")
    return value


def _wire_text(spec: FieldSpec, value: str) -> str:
    if not all(ord(c) < 256 for c in value):
        raise EncodeError(spec.de, "text holds one character a byte (latin-1)")
    _check_size(spec, len(value), exact=False)
    if spec.length != "fixed":
        return value
    fill = value.ljust if spec.justify == "left" else value.rjust
    return fill(spec.max, spec.filler)


def _check_size(spec: FieldSpec, size: int, *, exact: bool) -> None:
    if size > spec.max or (exact and size != spec.max):
        raise EncodeError(spec.de, f"{spec.describe()} cannot hold {size} {spec.unit}")


def decode_payload(payload: bytes, dialect: Dialect) -> Message:
    """Read a frame's payload: TPDU and message header as the dialect's frame says, then the body.

    Raises: DecodeError; its offset counts from the MTI.
    """
    tpdu, header, body = split_payload(payload, dialect)
    message = quick(dialect).decode(body, tpdu, header)
    return message or replace(_read_otherwise(body, dialect), tpdu=tpdu, header=header)


def split_payload(payload: bytes, dialect: Dialect) -> tuple[str, str, bytes]:
    """(TPDU, message header, body): hex, digits, bytes from the MTI. Raises DecodeError when it is too short."""
    frame = dialect.frame
    prefix = frame.prefix_bytes
    if len(payload) < prefix:
        raise DecodeError(0, 0, f"{prefix} bytes of TPDU and message header", f"{len(payload)} bytes in all")
    if not prefix:
        return "", "", payload
    head = payload[:prefix].hex().upper()
    tpdu_digits = TPDU_BYTES * 2 if frame.tpdu else 0
    return head[:tpdu_digits], head[tpdu_digits:], payload[prefix:]


def inspect_payload(payload: bytes, dialect: Dialect) -> Inspection:
    """As inspect(), from the TPDU on; offsets still count from the MTI."""
    try:
        tpdu, header, body = split_payload(payload, dialect)
    except DecodeError as error:
        return Inspection(None, (Note(0, 0, error.expected, error.got, str(error)),))
    seen = inspect(body, dialect)
    message = replace(seen.message, tpdu=tpdu, header=header) if seen.message else None
    return replace(seen, message=message)


def encode_payload(msg: Message, dialect: Dialect) -> bytes:
    """The payload of a frame; a TPDU or header that the dialect's frame does not have is left out.

    Raises: EncodeError, also for a TPDU or message header that is missing or has another size.
    """
    return _head(msg, dialect) + encode(msg, dialect)


def _head(msg: Message, dialect: Dialect) -> bytes:
    """What stands before the MTI. Raises: EncodeError."""
    frame = dialect.frame
    return _head_bytes(msg.tpdu, TPDU_BYTES if frame.tpdu else 0, msg.header, frame.header)


@lru_cache(maxsize=_HEADS_MAX)
def _head_bytes(tpdu: str, tpdu_bytes: int, header: str, header_bytes: int) -> bytes:
    head = ""
    for what, value, size in (("TPDU", tpdu, tpdu_bytes), ("message header", header, header_bytes)):
        if not size:
            continue
        if len(value) != size * 2 or not _HEX.fullmatch(value.upper()):
            raise EncodeError(0, f"the {what} is {size * 2} hex digits, got {len(value)} characters")
        head += value
    return bytes.fromhex(head)


def mab(body: bytes, msg_or_fields: Message | Container[int], dialect: Dialect) -> bytes:
    """The bytes that a MAC covers: from the MTI to before the message's last DE 64 or 128.

    Shape: the bitmap keeps the MAC's bit set (cup.md pitfall 5); without a MAC element, the whole body.
    """
    fields = msg_or_fields.fields if isinstance(msg_or_fields, Message) else msg_or_fields
    for de in reversed(MAC_FIELDS):
        if de in fields:
            row = dialect.fields[de]
            return body[: -row.wire_bytes(row.max)]
    return body


def sealed(msg: Message, dialect: Dialect, mac: Callable[[bytes], bytes]) -> tuple[Message, bytes]:
    """The message with its MAC, and its payload, written once. mac: the covered bytes -> the bytes of the MAC.

    Raises: EncodeError as `encode_payload`.
    """
    de = mac_de(msg.fields)
    row = dialect.fields[de]
    values = msg.own_fields()
    values[de] = "00" * row.max
    if next(reversed(values)) != de:
        values = dict(sorted(values.items()))
    made = in_order(msg.mti, values, msg.tpdu, msg.header, msg.doubtful)
    head = _head(msg, dialect)
    # The MAC is the last element of every message that has one: what stands before it is what it covers.
    covered = encode(made, dialect)[: -row.wire_bytes(row.max)]
    value = mac(covered)
    values[de] = text = value.hex().upper()  # nobody else has seen the message yet
    written = value if row.encoding == "raw" else text.encode(dialect.encodings.codec)
    return made, head + covered + written


def mac_de(fields: Iterable[int]) -> int:
    """Where the MAC of a message stands: DE 64, or DE 128 when it has elements above 64 (iso87.md, section 3)."""
    return MAC_FIELDS[0] if _BETWEEN_MACS.isdisjoint(fields) else MAC_FIELDS[-1]


_BETWEEN_MACS = frozenset(range(MAC_FIELDS[0] + 1, MAC_FIELDS[-1]))


__all__ = [
    "Inspection",
    "Note",
    "decode",
    "decode_payload",
    "encode",
    "encode_payload",
    "inspect",
    "inspect_payload",
    "mab",
    "mac_de",
    "sealed",
    "split_payload",
]
