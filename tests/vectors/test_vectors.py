"""Real messages (vectors.json) and the protocol documents' constructed frames: what they say, byte for byte.

Expected fields come from the files: those of vectors.json from its compiler, those of constructed.json from pyiso8583
with a spec written by hand, checked against the texts of cup.md section 7 and nac.md section 9.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from specs import codec
from specs.detect import Detection, detect
from specs.dialect import load, with_options
from specs.display import show_fields
from specs.framing import FrameReader, frame

HERE = Path(__file__).parent
Row = dict[str, Any]

#: vectors.json's names of dialects -> ours.
OURS = {
    "cup": "cup",
    "nac": "nac",
    "iso87-ascii": "iso87",
    "iso87-ascii-binbitmap": "iso87-binary",
    "as2805 (ISO 8583:1987 derived, BCD, binary bitmap)": "as2805",
    "iso93-binary": "iso93-binary",
}
#: Messages that do not come out byte for byte, and why.
NOT_PLAIN = {
    "nac-hpdh-sales-req": "DE 35 has an odd number of digits and the filler nibble F; we send 0 (nac.md section 2)",
    "iso93-1200-binary-oscar": "iso93 is for decoding only",
}


def rows(file: str) -> list[Row]:
    return json.loads((HERE / file).read_text("utf-8"))  # type: ignore[no-any-return]


VECTORS = rows("vectors.json")
CONSTRUCTED = rows("constructed.json")
each_vector = pytest.mark.parametrize("row", VECTORS, ids=lambda r: r["name"])
each_constructed = pytest.mark.parametrize("row", CONSTRUCTED, ids=lambda r: r["name"])


def best(row: Row) -> Detection:
    return detect(bytes.fromhex(row["hex"]))[0]


def body_of(row: Row, found: Detection) -> bytes:
    """The bytes from the MTI on, cut as the vector's own framing says."""
    length = {"none": 0, "2-byte binary": 2, "4-digit ASCII": 4}[row["framing"]["length"]]
    prefix = length + (5 if row["framing"]["tpdu"] else 0) + row["framing"]["header"]
    return bytes.fromhex(row["hex"])[prefix:]


def test_the_files_are_whole() -> None:
    assert len(VECTORS) == 80
    assert len(CONSTRUCTED) == 21
    assert set(NOT_PLAIN) <= {row["name"] for row in VECTORS}


@each_vector
def test_is_recognised_with_its_framing(row: Row) -> None:
    found = best(row)
    assert (found.dialect, found.clean) == (OURS[row["dialect"]], True), found.notes
    assert found.framing == {key: row["framing"][key] for key in ("length", "tpdu", "header")}


@each_vector
def test_has_its_stated_fields(row: Row) -> None:
    found = best(row)
    assert found.message is not None
    stated = {key: value for key, value in row["fields"].items() if key.isdigit()}
    dialect = load(found.dialect)
    shown = show_fields(found.message, dialect, clear=True)
    assert sorted(shown) == sorted(stated)
    for de, value in stated.items():
        # The files write `hex:` before bytes in a text element; chip data are binary in our dialects.
        binary = dialect.fields[int(de)].format == "b"
        assert shown[de] == (value.removeprefix("hex:") if binary else value), f"DE {de}"
    assert found.message.mti == row["fields"]["mti"]
    assert found.message.tpdu == row["fields"].get("tpdu", "")
    assert found.message.header == row["fields"].get("header", "")
    assert found.bitmap == row["fields"].get("bitmap", found.bitmap)


@each_vector
def test_is_written_again_byte_for_byte(row: Row) -> None:
    found = best(row)
    if found.message is None or load(found.dialect).encodings.decode_only:
        assert row["name"] in NOT_PLAIN
        return
    dialect = found.as_dialect()
    again = frame(codec.encode_payload(found.message, dialect), dialect.frame)
    assert (again.hex().upper() == row["hex"].upper()) == (row["name"] not in NOT_PLAIN)


def test_a_message_that_is_not_plain_differs_in_the_filler_only() -> None:
    row = next(r for r in VECTORS if r["name"] == "nac-hpdh-sales-req")
    found = best(row)
    assert found.message is not None
    again = codec.encode(found.message, load("nac"))
    was = body_of(row, found)
    different = [i for i in range(len(was)) if was[i] != again[i]]
    assert [(was[i] & 0x0F, again[i] & 0x0F, was[i] >> 4 == again[i] >> 4) for i in different] == [(0xF, 0, True)]


@each_constructed
def test_constructed_frame(row: Row) -> None:
    raw = bytes.fromhex(row["hex"])
    dialect = load(row["dialect"])
    (payload,) = FrameReader(dialect.frame).feed(raw)
    message = codec.decode_payload(payload, dialect)
    assert (message.mti, message.tpdu, message.header) == (row["mti"], row["tpdu"], row["header"])
    assert {str(de): value for de, value in message.fields.items()} == row["fields"]
    assert frame(codec.encode_payload(message, dialect), dialect.frame) == raw


@each_constructed
def test_constructed_frame_is_recognised(row: Row) -> None:
    found = best(row)
    assert (found.dialect, found.clean) == (row["dialect"], True)
    assert (found.length, found.tpdu, found.header) == ("bin2", True, len(row["header"]) // 2)


@each_constructed
def test_constructed_frame_without_its_framing_is_recognised(row: Row) -> None:
    """Only the body: what a log of a payment application usually shows."""
    prefix = 7 + len(row["header"]) // 2
    found = detect(bytes.fromhex(row["hex"])[prefix:])[0]
    assert (found.dialect, found.clean, found.length, found.tpdu) == (row["dialect"], True, "none", False)


@pytest.mark.parametrize("length", ["bin2", "bcd2"])
@pytest.mark.parametrize("inclusive", [False, True])
@each_constructed
def test_constructed_frame_with_another_length_header(row: Row, length: str, inclusive: bool) -> None:
    payload = bytes.fromhex(row["hex"])[2:]
    dialect = with_options(load(row["dialect"]), length=length, inclusive=inclusive)
    found = detect(frame(payload, dialect.frame))[0]
    assert (found.dialect, found.clean) == (row["dialect"], True)
    assert (found.length, found.inclusive) == (length, inclusive)
