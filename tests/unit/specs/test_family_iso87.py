"""ISO 8583:1987: messages <-> operations and outcomes.

Expected values: the real dumps of vectors.json, iso87.md sections 3 and 4, rules.md sections 1, 5, 6 and 8; the worked
example's figures are those of rules.md section 5, written out as digits here.
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
from specs.families import NAMES, iso87, iso87_totals
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, Verdict
from specs.totals import BatchItem, Sum, Totals

ISO, BINARY, AS2805 = load("iso87"), load("iso87-binary"), load("as2805")
PAN = "4111111111111111"
TRACK = "4111111111111111D30122010000012345678"
TID, MID = "12345678", "123456789012345"

DUMPS = {
    row["name"]: row
    for row in json.loads((Path(__file__).parents[2] / "vectors" / "vectors.json").read_text("utf-8"))
    if row["dialect"].startswith(("iso87", "as2805"))
}
DIALECT_OF = {"iso87-ascii": ISO, "iso87-ascii-binbitmap": BINARY}


def dump(name: str) -> Message:
    row = DUMPS[name]
    skip = 4 if row["framing"]["length"] == "4-digit ASCII" else 0
    return codec.decode(bytes.fromhex(row["hex"])[skip:], DIALECT_OF.get(row["dialect"], AS2805))


def operation(message: Message) -> Operation:
    read = iso87.read_request(message, ISO)
    assert isinstance(read, Operation), read
    return read


def refused(message: Message) -> Unreadable:
    read = iso87.read_request(message, ISO)
    assert isinstance(read, Unreadable), read
    return read


def message(mti: str, processing: str | None = "000000", **changes: str | None) -> Message:
    """A request with every element of iso87.md 3; `d25="06"` sets DE 25, None takes an element away."""
    fields: dict[int, str | None] = {
        2: PAN,
        3: processing,
        4: "000000010000",
        7: "0913101112",
        11: "000123",
        12: "181112",
        13: "0913",
        14: "3012",
        18: "5999",
        22: "012",
        25: "00",
        32: "123456",
        37: "000000000123",
        41: TID,
        42: MID,
        49: "156",
    }
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return Message(mti).with_fields(fields)


def de90(mti: str = "0200", stan: str = "000100", at: str = "0913090000") -> str:
    return f"{mti}{stan}{at}" + "00000123456" + "00000000000"


def sums(*pairs: tuple[int, int]) -> Totals:
    """Credits, credit reversals, debits, debit reversals: (count, amount)."""
    names = ("credits", "credit-reversals", "debits", "debit-reversals")
    return Totals(tuple(Sum("all", name, *pair) for name, pair in zip(names, pairs, strict=True)))


def test_the_family_is_offered() -> None:
    assert "iso87" in NAMES


# --- which message is which ---

RESERVES, BOOKS = de90("0100"), de90("0200")


@pytest.mark.parametrize(
    ("request_", "kind", "advice"),
    [
        (message("0200"), Kind.SALE, False),
        (message("0200", "010000"), Kind.SALE, False),
        (message("0200", "090000"), Kind.CASH_BACK, False),
        (message("0200", "200000"), Kind.REFUND, False),
        (message("0220", "200000"), Kind.REFUND, True),
        (message("0200", "020000", d90=BOOKS), Kind.VOID, False),
        (message("0200", "220000", d90=BOOKS), Kind.VOID, False),
        (message("0100", "310000"), Kind.BALANCE, False),
        (message("0200", "310000", d4=None), Kind.BALANCE, False),
        (message("0100"), Kind.PRE_AUTH, False),
        (message("0100", "030000"), Kind.PRE_AUTH, False),
        (message("0100", "300000"), Kind.PRE_AUTH, False),
        (message("0120"), Kind.PRE_AUTH, True),
        (message("0100", d90=RESERVES), Kind.PRE_AUTH_INCREMENT, False),
        (message("0100", d90=de90("0101")), Kind.PRE_AUTH_INCREMENT, False),
        (message("0100", d90=de90("0100", "000000")), Kind.PRE_AUTH, False),  # a zero STAN names nothing
        (message("0100", "020000", d90=RESERVES), Kind.PRE_AUTH_VOID, False),
        (message("0200", d90=RESERVES), Kind.COMPLETION, False),
        (message("0200", d25="06", d38="A12345"), Kind.COMPLETION, False),
        (message("0200", d25="06"), Kind.SALE, False),
        (message("0200", d38="A12345"), Kind.SALE, False),
        (message("0220", d90=RESERVES), Kind.COMPLETION_ADVICE, True),
        (message("0220", d25="06"), Kind.COMPLETION_ADVICE, True),
        (message("0220", d90=BOOKS), Kind.ADJUST, True),
        (message("0220", d90=de90("0220")), Kind.ADJUST, True),
        (message("0220", d25="06", d90=BOOKS), Kind.ADJUST, True),  # the tip of a completion
        (message("0220", d54="000000001000", d90=BOOKS), Kind.TIP, True),
        (message("0220"), Kind.OFFLINE_SALE, True),
        (message("0220", d90=de90("0200", "000000")), Kind.OFFLINE_SALE, True),
        (message("0400", d90=BOOKS), Kind.REVERSAL, False),
        (message("0420", "470040", d90=None), Kind.REVERSAL, True),
        (Message("0800", {7: "0913101112", 11: "000001", 70: "001"}), Kind.SIGN_ON, False),
        (Message("0820", {7: "0913101112", 11: "000001", 70: "002"}), Kind.SIGN_OFF, True),
        (Message("0800", {7: "0913101112", 11: "000001", 70: "301"}), Kind.ECHO, False),
        (message("0620", d55="9F3303E0F8C8"), Kind.SCRIPT_RESULT, True),
    ],
    ids=lambda value: f"{value.mti}-{value.get(3)}" if isinstance(value, Message) else str(value),
)
def test_a_message_is_told_by_mti_processing_code_and_original(request_: Message, kind: Kind, advice: bool) -> None:
    read = operation(request_)
    assert (read.kind, read.advice, read.repeat) == (kind, advice, False)


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (message("0200", "550000"), Refusal.UNKNOWN_TYPE),
        (message("0220", "020000", d90=BOOKS), Refusal.UNKNOWN_TYPE),  # a void by advice must not pass as a new amount
        (message("0220", "090000"), Refusal.NOT_OFFERED),
        (message("0202"), Refusal.UNKNOWN_TYPE),
        (message("0302"), Refusal.UNKNOWN_TYPE),
        (message("0600"), Refusal.NOT_OFFERED),
        (message("0620"), Refusal.NOT_OFFERED),
        (Message("0800", {7: "0913101112", 11: "000001", 70: "101"}), Refusal.NOT_OFFERED),
        (Message("0800", {7: "0913101112", 11: "000001", 70: "161"}), Refusal.NOT_OFFERED),
        (Message("0820", {7: "0913101112", 11: "000001", 70: "201"}), Refusal.NOT_OFFERED),
        (Message("0800", {7: "0913101112", 11: "000001", 70: "999"}), Refusal.UNKNOWN_TYPE),
        (message("0420", d90=BOOKS, d95="000000004000" + "0" * 30), Refusal.NOT_OFFERED),  # a part of 100.00
    ],
    ids=lambda value: f"{value.mti}-{value.get(3)}" if isinstance(value, Message) else str(value),
)
def test_what_is_not_served_is_refused_by_its_kind(request_: Message, refusal: Refusal) -> None:
    assert refused(request_).refusal is refusal


@pytest.mark.parametrize("amount", ["000000000000", "000000010000"])
def test_a_replacement_that_replaces_nothing_is_a_whole_reversal(amount: str) -> None:
    assert operation(message("0420", d90=BOOKS, d95=amount + "0" * 30)).kind is Kind.REVERSAL


@pytest.mark.parametrize(
    "repeated",
    [
        message("0101"),
        message("0121"),
        message("0201"),
        message("0221", d90=BOOKS),
        message("0401", d90=BOOKS),
        message("0421", d90=BOOKS),
        Message("0501", {7: "0913101112", 11: "000123", 15: "0913", 41: TID, 88: "0" * 16}),
        Message("0521", {7: "0913101112", 11: "000123", 15: "0913", 41: TID, 88: "0" * 16}),
    ],
    ids=lambda value: value.mti,
)
def test_a_repeat_reads_as_the_first_and_its_answer_has_the_digit_cleared(repeated: Message) -> None:
    """rules.md 2: 0401 -> 0410, 0421 -> 0430."""
    read = operation(repeated)
    first = operation(replace(repeated, mti=repeated.mti[:3] + "0"))
    assert read == replace(first, repeat=True)
    said = Outcome("00", verdict=Verdict.AGREED if read.kind is Kind.SETTLE else None)
    answer = iso87.write_answer(repeated, said, ISO)
    assert answer.mti == repeated.mti[:2] + {"0": "1", "2": "3"}[repeated.mti[2]] + "0"
    assert iso87.fits(repeated, answer) == ""


# --- what is read ---


def test_a_whole_sale() -> None:
    read = operation(message("0200", d35=TRACK.replace("D", "="), d2=None, d14=None, d22="901", d52="AA" * 8))
    assert read == Operation(
        *(Kind.SALE, TID, MID, "000123", None, 10000, "156"),
        card=Card(PAN, "3012", TRACK, entry=Entry.SWIPE),
        pin_block=b"\xaa" * 8,
        processing_code="000000",
        content=(("processing_code", "000000"), ("amount", "000000010000"), ("pan", PAN), ("currency", "156")),
        rrn="000000000123",
        local_date="0913",
        local_time="181112",
        transmitted="0913101112",
    )


@pytest.mark.parametrize("de", [12, 13, 14, 18, 22, 25, 32, 37, 42, 49])
def test_what_real_terminals_leave_out_may_be_absent(de: int) -> None:
    assert operation(message("0200", **{f"d{de}": None})).kind is Kind.SALE


@pytest.mark.parametrize("de", [3, 4, 7, 11, 41])
@pytest.mark.parametrize("mti", ["0100", "0120", "0200", "0220", "0400", "0420"])
def test_a_missing_mandatory_element_is_a_format_error_that_names_it(mti: str, de: int) -> None:
    broken = message(mti, d90=BOOKS if mti[1] == "4" else None).with_fields({de: None})
    fault = refused(broken)
    assert (fault.refusal, fault.de, fault.got) == (Refusal.FORMAT, de, "absent")
    answer = iso87.refusal_answer(broken, fault, "0913101113", ISO)
    assert answer is not None
    assert (answer[39], answer.get(12), answer.get(37)) == ("30", "181112", "000000000123")
    assert answer[7] == ("0913101113" if de == 7 else "0913101112")
    assert codec.encode_payload(answer, ISO)


@pytest.mark.parametrize(("mti", "processing"), [("0200", "020000"), ("0200", "220000"), ("0100", "020000")])
def test_a_void_names_its_original(mti: str, processing: str) -> None:
    assert refused(message(mti, processing)).de == 90


def test_a_sale_shows_a_card() -> None:
    assert refused(message("0200", d2=None)).de == 2
    assert operation(message("0200", "020000", d2=None, d90=BOOKS)).kind is Kind.VOID


@pytest.mark.parametrize("value", ["X" * 42, "0" * 41])
def test_an_original_that_is_none_is_a_format_error(value: str) -> None:
    """A lenient listener lets it in; the answer can still be written."""
    broken = message("0200", "020000", d90=value)
    fault = refused(broken)
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 90)
    answer = iso87.write_answer(broken, Outcome("30", at="0913101113"), ISO)
    assert (answer[39], 90 in answer) == ("30", False)


@pytest.mark.parametrize(
    ("request_", "original", "rrn"),
    [
        (
            message("0200", "020000", d90=BOOKS, d38="A12345"),
            OriginalRef("000100", amount=10000, auth_code="A12345", transmitted="0913090000", mti="0200"),
            "000000000123",
        ),
        (message("0200", "020000", d90=de90(stan="000000")), OriginalRef(amount=10000), "000000000123"),
        (
            message("0420", d90=BOOKS),
            OriginalRef("000100", amount=10000, transmitted="0913090000", mti="0200"),
            "000000000123",
        ),
        (message("0420", d90="0" * 42), OriginalRef("000123", amount=10000), "000000000123"),
        (message("0400"), OriginalRef("000123", amount=10000), "000000000123"),
        (message("0200", "200000"), OriginalRef(rrn="000000000123"), ""),
        (message("0200", "200000", d37=None), None, ""),
        (
            message("0200", "200000", d90=de90(at="0000000000")),
            OriginalRef("000100", mti="0200"),
            "000000000123",
        ),
        (message("0200", d25="06", d38="A12345"), OriginalRef(auth_code="A12345"), "000000000123"),
        (
            message("0100", d90=RESERVES),
            OriginalRef("000100", transmitted="0913090000", mti="0100"),
            "000000000123",
        ),
        (
            message("0220", d90=BOOKS),
            OriginalRef("000100", transmitted="0913090000", mti="0200"),
            "000000000123",
        ),
        (message("0220", d38="A12345"), None, "000000000123"),
    ],
)
def test_how_an_original_is_named(request_: Message, original: OriginalRef | None, rrn: str) -> None:
    """rules.md 1, column ISO87. DE 37 is the terminal's own number but in a refund that has no DE 90."""
    read = operation(request_)
    assert (read.original, read.rrn) == (original, rrn)


