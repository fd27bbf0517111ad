"""moov-io/iso8583 specifications in JSON, as its builder writes them (spec87ascii.json and the like)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from specs.importing.source import BYTES_MAX, Data, Element, ImportRefused, Kind, Prefix, Source, Unmapped

_KINDS: Mapping[str, Kind] = {"String": "any", "Numeric": "n", "Binary": "b", "Composite": "any", "Hex": "b"}
_DATA: Mapping[str, Data] = {
    "ASCII": "ascii",
    "EBCDIC": "ebcdic",
    "BCD": "bcd",
    "LBCD": "bcd",
    "Binary": "raw",
    "Hex": "hex",  # before release 0.9
    "HexToASCII": "hex",
}
_SIDES: Mapping[str, str] = {"BCD": "right", "LBCD": "left"}
_PREFIXES: Mapping[str, Prefix] = {"ASCII": "ascii", "BCD": "bcd", "EBCDIC": "ebcdic"}
_BITMAPS = ("hex", "raw", "ebcdic-hex")
_SIZES: Mapping[str, int] = {"Fixed": 0, "LL": 2, "LLL": 3}


def read(json_text: str) -> Source:
    """What a specification says. Raises: ImportRefused."""
    if len(json_text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        raise ImportRefused(f"larger than {BYTES_MAX} bytes")
    try:
        document = json.loads(json_text)
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"neither XML nor JSON: {str(error)[:80]}") from None
    fields = document.get("fields") if isinstance(document, dict) else None
    if not isinstance(fields, dict) or not fields:
        raise ImportRefused("no moov specification: no table «fields»")
    mti: Data = "ascii"
    bitmap: Data = "hex"
    elements: list[Element] = []
    unmapped: list[Unmapped] = []
    for key, row in fields.items():
        if not (key.isascii() and key.isdigit() and len(key) <= 3 and isinstance(row, dict)):
            raise ImportRefused(f"field {key[:8]!r}: a number and a table are wanted")
        de, word = int(key), _word(row)
        data = _DATA.get(str(row.get("enc")))
        if de == 0:
            mti = data or mti
            unmapped += [] if data in ("ascii", "bcd", "ebcdic") else [Unmapped(0, word, "an encoding not known here")]
        elif de == 1:
            bitmap = data or bitmap
            unmapped += [] if data in _BITMAPS else [Unmapped(1, word, "an encoding not known here")]
        else:
            made = _element(de, row, word)
            elements += [made] if isinstance(made, Element) else []
            unmapped += [made] if isinstance(made, Unmapped) else []
            if isinstance(made, Element) and row.get("subfields"):
                unmapped.append(Unmapped(de, word, "its sub-fields are carried whole, not read"))
    title = str(document.get("name") or "imported from a moov specification")
    return Source(title, mti, bitmap, True, tuple(elements), tuple(unmapped))


def _word(row: Mapping[str, Any]) -> str:
    return "/".join(str(row.get(key, "-"))[:40] for key in ("type", "enc", "prefix"))


def _element(de: int, row: Mapping[str, Any], word: str) -> Element | Unmapped:
    # A composite has no encoding of its own; what is inside is text as far as its length prefix is.
    encoding = str(row.get("enc") or ("ASCII" if row.get("subfields") else ""))
    data, kind = _DATA.get(encoding), _KINDS.get(str(row.get("type")))
    family, _, size = str(row.get("prefix", "")).partition(".")
    length = row.get("length", 0)
    if data is None or kind is None:
        return Unmapped(de, word, "a type or encoding not known here")
    if size not in _SIZES or (family not in _PREFIXES and size != "Fixed"):
        return Unmapped(de, word, "its length is not two or three digits in ASCII, BCD or EBCDIC")
    if not isinstance(length, int) or isinstance(length, bool):
        return Unmapped(de, word, "its length is no number")
    if data == "hex" and size != "Fixed":
        return Unmapped(de, word, "hex behind a length: what the length counts differs")
    padding = row.get("padding") if isinstance(row.get("padding"), dict) else None
    side, pad = _padding(padding)
    if data == "bcd":
        side, pad = _SIDES[encoding], "0"
    return Element(
        de,
        str(row.get("description", "")),
        "b" if data in ("raw", "hex") else "n" if data == "bcd" and kind == "any" else kind,
        data,
        length,
        word,
        _PREFIXES[family] if size != "Fixed" else "",
        _SIZES[size],
        justify="right" if side == "right" else "left" if side == "left" else "",
        filler=pad,
    )


def _padding(padding: Mapping[str, Any] | None) -> tuple[str, str]:
    """Left padding puts the value to the right."""
    side = {"Left": "right", "Right": "left"}.get(str((padding or {}).get("type")), "")
    pad = str((padding or {}).get("pad", ""))
    return (side, pad) if side and len(pad) == 1 else ("", "")
