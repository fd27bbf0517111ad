"""jPOS GenericPackager XML: one row per class of field packager (jPOS, org.jpos.iso.IF*_*)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from specs.importing.source import BYTES_MAX, Data, Element, ImportRefused, Kind, Prefix, Source, Unmapped

# --- the classes ---


@dataclass(frozen=True, slots=True)
class _Class:
    """What a class writes. padded: its attribute pad decides on which side an odd digit's filler stands."""

    kind: Kind
    data: Data
    prefix: Prefix = ""
    digits: int = 0
    padded: bool = False
    filler: str = ""


_SIZES = (("LL", 2), ("LLL", 3))

_CLASSES: Mapping[str, _Class] = {
    "IFA_NUMERIC": _Class("n", "ascii"),
    "IFE_NUMERIC": _Class("n", "ebcdic"),
    "IFB_NUMERIC": _Class("n", "bcd", padded=True),
    "IFB_FNUMERIC": _Class("n", "bcd", padded=True, filler="F"),
    "IF_CHAR": _Class("text", "ascii"),
    "IF_ECHAR": _Class("text", "ebcdic"),
    "IFE_CHAR": _Class("text", "ebcdic"),
    "IFA_BINARY": _Class("b", "hex"),
    "IFB_BINARY": _Class("b", "raw"),
    "IFE_BINARY": _Class("b", "ebcdic-hex"),
    "IFA_AMOUNT": _Class("amount", "ascii"),
    "IFE_AMOUNT": _Class("amount", "ebcdic"),
    "IFAE_LLCHAR": _Class("text", "ebcdic", "ascii", 2),
    "IFEA_LLCHAR": _Class("text", "ascii", "ebcdic", 2),
    **{f"IFA_{size}NUM": _Class("n", "ascii", "ascii", digits) for size, digits in _SIZES},
    **{f"IFE_{size}NUM": _Class("n", "ebcdic", "ebcdic", digits) for size, digits in _SIZES},
    **{f"IFB_{size}NUM": _Class("n", "bcd", "bcd", digits, padded=True) for size, digits in _SIZES},
    **{f"IFB_F{size}NUM": _Class("n", "bcd", "bcd", digits, padded=True, filler="F") for size, digits in _SIZES},
    **{f"IFA_{size}CHAR": _Class("text", "ascii", "ascii", digits) for size, digits in _SIZES},
    **{f"IFE_{size}CHAR": _Class("text", "ebcdic", "ebcdic", digits) for size, digits in _SIZES},
    **{f"IFB_{size}CHAR": _Class("text", "ascii", "bcd", digits) for size, digits in _SIZES},
    **{f"IFA_{size}BINARY": _Class("b", "raw", "ascii", digits) for size, digits in _SIZES},
    **{f"IFE_{size}BINARY": _Class("b", "raw", "ebcdic", digits) for size, digits in _SIZES},
    **{f"IFB_{size}BINARY": _Class("b", "raw", "bcd", digits) for size, digits in _SIZES},
}
_BITMAPS: Mapping[str, Data] = {"IFA_BITMAP": "hex", "IFB_BITMAP": "raw", "IFE_BITMAP": "ebcdic-hex"}
_MTIS: Mapping[str, Data] = {"IFA_NUMERIC": "ascii", "IFE_NUMERIC": "ebcdic", "IFB_NUMERIC": "bcd"}
_NOTHING = ("IF_NOP", "IF_UNUSED")
"""Classes of elements that take no byte: the dialect has no such element."""

#: (class name, why it cannot be said); the first that fits.
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"IFB_L+HEX|IFB_HEX"), "hex digits packed two to a byte, counted in digits"),
    (re.compile(r"IFB_L+H"), "its length is a binary number; here it is digits"),
    (re.compile(r"IF(MC|EMC|EP|EPE|ELPE|IPM)_|IFA_T|IF_T"), "tag and length inside the element"),
    (re.compile(r"IFA_LL+ABINARY|IFE_LLLEBINARY"), "hex whose length counts bytes"),
    (re.compile(r"IFA_LLBNUM|IFEB_"), "its length counts whole bytes of digits"),
    (re.compile(r"IF._LLLL"), "a length of more than three digits"),
    (re.compile(r"IF._L(?!L)"), "a length of one digit"),
    (re.compile(r"IFA_FL"), "a length inside an element of fixed size"),
    (re.compile(r"IF._AMOUNT"), "a signed amount is written in characters here, its sign before fixed digits"),
)
_UNKNOWN = "a class that is not known here"