def test_the_approval_code_of_an_offline_sale_is_its_own() -> None:
    assert operation(message("0220", d38="A12345")).auth_code == "A12345"


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("000000001500", 1500),
        ("0044156D000000001500", 1500),
        ("0044156C000000001500", 1500),
        ("0057156C000000001500", 1500),  # the only one: whatever a network calls it
        ("0041156C000000008500" + "0044156C000000001500", 1500),
        ("0041156C000000008500" + "0042156C000000001500", None),
    ],
)
def test_the_tip_stands_in_de_54(value: str, part: int | None) -> None:
    read = operation(message("0220", d54=value, d90=BOOKS))
    assert (read.kind, read.amount, read.tip) == (Kind.TIP, 10000, part)


def test_the_cash_part_stands_in_de_54() -> None:
    assert operation(message("0200", "090000", d54="0040156C000000003000")).cash == 3000
    assert operation(message("0200", "090000")).cash is None
    assert refused(message("0200", "090000", d54="30.00")).de == 54


def test_content_has_the_original_and_never_the_time() -> None:
    """rules.md 1: DE 3, DE 4, PAN, DE 49, DE 90, 9F26; DE 7 is never compared."""
    chip = "9F2608689BB04E70B50CDA"
    asked = message("0220", d90=BOOKS, d55=chip)
    assert dict(operation(asked).content) == {
        "processing_code": "000000",
        "amount": "000000010000",
        "pan": PAN,
        "currency": "156",
        "original": BOOKS,
        "cryptogram": "689BB04E70B50CDA",
    }
    later = asked.with_fields({7: "0913235959", 64: "00" * 8})
    assert operation(later).content == operation(asked).content
    assert "original" not in dict(operation(asked.with_fields({90: "0" * 42})).content)


