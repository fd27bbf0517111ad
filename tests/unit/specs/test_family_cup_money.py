"""UnionPay POS: the financial messages beyond sale, void and reversal.

Expected elements are the tables of cup.md 4, 5 and 6.1, written out by hand; expected references those of rules.md
section 1; expected answers cup.md 6.2.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs import codec
from specs.codes import Refusal, ReversalReason
from specs.dialect import load
from specs.errors import EncodeError
from specs.families import cup
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, UploadForm

CUP = load("cup")
TID, MID = "12345678", "123456789012345"
PAN = "6223164991230014"
TRACK = "6223164991230014D30122010000012345678"
SWIPED = Card(PAN, "3012", TRACK, entry=Entry.SWIPE)
KEYED = Card(PAN, "3012", entry=Entry.MANUAL)
# 9F26, 95 and 9F36 of a card in a shop: BER-TLV by hand.
CHIP = bytes.fromhex("9F2608A1B2C3D4E5F60718" + "9505008004E800" + "9F36020047")
PIN = bytes.fromhex("F5D4AEDECBD60833")

TO = OriginalRef("000120", "000003", "000000000120", auth_code="A12345", date="0913")


def op(kind: Kind, **more: object) -> Operation:
    base = Operation(kind, TID, MID, "000123", "000005", 10000, "156", card=SWIPED)
    return replace(base, **more)  # type: ignore[arg-type]


def advice(kind: Kind, **more: object) -> Operation:
    return op(kind, **{"advice": True, "organisation": "CUP", "card": KEYED, **more})


OPERATIONS: dict[str, Operation] = {
    "balance": op(Kind.BALANCE, amount=None),
    "sale": op(Kind.SALE),
    "void": op(Kind.VOID, original=TO),
    "refund": advice(Kind.REFUND, original=replace(TO, auth_code="")),
    "pre-auth": op(Kind.PRE_AUTH),
    "increment": op(Kind.PRE_AUTH_INCREMENT),
    "pre-auth void": op(Kind.PRE_AUTH_VOID, original=TO),
    "completion": op(Kind.COMPLETION, original=TO),
    "completion void": op(Kind.COMPLETION_VOID, original=TO),
    "completion advice": advice(Kind.COMPLETION_ADVICE, original=TO),
    "offline sale": advice(Kind.OFFLINE_SALE, auth_code="B54321"),
    "adjustment": advice(Kind.ADJUST, original=replace(TO, date="")),
    "tip": advice(Kind.TIP, amount=11000, tip=1000, original=replace(TO, date="", amount=10000)),
    "IC offline sale": op(Kind.OFFLINE_SALE, chip=CHIP, card=Card(PAN, "3012", TRACK, "001", Entry.CHIP)),
}

#: cup.md 4 and 5.9: MTI, DE 3, DE 25, 60.1, DE 61 ("" = absent).
WRITTEN = {
    "balance": ("0200", "310000", "00", "01", ""),
    "sale": ("0200", "000000", "00", "22", ""),
    "void": ("0200", "200000", "00", "23", "000003000120"),
    "refund": ("0220", "200000", "00", "25", "0000030001200913"),
    "pre-auth": ("0100", "030000", "06", "10", ""),
    "increment": ("0100", "030000", "60", "10", "0000000000000000"),
    "pre-auth void": ("0100", "200000", "06", "11", "0000030001200913"),
    "completion": ("0200", "000000", "06", "20", "0000030001200913"),
    "completion void": ("0200", "200000", "06", "21", "0000030001200913"),
    "completion advice": ("0220", "000000", "06", "24", "0000030001200913"),
    "offline sale": ("0220", "000000", "00", "30", "00000000000000000100000000000"),
    "adjustment": ("0220", "000000", "00", "32", "0000030001200000"),
    "tip": ("0220", "000000", "00", "34", "0000030001200000"),
    "IC offline sale": ("0200", "000000", "00", "36", ""),
}

#: cup.md 6.1: what each of the messages above holds beside DE 3, 11, 22, 25, 41, 42, 49, 60.
_SWIPE = {35, 53}
PRESENT = {
    "balance": _SWIPE,
    "sale": {4, *_SWIPE},
    "void": {4, 37, 38, 61, *_SWIPE},
    "refund": {2, 4, 14, 37, 61, 63},
    "pre-auth": {4, *_SWIPE},
    "increment": {4, 61, *_SWIPE},
    "pre-auth void": {4, 37, 38, 61, *_SWIPE},
    "completion": {4, 38, 61, *_SWIPE},
    "completion void": {4, 37, 38, 61, *_SWIPE},
    "completion advice": {2, 4, 14, 38, 61, 63},
    "offline sale": {2, 4, 14, 38, 61, 63},
    "adjustment": {2, 4, 14, 37, 38, 61, 63},
    "tip": {2, 4, 14, 37, 38, 48, 61, 63},
    "IC offline sale": {2, 4, 14, 23, 55, *_SWIPE},
}
REVERSIBLE = {
    *("sale", "void", "pre-auth", "increment", "pre-auth void", "completion", "completion void"),
}
each = pytest.mark.parametrize("name", OPERATIONS)


def written(name: str, **more: object) -> Message:
    message = cup.write_request(replace(OPERATIONS[name], **more), CUP)  # type: ignore[arg-type]
    return codec.decode_payload(codec.encode_payload(message, CUP), CUP)


def read(message: Message) -> Operation:
    found = cup.read_request(message, CUP)
    assert isinstance(found, Operation), found
    return found


def refused(message: Message) -> Unreadable:
    found = cup.read_request(message, CUP)
    assert isinstance(found, Unreadable)
    return found


# --- writing ---


@each
def test_each_message_has_the_signs_of_its_transaction(name: str) -> None:
    message = written(name)
    signs = (message.mti, message[3], message[25], message[60][:2], message.get(61) or "")
    assert signs == WRITTEN[name]


@each
def test_each_message_holds_what_its_column_says(name: str) -> None:
    assert set(written(name).fields) == {3, 11, 22, 25, 41, 42, 49, 60} | PRESENT[name]


@pytest.mark.parametrize("name", [n for n, op in OPERATIONS.items() if not op.advice and n != "IC offline sale"])
def test_a_pin_adds_its_three_elements_and_the_third_digit_of_de_22(name: str) -> None:
    message = written(name, pin_block=PIN)
    assert (message[26], message[52], message[53]) == ("12", "F5D4AEDECBD60833", "2600000000000000")
    assert message[22] == "021"
    assert written(name)[22] == "022"
    assert written(name)[53] == "0600000000000000"


@pytest.mark.parametrize("name", ["completion advice", "offline sale", "tip", "adjustment"])
def test_an_advice_never_holds_a_pin(name: str) -> None:
    assert not {26, 52} & written(name, pin_block=PIN).fields.keys()


@pytest.mark.parametrize(
    ("entry", "partial", "tail"),
    [
        (Entry.SWIPE, None, "50"),
        (Entry.CHIP, None, "51"),
        (Entry.FALLBACK, None, "52"),
        (Entry.TAP, None, "60"),
        (Entry.CHIP, True, "511"),
        (Entry.SWIPE, False, "500"),
    ],
)
def test_de_60_tells_of_reader_chip_and_partial_approvals(entry: Entry, partial: bool | None, tail: str) -> None:
    """cup.md 5.8: 60.4 reader, 60.5 chip (1 read, 2 failed), 60.6 partial approvals."""
    message = written("sale", card=replace(SWIPED, entry=entry), partial=partial)
    assert message[60] == "22000005" + "000" + tail
    assert read(message).partial is partial


@pytest.mark.parametrize(("value", "partial"), [("22000005", None), ("2200000500061", None), ("22000005000601", True)])
def test_a_short_de_60_says_nothing_of_partial_approvals(value: str, partial: bool | None) -> None:
    assert read(written("sale").with_fields({60: value})).partial is partial


@pytest.mark.parametrize(
    ("entry", "medium"), [(Entry.CHIP, "052"), (Entry.TAP, "072"), (Entry.FALLBACK, "802"), (Entry.MANUAL, "012")]
)
def test_each_entry_has_its_medium(entry: Entry, medium: str) -> None:
    message = written("sale", card=replace(SWIPED, entry=entry))
    assert message[22] == medium
    found = read(message)
    assert found.card is not None
    assert found.card.entry is entry


def test_a_chip_card_sends_its_number_beside_the_equivalent_track() -> None:
    """cup.md 6.1, C1 and C5."""
    message = written("sale", card=Card(PAN, "3012", TRACK, "001", Entry.CHIP), chip=CHIP)
    assert (message[2], message[14], message[23], message[35]) == (PAN, "3012", "001", TRACK)
    assert message[55] == CHIP.hex().upper()
    assert read(message).chip == CHIP
    assert dict(read(message).content)["cryptogram"] == "A1B2C3D4E5F60718"


def test_a_card_may_stand_in_the_chip_data_only() -> None:
    """Tag 57, the track 2 equivalent: number, D, expiry, service code, filled with F."""
    chip = bytes.fromhex("5713" + (TRACK + "F"))
    found = read(written("sale").with_fields({35: None, 53: None, 55: chip.hex().upper()}))
    assert found.card is not None
    assert (found.card.pan, found.card.expiry, found.card.track2) == (PAN, "3012", "")


# --- tips and adjustments ---


def test_a_tip_is_de_48_over_the_original_amount() -> None:
    """cup.md 5.5: N12; sale 100.00 with tip 10.00: rules.md 5."""
    message = written("tip")
    assert (message[4], message[48]) == ("000000010000", "000000001000")
    found = read(message)
    assert (found.amount, found.tip) == (11000, 1000)
    assert found.original == OriginalRef("000120", "000003", "000000000120", amount=10000, auth_code="A12345")


def test_an_adjustment_is_its_new_amount_and_the_tip_where_there_is_one() -> None:
    plain, tipped = written("adjustment"), written("adjustment", tip=500)
    assert (plain[4], 48 in plain) == ("000000010000", False)
    assert (tipped[4], tipped[48]) == ("000000009500", "000000000500")
    assert (read(plain).amount, read(plain).tip) == (10000, None)
    assert (read(tipped).amount, read(tipped).tip) == (10000, 500)
    assert read(plain).original == OriginalRef("000120", "000003", "000000000120", auth_code="A12345")


@pytest.mark.parametrize("name", ["tip", "adjustment"])
@pytest.mark.parametrize("amount", [11000, None])
def test_the_answer_to_an_adjustment_echoes_de_4_as_sent(name: str, amount: int | None) -> None:
    request = written(name)
    answer = cup.write_answer(request, Outcome("00", at="0913101112", amount=amount, organisation="CUP"), CUP)
    assert answer[4] == request[4]
    assert cup.fits(request, answer) == ""
    assert cup.read_answer(answer, CUP).amount is None  # what was approved is the new total, which the wire has not


def test_a_tip_that_makes_the_total_too_large_is_a_format_error() -> None:
    fault = refused(written("tip").with_fields({4: "9" * 12, 48: "000000000001"}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 48)


def test_a_total_below_its_tip_is_our_own_mistake() -> None:
    with pytest.raises(EncodeError, match="DE 4"):
        written("tip", amount=10, tip=11)


# --- reading: what is named ---

#: rules.md 1, «The original that a message names».
NAMED = {
    "balance": None,
    "sale": None,
    "void": OriginalRef("000120", "000003", "000000000120", auth_code="A12345"),
    "refund": OriginalRef("000120", "000003", "000000000120", date="0913"),
    "pre-auth": None,
    "increment": None,
    "pre-auth void": OriginalRef("000120", "000003", "000000000120", auth_code="A12345", date="0913"),
    "completion": OriginalRef("000120", "000003", auth_code="A12345", date="0913"),
    "completion void": OriginalRef("000120", "000003", "000000000120", auth_code="A12345", date="0913"),
    "completion advice": OriginalRef("000120", "000003", auth_code="A12345", date="0913"),
    "offline sale": None,
    "IC offline sale": None,
}


@pytest.mark.parametrize("name", NAMED)
def test_each_message_names_its_original(name: str) -> None:
    found = read(written(name))
    assert found.kind is OPERATIONS[name].kind
    assert found.advice is OPERATIONS[name].advice
    assert found.original == NAMED[name]


@pytest.mark.parametrize("value", ["0000000000000000", "000000000000", "0000000000000913"])
def test_zeros_of_de_61_name_nothing(value: str) -> None:
    """The pre-authorisation of another batch, or of the telephone: only DE 38, the card and the date tell it."""
    found = read(written("completion").with_fields({61: value}))
    assert found.original == OriginalRef(auth_code="A12345", date="0913" if value.endswith("913") else "")


def test_a_refund_is_named_by_de_37_or_by_de_61() -> None:
    by_rrn = read(written("refund").with_fields({61: None}))
    assert by_rrn.original == OriginalRef(rrn="000000000120")
    by_batch = read(written("refund").with_fields({37: None}))
    assert by_batch.original == OriginalRef("000120", "000003", date="0913")
    fault = refused(written("refund").with_fields({37: None, 61: None}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 61)


def test_a_refund_whose_organisation_is_not_known_says_000() -> None:
    """cup.md 5.11."""
    assert written("refund", organisation="")[63] == "000"
    with pytest.raises(EncodeError, match="DE 63"):
        written("offline sale", organisation="")


@pytest.mark.parametrize(
    ("name", "des"),
    [
        ("refund", (3, 4, 11, 22, 25, 41, 42, 49, 60, 63)),
        ("pre-auth", (3, 4, 11, 22, 25, 41, 42, 49, 60)),
        ("pre-auth void", (4, 11, 38, 61)),
        ("completion", (4, 11, 38, 61)),
        ("completion void", (4, 11, 61)),
        ("completion advice", (4, 11, 61, 63)),
        ("offline sale", (4, 11, 63)),
        ("tip", (4, 11, 48, 61, 63)),
        ("adjustment", (4, 11, 61, 63)),
    ],
)
def test_a_missing_mandatory_element_is_a_format_error_that_names_it(name: str, des: tuple[int, ...]) -> None:
    for de in des:
        fault = refused(written(name).with_fields({de: None}))
        assert (fault.refusal, fault.de) == (Refusal.FORMAT, de)


@pytest.mark.parametrize(
    ("name", "des"),
    [
        ("completion void", (37, 38)),
        ("pre-auth void", (37,)),
        ("completion advice", (38, 49)),
        ("offline sale", (38, 49, 61)),
        ("tip", (37, 38, 49)),
        ("adjustment", (37, 38)),
    ],
)
def test_what_a_column_leaves_open_may_be_absent(name: str, des: tuple[int, ...]) -> None:
    assert read(written(name).with_fields(dict.fromkeys(des))).kind is OPERATIONS[name].kind


@pytest.mark.parametrize("name", ["pre-auth", "completion", "completion advice", "offline sale", "tip"])
def test_a_card_must_be_there_somewhere(name: str) -> None:
    fault = refused(written(name).with_fields({2: None, 14: None, 35: None}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 2)


def test_track_3_is_tolerated() -> None:
    assert read(written("sale").with_fields({36: "996223164991230014D" + "1" * 80})).kind is Kind.SALE


@pytest.mark.parametrize(("name", "condition"), [("sale", "08"), ("pre-auth", "18"), ("sale", "04")])
def test_a_sale_by_mail_or_telephone_is_a_sale(name: str, condition: str) -> None:
    """cup.md 4: DE 25 = 08, 18; one real answer has 04."""
    request = written(name, card=KEYED).with_fields({25: condition})
    assert read(request).kind is OPERATIONS[name].kind
    made = cup.reversal_of(request, ReversalReason.NO_ANSWER, CUP)
    assert (made[25], read(made).kind) == (condition, Kind.REVERSAL)


def test_an_increment_is_told_by_its_condition_code() -> None:
    assert read(written("increment")).kind is Kind.PRE_AUTH_INCREMENT
    assert read(written("increment").with_fields({61: None})).original is None
    named = read(written("increment", original=OriginalRef(auth_code="A12345")))
    assert named.original == OriginalRef(auth_code="A12345")


@pytest.mark.parametrize(
    ("digits", "name"),
    [(12, "small amount"), (16, "with a date"), (18, "with the mode"), (29, "with the institution")],
)
def test_an_offline_sale_has_any_length_of_de_61(digits: int, name: str) -> None:
    value = "00000500012309130248001234000"[:digits]
    found = read(written("offline sale").with_fields({61: value}))
    assert (found.original, found.auth_code) == (None, "B54321"), name
    assert dict(found.content)["original"] == value


def test_an_offline_sale_of_a_small_amount_has_no_authorisation() -> None:
    """cup.md 5.9: mode 01 by phone, 02 small amount; 29 digits."""
    message = written("offline sale", auth_code="")
    assert (message[61][16:18], len(message[61]), 38 in message) == ("02", 29, False)
    assert written("offline sale")[61][16:18] == "01"


def test_the_organisation_of_an_advice_is_that_of_de_63() -> None:
    assert read(written("refund").with_fields({63: "VIS"})).organisation == "VIS"
    assert read(written("sale").with_fields({63: "01 "})).organisation == ""  # an operator


def test_what_is_compared_of_an_advice() -> None:
    """rules.md 1: DE 3 digits 1-2, 60.1, DE 4, PAN, DE 49, DE 61."""
    assert dict(read(written("tip")).content) == {
        "processing_code": "00",
        "type": "34",
        "amount": "000000010000",
        "pan": PAN,
        "currency": "156",
        "original": "0000030001200000",
    }


# --- reversals and copies ---


@pytest.mark.parametrize("name", sorted(REVERSIBLE))
def test_the_reversal_names_its_request_and_drops_track_and_pin(name: str) -> None:
    request = written(name, pin_block=PIN, chip=CHIP)
    made = cup.reversal_of(request, ReversalReason.NO_ANSWER, CUP, "C00001")
    made = codec.decode_payload(codec.encode_payload(made, CUP), CUP)
    assert not {26, 35, 36, 37, 48, 52, 53, 63} & made.fields.keys()
    assert all(made[de] == request[de] for de in (3, 4, 11, 22, 25, 41, 42, 49, 60))
    assert (made.mti, made[2], made[14], made[38], made[39]) == ("0400", PAN, "3012", "C00001", "98")
    assert made.get(61) == request.get(61)  # cup.md 6.1, C8
    if 55 in request:  # cup.md 5.6: 95, 9F1E, 9F10, 9F36 of what was sent
        assert made[55] == "9505008004E800" + "9F36020047"
    found = read(made)
    assert (found.kind, found.stan, found.batch) == (Kind.REVERSAL, "000123", "000005")
    assert found.original == OriginalRef("000123", "000005", amount=10000, auth_code="C00001")


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - REVERSIBLE))
def test_what_is_never_reversed_has_no_reversal(name: str) -> None:
    """cup.md 4, column «reversal?»."""
    made = cup.reversal_of(written(name), ReversalReason.NO_ANSWER, CUP)
    assert refused(made).refusal is Refusal.UNKNOWN_TYPE


COPIES = {
    "refund": (10000, None),
    "completion advice": (10000, None),
    "offline sale": (10000, None),
    "adjustment": (10000, None),
    "tip": (11000, 1000),
    "IC offline sale": (10000, None),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_the_advice_without_track_pin_and_mac(name: str) -> None:
    """flows.md 5: 0220 -> 0320; 26, 52, 64 away; DE 22 digit 3 = 2; STAN, batch and DE 60 those of the original."""
    card = replace(SWIPED, entry=Entry.CHIP if name == "IC offline sale" else Entry.SWIPE, sequence="001")
    sent = written(name, card=card, chip=CHIP).with_fields({22: "021", 26: "12", 52: "0" * 16, 64: "3" * 16})
    copy = codec.decode_payload(codec.encode_payload(cup.copy_of(sent, CUP), CUP), CUP)
    gone = {26, 35, 36, 52, 53, 64}
    assert copy.fields == {**{de: v for de, v in sent.fields.items() if de not in gone}, 2: PAN, 14: "3012", 22: "022"}
    assert (copy.mti, copy.tpdu, copy.header) == ("0320", sent.tpdu, sent.header)
    assert not cup.carries_mac(copy)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_reads_as_one_item_of_its_kind(name: str) -> None:
    amount, tip = COPIES[name]
    found = read(cup.copy_of(written(name), CUP))
    (item,) = found.items
    assert (found.kind, found.stan, found.batch, found.amount) == (Kind.UPLOAD, "000123", "000005", None)
    assert (item.kind, item.form) == (OPERATIONS[name].kind, UploadForm.COPY)
    assert (item.ref, item.amount, item.tip) == (OriginalRef("000123", "000005"), amount, tip)
    assert (item.pan, item.currency) == (PAN, "156")
    assert item.foreign is (None if name == "IC offline sale" else False)
    assert found.auth_code == ("B54321" if name == "offline sale" else "")


def test_the_side_of_a_copy_is_that_of_its_organisation() -> None:
    """cup.md 5.5: domestic = CUP, and refunds with 000."""

    def foreign(organisation: str | None) -> bool | None:
        return read(cup.copy_of(written("refund"), CUP).with_fields({63: organisation})).items[0].foreign

    assert [foreign(name) for name in ("CUP", "000", "VIS", "   ", None)] == [False, False, True, None, None]


def test_a_copy_with_a_short_de_60_is_still_a_copy() -> None:
    copy = cup.copy_of(written("refund"), CUP).with_fields({60: "25000005"})
    assert read(copy).items[0].kind is Kind.REFUND


@pytest.mark.parametrize("name", ["sale", "void", "pre-auth"])
def test_what_is_no_advice_is_not_copied(name: str) -> None:
    with pytest.raises(EncodeError):
        cup.copy_of(written(name), CUP)


def test_the_answer_to_a_copy_has_no_count_and_fits() -> None:
    """cup.md 6.2, column 0330: no DE 3, DE 4."""
    copy = cup.copy_of(written("tip"), CUP)
    answer = cup.write_answer(copy, Outcome("00", at="0913220010", rrn="000000000128", acquirer="48001234"), CUP)
    assert set(answer.fields) == {11, 12, 13, 32, 37, 39, 41, 42, 60}
    assert (answer.mti, cup.fits(copy, answer)) == ("0330", "")
    assert not cup.carries_mac(answer)


# --- answers ---

_BASE = {2, 3, 11, 12, 13, 14, 25, 32, 37, 39, 41, 42, 44, 49, 53, 60}
#: cup.md 6.2.
ANSWERED = {
    "0110": _BASE | {4, 15, 38, 55, 63},
    "0210": _BASE | {4, 15, 38, 55, 63},
    "0230": (_BASE - {53}) | {4, 15, 63},
}
SAID = Outcome(
    *("00", None, "0913101112", "2024-09-13", "000000000123", "A12345", 10000),
    issuer="01020000",
    acquirer="48001234",
    organisation="CUP",
    chip=bytes.fromhex("910AA1B2C3D4E5F607183030"),
)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "balance"])
def test_an_approval_holds_what_its_column_says(name: str) -> None:
    request = written(name)
    answer = cup.write_answer(request, SAID, CUP)
    answer = codec.decode_payload(codec.encode_payload(answer, CUP), CUP)
    assert set(answer.fields) == ANSWERED[answer.mti]
    assert cup.fits(request, answer) == ""
    assert cup.carries_mac(answer)
    found = cup.read_answer(answer, CUP)
    assert found.organisation == "CUP"
    assert found.chip == (SAID.chip if answer.mti != "0230" else None)


def test_a_balance_may_bring_chip_data_too() -> None:
    answer = cup.write_answer(written("balance"), replace(SAID, amount=None, balance=5), CUP)
    assert cup.read_answer(answer, CUP).chip == SAID.chip


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "balance"])
def test_a_partial_approval_tells_what_is_left(name: str) -> None:
    answer = cup.write_answer(written(name), replace(SAID, code="10", amount=4000, balance=0), CUP)
    if answer.mti == "0230":
        assert 54 not in answer
        return
    assert (answer[4], answer[54]) == ("000000004000", "1002156C000000000000")


def test_the_answer_to_an_advice_has_the_organisation_of_its_request() -> None:
    answer = cup.write_answer(written("offline sale", organisation="VIS"), Outcome("00"), CUP)
    assert answer[63] == "VIS"


@each
@pytest.mark.parametrize("digit", ["1", "3", "4", "5"])
def test_every_answer_may_ask_for_something(name: str, digit: str) -> None:
    """cup.md 1: header digit 6."""
    answer = cup.write_answer(written(name), Outcome("00", request=digit), CUP)
    assert answer.header == f"60310{digit}310000"
    assert cup.read_answer(answer, CUP).request == digit


def test_an_answer_to_what_is_not_offered_may_ask_for_something_too() -> None:
    request = written("sale").with_fields({25: "64"})
    answer = cup.write_answer(request, Outcome("A0", request="3"), CUP)
    assert (answer[39], answer.header) == ("A0", "603103310000")
