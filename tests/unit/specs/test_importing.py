"""Dialects from jPOS packagers and moov specifications.

Bytes are those of pyiso8583 with specifications written by hand from the two sample files, whose rows mean what jPOS's
and moov's own sources say (IFB_NUMERIC pad, LBCD, Fixed and LL prefixes).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import iso8583
import pytest

from specs import codec
from specs.dialect import Dialect, loads
from specs.errors import DecodeError, DialectError
from specs.importing import BYTES_MAX, Imported, ImportRefused, from_jpos, from_moov, from_text
from specs.message import Message

SAMPLES = Path(__file__).parents[2] / "support" / "samples"
PACKAGER = (SAMPLES / "edc-packager.xml").read_text("utf-8")
SPECIFICATION = (SAMPLES / "switch-spec.json").read_text("utf-8")

Spec = dict[str, dict[str, Any]]


def row(data: str, size: int, length: int = 0, lengths: str = "ascii", **more: Any) -> dict[str, Any]:
    """length: bytes of the prefix."""
    return {"data_enc": data, "len_enc": lengths, "len_type": length, "max_len": size, "desc": "", **more}


def bcd(size: int, length: int = 0, **more: Any) -> dict[str, Any]:
    return row("b", size, length, "bcd", len_count="nibbles", **more)


#: edc-packager.xml by hand: pad="true" puts the filler in front, "false" behind; IFB_F…: filler F; LLL = 2 BCD bytes.
EDC: Spec = {
    "h": row("ascii", 0),
    "t": row("b", 4),
    "p": row("b", 16),
    "1": row("b", 16),
    "2": bcd(19, 1, right_pad="0"),
    **{str(de): bcd(size, left_pad="0") for de, size in ((3, 6), (4, 12), (11, 6), (12, 6), (13, 4), (14, 4), (25, 2))},
    "22": bcd(3, right_pad="0"),
    "23": bcd(3, left_pad="0"),
    "24": bcd(3, left_pad="0"),
    "35": bcd(37, 1, right_pad="F"),
    **{str(de): row("latin-1", size) for de, size in ((37, 12), (38, 6), (39, 2), (41, 8), (42, 15), (43, 40))},
    "48": row("b", 200, 2, "bcd"),
    "52": row("b", 8),
    "54": row("latin-1", 120, 2, "bcd"),
    "55": row("b", 255, 2, "bcd"),
    **{str(de): row("latin-1", size, 2, "bcd") for de, size in ((60, 22), (62, 6), (63, 90))},
    "64": row("b", 8),
}
EDC_MESSAGE = Message(
    "0200",
    {
        2: "4111111111111111123",
        3: "000000",
        4: "000000010000",
        11: "000123",
        14: "3012",
        22: "051",
        23: "001",
        24: "003",
        25: "00",
        35: "4111111111111111D30122010000012345678",
        41: "12345678",
        42: "123456789012345",
        43: "CAFE ZENTRAL".ljust(40),
        48: "DF0104CAFEBABE",
        52: "0123456789ABCDEF",
        54: "000000001000",
        55: "9F2608689BB04E70B50CDA",
        60: "000007",
        62: "000045",
        63: "002000000015000",
        64: "0000000000000000",
    },
)

#: switch-spec.json by hand: all ASCII; Left padding = value to the right; LBCD = digits first.
SWITCH: Spec = {
    "h": row("ascii", 0),
    "t": row("ascii", 4),
    "p": row("ascii", 16),
    "1": row("ascii", 16),
    "2": row("ascii", 19, 2),
    **{
        str(de): row("ascii", size)
        for de, size in (
            *((3, 6), (4, 12), (7, 10), (11, 6), (12, 6), (13, 4), (14, 4), (15, 4), (18, 4), (22, 3), (23, 3)),
            *((25, 2), (28, 9), (37, 12), (38, 6), (39, 2), (41, 8), (42, 15), (43, 40), (49, 3), (52, 16), (64, 16)),
            *((70, 3), (90, 42)),
        )
    },
    "32": row("ascii", 11, 2),
    "35": row("ascii", 37, 2),
    "48": row("ascii", 255, 3),
    "54": row("ascii", 120, 3),
    "55": row("b", 255, 3),
    "104": bcd(7, right_pad="0"),
}
SWITCH_MESSAGE = Message(
    "0100",
    {
        2: "4111111111111111",
        3: "000000",
        4: "000000010000",
        7: "0913101112",
        11: "000123",
        12: "101112",
        13: "0913",
        15: "0913",
        18: "5411",
        22: "051",
        25: "00",
        28: "D00000100",
        32: "12345678901",
        35: "4111111111111111=30122010000012345678",
        41: "12345678",
        42: "123456789012345",
        43: "CAFE ZENTRAL".ljust(40),
        48: "0103ABC",
        49: "156",
        52: "0123456789ABCDEF",
        55: "9F2608689BB04E70B50CDA",
        64: "0000000000000000",
        70: "301",
        90: "0" * 42,
        104: "1234567",
    },
)
SPECIFICATION_7 = SPECIFICATION.replace(
    '"length": 8,\n   "description": "Odd code"', '"length": 7, "description": "Odd"'
)
"""DE 104 with an odd number of digits."""


def imported(text: str, **options: str) -> tuple[Dialect, Imported]:
    made = from_text(text, **options)
    return loads(made.toml), made


def by_hand(message: Message, spec: Spec) -> bytes:
    document = {"t": message.mti, **{str(de): value for de, value in message.fields.items()}}
    return bytes(iso8583.encode(document, spec)[0])


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [(PACKAGER, EDC, EDC_MESSAGE), (SPECIFICATION_7, SWITCH, SWITCH_MESSAGE)],
    ids=["jpos", "moov"],
)
def test_an_imported_dialect_writes_and_reads_what_a_specification_by_hand_does(
    text: str, spec: Spec, message: Message
) -> None:
    dialect, _ = imported(text)
    raw = codec.encode(message, dialect)
    assert raw.hex() == by_hand(message, spec).hex()
    assert codec.decode(by_hand(message, spec), dialect) == message


def test_what_a_packager_cannot_say_here_is_listed() -> None:
    dialect, made = imported(PACKAGER)
    lost = {(u.de, u.word): u.why for u in made.unmapped}
    assert list(lost) == [
        (28, "IFB_AMOUNT"),
        (48, "GenericSubFieldPackager"),
        (59, "IFB_LLLHCHAR"),
        (61, "TaggedPackager"),
    ]
    assert "binary number" in lost[59, "IFB_LLLHCHAR"]
    assert "not known" in lost[61, "TaggedPackager"]
    assert not {28, 59, 61, 57} & dialect.fields.keys()  # 57 is IF_NOP: nothing lost
    assert 48 in dialect.fields  # carried whole
    assert all(str(u) in made.toml for u in made.unmapped)


def test_what_a_specification_cannot_say_here_is_listed() -> None:
    dialect, made = imported(SPECIFICATION)
    assert [(u.de, u.word) for u in made.unmapped] == [
        (48, "Composite/-/ASCII.LLL"),
        (59, "String/ASCII/ASCII.LLLL"),
        (60, "String/EBCDIC/EBCDIC.LLL"),
        (62, "Binary/HexToASCII/ASCII.LLL"),
    ]
    assert not {59, 60, 62} & dialect.fields.keys()


def test_an_element_that_was_not_mapped_is_not_read_as_the_base_has_it() -> None:
    """nac has DE 61; here its bytes would be cut in the wrong place."""
    dialect, _ = imported(PACKAGER)
    with pytest.raises(DecodeError, match="DE 61"):
        codec.decode(bytes.fromhex("0200" + "0000000000000008" + "0003414243"), dialect)


@pytest.mark.parametrize(("text", "base", "family"), [(PACKAGER, "nac", "nac"), (SPECIFICATION, "iso87", "iso87")])
def test_the_base_is_what_fits_best(text: str, base: str, family: str) -> None:
    dialect, made = imported(text)
    assert (made.extends, dialect.family) == (base, family)


def test_the_base_may_be_chosen() -> None:
    dialect, made = imported(PACKAGER, extends="cup", name="branch")
    assert (made.extends, dialect.family, dialect.name) == ("cup", "cup", "branch")
    assert codec.encode(EDC_MESSAGE, dialect) == by_hand(EDC_MESSAGE, EDC)
    with pytest.raises(DialectError, match="no dialect is called"):
        from_jpos(PACKAGER, extends="ncr")


def test_card_data_stay_secret() -> None:
    """A row that the base does not have is masked where the standard has card data in it."""
    text = PACKAGER.replace('<isofield id="57" length="40" name="SPARE" class="org.jpos.iso.IF_NOP"/>', extra(36, 104))
    dialect, _ = imported(text)
    assert all(dialect.fields[de].sensitive for de in (2, 14, 35, 36, 52, 55))


def extra(de: int, length: int, name: str = "IFB_LLLCHAR") -> str:
    return f'<isofield id="{de}" length="{length}" name="MORE" class="org.jpos.iso.{name}"/>'


def packager(*rows: str) -> str:
    head = '<isofield id="0" length="4" name="MTI" class="org.jpos.iso.IFA_NUMERIC"/>'
    bitmap = '<isofield id="1" length="16" name="BITMAP" class="org.jpos.iso.IFA_BITMAP"/>'
    return f"<isopackager>{head}{bitmap}{''.join(rows)}</isopackager>"


STAN = extra(11, 6, "IFA_NUMERIC")


@pytest.mark.parametrize(
    ("name", "length", "why"),
    [
        ("IFB_LLHNUM", 19, "binary number"),
        ("IFA_LLLLCHAR", 999, "three digits"),
        ("IFA_LCHAR", 9, "one digit"),
        ("IFA_LLABINARY", 20, "counts bytes"),
        ("IFA_LLBNUM", 20, "counts whole bytes"),
        ("IFEP_LLCHAR", 20, "tag and length"),
        ("IFMC_LLCHAR", 20, "tag and length"),
        ("IFA_FLLCHAR", 20, "fixed size"),
        ("IFA_AMOUNT2003", 20, "signed amount"),
        ("IFB_LLCHAR", 20, "its length is in bcd"),
        ("IFE_CHAR", 20, "EBCDIC beside ASCII"),
        ("IFE_LLLBINARY", 20, "EBCDIC beside ASCII"),
        ("IFA_LLCHAR", 120, "a size of 120"),
        ("IF_CHAR", 0, "a size of 0"),
    ],
)
def test_each_class_that_cannot_be_mapped_says_why(name: str, length: int, why: str) -> None:
    made = from_jpos(packager(STAN, extra(2, 19, "IFA_LLNUM"), extra(44, length, name)))
    (lost,) = made.unmapped
    assert (lost.de, lost.word) == (44, name)
    assert why in lost.why


@pytest.mark.parametrize(
    ("row", "de"),
    [(extra(129, 8), 129), (extra(65, 8, "IF_CHAR"), 65), (extra(64, 16, "IF_CHAR"), 64)],
)
def test_elements_that_no_dialect_has(row: str, de: int) -> None:
    assert [u.de for u in from_jpos(packager(STAN, row)).unmapped] == [de]


def test_a_third_bitmap_is_no_loss() -> None:
    assert from_jpos(packager(STAN, extra(65, 8, "IFA_BINARY"))).unmapped == ()


def test_a_primary_bitmap_alone_ends_at_64() -> None:
    text = packager(STAN, extra(70, 3, "IFA_NUMERIC")).replace('id="1" length="16"', 'id="1" length="8"')
    dialect, made = imported(text)
    assert ([u.de for u in made.unmapped], dialect.encodings.secondary_bitmap) == ([70], False)


def test_a_packager_all_in_ebcdic_is_mapped() -> None:
    """Code page 500 and IBM-1047, jPOS's, have the same digits and letters: F0-F9, C1-."""
    rows = (extra(11, 6, "IFE_NUMERIC"), extra(37, 12, "IFE_CHAR"), extra(44, 25, "IFE_LLCHAR"))
    text = packager(*rows).replace("IFA_NUMERIC", "IFE_NUMERIC").replace("IFA_BITMAP", "IFE_BITMAP")
    dialect, made = imported(text)
    assert (made.unmapped, dialect.encodings.charset) == ((), "ebcdic")
    raw = codec.encode(Message("0800", {11: "000123", 44: "AB"}), dialect)
    digits = {str(d): f"F{d}" for d in range(10)} | {"A": "C1", "B": "C2"}
    # DE 11 and 44: bits 2^53 and 2^20.
    assert raw.hex().upper() == "".join(digits[c] for c in "0800" + "0020000000100000" + "00012302AB")