# --- the real dumps ---


@pytest.mark.parametrize(
    ("name", "kind", "amount"),
    [
        ("iso87-0200-iso8583lib", Kind.SALE, 10),
        ("iso87-0420-iso8583lib", Kind.REVERSAL, 10),
        ("iso87-reverse-evenn2s", Kind.REVERSAL, 1000000),
        ("iso87-0800-iso8583lib", Kind.SIGN_ON, None),
        ("iso87-0800-301-sec", Kind.ECHO, None),
        ("cups-interbank-1-0200", Kind.BALANCE, None),
        ("cups-interbank-5-0200", Kind.BALANCE, None),
    ],
)
def test_real_requests_are_understood(name: str, kind: Kind, amount: int | None) -> None:
    read = operation(dump(name))
    assert (read.kind, read.amount) == (kind, amount)


def test_real_reversals_name_their_original_or_not() -> None:
    """iso87.md 2 explains evenn2s: `0210 000052 0925105308 …`; the other one's DE 90 has a zero STAN."""
    named = operation(dump("iso87-reverse-evenn2s")).original
    assert named == OriginalRef("000052", amount=1000000, transmitted="0925105308", mti="0210")
    assert operation(dump("iso87-0420-iso8583lib")).original == OriginalRef("270003", amount=10)


