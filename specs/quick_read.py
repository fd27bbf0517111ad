"""The reader of one shape of message (a dialect and its bitmap), as straight-line Python made from the dialect's rows.

For DE 2, 3, 11 and 39 in BCD it is, in short (`c0_6` is slice(0, 6)):

    h = body.hex()
    t = body.decode("latin-1")
    mti = h[c0_4]
    n = sizes2[h[c20_22]]                           # KeyError for what is no length, or too long
    p = 22
    v2 = h[p:(p := p + n)]
    p += n & 1
    t3 = t[p >> 1:p + 16 >> 1]                      # all that is fixed, up to the next length
    h3 = h[p:(p := p + 16)]
    v39 = t3[c6_8]
    if not (p == len(h)): return None               # so no cut went past the end
    if not (f"{mti}{v2}{r3}".encode().isdigit()): return None
    return made(mti, {2: v2, 3: r3[c0_6], 11: r3[c6_12], 39: v39}, tpdu, header)

Where most lengths or numbers are BCD the place is counted in nibbles (`h`), else in bytes (`t`, the body as text).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from specs.dialect import Dialect
from specs.fields import PREFIX_DIGITS, FieldSpec
from specs.message import Message, in_order

Reader = Callable[[bytes, str, str], Message | None]
"""Body, TPDU, message header -> the message; None to give up. Raises: LookupError, ValueError to give up too."""

CAPITALS_MAX = 4
"""Elements of hex whose letters are changed one by one; of more it is cheaper to change the whole message."""

IS_TRACK = re.compile(r"[0-9A-Fa-f=]*", re.ASCII).fullmatch


def can_read(row: FieldSpec) -> bool:
    """All but signed amounts, and odd numbers in BCD of fixed length whose filler is no digit: they are rare."""
    odd = row.encoding == "bcd" and row.max % 2 == 1
    return row.format != "x+n" and (row.length != "fixed" or not odd or (row.filler.isdecimal() and row.format == "n"))


def packed(dialect: Dialect) -> bool:
    """Whether most of a message is BCD, so that its place is best counted in nibbles."""
    return "bcd" in (dialect.encodings.numeric, dialect.encodings.lengths)


def compiled(lines: Sequence[str], names: dict[str, object], head: str) -> Callable[..., object]:
    """The function `shape` of these lines. They are made of the dialect's rows only, never of what is on a wire."""
    exec(f"def shape({head}):\n    " + "\n    ".join(lines), names)
    return names["shape"]  # type: ignore[return-value]


def unless(condition: str) -> str:
    """The line that gives up unless the condition holds."""
    return f"if not ({condition}): return None"


def is_digits(name: str) -> str:
    """The condition that a text is one or more digits 0-9: of bytes it is seen four times as fast."""
    return f"{name}.encode().isdigit()"


def sizes(row: FieldSpec) -> Iterator[tuple[int, str]]:
    """Each size that the length prefix can say, in its units (of hex: characters), with the digits of the prefix."""
    width = row.prefix_bytes * 2 if row.length_encoding == "bcd" else row.prefix_bytes
    step, most = (2, min(row.max * 2, 10 ** PREFIX_DIGITS[row.length] - 1)) if row.encoding == "hex" else (1, row.max)
    return ((size, f"{size:0{width}d}") for size in range(0, most + 1, step))


@lru_cache(maxsize=1024)
def _sizes_by_prefix(row: FieldSpec, units: int) -> dict[str, int]:
    return {prefix: size * units for size, prefix in sizes(row)}


def reader_of(dialect: Dialect, named: Sequence[int], *, both: bool) -> Reader | None:
    """The reader of messages with these elements, in ascending order; None where one of them is not for this road.

    both: whether there is a second bitmap.
    """
    rows = [dialect.fields[de] for de in named if de in dialect.fields]
    if len(rows) != len(named) or not all(map(can_read, rows)):
        return None
    made = _Reading(dialect, both=both)
    fixed: list[FieldSpec] = []
    for row in rows:
        if row.length == "fixed":
            fixed.append(row)
        else:
            made.fixed(fixed, row)
            made.variable(row)
            fixed = []
    made.fixed(fixed, None)
    return made.compiled()


