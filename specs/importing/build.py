"""From a Source to a dialect file: the base that fits best, the encodings that most elements share, row by row."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from specs.dialect import MAC_FIELDS, SIZE_LIMIT, Dialect, load, loads
from specs.fields import FieldSpec
from specs.importing.source import Data, Element, Imported, ImportRefused, Source, Unmapped

CANDIDATES = ("iso87", "iso87-binary", "nac", "cup", "iso93", "iso93-binary")
"""What may be extended without being asked for, in this order where two fit alike."""
NAMES = "iso87"
"""Whose names and sensitive elements are taken for what the base does not have: it knows nearly all."""
_THIRD_BITMAP = 65


@dataclass(frozen=True, slots=True)
class _Encodings:
    """The settings of [encoding] that the file implies; values as in a dialect file."""

    mti: str
    bitmap: str
    numeric: str
    lengths: str
    binary: str
    charset: str

    def table(self) -> dict[str, str]:
        return {key: getattr(self, key) for key in ("mti", "bitmap", "numeric", "lengths", "binary", "charset")}


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of [fields] with every part said."""

    name: str
    format: str
    length: str
    max: int
    encoding: str
    justify: str
    filler: str

    @property
    def shape(self) -> tuple[str, str, int]:
        return self.format, self.length, self.max


def build(source: Source, name: str, extends: str) -> Imported:
    """The dialect file. Raises: ImportRefused when nothing is left, DialectError when `extends` cannot be loaded."""
    encodings = _encodings(source)
    unmapped = [*source.unmapped, *_messages(source, encodings)]
    elements: dict[int, Element] = {}
    for element in source.elements:
        if _is_third_bitmap(element):
            continue
        if why := _objection(element, encodings, source.secondary):
            unmapped.append(Unmapped(element.de, element.word, why))
        else:
            elements[element.de] = element
    if not elements:
        raise ImportRefused("none of its elements can be said in a dialect file")
    base_name = extends or _best(elements.values(), encodings)
    base = load(base_name, encodings.table())
    rows = {de: _row(element, base.fields.get(de), encodings) for de, element in sorted(elements.items())}
    unmapped.sort(key=lambda u: u.de)
    toml = _toml(source, name, base_name, base, encodings, rows, unmapped)
    loads(toml)
    return Imported(toml, base_name, tuple(unmapped))


# --- what most elements share ---


def _encodings(source: Source) -> _Encodings:
    chars = Counter(
        _charset(data)
        for data in (
            source.mti,
            source.bitmap,
            *(e.data for e in source.elements),
            *(e.prefix for e in source.elements),
        )
        if _charset(data)
    )
    numbers = Counter(e.data == "bcd" for e in source.elements if e.kind == "n")
    prefixes = Counter(e.prefix == "bcd" for e in source.elements if e.prefix)
    binaries = Counter(e.data == "raw" for e in source.elements if e.kind == "b" and not e.prefix)
    return _Encodings(
        mti="bcd" if source.mti == "bcd" else "ascii",
        bitmap="binary" if source.bitmap == "raw" else "hex",
        numeric="bcd" if numbers[True] > numbers[False] else "ascii",
        lengths="bcd" if prefixes[True] > prefixes[False] else "ascii",
        binary="raw" if binaries[True] > binaries[False] else "hex",
        charset="ebcdic" if chars["ebcdic"] > chars["ascii"] else "ascii",
    )


def _charset(data: str) -> str:
    """The characters that something is written in, "" when it is in none."""
    return {"ascii": "ascii", "hex": "ascii", "ebcdic": "ebcdic", "ebcdic-hex": "ebcdic"}.get(data, "")


def _messages(source: Source, encodings: _Encodings) -> list[Unmapped]:
    """MTI and bitmap in another character set than the elements."""
    parts: tuple[tuple[int, Data], ...] = ((0, source.mti), (1, source.bitmap))
    return [Unmapped(de, data, why) for de, data in parts if (why := _other_charset(data, encodings))]