@pytest.mark.parametrize(
    ("name", "refusal", "de"),
    [
        ("iso87-0100-iso8583lib", Refusal.FORMAT, 4),
        ("iso87-0200-kodejava", Refusal.FORMAT, 2),
        ("iso87-0800-jspos-ascii", Refusal.FORMAT, 70),
        ("iso87-0202-iso8583lib", Refusal.UNKNOWN_TYPE, 0),
        ("iso87-0402-iso8583lib", Refusal.UNKNOWN_TYPE, 0),
        ("iso87-0600-iso8583lib", Refusal.NOT_OFFERED, 0),
        ("as2805-0520-reconciliation", Refusal.FORMAT, 7),
    ],
)
def test_real_requests_that_lack_something_are_refused(name: str, refusal: Refusal, de: int) -> None:
    fault = refused(dump(name))
    assert (fault.refusal, fault.de) == (refusal, de)


def test_every_real_dump_is_looked_at_or_is_an_answer() -> None:
    """One that is an answer reads as one; no dump is a surprise."""
    for name in DUMPS:
        found = dump(name)
        if found.mti[2] in "13":
            assert iso87.read_answer(found, ISO).code == found[39]
        else:
            assert isinstance(iso87.read_request(found, ISO), Operation | Unreadable)


def test_the_chip_data_of_a_binary_dump_are_bytes() -> None:
    read = operation(dump("cups-interbank-5-0200"))
    assert read.chip is not None
    assert read.chip.startswith(bytes.fromhex("9F2608A3502DDAE93CE1A1"))
    assert dict(read.content)["cryptogram"] == "A3502DDAE93CE1A1"


def test_chip_data_are_hex_behind_a_hex_bitmap() -> None:
    """iso87.md 1: LLL counts characters; 6 bytes are 12 of them."""
    raw = codec.encode(message("0200", d55="9F3303E0F8C8"), ISO)
    assert b"0129F3303E0F8C8" in raw
    assert codec.decode(raw, ISO)[55] == "9F3303E0F8C8"
    assert b"006\x9f\x33\x03\xe0\xf8\xc8" in codec.encode(message("0200", d55="9F3303E0F8C8"), BINARY)


@pytest.mark.parametrize("value", [b"0039F3", b"0049F3G"])
def test_chip_data_that_are_no_hex_are_found_at_their_byte(value: bytes) -> None:
    raw = codec.encode(Message("0200", {11: "000001"}), ISO)
    head = raw[:4] + b"0000000000000200" + value
    with pytest.raises(DecodeError) as caught:
        codec.decode(head, ISO)
    assert (caught.value.de, caught.value.offset) == (55, 20 if value.startswith(b"003") else 26)


# --- reversals and repeats at the terminal ---


