"""docs/examples/mybank.toml and docs/dialects.md: what the example says is what happens, and every key is explained."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import iso8583
import pytest

from specs import codec, dialect
from specs.dialect import Dialect, load
from specs.families import nac
from specs.framing import frame
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, Outcome, Unreadable, Verdict
from specs.profile import Profile, profile_of
from specs.totals import Totals

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "mybank.toml"
MYBANK = load(str(EXAMPLE))
NAC = load("nac")

SALE = Operation(
    *(Kind.SALE, "12345678", "123456789012345", "000123", None, 10000),
    card=Card("4111111111111111", "3012", "4111111111111111D30122010000012345678", entry=Entry.SWIPE),
    invoice="000045",
)


def test_the_example_has_less_than_20_lines() -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) < 20


def test_a_frame_of_mybank_has_its_length_in_bcd_and_its_tpdu() -> None:
    """The constructed sale of nac.md section 9 has 0x53 = 83 bytes."""
    written = nac.write_request(SALE, MYBANK)
    assert frame(codec.encode_payload(written, MYBANK), MYBANK.frame).hex().startswith("0083" + "6000030000" + "0200")
    assert frame(codec.encode_payload(written, NAC), NAC.frame).hex().startswith("0053" + "6000030000" + "0200")


def test_its_elements_are_those_of_a_specification_by_hand() -> None:
    """DE 43: 40 characters; DE 48: LLL in two BCD bytes, binary; DE 63 as in nac."""
    text = {"data_enc": "latin-1", "len_enc": "bcd", "len_type": 0, "desc": ""}
    bcd = {"data_enc": "b", "len_enc": "bcd", "len_type": 0, "len_count": "nibbles", "left_pad": "0", "desc": ""}
    spec = {
        "h": text | {"max_len": 0},
        "t": {"data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 4, "desc": ""},
        "p": {"data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 16, "desc": ""},
        "1": {"data_enc": "b", "len_enc": "ascii", "len_type": 0, "max_len": 16, "desc": ""},
        "3": bcd | {"max_len": 6},
        "24": bcd | {"max_len": 3},
        "43": text | {"max_len": 40},
        "48": {"data_enc": "b", "len_enc": "bcd", "len_type": 2, "max_len": 999, "desc": ""},
        "63": text | {"len_type": 2, "max_len": 600},
    }
    values = {3: "990000", 24: "003", 43: "CAFE".ljust(40), 48: "DF0101FF", 63: "HELLO"}
    document = {"t": "0800", **{str(de): value for de, value in values.items()}}
    raw = bytes(iso8583.encode(document, spec)[0])
    assert codec.encode(Message("0800", values), MYBANK).hex() == raw.hex()
    assert codec.decode(raw, MYBANK) == Message("0800", values)


def test_its_settlement_ends_with_00_where_nac_says_77() -> None:
    settle = Operation(Kind.SETTLE, "12345678", "1" * 15, "000130", "000007", totals=Totals(), final=True)
    for spoken, code in ((MYBANK, "00"), (NAC, "77")):
        request = nac.write_request(settle, spoken)
        answer = nac.write_answer(request, Outcome("", verdict=Verdict.STILL_DIFFERS), spoken)
        assert (request[3], answer[39]) == ("960000", code)
    assert profile_of("mybank", MYBANK.profile).not_found == "78"


def without(spoken: Dialect, *des: int) -> Dialect:
    return replace(spoken, fields={de: spec for de, spec in spoken.fields.items() if de not in des})


def test_what_a_dialect_has_no_row_for_is_left_out_of_answers_and_requests() -> None:
    """A short imported dialect must not silence the host: DE 12 and 13 are missing, an answer is still one."""
    short = without(NAC, 12, 13, 23, 63)
    request = nac.write_request(replace(SALE, card=replace(SALE.card or Card(""), sequence="001")), short)
    answer = nac.write_answer(request, Outcome("00", at="0913101112", rrn="000000000123", text="THANKS"), short)
    assert not {12, 13, 23, 63} & {*request.fields, *answer.fields}
    assert codec.decode_payload(codec.encode_payload(answer, short), short)[39] == "00"
    fault = nac.read_request(request.with_fields({4: None}), short)
    assert isinstance(fault, Unreadable)
    refusal = nac.refusal_answer(request, fault, "0913101112", short)
    assert refusal is not None
    assert codec.encode_payload(refusal, short)


# --- the documentation ---

TEXT = (DOCS / "dialects.md").read_text("utf-8")


@pytest.mark.parametrize(
    "key",
    [
        *dialect._FRAME,
        *dialect._ENCODING,
        *dialect._ROW,
        *(f.name for f in fields(Profile)),
        *("extends", "name", "title"),
    ],
)
def test_every_key_is_explained(key: str) -> None:
    assert f"`{key}`" in TEXT


@pytest.mark.parametrize("switch", [f.name for f in fields(Profile) if f.name not in ("family", "key_scheme")])
def test_the_defaults_in_the_text_are_those_of_the_program(switch: str) -> None:
    """Rows with two keys give two defaults in the same order."""
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith("| `") and f"`{switch}`" in line]
    (found,) = (row for row in rows if switch in re.findall(r"`(\w+)`", row[1]))
    names, said = re.findall(r"`(\w+)`", found[1]), found[2].replace("`", "").split(",")
    default = next(f.default for f in fields(Profile) if f.name == switch)
    word = said[names.index(switch)].strip()
    assert word == ("none" if default == "" else str(default).lower() if isinstance(default, bool) else str(default))
