"""Dialect: one acquirer's way to write ISO 8583, as data. Loaded and checked once, then frozen.

A dialect file (specs/dialects/NAME.toml, or a user's own) has the tables

    [frame]     length, inclusive, tpdu, header, max_bytes     how a connection frames messages
    [encoding]  mti, bitmap, numeric, lengths, binary, …       how values become bytes
    [profile]   the switches of rules.md (specs.profile)       how the host decides
    [fields]    one row per data element
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import lru_cache
from types import MappingProxyType
from typing import Any, cast

from specs.dialect_file import Merged, builtin_names, chain_of, nearest, parsed, read_chain
from specs.errors import DialectError
from specs.fields import FORMATS, LENGTHS, FieldSpec
from specs.framing import HEADER_BYTES, LENGTH_BYTES, FrameFormat
from specs.profile import Profile, profile_of

FAMILIES = ("cup", "nac", "iso87", "iso93")
MAC_FIELDS = (64, 128)

# key -> (type, allowed values or None)
_Rule = tuple[type, tuple[object, ...] | None]
_FRAME: dict[str, _Rule] = {
    "length": (str, tuple(LENGTH_BYTES)),
    "inclusive": (bool, None),
    "tpdu": (bool, None),
    "header": (int, (0, HEADER_BYTES)),
    "max_bytes": (int, None),
}
_ENCODING: dict[str, _Rule] = {
    "mti": (str, ("bcd", "ascii")),
    "bitmap": (str, ("binary", "hex")),
    "numeric": (str, ("bcd", "ascii")),
    "lengths": (str, ("bcd", "ascii")),
    "binary": (str, ("raw", "hex")),
    "charset": (str, ("ascii", "ebcdic")),
    "filler": (str, tuple("0123456789ABCDEF")),
    "secondary_bitmap": (bool, None),
    "decode_only": (bool, None),
}
_ROW: dict[str, _Rule] = {
    "name": (str, None),
    "format": (str, FORMATS),
    "length": (str, LENGTHS),
    "max": (int, None),
    "encoding": (str, ("bcd", "ascii", "hex", "raw")),
    "justify": (str, ("left", "right")),
    "filler": (str, None),
    "sensitive": (bool, None),
    "source": (str, None),
    "absent": (bool, None),
}
#: Which encodings can carry a format.
_CARRIES = {
    "n": ("bcd", "ascii"),
    "z": ("bcd", "ascii"),
    "an": ("ascii",),
    "ans": ("ascii",),
    "b": ("raw", "hex"),
    "x+n": ("ascii",),
}
SIZE_LIMIT: Mapping[str, int] = {"fixed": 999, "LL": 99, "LLL": 999}
"""The largest max by length kind."""


@dataclass(frozen=True, slots=True)
class Encodings:
    """How MTI, bitmap and the kinds of values become bytes; names as in the [encoding] table.

    charset is that of every character on the wire: text, and whatever else is said to be ascii or hex.
    """

    mti: str = "bcd"
    bitmap: str = "binary"
    numeric: str = "bcd"
    lengths: str = "bcd"
    binary: str = "raw"
    filler: str = "0"
    secondary_bitmap: bool = False
    decode_only: bool = False
    charset: str = "ascii"

    @property
    def codec(self) -> str:
        """Python's name of the charset; both have one byte a character and a character for each byte."""
        return "cp500" if self.charset == "ebcdic" else "latin-1"

    @property
    def mti_bytes(self) -> int:
        """Bytes of the MTI: 2 in BCD, 4 in ASCII."""
        return 2 if self.mti == "bcd" else 4

    @property
    def bitmap_bytes(self) -> int:
        """Bytes of one 64-bit bitmap: 8 in binary, 16 in hex characters."""
        return 8 if self.bitmap == "binary" else 16