def test_the_reversal_of_a_sale() -> None:
    sale = message("0200", d35=TRACK, d2=None, d14=None, d52="AA" * 8, d55="9F26080102030405060708" + "9F36020001")
    made = iso87.reversal_of(sale, "98", ISO)
    assert (made.mti, made[39]) == ("0420", "98")
    assert made[90] == "0200" + "000123" + "0913101112" + "00000123456" + "00000000000"
    assert (made[2], made[14], made[11], made[7], made[13] + made[12]) == (
        *(PAN, "3012", "000123", "0913101112"),
        "0913181112",
    )
    assert not {35, 52, 64, 128} & made.fields.keys()
    assert made[55] == "9F36020001"  # cup.md 5.6: what a reversal carries of the chip
    read = operation(made)
    assert read.original == OriginalRef("000123", amount=10000, transmitted="0913101112", mti="0200")
    assert len(made[90]) == 42


def test_the_reversal_of_a_void_names_the_void() -> None:
    made = iso87.reversal_of(message("0200", "020000", d90=BOOKS), "06", ISO, auth_code="A12345")
    read = operation(made)
    assert read.original is not None
    assert (read.original.stan, read.original.auth_code, read.processing_code) == ("000123", "A12345", "020000")


def test_a_dialect_may_reverse_by_request() -> None:
    by_request = replace(ISO, profile={**ISO.profile, "reversal_mti": "0400"})
    assert iso87.reversal_of(message("0200"), "98", by_request).mti == "0400"


@pytest.mark.parametrize(("mti", "again"), [("0220", "0221"), ("0420", "0421"), ("0400", "0401"), ("0421", "0421")])
def test_a_repeat_has_the_repeat_digit_and_nothing_else_changed(mti: str, again: str) -> None:
    stored = message(mti, d90=BOOKS)
    assert iso87.repeat_of(stored) == replace(stored, mti=again)


def test_there_is_no_upload() -> None:
    with pytest.raises(EncodeError):
        iso87.copy_of(message("0220"), ISO)


# --- writing requests ---


def test_a_sale_is_written_with_what_the_table_asks() -> None:
    asked = Operation(
        *(Kind.SALE, TID, MID, "000123", None, 10000, "156"),
        card=Card(PAN, "3012", entry=Entry.MANUAL),
        rrn="000000000123",
        local_date="0913",
        local_time="181112",
        transmitted="0913101112",
    )
    assert iso87.write_request(asked, ISO) == message("0200", d32="000000")


@pytest.mark.parametrize(
    ("asked", "mti", "processing", "original"),
    [
        (Operation(Kind.VOID, TID, original=OriginalRef("000100", transmitted="0913090000")), "0200", "020000", "0200"),
        (Operation(Kind.COMPLETION_VOID, TID, original=OriginalRef("000100")), "0200", "020000", "0200"),
        (Operation(Kind.COMPLETION, TID, original=OriginalRef("000100")), "0200", "000000", "0100"),
        (Operation(Kind.COMPLETION_ADVICE, TID, original=OriginalRef("000100")), "0220", "000000", "0100"),
        (Operation(Kind.PRE_AUTH_INCREMENT, TID, original=OriginalRef("000100")), "0100", "000000", "0100"),
        (Operation(Kind.PRE_AUTH_VOID, TID, original=OriginalRef("000100")), "0100", "020000", "0100"),
        (Operation(Kind.ADJUST, TID, original=OriginalRef("000100", mti="0220")), "0220", "000000", "0220"),
        (Operation(Kind.TIP, TID, tip=1000, original=OriginalRef("000100")), "0220", "000000", "0200"),
        (Operation(Kind.REFUND, TID, original=OriginalRef("000100")), "0200", "200000", "0200"),
    ],
)
def test_what_names_an_original_is_written_with_de_90(
    asked: Operation, mti: str, processing: str, original: str
) -> None:
    asked = replace(asked, amount=11000, stan="000101", transmitted="0913101112", card=Card(PAN))
    written = iso87.write_request(asked, ISO)
    named = asked.original
    assert named is not None
    assert (written.mti, written[3], written[4]) == (mti, processing, "000000011000")
    assert written[90] == original + "000100" + (named.transmitted or "0" * 10) + "0" * 22
    assert written.get(25) == ("06" if asked.kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE) else "00")
    assert written.get(54) == ("0044000C000000001000" if asked.kind is Kind.TIP else None)


def test_de_37_of_a_refund_is_the_originals_only_where_no_de_90_names_it() -> None:
    ref = OriginalRef("000100", rrn="000000000100", transmitted="0913090000")
    asked = Operation(Kind.REFUND, TID, MID, "000101", None, 100, card=Card(PAN), transmitted="0913101112")
    named = iso87.write_request(replace(asked, rrn="000000000101", original=ref), ISO)
    assert (named[37], 90 in named) == ("000000000101", True)
    by_number = iso87.write_request(replace(asked, original=replace(ref, stan="")), ISO)
    assert (by_number[37], 90 in by_number) == ("000000000100", False)