# --- the file ---


@dataclass
class _Reading:
    """The rows of the outermost isopackager; what stands inside a field packager is its own affair."""

    depth: int = 0
    inside: int = 0
    root: Mapping[str, str] | None = None
    rows: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2]
        if self.depth == 0:
            if tag != "isopackager":
                raise ImportRefused(f"no jPOS packager: the outermost element is {tag[:40]!r}, not isopackager")
            self.root = attributes
        elif not self.inside and tag in ("isofield", "isofieldpackager"):
            self.rows.append((tag, attributes))
        self.depth += 1
        self.inside += tag == "isofieldpackager" or self.inside > 0

    def end(self, _tag: str) -> None:
        self.depth -= 1
        self.inside = max(0, self.inside - 1)

    def doctype(self, _name: str, _system: str | None, _public: str | None, own: bool) -> None:
        """A reference to jPOS's DTD is never followed; declarations in the file are refused, entities and all."""
        if own:
            raise ImportRefused("the file has a DTD of its own ([…] in DOCTYPE): remove it, it is not read")


def read(xml_text: str) -> Source:
    """What a packager says. Raises: ImportRefused."""
    found = _rows(xml_text)
    assert found.root is not None
    elements: list[Element] = []
    unmapped = _of_packager(found.root)
    mti: Data = "ascii"
    bitmap: Data = "hex"
    secondary = True
    for tag, attributes in found.rows:
        word = attributes.get("class", "").strip().rpartition(".")[2]
        de, length = _number(attributes, "id"), _number(attributes, "length")
        if de == 0:
            mti = _MTIS.get(word, mti)
            unmapped += [] if word in _MTIS and length == 4 else [Unmapped(0, word, "an MTI of four digits is wanted")]
        elif de == 1:
            bitmap, secondary = _BITMAPS.get(word, bitmap), length > 8
            unmapped += [] if word in _BITMAPS else [Unmapped(1, word, "a bitmap of 8 or 16 bytes is wanted")]
        elif word not in _NOTHING:
            row = _element(de, length, word, attributes)
            elements += [row] if isinstance(row, Element) else []
            unmapped += [row] if isinstance(row, Unmapped) else []
            if tag == "isofieldpackager" and isinstance(row, Element):
                inner = attributes.get("packager", "").rpartition(".")[2] or tag
                unmapped.append(Unmapped(de, inner, "its sub-fields are carried whole, not read"))
    return Source("imported from a jPOS packager", mti, bitmap, secondary, tuple(elements), tuple(unmapped))


def _rows(xml_text: str) -> _Reading:
    data = xml_text.encode("utf-8", "surrogatepass")
    if len(data) > BYTES_MAX:
        raise ImportRefused(f"larger than {BYTES_MAX} bytes")
    reading = _Reading()
    parser = expat.ParserCreate("utf-8")
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.StartDoctypeDeclHandler = reading.doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ImportRefused(f"not well-formed XML: {error}") from error
    return reading


def _number(attributes: Mapping[str, str], key: str) -> int:
    value = attributes.get(key, "").strip()
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        raise ImportRefused(f"isofield {attributes.get('id', '')[:8]!r}: {key} is no number")
    return int(value)


def _element(de: int, length: int, word: str, attributes: Mapping[str, str]) -> Element | Unmapped:
    made = _CLASSES.get(word)
    if made is None:
        return Unmapped(de, word, next((why for pattern, why in _REASONS if pattern.match(word)), _UNKNOWN))
    left = attributes.get("pad", "").strip().lower() == "true"
    return Element(
        de,
        attributes.get("name", "").strip(),
        made.kind,
        made.data,
        length - 1 if made.kind == "amount" else length,
        word,
        made.prefix,
        made.digits,
        justify=("right" if left else "left") if made.padded else "",
        filler=(made.filler or "0") if made.padded and not left else "0" if made.padded else "",
    )


def _of_packager(root: Mapping[str, str]) -> list[Unmapped]:
    unmapped = []
    if root.get("emitBitmap", "true").lower() == "false":
        unmapped.append(Unmapped(1, "emitBitmap", "a message without a bitmap"))
    if root.get("headerLength", "0").strip() not in ("", "0"):
        unmapped.append(Unmapped(-1, "headerLength", "a header before the MTI; see [frame] header and tpdu"))
    return unmapped