@dataclass(frozen=True, eq=False)
class Dialect:
    """A checked dialect. Compared by identity: load() gives the same object for the same built-in name."""

    name: str
    family: str
    title: str
    frame: FrameFormat
    fields: Mapping[int, FieldSpec]
    profile: Mapping[str, object]
    encodings: Encodings
    strict: bool = False
    """Whether a listener answers 30 to what breaks the dialect, instead of reading what it can."""

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"


def builtin() -> tuple[str, ...]:
    """The names of the built-in dialects."""
    return builtin_names()


def load(name_or_path: str, encoding: Mapping[str, str] | None = None) -> Dialect:
    """A dialect by built-in name (cached) or by TOML path (read anew: the user may have edited it).

    encoding: settings of the [encoding] table as one listener's URL wants them; the field table is built with them.
    Raises: DialectError naming file (with the line when known), key and reason; of `encoding` the dialect's name.
    """
    if encoding:
        return _encoded(read_chain(name_or_path), encoding)
    return _builtin(name_or_path) if name_or_path in builtin_names() else _build(read_chain(name_or_path))


def loads(text: str, label: str = "dialect.toml") -> Dialect:
    """A dialect from the text of its file; what it extends is looked for here. Raises: DialectError as `load`."""
    return _build(chain_of(parsed(label, text)))


def _encoded(merged: Merged, encoding: Mapping[str, str]) -> Dialect:
    for key, value in encoding.items():
        if why := _broken(key, value, _ENCODING):
            raise DialectError(merged.name, key, why)
    tables = {**merged.tables, "encoding": {**merged.tables["encoding"], **encoding}}
    return _build(replace(merged, tables=tables))


@lru_cache(maxsize=32)
def _builtin(name: str) -> Dialect:
    return _build(read_chain(name))


def with_options(
    dialect: Dialect,
    *,
    length: str | None = None,
    inclusive: bool | None = None,
    tpdu: bool | None = None,
    header: int | None = None,
    strict: bool | None = None,
    max_bytes: int | None = None,
) -> Dialect:
    """The dialect as one listener's URL wants it; None leaves a setting as it is.

    Raises: DialectError for a value that does not exist; `file` is then the dialect's name.
    """
    asked: dict[str, object] = {
        "length": length,
        "inclusive": inclusive,
        "tpdu": tpdu,
        "header": header,
        "max_bytes": max_bytes,
    }
    changes = {key: value for key, value in asked.items() if value is not None}
    for key, value in changes.items():
        if why := _broken(key, value, _FRAME):
            raise DialectError(dialect.name, key, why)
    frame = replace(dialect.frame, **changes)  # type: ignore[arg-type]
    return replace(dialect, frame=frame, strict=dialect.strict if strict is None else strict)


def _build(merged: Merged) -> Dialect:
    for table, rules in (("frame", _FRAME), ("encoding", _ENCODING)):
        _check(merged, table, merged.tables[table], rules)
    encodings = Encodings(**merged.tables["encoding"])
    rows = merged.tables["fields"]
    specs = {spec.de: spec for key, row in rows.items() if (spec := _spec(merged, key, row, encodings)) is not None}
    profile = _profile(merged)
    return Dialect(
        name=merged.name,
        family=str(profile["family"]),
        title=merged.title,
        frame=FrameFormat(**merged.tables["frame"]),
        fields=MappingProxyType(dict(sorted(specs.items()))),
        profile=MappingProxyType(profile),
        encodings=encodings,
    )


def _check(merged: Merged, table: str, values: Mapping[str, object], rules: Mapping[str, _Rule]) -> None:
    for key, value in values.items():
        if why := _broken(key, value, rules):
            merged.fail(table, key, why)


def _broken(key: str, value: object, rules: Mapping[str, _Rule]) -> str:
    """Why a key's value cannot stand; "" when it can."""
    if key not in rules:
        return f"unknown key; {nearest(key, rules)}"
    kind, allowed = rules[key]
    if type(value) is not kind:
        return f"must be {_KIND_WORDS[kind]}"
    if allowed is not None and value not in allowed:
        return f"{value!r} is not one of {', '.join(map(str, allowed))}"
    if key == "max_bytes" and not 32 <= cast(int, value) <= 0xFFFF:
        return "must be 32 to 65535 bytes"
    return ""


