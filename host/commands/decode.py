"""`acquirer-host decode`: what is this frame, and what in it does not fit?"""

from __future__ import annotations

import json
from dataclasses import dataclass

from host.errors import ConfigError
from specs.codec import inspect_payload
from specs.detect import Detection, detect
from specs.dialect import Dialect, load
from specs.display import show_fields
from specs.framing import LENGTH_TITLES, LengthHeader
from specs.inspection import Inspection, Note
from specs.masking import mask_digits
from specs.message import Message
from specs.subfields import describe_subfields

HEX_CHARS_MAX = 40_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """The result. code: 0 clean, 1 decoded with notes that break the dialect, 2 not decodable."""

    code: int
    dialect: Dialect | None
    framing: dict[str, object]
    message: Message | None
    bitmap: str
    notes: tuple[Note, ...]
    others: tuple[Detection, ...] = ()


def read_hex(text: str) -> bytes:
    """Hex as people paste it: blanks, line ends, `0x`, colons are passed over. Raises ConfigError naming the place."""
    packed = "".join(text.replace("0x", "").replace("0X", "").replace(":", "").split())
    if len(packed) > HEX_CHARS_MAX:
        raise ConfigError(f"HEX: {len(packed)} characters; at most {HEX_CHARS_MAX} are one frame")
    if not packed:
        raise ConfigError("HEX: nothing to decode")
    bad = next((i for i, c in enumerate(packed) if c not in "0123456789abcdefABCDEF"), None)
    if bad is not None:
        raise ConfigError(f"HEX: character {bad + 1} is {packed[bad]!r}, not a hex digit")
    if len(packed) % 2:
        raise ConfigError(f"HEX: {len(packed)} digits: an odd number, half a byte is missing")
    return bytes.fromhex(packed)


def decode(raw: bytes, dialect: str) -> Decoded:
    """Read a capture under a named dialect, or find the dialect and framing that fit (`auto`)."""
    if dialect == "auto":
        return _auto(detect(raw))
    named = load(dialect)
    readings = [d for d in detect(raw) if d.dialect == named.name]
    if readings:
        return _auto(tuple(readings))
    return _by_frame(raw, named)


def _auto(readings: tuple[Detection, ...]) -> Decoded:
    if not readings:
        return Decoded(2, None, {}, None, "", ())
    best = readings[0]
    code = 0 if best.clean else 1 if best.complete and best.message is not None else 2
    others = readings[1:] if code else ()
    return Decoded(code, best.as_dialect(), best.framing, best.message, best.bitmap, best.notes, others)


def _by_frame(raw: bytes, dialect: Dialect) -> Decoded:
    """A dialect of the user's own: with its own framing, with or without the length header."""
    tries: list[tuple[Inspection, LengthHeader]] = []
    header = 0 if dialect.frame.length == "none" else 4 if dialect.frame.length == "ascii4" else 2
    framings: tuple[tuple[int, LengthHeader], ...] = ((header, dialect.frame.length), (0, "none"))
    for skip, length in framings:
        if len(raw) > skip:
            tries.append((inspect_payload(raw[skip:], dialect), length))
    if not tries:
        return Decoded(2, dialect, {}, None, "", ())
    seen, found = max(tries, key=lambda pair: (pair[0].complete, -len(pair[0].notes), pair[0].read_to))
    framing: dict[str, object] = {"length": LENGTH_TITLES[found]}
    framing |= {"tpdu": dialect.frame.tpdu, "header": dialect.frame.header}
    code = 2 if seen.message is None or not seen.complete else 1 if seen.notes else 0
    return Decoded(code, dialect, framing, seen.message, seen.bitmap, seen.notes)


