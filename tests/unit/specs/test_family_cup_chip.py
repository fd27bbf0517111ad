"""UnionPay POS: IC uploads, script results and downloads.

Expected bytes are cup.md 5.8, 5.10 and 6.1 written out by hand, and the real answers of vectors.json.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from specs import codec
from specs.codes import Refusal
from specs.dialect import load
from specs.errors import DecodeError, EncodeError
from specs.families import cup
from specs.message import Message
from specs.operation import (
    Card,
    Entry,
    Kind,
    Operation,
    OriginalRef,
    Outcome,
    Unreadable,
    UploadForm,
    UploadItem,
)
from specs.subfields.cup_records import ChipRecord, format_chip_record, parse_chip_record

CUP = load("cup")
TID, MID = "12345678", "123456789012345"
PAN = "6223164991230014"
CHIP = bytes.fromhex("9F2608A1B2C3D4E5F60718" + "9505008004E800" + "9F0206000000010000")
DUMPS = {
    row["name"]: row for row in json.loads((Path(__file__).parents[2] / "vectors/vectors.json").read_text("utf-8"))
}


def dump(name: str) -> Message:
    return codec.decode_payload(bytes.fromhex(DUMPS[name]["hex"])[2:], CUP)


def over_the_wire(message: Message) -> Message:
    return codec.decode_payload(codec.encode_payload(message, CUP), CUP)


def read(message: Message) -> Operation:
    found = cup.read_request(message, CUP)
    assert isinstance(found, Operation), found
    return found


# --- DE 62 of an IC upload (cup.md 5.10) ---

RECORDS = [
    (ChipRecord(False, 10000), "6100" + "00" + "000000010000" + "156"),
    (ChipRecord(True, 99, currency="840"), "6101" + "00" + "000000000099" + "840"),
    (ChipRecord(False, 10000, "05"), "7100" + "05" + "000000010000" + "156" + "10"),
    (ChipRecord(True, 10000, "11"), "7101" + "11" + "000000010000" + "156" + "22"),
]


@pytest.mark.parametrize(("record", "text"), RECORDS)
def test_a_chip_record_is_ascii_digits(record: ChipRecord, text: str) -> None:
    value = text.encode("ascii").hex().upper()
    assert format_chip_record(record) == value
    assert parse_chip_record(value) == record
    assert parse_chip_record(text + "0" * (len(text) % 2)) == record  # the same digits in BCD


@pytest.mark.parametrize("text", ["", "62", "6102000000000100001560", "6100000000000100", "7100051", "GG"])
def test_a_broken_chip_record_is_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError, match="DE 62"):
        parse_chip_record(text.encode("ascii").hex().upper())


# --- 0320 with 60.3 = 203 to 206 ---


def upload(form: UploadForm, *, balanced: bool, reason: str = "") -> Operation:
    ref = OriginalRef("000045", "000005")
    item = UploadItem(ref, 10000, None, PAN, False, form, reason, "156", chip=CHIP)
    card = Card(PAN, "", "", "001", Entry.CHIP)
    return Operation(
        *(Kind.TC_UPLOAD, TID, MID, "000045", "000005"),
        card=card,
        advice=True,
        balanced=balanced,
        items=(item,),
        chip=CHIP,
    )


@pytest.mark.parametrize(
    ("form", "balanced", "reason", "function"),
    [
        (UploadForm.TC, True, "", "203"),
        (UploadForm.FAILED, True, "05", "204"),
        (UploadForm.TC, False, "", "205"),
        (UploadForm.FAILED, False, "11", "206"),
    ],
)
def test_an_ic_upload_holds_what_cup_md_says(form: UploadForm, balanced: bool, reason: str, function: str) -> None:
    meant = upload(form, balanced=balanced, reason=reason)
    message = over_the_wire(cup.write_request(meant, CUP))
    # cup.md 6.1, below the table.
    tc, failed = {2, 4, 11, 22, 23, 41, 42, 55, 60, 62}, {2, 3, 11, 22, 23, 25, 41, 42, 55, 60, 62}
    assert set(message.fields) == (tc if form is UploadForm.TC else failed)
    assert (message.mti, message[60]) == ("0320", "00000005" + function)
    assert not cup.carries_mac(message)
    found = read(message)
    assert replace(found, processing_code="") == meant


def test_an_ic_upload_without_de_62_takes_the_amount_from_elsewhere() -> None:
    message = cup.write_request(upload(UploadForm.TC, balanced=True), CUP).with_fields({62: None})
    (item,) = read(message).items
    assert (item.amount, item.foreign, item.currency) == (10000, None, "")
    failed = cup.write_request(upload(UploadForm.FAILED, balanced=False, reason="05"), CUP)
    for other in (None, "20202020"):  # absent; a form that we do not know
        (item,) = read(failed.with_fields({62: other})).items
        assert (item.form, item.amount, item.reason) == (UploadForm.FAILED, 10000, "")  # 9F02
    (item,) = read(failed.with_fields({62: None, 55: None, 2: None, 23: None})).items
    assert (item.amount, item.pan, item.chip) == (0, "", None)


def test_the_answer_to_an_ic_upload_fits() -> None:
    request = cup.write_request(upload(UploadForm.TC, balanced=True), CUP)
    answer = cup.write_answer(request, Outcome("00", at="0913220010", rrn="000000000128", count=1), CUP)
    assert set(answer.fields) == {11, 12, 13, 37, 39, 41, 42, 60}
    assert cup.fits(request, answer) == ""
    assert cup.read_answer(answer, CUP) == Outcome("00", at="0913220010", rrn="000000000128")


def test_an_ic_upload_carries_one_item_of_a_chip_form() -> None:
    meant = upload(UploadForm.TC, balanced=True)
    with pytest.raises(EncodeError):
        cup.write_request(replace(meant, items=meant.items * 2), CUP)
    with pytest.raises(EncodeError):
        cup.write_request(replace(meant, items=(replace(meant.items[0], form=UploadForm.GROUP),)), CUP)
    with pytest.raises(EncodeError):  # a copy is made from its advice
        cup.write_request(replace(meant, kind=Kind.UPLOAD), CUP)


# --- 0620/951 ---

SCRIPT = Operation(
    *(Kind.SCRIPT_RESULT, TID, MID, "000046", "000005", 10000, "156"),
    card=Card(PAN, "3012", "", "001", Entry.CHIP),
    advice=True,
    processing_code="000000",
    original=OriginalRef("000045", "000005", "000000000045", auth_code="A12345", date="0913"),
    chip=bytes.fromhex("DF31050100000000"),
    function="951",
)


def test_a_script_result_holds_what_cup_md_says() -> None:
    """cup.md 6.1: 2, 3, 4, 11, 22, 23, 25, 32, 37, 38, 41, 42, 49, 55, 60, 61, 64; DE 32 is the host's to know."""
    message = over_the_wire(cup.write_request(SCRIPT, CUP))
    assert set(message.fields) == {2, 3, 4, 11, 14, 22, 23, 25, 37, 38, 41, 42, 49, 55, 60, 61} - {14}
    assert (message.mti, message[60], message[61]) == ("0620", "00000005951", "0000050000450913")
    assert cup.carries_mac(message)
    found = read(message)
    assert found == replace(SCRIPT, card=replace(SCRIPT.card, expiry=""))  # type: ignore[type-var]


