"""The writer of one shape of message (a dialect and the elements it has), as straight-line Python.

For DE 2, 3, 4 and 39 in BCD it is, in short:

    v2, v3, v4, v39 = values
    if len(v3) != 6 or len(v4) != 12: return None
    n = len(v2)
    if n & 1: v2 += "0"
    d2 = f"{prefixes2[n]}{v2}{v3}{v4}"          # LookupError for what is too long
    if not d2.isdecimal(): return None
    w = f"{mti}7000000002000000{d2}{v39.encode('latin-1').hex()}"
    made = unhex(w)                             # ValueError for what is no hex
    return made if len(made) * 2 == len(w) else None    # unhex passes over blanks

The message is one string: of hex where most is BCD, of characters elsewhere; what is of the other kind is converted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from specs.dialect import Dialect
from specs.fields import FieldSpec
from specs.quick_read import IS_TRACK, can_read, compiled, is_digits, packed, sizes, unless

Writer = Callable[[str, Iterable[str]], bytes | None]
"""MTI, values in ascending order -> the body; None to give up. Raises: LookupError, ValueError to give up too."""


class _Piece(NamedTuple):
    """A part of the message: its place in an f-string, and whether it is text or hex."""

    source: str
    text: bool
    digits: bool = False
    """Whether it is looked at together with neighbours that must be digits too."""
    prefix: bool = False
    """Whether it is a length prefix: digits from a table."""
    empty: bool = False
    """Whether it may have no characters at all."""


def writer_of(dialect: Dialect, named: Sequence[int]) -> Writer | None:
    """The writer of messages with these elements, in ascending order; None where one is not for this road."""
    rows = [dialect.fields[de] for de in named if de in dialect.fields]
    if len(rows) != len(named) or not all(map(can_read, rows)) or dialect.encodings.decode_only:
        return None
    writing = _Writing(dialect.encodings.codec, packed(dialect))
    pieces = [_Piece("{mti}", dialect.encodings.mti == "ascii"), writing.constant(_bitmap(dialect, named))]
    for row in rows:
        pieces += writing.pieces(row)
    return writing.compiled(rows, pieces)


def _bitmap(dialect: Dialect, named: Sequence[int]) -> bytes:
    bits = sum(1 << (128 - de) for de in named)
    both = bool(bits & (1 << 64) - 1)
    raw = (bits | (1 << 127 if both else 0)).to_bytes(16, "big")[: 16 if both else 8]
    return raw if dialect.encodings.bitmap == "binary" else raw.hex().upper().encode(dialect.encodings.codec)


@lru_cache(maxsize=1024)
def _prefixes_by_size(row: FieldSpec, units: int) -> dict[int, str]:
    return {size * units: prefix for size, prefix in sizes(row)}


class _Writing:
    """The lines of one writer while they are written."""

    def __init__(self, charset: str, packed_: bool) -> None:
        self._charset = charset
        self._packed = packed_
        self._names: dict[str, object] = {"is_track": IS_TRACK, "unhex": bytes.fromhex}
        self._lines: list[str] = []
        self._parts = 0

    def compiled(self, rows: Sequence[FieldSpec], pieces: Sequence[_Piece]) -> Writer:
        head = [unless(f"len(mti) == 4 and {is_digits('mti')}")]
        if rows:
            head.append(f"{', '.join(f'v{row.de}' for row in rows)}, = values")
        whole = "".join(self._group(text, list(group)) for text, group in groupby(pieces, lambda piece: piece.text))
        if self._packed:
            tail = [f"w = f'{whole}'", "made = unhex(w)", "return made if len(made) * 2 == len(w) else None"]
        else:
            tail = [f"return f'{whole}'.encode({self._charset!r})"]
        return compiled([*head, *self._lines, *tail], self._names, "mti, values")  # type: ignore[return-value]

    # ---- pieces into one string

    def _group(self, text: bool, pieces: list[_Piece]) -> str:
        """Neighbours that are all text or all hex, as a part of the whole f-string."""
        source = "".join(self._checked(digits, list(run)) for digits, run in groupby(pieces, lambda p: p.digits))
        if text != self._packed:
            return source
        if text:
            return f"{{{self._part(source)}.encode({self._charset!r}).hex()}}".replace("'", '"')
        clear = self._part(source)
        raw = self._named(f"unhex({clear})")
        self._lines.append(unless(f"len({raw}) * 2 == len({clear})"))
        return f"{{{raw}.decode({self._charset!r})}}".replace("'", '"')

    def _checked(self, digits: bool, pieces: list[_Piece]) -> str:
        source = "".join(piece.source for piece in pieces)
        if not digits or all(piece.prefix for piece in pieces):
            return source
        name = self._part(source)
        wanted = is_digits(name)
        self._lines.append(unless(f"not {name} or {wanted}" if all(piece.empty for piece in pieces) else wanted))
        return f"{{{name}}}"

    def _part(self, source: str) -> str:
        """The name of a part of an f-string; that of a value alone is its own."""
        inner = source[1:-1]
        return inner if source == f"{{{inner}}}" and inner.isidentifier() else self._named(f"f'{source}'")

    def _named(self, expression: str) -> str:
        self._parts += 1
        self._lines.append(f"w{self._parts} = {expression}")
        return f"w{self._parts}"

    def constant(self, raw: bytes) -> _Piece:
        """Bytes that are always the same."""
        if self._packed:
            return _Piece(raw.hex(), text=False)
        self._names["constant"] = raw.decode(self._charset)
        return _Piece("{constant}", text=True)

    # ---- elements

    def pieces(self, row: FieldSpec) -> list[_Piece]:
        """The length prefix and the value of an element; the checks of the value go to the lines."""
        name, size = f"v{row.de}", f"n{row.de}"
        if row.length == "fixed":
            self._check_size(row, name)
            return [self._value(row, name, size)]
        table = f"prefixes{row.de}"
        units = 2 if row.encoding == "raw" else 1  # hex characters; an odd number of them is in no table
        self._names[table] = _prefixes_by_size(row, units)
        self._lines.append(f"{size} = len({name})")
        prefix = _Piece(f"{{{table}[{size}]}}", row.length_encoding == "ascii", digits=True, prefix=True)
        return [prefix, self._value(row, name, size)]

    def _check_size(self, row: FieldSpec, name: str) -> None:
        """Of a fixed element; text is filled up."""
        size = row.max * 2 if row.format == "b" else row.max
        if not row.is_text:
            self._lines.append(unless(f"len({name}) == {size}"))
            return
        fill = f"{name}.{'ljust' if row.justify == 'left' else 'rjust'}({size}, {row.filler!r})"
        self._lines += [f"if len({name}) != {size}:", f"    {name} = {fill}"]
        self._lines += [f"    if len({name}) != {size}: return None"]

    def _value(self, row: FieldSpec, name: str, size: str) -> _Piece:
        text, variable = row.encoding in ("ascii", "hex"), row.length != "fixed"
        if row.encoding == "bcd":
            return self._nibbles(row, name, size)
        if row.format == "z":
            self._lines.append(unless(f"is_track({name})"))
        elif row.encoding == "hex":
            self._lines.append(unless(f"len(unhex({name})) * 2 == len({name})"))
        shown = f"{name}.upper()" if text and row.format in ("z", "b") else name
        return _Piece(f"{{{shown}}}", text, digits=row.format == "n", empty=variable)

    def _nibbles(self, row: FieldSpec, name: str, size: str) -> _Piece:
        """Digits in BCD, an odd number of them with the filler on its side."""
        if row.format == "z":
            self._lines.append(f"{name} = {name}.replace('=', 'D')")
        filled = f"{row.filler!r} + {name}" if row.justify == "right" else f"{name} + {row.filler!r}"
        if row.length == "fixed":
            if row.max % 2:
                self._lines.append(f"{name} = {filled}")
            return _Piece(f"{{{name}}}", text=False, digits=row.format == "n")
        together = row.filler.isdecimal()
        if row.format == "n" and not together:  # the filler is among the digits when neighbours are looked at
            self._lines.append(unless(f"not {name} or {is_digits(name)}"))
        self._lines.append(f"if {size} & 1: {name} = {filled}")
        return _Piece(f"{{{name}}}", text=False, digits=row.format == "n" and together, empty=True)