@pytest.mark.parametrize(
    ("replaced", "by", "de", "word"),
    [
        ("<isopackager>", '<isopackager emitBitmap="false">', 1, "emitBitmap"),
        ("<isopackager>", '<isopackager headerLength="5">', -1, "headerLength"),
        ("IFA_BITMAP", "IFX_BITMAP", 1, "IFX_BITMAP"),
        ('class="org.jpos.iso.IFA_NUMERIC"/><isofield id="1"', 'class="IFA_LLNUM"/><isofield id="1"', 0, "IFA_LLNUM"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said(replaced: str, by: str, de: int, word: str) -> None:
    text = packager(STAN).replace(replaced, by)
    assert [(u.de, u.word) for u in from_jpos(text).unmapped] == [(de, word)]


# --- files that are refused ---

BOMB = '<!DOCTYPE isopackager [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><isopackager>&b;</isopackager>'
OUTSIDE = '<!DOCTYPE isopackager [<!ENTITY x SYSTEM "file:///etc/passwd">]><isopackager>&x;</isopackager>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "DTD of its own"),
        (OUTSIDE, "DTD of its own"),
        ("<isopackager>", "not well-formed"),
        ("<isopackager/>", "none of its elements"),
        ("<html></html>", "no jPOS packager"),
        (packager(STAN.replace('"11"', '"eleven"')), "is no number"),
        (packager(STAN.replace('length="6"', "")), "is no number"),
        ("<" + " " * BYTES_MAX, "larger than"),
        (" " * BYTES_MAX + "{}", "larger than"),
        ("PK\x03\x04", "neither XML nor JSON"),
        ("", "neither XML nor JSON"),
        ("[" * 100_000, "neither XML nor JSON"),
        ("[]", "no table"),
        ('{"fields": {}}', "no table"),
        ('{"fields": {"x": {}}}', "a number and a table"),
        ('{"fields": {"2": 5}}', "a number and a table"),
        ('{"fields": {"2": {"type": "String"}}}', "none of its elements"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(ImportRefused, match=why) as caught:
        from_text(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_outside_dtd_is_not_fetched_and_its_entities_are_nothing() -> None:
    text = '<!DOCTYPE isopackager SYSTEM "file:///etc/passwd">' + packager(STAN)
    assert from_jpos(text).unmapped == ()


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "new\nline", "tab\t\x7f\x00", "会", ""])
def test_any_name_makes_a_file_that_can_be_read(name: str) -> None:
    specification = json.loads(SPECIFICATION)
    specification["name"] = specification["fields"]["7"]["description"] = name
    specification["fields"]["120"] = {**specification["fields"]["54"], "description": name}
    made = from_moov(json.dumps(specification), name=name)
    assert loads(made.toml).title