def test_a_script_result_is_answered_0630() -> None:
    request = cup.write_request(SCRIPT, CUP)
    answer = cup.write_answer(request, Outcome("00", at="0913101112", rrn="000000000046"), CUP)
    assert (answer.mti, answer[39], answer[11], answer[60]) == ("0630", "00", "000046", request[60])
    assert cup.fits(request, answer) == ""
    assert cup.carries_mac(answer)
    assert cup.read_answer(answer, CUP).code == "00"


def test_a_script_result_needs_its_chip_data() -> None:
    fault = cup.read_request(cup.write_request(SCRIPT, CUP).with_fields({55: None}), CUP)
    assert isinstance(fault, Unreadable)
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 55)


# --- downloads ---

DOWNLOADS = {
    **dict.fromkeys(("360", "361", "370", "371", "380", "381"), "0800"),
    **dict.fromkeys(("362", "372", "382"), "0820"),
}
"""cup.md 4."""


@pytest.mark.parametrize(("function", "mti"), DOWNLOADS.items())
def test_a_download_is_told_by_60_3(function: str, mti: str) -> None:
    asked = Operation(Kind.DOWNLOAD, TID, MID, batch="000005", function=function, data=b"100")
    message = over_the_wire(cup.write_request(asked, CUP))
    assert (message.mti, message.fields) == (mti, {41: TID, 42: MID, 60: f"00000005{function}", 62: "313030"})
    assert read(message) == replace(asked, advice=mti == "0820")
    other = replace(message, mti="0800" if mti == "0820" else "0820")  # some terminals take the other one
    assert read(other).function == function
    assert not cup.carries_mac(message)


def test_a_download_may_come_without_data_and_with_a_stan() -> None:
    message = Message("0800", {11: "000009", 41: TID, 42: MID, 60: "00000005360"}, "6000030000", "603100310000")
    found = read(message)
    assert (found.kind, found.stan, found.data) == (Kind.DOWNLOAD, "000009", b"")


def test_a_download_without_a_function_is_our_own_mistake() -> None:
    with pytest.raises(EncodeError, match="DE 60"):
        cup.write_request(Operation(Kind.DOWNLOAD, TID, MID, batch="000005"), CUP)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("cup-0810-380-ic-param-ipaynow", "380"),
        ("cup-0830-372-capk-list-ipaynow", "372"),
        ("cup-0810-370-capk-ipaynow", "370"),
    ],
)
def test_a_real_download_is_written_and_read_again(name: str, function: str) -> None:
    real = dump(name)
    asked = Operation(
        Kind.DOWNLOAD, real[41], real[42], batch="000001", function=function, data=b"100" if "list" in name else b"\x01"
    )
    request = replace(cup.write_request(asked, CUP), tpdu="6000020000", header=real.header)
    data = bytes.fromhex(real[62])
    said = Outcome("00", at="0909" + real[12], rrn=real[37], data=data)
    assert cup.write_answer(request, said, CUP) == real
    assert cup.read_answer(real, CUP) == said
    assert cup.fits(request, real) == ""


def test_a_refused_download_has_no_data() -> None:
    request = cup.write_request(Operation(Kind.DOWNLOAD, TID, MID, batch="000005", function="360"), CUP)
    answer = cup.write_answer(request, Outcome("12", data=b"12"), CUP)
    assert (answer[39], 62 in answer) == ("12", False)
    assert cup.read_answer(answer.with_fields({62: "3132"}), CUP).data is None


def test_the_answer_to_another_download_does_not_fit() -> None:
    """There is no DE 11 to tell them apart."""
    requests = [
        cup.write_request(Operation(Kind.DOWNLOAD, TID, MID, batch="000005", function=function), CUP)
        for function in ("370", "380")
    ]
    answer = cup.write_answer(requests[0], Outcome("00"), CUP)
    assert cup.fits(requests[0], answer) == ""
    assert "60.3" in cup.fits(requests[1], answer)


def test_a_sign_on_answer_is_still_read_for_its_keys() -> None:
    real = cup.read_answer(dump("cup-0810-signon-yuantu"), CUP)
    assert real.keys is not None
    assert (real.data, real.batch) == (None, "000007")