_KIND_WORDS: dict[type, str] = {str: "text", bool: "true or false", int: "a whole number"}


def _profile(merged: Merged) -> dict[str, object]:
    table = merged.tables["profile"]
    rules: dict[str, _Rule] = {
        f.name: (str if f.default is MISSING else type(f.default), FAMILIES if f.name == "family" else None)
        for f in dataclass_fields(Profile)
    }
    _check(merged, "profile", table, rules)
    if "family" not in table:
        merged.fail("profile", "family", f"is missing; one of {', '.join(FAMILIES)}")
    profile_of(merged.chain[-1].label, table)
    return dict(table)


def _spec(merged: Merged, key: str, row: Any, encodings: Encodings) -> FieldSpec | None:
    """One row as a FieldSpec; None when a variant takes the data element out."""
    if not (key.isascii() and key.isdigit() and str(int(key)) == key and 2 <= int(key) <= 128) or key == "65":
        merged.fail("fields", key, "a data element is a number from 2 to 128 (1 and 65 are bitmap bits)")
    if not isinstance(row, dict):
        merged.fail("fields", key, "must be a row: { name = …, format = …, max = … }")
    for part, value in row.items():
        if why := _broken(part, value, _ROW):
            merged.fail("fields", key, f"{part}: {why}")
    if row.get("absent"):
        return None
    for part in ("name", "format", "max"):
        if part not in row:
            merged.fail("fields", key, f"{part} is missing")
    spec = _resolved(int(key), row, encodings)
    if why := _contradiction(spec, encodings):
        merged.fail("fields", key, why)
    return spec


def _resolved(de: int, row: Mapping[str, Any], encodings: Encodings) -> FieldSpec:
    kind, length = row["format"], row.get("length", "fixed")
    by_format = {"n": encodings.numeric, "z": encodings.numeric, "b": encodings.binary}
    digits = kind in ("n", "z", "x+n")
    encoding = row.get("encoding", by_format.get(kind, "ascii"))
    filler = encodings.filler if encoding == "bcd" else ("0" if digits else " ")
    return FieldSpec(
        de=de,
        name=row["name"],
        format=kind,
        length=length,
        max=row["max"],
        encoding=encoding,
        length_encoding=cast(Any, encodings.lengths),
        justify=row.get("justify", "right" if digits and length == "fixed" else "left"),
        filler=row.get("filler", "0" if digits and length == "fixed" else filler),
        sensitive=row.get("sensitive", False),
        source=row.get("source", ""),
    )


def _contradiction(spec: FieldSpec, encodings: Encodings) -> str:
    """Why the parts of one row cannot stand together; "" when they can."""
    if not 1 <= spec.max <= SIZE_LIMIT[spec.length]:
        return f"max must be 1 to {SIZE_LIMIT[spec.length]} for length {spec.length}"
    if spec.encoding not in _CARRIES[spec.format]:
        return f"format {spec.format} cannot be encoded as {spec.encoding}"
    if spec.format == "x+n" and spec.length != "fixed":
        return "a signed amount (x+n) has a fixed length"
    if len(spec.filler) != 1 or (spec.encoding == "bcd" and spec.filler not in "0123456789ABCDEF"):
        return "filler must be one character, a hex digit for BCD"
    if spec.de > 64 and not encodings.secondary_bitmap:
        return "needs [encoding] secondary_bitmap = true"
    if spec.de in MAC_FIELDS and (spec.format, spec.length, spec.max) != ("b", "fixed", 8):
        return "a MAC is b, fixed, 8 bytes"
    return ""


__all__ = ["FAMILIES", "MAC_FIELDS", "SIZE_LIMIT", "Dialect", "Encodings", "builtin", "load", "loads", "with_options"]