def to_json(found: Decoded, *, clear: bool, raw: bytes | None) -> str:
    """One object: the shape of interface.md, section 2."""
    shown: dict[str, object] = {
        "dialect": found.dialect.name if found.dialect else None,
        "framing": found.framing,
        "mti": found.message.mti if found.message else None,
        "bitmap": _bitmap(found, clear=clear),
        "fields": {},
        "subfields": {},
        "notes": [
            {"de": n.de, "offset": n.offset, "expected": n.expected, "got": n.got, "message": n.message}
            for n in found.notes
        ],
    }
    if found.message and found.dialect:
        if found.message.tpdu:
            shown["tpdu"] = _prefix(found, found.message.tpdu, clear=clear)
        if found.message.header:
            shown["header"] = _prefix(found, found.message.header, clear=clear)
        shown["fields"] = show_fields(found.message, found.dialect, clear=clear)
        shown["subfields"] = describe_subfields(found.message, found.dialect.family, clear=clear)
    if raw is not None:
        shown["raw"] = show_raw(found, raw, clear=clear)
    return json.dumps(shown, ensure_ascii=False, indent=2)


def _astray(found: Decoded) -> bool:
    """Whether the reader lost its way, so that card data may stand where bitmap and header should."""
    assert found.message is not None
    return found.code == 2 or bool(found.message.doubtful >= found.message.fields.keys())


def _bitmap(found: Decoded, *, clear: bool) -> str:
    return found.bitmap if clear or found.message is None or not _astray(found) else mask_digits(found.bitmap)


def _prefix(found: Decoded, text: str, *, clear: bool) -> str:
    """TPDU or message header."""
    return text if clear or text.startswith(_USUAL_PREFIXES) or not _astray(found) else mask_digits(text)


_USUAL_PREFIXES = ("60", "61")
"""TPDU id and application classes (cup.md 1)."""


def show_raw(found: Decoded, raw: bytes, *, clear: bool) -> str:
    """The bytes in hex; unless `clear`, what `fields` masks is stars here too, and so are digits that nobody read."""
    text = raw.hex().upper()
    if clear:
        return text
    if found.message is None or _astray(found):
        return mask_digits(text)
    shown = found.message.masked()
    for de, value in found.message.fields.items():
        if shown[de] != value:
            for form in (value.replace("=", "D").upper(), value.encode("latin-1", "replace").hex().upper()):
                text = text.replace(form, "*" * len(form))
    return text


def to_text(found: Decoded, *, clear: bool) -> list[str]:
    """Lines for people."""
    if found.message is None or found.dialect is None:
        lines = ["not decodable: no dialect reads even the MTI and the bitmap"]
        return lines + _note_lines(found) + _other_lines(found)
    length = found.framing["length"]
    tpdu = f"TPDU {_prefix(found, found.message.tpdu, clear=clear)}" if found.message.tpdu else "no TPDU"
    header = f"header {_prefix(found, found.message.header, clear=clear)}" if found.message.header else "no header"
    lines = [
        f"{found.dialect.name}: {found.dialect.title}",
        f"length {length}, {tpdu}, {header}",
        f"MTI {found.message.mti}  bitmap {_bitmap(found, clear=clear)}",
    ]
    for de, value in show_fields(found.message, found.dialect, clear=clear).items():
        spec = found.dialect.fields.get(int(de))
        lines.append(f"  DE {de:>3}  {spec.name if spec else '?':<32} {value}")
    for name, parts in describe_subfields(found.message, found.dialect.family, clear=clear).items():
        lines.append(f"  {name}: {json.dumps(parts, ensure_ascii=False)}")
    return lines + _note_lines(found) + _other_lines(found)


def _note_lines(found: Decoded) -> list[str]:
    return [f"! {n.message}" for n in found.notes]


def _other_lines(found: Decoded) -> list[str]:
    """What else was tried: the doctor's part."""
    lines = []
    for other in found.others[:5]:
        stop = f"stops at DE {other.notes[0].de}, byte {other.notes[0].offset}" if other.notes else "reads clean"
        tpdu = "TPDU" if other.tpdu else "no TPDU"
        header = f"{other.header} bytes of header" if other.header else "no header"
        framing = f"length {other.framing['length']}, {tpdu}, {header}"
        lines.append(f"tried {other.dialect} ({framing}): {stop}")
    return lines