@pytest.mark.parametrize(
    ("kind", "de"),
    [(Kind.COMPLETION, 38), (Kind.VOID, 90), (Kind.PRE_AUTH_VOID, 90), (Kind.TIP, 3), (Kind.PRE_AUTH_INCREMENT, 3)],
)
def test_what_must_name_an_original_is_not_written_without(kind: Kind, de: int) -> None:
    """A completion without DE 90 and 38 would be read as a sale."""
    asked = Operation(kind, TID, MID, "000101", None, 100, card=Card(PAN), transmitted="0913101112", tip=1)
    with pytest.raises(EncodeError) as caught:
        iso87.write_request(asked, ISO)
    assert caught.value.de == de


# --- answers ---


def test_the_answer_to_a_sale() -> None:
    said = Outcome(
        *("00", None, "0913181500"),
        business_date="2026-09-14",
        rrn="999999999999",
        auth_code="A12345",
        amount=10000,
        chip=bytes.fromhex("9108AABBCCDD00112233"),
    )
    answer = iso87.write_answer(message("0200"), said, ISO)
    assert (answer.mti, dict(answer.fields)) == (
        "0210",
        {
            2: PAN,
            3: "000000",
            4: "000000010000",
            7: "0913101112",
            11: "000123",
            12: "181112",
            13: "0913",
            15: "0914",
            25: "00",
            32: "123456",
            37: "000000000123",
            38: "A12345",
            39: "00",
            41: TID,
            42: MID,
            49: "156",
            55: "9108AABBCCDD00112233",
        },
    )


def test_the_hosts_number_and_time_stand_where_the_terminal_sent_none() -> None:
    asked = message("0200", d12=None, d13=None, d37=None)
    answer = iso87.write_answer(asked, Outcome("00", at="0913181500", rrn="999999999999"), ISO)
    assert (answer[37], answer[13], answer[12]) == ("999999999999", "0913", "181500")


def test_a_refusal_has_no_approval_code_and_the_amount_asked_for() -> None:
    answer = iso87.write_answer(message("0200"), Outcome("51", auth_code="A12345", amount=0), ISO)
    assert (answer[39], answer[4], 38 in answer) == ("51", "000000010000", False)


def test_a_partial_approval_has_its_amount_and_the_rest() -> None:
    answer = iso87.write_answer(message("0200"), Outcome("10", auth_code="A1", amount=6000, balance=0), ISO)
    assert (answer[4], answer[54]) == ("000000006000", "0002156C000000000000")
    assert iso87.fits(message("0200"), answer) == ""
    assert iso87.read_answer(answer, ISO).amount == 6000


def test_a_balance_is_of_the_account_asked_for() -> None:
    answer = iso87.write_answer(message("0100", "311000"), Outcome("00", balance=-123456), ISO)
    assert answer[54] == "1002156D000000123456"
    assert iso87.read_answer(answer, ISO).balance == -123456


@pytest.mark.parametrize("value", ["??", "0002156C00000000000X"])
def test_a_balance_that_cannot_be_read_does_not_undo_the_yes(value: str) -> None:
    answer = iso87.write_answer(message("0200"), Outcome("00"), ISO).with_fields({54: value})
    read = iso87.read_answer(answer, ISO)
    assert (read.code, read.balance) == ("00", None)


def test_the_answer_to_an_adjustment_has_the_amount_as_sent() -> None:
    answer = iso87.write_answer(message("0220", d90=BOOKS), Outcome("00", amount=1), ISO)
    assert (answer.mti, answer[4], answer[90]) == ("0230", "000000010000", BOOKS)


def test_the_answer_to_a_reversal() -> None:
    answer = iso87.write_answer(message("0420", d90=BOOKS), Outcome("25", business_date="2026-09-14"), ISO)
    assert (answer.mti, answer[39], answer[90], answer[15], 38 in answer) == ("0430", "25", BOOKS, "0914", False)


def test_the_answer_to_a_sign_on() -> None:
    asked = Message("0800", {7: "0913101112", 11: "000001", 41: TID, 42: MID, 70: "001"})
    answer = iso87.write_answer(asked, Outcome("00", at="0913181500"), ISO)
    assert (answer.mti, dict(answer.fields)) == (
        "0810",
        {7: "0913101112", 11: "000001", 12: "181500", 13: "0913", 39: "00", 41: TID, 42: MID, 70: "001"},
    )


@pytest.mark.parametrize(
    ("refusal", "code"),
    [  # rules.md 8, column ISO87
        (Refusal.UNKNOWN_TERMINAL, "58"),
        (Refusal.BAD_MAC, "63"),
        (Refusal.CLOSED_BATCH, "12"),
        (Refusal.PIN_UNREADABLE, "81"),
        (Refusal.ISSUER_SILENT, "91"),
        (Refusal.NOT_OFFERED, "40"),
    ],
)
def test_a_refusal_has_the_code_of_the_rules(refusal: Refusal, code: str) -> None:
    assert iso87.write_answer(message("0200"), Outcome("", refusal), ISO)[39] == code


def test_no_answer_exists_to_an_answer_or_an_issuers_message() -> None:
    fault = Unreadable(Refusal.UNKNOWN_TYPE, 0, "", "")
    for mti in ("0210", "0202", "0402"):
        assert iso87.refusal_answer(message(mti), fault, "0913101112", ISO) is None