def _other_charset(data: str, encodings: _Encodings) -> str:
    if _charset(data) in ("", encodings.charset):
        return ""
    return f"{_charset(data).upper()} beside {encodings.charset.upper()}: a dialect has one character set"


def _is_third_bitmap(element: Element) -> bool:
    """DE 65 is a bitmap's bit where a message has three of them; no dialect here has, so nothing is lost."""
    return element.de == _THIRD_BITMAP and element.kind == "b"


def _objection(element: Element, encodings: _Encodings, secondary: bool) -> str:
    """Why an element cannot be a row; "" when it can."""
    limit = SIZE_LIMIT[_length(element)]
    if not 2 <= element.de <= 128 or element.de == _THIRD_BITMAP:
        return "not among the elements 2 to 64 and 66 to 128"
    if element.de > 64 and not secondary:
        return "the bitmap has 64 bits"
    if not 1 <= element.max <= limit:
        return f"a size of {element.max}; 1 to {limit} are possible"
    if element.prefix and (element.prefix == "bcd") != (encodings.lengths == "bcd"):
        return f"its length is in {element.prefix}, that of most elements in {encodings.lengths}"
    if element.kind == "amount" and element.prefix:
        return "a signed amount of variable length"
    if element.de in MAC_FIELDS and (element.kind, element.prefix, element.max) != ("b", "", 8):
        return "a MAC is 8 bytes, binary"
    return _other_charset(element.data, encodings) or _other_charset(element.prefix, encodings)


# --- the base ---


def _best(elements: Iterable[Element], encodings: _Encodings) -> str:
    """The candidate with most of the encodings; among those the one with the largest part of its rows as they are."""
    found = list(elements)

    def score(name: str) -> tuple[int, float]:
        base = load(name)
        same = sum(getattr(base.encodings, key) == value for key, value in encodings.table().items())
        rows = [_row(e, base.fields.get(e.de), encodings).shape == _shape(base.fields.get(e.de)) for e in found]
        return same, sum(rows) / len(base.fields)

    return max(CANDIDATES, key=score)


def _shape(spec: FieldSpec | None) -> tuple[str, str, int] | None:
    return (spec.format, spec.length, spec.max) if spec else None


# --- rows ---


def _row(element: Element, known: FieldSpec | None, encodings: _Encodings) -> _Row:
    kind = _format(element, known)
    length = _length(element)
    encoding = {"bcd": "bcd", "raw": "raw", "hex": "hex", "ebcdic-hex": "hex"}.get(element.data, "ascii")
    justify, filler = _default_fill(kind, length, encoding)
    odd = encoding == "bcd" and (length != "fixed" or element.max % 2 == 1)
    if odd or (kind in ("an", "ans") and length == "fixed"):
        justify, filler = element.justify or justify, element.filler or filler
    size = element.max - 1 if kind == "x+n" and element.kind == "any" else element.max
    return _Row(_name(element, known), kind, length, size, encoding, justify, filler)


def _length(element: Element) -> str:
    return {0: "fixed", 2: "LL", 3: "LLL"}[element.digits]


def _format(element: Element, known: FieldSpec | None) -> str:
    """The base's where both can be meant: it knows a track or a number where the file says only characters."""
    base = known.format if known else ""
    match element.kind:
        case "b":
            return "b"
        case "amount":
            return "x+n"
        case "n":
            return "z" if base == "z" else "n"
        case "any" if base == "x+n" and known and not element.prefix and element.max == known.max + 1:
            return base
        case "any" if base in ("n", "z"):
            return base
        case "text" if base in ("n", "z") and element.prefix:
            return base
    return base if base in ("an", "ans") else "ans"


def _default_fill(kind: str, length: str, encoding: str) -> tuple[str, str]:
    """What a dialect file means when it says neither justify nor filler, digits' filler 0 (specs.dialect)."""
    number = kind in ("n", "z", "x+n")
    if number and length == "fixed":
        return "right", "0"
    return "left", "0" if number or encoding == "bcd" else " "


