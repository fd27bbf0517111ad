"""The doctor: which dialect and framing a capture has, and what is said of one that fits none."""

from __future__ import annotations

import pytest

from specs.detect import CAPTURE_BYTES_MAX, detect
from specs.dialect import builtin

# cup.md section 7: echo 0820/301
ECHO = bytes.fromhex(
    "0034600003000060310031000008200000000000C0001031323334353637383132333435363738393031323334350011000000013010"
)
# nac.md section 9: 0510 RC 95
NAC_0510 = bytes.fromhex(
    "003260000000030510203801000A8000009200000001302200000913000330303030303030303031333039353132333435363738"
)


def test_a_clean_capture_is_named_with_its_framing() -> None:
    best = detect(ECHO)[0]
    assert (best.dialect, best.clean) == ("cup", True)
    assert best.framing == {"length": "2-byte binary", "tpdu": True, "header": 6}
    assert best.message is not None
    assert best.message.header == "603100310000"
    assert best.as_dialect().frame.header == 6


@pytest.mark.parametrize(
    ("raw", "dialect", "tpdu", "header"),
    [
        (ECHO[2:], "cup", True, 6),
        (ECHO[13:], "cup", False, 0),
        (ECHO[7:], "cup", False, 6),
        (ECHO[2:7] + ECHO[13:], "cup", True, 0),
        (NAC_0510[2:], "nac", True, 0),
        (NAC_0510[7:], "nac", False, 0),
    ],
)
def test_parts_of_a_frame(raw: bytes, dialect: str, tpdu: bool, header: int) -> None:
    best = detect(raw)[0]
    assert (best.dialect, best.length, best.tpdu, best.header, best.clean) == (dialect, "none", tpdu, header, True)


def test_cup_and_nac_are_told_apart_by_de22() -> None:
    """Only the justification differs: `02 10` and `00 22`."""
    bitmap = "0020040000000000"
    assert detect(bytes.fromhex("6000030000" + "0200" + bitmap + "000001" + "0022"))[0].dialect == "nac"
    assert (
        detect(bytes.fromhex("6000030000" + "603100310000" + "0200" + bitmap + "000001" + "0210"))[0].dialect == "cup"
    )


def test_a_capture_cut_short_keeps_its_name_and_says_so() -> None:
    best = detect(ECHO[:-3])[0]
    assert (best.dialect, best.tpdu, best.header, best.clean) == ("cup", True, 6, False)
    assert "length header" in best.notes[0].message
    assert best.notes[-1].de == 60


def test_one_wrong_byte_is_named_by_element_and_offset() -> None:
    raw = bytearray(NAC_0510)
    raw[2 + 5 + 2 + 8 + 3] = 0xAA  # first byte of DE 11
    best = detect(bytes(raw))[0]
    assert (best.dialect, best.clean) == ("nac", False)
    assert (best.notes[0].de, best.notes[0].offset) == (11, 13)


def test_a_wrong_length_header_is_the_only_note() -> None:
    best = detect(b"\x00\x35" + ECHO[2:])[0]
    assert (best.dialect, len(best.notes), best.clean) == ("cup", 1, False)


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(200), b"\xff" * 64])
def test_what_is_no_message_gives_candidates_but_no_clean_one(raw: bytes) -> None:
    found = detect(raw)
    assert found
    assert not any(d.clean for d in found)
    assert all(d.notes for d in found)


def test_bounds() -> None:
    assert detect(b"") == ()
    assert detect(bytes(CAPTURE_BYTES_MAX + 1)) == ()


def test_only_layouts_compete_not_their_framing_variants() -> None:
    assert "cup-noheader" in builtin()
    assert "cup-noheader" not in {d.dialect for d in detect(ECHO)}