@pytest.mark.parametrize(
    ("mti", "code", "carries"),
    [
        *[(mti, None, True) for mti in ("0100", "0120", "0200", "0221", "0401", "0420", "0500", "0520")],
        *[(mti, None, False) for mti in ("0800", "0820", "0620")],
        *[("0210", "00", True), ("0210", "51", False), ("0530", "00", True), ("0810", "00", False)],
        ("9999", None, False),
    ],
)
def test_what_may_carry_a_mac(mti: str, code: str | None, carries: bool) -> None:
    assert iso87.carries_mac(Message(mti, {39: code} if code else {})) is carries


# --- the worked example of rules.md section 5 ---

S1 = BatchItem(Kind.SALE, 10000, adjusted=True)
TIP = BatchItem(Kind.TIP, 11000)
S2 = BatchItem(Kind.SALE, 5000, voided=True)
V = BatchItem(Kind.VOID, 5000, of=Kind.SALE)
R = BatchItem(Kind.REFUND, 2000)
S3 = BatchItem(Kind.SALE, 8000, reversed=True)
O = BatchItem(Kind.OFFLINE_SALE, 4000)  # noqa: E741
F = BatchItem(Kind.SALE, 3000, foreign=True)

BOTH = {
    74: "0000000001",
    75: "0000000000",
    76: "0000000005",
    77: "0000000002",
    78: "0000000000",
    79: "0000000000",
    80: "0000000000",
    81: "0000000000",
    86: "0000000000002000",
    87: "0000000000000000",
    88: "0000000000031000",
    89: "0000000000013000",
    97: "D0000000000016000",
}
NONE = BOTH | {76: "0000000004", 77: "0000000001", 88: "0000000000023000", 89: "0000000000005000"}


def test_the_worked_example_with_reversed_items() -> None:
    counted = iso87.count([S1, TIP, S2, V, R, S3, O, F])
    assert counted == sums((1, 2000), (0, 0), (5, 31000), (2, 13000))
    assert iso87_totals.format_totals(counted) == BOTH
    assert iso87_totals.totals_of(BOTH) == counted


def test_the_worked_example_without() -> None:
    """`iso87.reversed = "none"`: the callers hand S3 over to nobody; the net is the same."""
    assert iso87_totals.format_totals(iso87.count([S1, TIP, S2, V, R, O, F])) == NONE


def test_nothing_sold_is_zeros_and_a_credit_of_nothing() -> None:
    figures = iso87_totals.format_totals(iso87.count([]))
    assert figures.pop(97) == "C0000000000000000"
    assert set("".join(figures.values())) == {"0"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        # A refund taken back by hand, and one reversed: 75 and 87, and still in 74 and 86.
        ([R, BatchItem(Kind.VOID, 2000, of=Kind.REFUND)], sums((1, 2000), (1, 2000), (0, 0), (0, 0))),
        ([BatchItem(Kind.REFUND, 2000, reversed=True)], sums((1, 2000), (1, 2000), (0, 0), (0, 0))),
        # A voided chain of sale and tip: the void at the new total.
        (
            [S1, BatchItem(Kind.TIP, 11000, voided=True), BatchItem(Kind.VOID, 11000)],
            sums((0, 0), (0, 0), (1, 11000), (1, 11000)),
        ),
        ([BatchItem(Kind.PRE_AUTH, 10000)], sums((0, 0), (0, 0), (0, 0), (0, 0))),
        (
            [BatchItem(Kind.COMPLETION_ADVICE, 7000), BatchItem(Kind.COMPLETION_VOID, 7000, of=Kind.COMPLETION)],
            sums((0, 0), (0, 0), (1, 7000), (1, 7000)),
        ),
        ([BatchItem(Kind.CASH_BACK, 600), BatchItem(Kind.ADJUST, 400)], sums((0, 0), (0, 0), (2, 1000), (0, 0))),
    ],
)
def test_what_was_taken_back_stays_in_the_forward_figures(items: list[BatchItem], expected: Totals) -> None:
    assert iso87.count(items) == expected


def test_the_profile_hands_reversed_items_over() -> None:
    assert ISO.profile["reversed"] == "both"


# --- settlement ---

CLAIMED = sums((1, 2000), (0, 0), (5, 31000), (2, 13000))
OWN = sums((1, 2000), (0, 0), (4, 28000), (2, 13000))
SETTLE = Operation(
    *(Kind.SETTLE, TID, MID, "000130", None, None, "156"), totals=CLAIMED, day="0913", transmitted="0913220000"
)


def test_a_reconciliation_is_written_and_read() -> None:
    written = iso87.write_request(SETTLE, ISO)
    head = {7: "0913220000", 11: "000130", 15: "0913", 32: "000000", 41: TID, 42: MID, 50: "156"}
    assert (written.mti, dict(written.fields)) == ("0500", head | BOTH)
    assert operation(written) == SETTLE
    final = iso87.write_request(replace(SETTLE, final=True), ISO)
    assert final.mti == "0520"
    assert (operation(final).final, operation(final).totals) == (True, CLAIMED)