def _name(element: Element, known: FieldSpec | None) -> str:
    if known:
        return known.name
    said = "".join(c if c.isprintable() else " " for c in element.name).strip()[:60]
    listed = load(NAMES).fields.get(element.de)
    return said or (listed.name if listed else f"element {element.de}")


# --- the text ---


def _toml(
    source: Source,
    name: str,
    base_name: str,
    base: Dialect,
    encodings: _Encodings,
    rows: Mapping[int, _Row],
    unmapped: Iterable[Unmapped],
) -> str:
    lost = {u.de: u for u in unmapped if u.de not in rows}
    lines = ["# Imported: the fields only. Frame, transactions and switches are those of the dialect it extends."]
    if encodings.charset == "ebcdic":
        lines.append("# EBCDIC is code page 500 here: letters and digits as in 037 and 1047, some punctuation is not.")
    lines += [f"# not mapped: {_comment(str(u))}" for u in unmapped]
    lines += [f"name = {_text(name)}"] if name else []
    lines += [f"extends = {_text(base_name)}", f"title = {_text(source.title)}"]
    if changes := _changes(encodings.table() | {"secondary_bitmap": source.secondary, "filler": "0"}, load(base_name)):
        lines += ["", "[encoding]", *(f"{key} = {_value(value)}" for key, value in changes.items())]
    lines += ["", "[fields]"]
    for de in sorted({*rows, *base.fields}):
        if de not in rows:
            lines.append(f"{de} = {{ absent = true }}{'   # not mapped' if de in lost else ''}")
        elif parts := _parts(de, rows[de], base.fields.get(de), encodings):
            lines.append(f"{de} = {{ {', '.join(f'{key} = {_value(value)}' for key, value in parts.items())} }}")
    return "\n".join(lines) + "\n"


def _changes(table: Mapping[str, str | bool], base: Dialect) -> dict[str, str | bool]:
    return {key: value for key, value in table.items() if getattr(base.encodings, key) != value}


def _parts(de: int, row: _Row, base: FieldSpec | None, encodings: _Encodings) -> dict[str, str | int | bool]:
    """What of a row must be said; nothing when the base says it all."""
    exact = {"encoding": row.encoding, "justify": row.justify, "filler": row.filler}
    if base is not None and row.shape == _shape(base):
        # Of a value that always has its full size there is nothing to fill up.
        filled = row.encoding == "bcd" or (row.format in ("an", "ans") and row.length == "fixed")
        return {k: value for k, value in exact.items() if value != getattr(base, k) and (filled or k == "encoding")}
    # A base that states one of them would state it for the new shape too.
    stated = _stated(base, encodings) if base else frozenset()
    usual = _usual(row.format, row.length, encodings)
    parts: dict[str, str | int | bool] = {} if base else {"name": row.name}
    parts |= {"format": row.format, "length": row.length, "max": row.max}
    parts |= {key: value for key, value in exact.items() if value != usual[key] or key in stated}
    listed = None if base else load(NAMES).fields.get(de)
    return parts | ({"sensitive": True} if listed and listed.sensitive else {})


def _stated(base: FieldSpec, encodings: _Encodings) -> frozenset[str]:
    usual = _usual(base.format, base.length, encodings)
    return frozenset(key for key, value in usual.items() if getattr(base, key) != value)


def _usual(kind: str, length: str, encodings: _Encodings) -> dict[str, str]:
    """What a row means that says neither of them (specs.dialect)."""
    of_format = {"n": encodings.numeric, "z": encodings.numeric, "b": encodings.binary}
    encoding = of_format.get(kind, "ascii")
    justify, filler = _default_fill(kind, length, encoding)
    return {"encoding": encoding, "justify": justify, "filler": filler}


def _value(value: str | int | bool) -> str:
    return _text(value) if isinstance(value, str) else str(value).lower()


def _text(value: str) -> str:
    """A basic string of TOML; JSON writes the same escapes."""
    printable = "".join(c if c.isprintable() else " " for c in value)[:200]
    return json.dumps(printable, ensure_ascii=False)


def _comment(value: str) -> str:
    return "".join(c if c.isprintable() else " " for c in value)[:200]