class _Reading:
    """The lines of one reader while they are written.

    Constant cuts are made from `_hex` and `_text`: the whole message up to its first length, then what is fixed up to
    the next one. `_at`: bytes from where these begin; `_total`: how many they have, 0 for the message.
    """

    def __init__(self, dialect: Dialect, *, both: bool) -> None:
        encodings = dialect.encodings
        self._packed = packed(dialect)
        self._unit = 2 if self._packed else 1
        self._main = "h" if self._packed else "t"
        self._charset = encodings.codec
        self._names: dict[str, object] = {"made": in_order, "is_track": IS_TRACK, "unhex": bytes.fromhex}
        self._lines: list[str] = []
        self._values: list[str] = []
        self._digits = ["mti"]
        """What must be digits."""
        self._capitals: list[int] = []
        """Elements that are cut from `h`, and whose letters are capitals in a message."""
        self._hex, self._text = ("h", "t") if self._packed else ("body", "t")
        self._at = self._total = 0
        self._moving = False
        """Whether a length was read: the place is in `p`."""
        self._lines.append(f"mti = {self._cut(encodings.mti_bytes, text=encodings.mti == 'ascii')}")
        self._at += encodings.bitmap_bytes * (2 if both else 1)

    def compiled(self) -> Reader:
        """The function."""
        head = [f"t = body.decode({self._charset!r})"]
        upper = len(self._capitals) > CAPITALS_MAX
        if self._packed:
            head.append("h = body.hex().upper()" if upper else "h = body.hex()")
        if not upper:
            self._lines += [f"v{de} = v{de}.upper()" for de in self._capitals]
        self._lines.append(unless(f"{'p' if self._moving else self._at * self._unit} == len({self._main})"))
        self._lines.append(unless(is_digits("f'" + "".join(f"{{{name}}}" for name in self._digits) + "'")))
        self._lines.append(f"return made(mti, {{{', '.join(self._values)}}}, tpdu, header)")
        return compiled([*head, *self._lines], self._names, "body, tpdu, header")  # type: ignore[return-value]

    # ---- where the bytes are

    def fixed(self, rows: Sequence[FieldSpec], behind: FieldSpec | None) -> None:
        """Elements of fixed length, then the length prefix of the variable one behind them, read into `n`."""
        if self._moving:
            self._open(rows, behind)
        for (number, encoding), run in groupby(rows, key=lambda row: (row.format == "n", row.encoding)):
            if number:
                self._numbers(list(run), text=encoding == "ascii")
                continue
            for row in run:
                cut = self._cut(row.wire_bytes(row.max), text=encoding in ("ascii", "hex"))
                self._lines.append(f"v{row.de} = {cut}")
                self._finish(row, f"{row.max * 2}")
        if behind is not None:
            prefix = self._cut(behind.prefix_bytes, text=behind.length_encoding == "ascii")
            self._lines.append(f"n = sizes{behind.de}[{prefix}]")

    def _open(self, rows: Sequence[FieldSpec], behind: FieldSpec | None) -> None:
        """Cut what is fixed at `p` once, as text and as hex where both are needed."""
        texts = {row.encoding in ("ascii", "hex") for row in rows}
        texts |= {behind.length_encoding == "ascii"} if behind else set()
        if not texts:
            return
        self._at, self._total = 0, sum(row.wire_bytes(row.max) for row in rows) + (behind.prefix_bytes if behind else 0)
        name = f"{(*rows, behind)[0].de}"  # type: ignore[union-attr]
        self._hex, self._text = ("h" if self._packed else "b") + name, "t" + name
        end, moved = f"p + {self._total * self._unit}", f"(p := p + {self._total * self._unit})"
        main, other = (self._hex, self._text) if self._packed else (self._text, self._hex)
        if self._packed in texts:
            self._lines.append(f"{other} = {self._between(end if len(texts) == 2 else moved)}")
        if (not self._packed) in texts:
            self._lines.append(f"{main} = {self._main}[p:{moved}]")

    def _between(self, end: str) -> str:
        """From `p` on, what is not of the kind that the place is counted in."""
        return f"t[p >> 1:{end} >> 1]" if self._packed else f"body[p:{end}]"

    def _cut(self, size: int, *, text: bool) -> str:
        """The expression for the next bytes, as text or hex in lower case."""
        start, self._at = self._at, self._at + size
        base, unit = (self._text, 1) if text else (self._hex, self._unit)
        cut = base if size == self._total else f"{base}[{self._slice(start * unit, self._at * unit)}]"
        return cut if text or self._packed else f"{cut}.hex()"

    def _slice(self, start: int, end: int) -> str:
        """A slice that is made once: a sixth faster than two constants."""
        name = f"c{start}_{end}"
        self._names[name] = slice(start, end)
        return name

    # ---- elements

    def _numbers(self, rows: list[FieldSpec], *, text: bool) -> None:
        """Neighbours that are digits are looked at together, with the fillers among them."""
        run = f"r{rows[0].de}"
        self._lines.append(f"{run} = {self._cut(sum(row.wire_bytes(row.max) for row in rows), text=text)}")
        self._digits.append(run)
        if len(rows) == 1 and (text or rows[0].max % 2 == 0):
            self._values.append(f"{rows[0].de}: {run}")
            return
        start = 0
        for row in rows:
            odd = 0 if text else row.max % 2
            first = start + 1 if odd and row.justify == "right" else start
            if odd:
                self._lines.append(unless(f"{run}[{start if first > start else start + row.max}] == {row.filler!r}"))
            self._values.append(f"{row.de}: {run}[{self._slice(first, first + row.max)}]")
            start += row.max + odd

    def variable(self, row: FieldSpec) -> None:
        """The `n` digits, characters or bytes of an element."""
        self._names[f"sizes{row.de}"] = _sizes_by_prefix(row, 2 if row.encoding == "raw" and self._packed else 1)
        if not self._moving:
            self._lines.append(f"p = {self._at * self._unit}")
            self._moving = True
        text = row.encoding in ("ascii", "hex")
        if row.encoding == "bcd":
            self._nibbles(row)
        elif text != self._packed:
            self._lines.append(f"v{row.de} = {self._main}[p:(p := p + n)]")
        else:
            value = self._between(f"(p := p + n * {self._unit})")
            self._lines.append(f"v{row.de} = {value}" if text else f"v{row.de} = {value}.hex()")
        self._finish(row, "n")

    def _nibbles(self, row: FieldSpec) -> None:
        """Behind a length prefix any filler nibble is taken (specs.inspection)."""
        right = row.justify == "right"
        if not self._packed:
            whole = self._between("(p := p + (n + 1 >> 1))")
            self._lines.append(f"v{row.de} = {whole}.hex(){'[n & 1:]' if right else '[:n]'}")
            return
        cut = [f"v{row.de} = h[p:(p := p + n)]"]
        self._lines += ["p += n & 1", *cut] if right else [*cut, "p += n & 1"]

    def _finish(self, row: FieldSpec, size: str) -> None:
        """What may stand in `v`, and the case of its letters. size: the expression for its hex characters."""
        name = f"v{row.de}"
        if row.format == "n":
            self._digits.append(name)
        elif row.format == "z" and row.encoding == "ascii":
            self._lines.append(unless(f"is_track({name})"))
        elif row.encoding == "hex":  # blanks that fromhex() passes over would make it shorter
            self._lines.append(unless(f"len(unhex({name})) * 2 == {size}"))
        self._values.append(f"{row.de}: {name}")
        if row.format == "b" or (row.format, row.encoding) == ("z", "bcd"):
            if self._packed and row.encoding != "hex":
                self._capitals.append(row.de)
            else:
                self._lines.append(f"{name} = {name}.upper()")