def test_the_figures_that_are_zero_may_be_left_out() -> None:
    few = iso87.write_request(SETTLE, ISO).with_fields(dict.fromkeys([75, 87, 78, 79, 80, 81, 97]))
    assert operation(few).totals == CLAIMED
    assert refused(few.with_fields(dict.fromkeys([74, 76, 77, 86, 88, 89]))).de == 74


@pytest.mark.parametrize("de", [7, 11, 15, 41])
def test_a_reconciliation_needs_its_day_and_sender(de: int) -> None:
    broken = iso87.write_request(SETTLE, ISO).with_fields({de: None})
    fault = refused(broken)
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, de)
    answer = iso87.refusal_answer(broken, fault, "0913220001", ISO)
    assert answer is not None
    assert (answer.mti, answer[39], answer[66]) == ("0510", "30", "3")


def test_figures_that_are_none_are_a_format_error() -> None:
    broken = iso87.write_request(SETTLE, ISO).with_fields({97: "X0000000000016000"})
    assert refused(broken).de == 97


@pytest.mark.parametrize(
    ("final", "verdict", "code", "figures"),
    [
        (False, Verdict.AGREED, "1", CLAIMED),
        (False, Verdict.DIFFERS, "2", OWN),
        (False, Verdict.CLOSED_OTHER, "3", OWN),
        (True, Verdict.AGREED, "1", CLAIMED),
        (True, Verdict.STILL_DIFFERS, "2", OWN),
        (True, Verdict.CLOSED_OTHER, "3", OWN),
    ],
)
def test_de_66_says_the_verdict(final: bool, verdict: Verdict, code: str, figures: Totals) -> None:
    """rules.md 6: 39 = 00 whatever the comparison said; in balance the terminal's figures, else the host's."""
    asked = iso87.write_request(replace(SETTLE, final=final), ISO)
    said = Outcome("", at="0913220001", verdict=verdict, totals=OWN, business_date="2026-09-14")
    answer = iso87.write_answer(asked, said, ISO)
    assert (answer.mti, answer[39], answer[66], answer[15]) == ("0530" if final else "0510", "00", code, "0913")
    assert {de: answer[de] for de in BOTH} == iso87_totals.format_totals(figures)
    read = iso87.read_answer(answer, ISO)
    assert (read.verdict, read.totals, read.business_date) == (verdict, figures, "0913")
    assert iso87.fits(asked, answer) == ""


def test_the_hosts_figures_of_the_example_without_f() -> None:
    """76 = 4, 88 = 280.00: net 20 + 130 - 280 = -130.00."""
    answer = iso87.write_answer(iso87.write_request(SETTLE, ISO), Outcome("", verdict=Verdict.DIFFERS, totals=OWN), ISO)
    assert (answer[76], answer[88], answer[97]) == ("0000000004", "0000000000028000", "D0000000000013000")


def test_a_refused_settlement_says_error_and_no_verdict() -> None:
    answer = iso87.write_answer(iso87.write_request(SETTLE, ISO), Outcome("", Refusal.OWN_TROUBLE), ISO)
    assert (answer[39], answer[66], 74 in answer) == ("96", "3", False)
    read = iso87.read_answer(answer, ISO)
    assert (read.verdict, read.totals) == (None, None)


def test_an_upload_that_is_incomplete_is_not_in_balance() -> None:
    said = Outcome("", verdict=Verdict.UPLOAD_INCOMPLETE, totals=OWN)
    assert iso87.write_answer(iso87.write_request(SETTLE, ISO), said, ISO)[66] == "2"


def test_totals_reset_of_australian_networks_is_in_balance() -> None:
    """iso87.md 4: DE 39 = 97 with DE 66 = 1."""
    answer = Message("0530", {11: "000130", 39: "97", 41: TID, 66: "1"})
    assert iso87.read_answer(answer, ISO).verdict is Verdict.AGREED
    assert iso87.read_answer(answer.with_fields({66: "2"}), ISO).verdict is Verdict.STILL_DIFFERS
    assert iso87.read_answer(answer.with_fields({39: "95"}), ISO).verdict is None


def test_the_net_of_as2805_is_a_sign_byte_and_digits() -> None:
    """Vector as2805-0520-reconciliation: 43 (C) or 44 (D), then 16 BCD digits."""
    written = iso87.write_request(SETTLE, AS2805)
    assert written[97] == "440000000000016000"
    read = iso87.read_request(codec.decode(codec.encode(written, AS2805), AS2805), AS2805)
    assert isinstance(read, Operation)
    assert read.totals == CLAIMED
    answer = iso87.write_answer(written, Outcome("", verdict=Verdict.DIFFERS, totals=iso87.count([R])), AS2805)
    assert answer[97] == "430000000000002000"
    assert codec.encode(answer, AS2805)
