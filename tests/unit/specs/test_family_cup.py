"""UnionPay POS: messages <-> operations and outcomes.

Expected bytes are the constructed frames of cup.md section 7 and the real dumps of vectors.json; expected codes are
those of rules.md sections 6 and 8; expected sums are computed by hand beside the test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs import codec, security
from specs.codes import Refusal, ReversalReason
from specs.dialect import Dialect, load
from specs.errors import DecodeError, EncodeError
from specs.families import cup, cup_table, family
from specs.framing import frame
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, UploadItem, Verdict
from specs.totals import BatchItem, Sum, Totals

CUP = load("cup")
MAK = bytes.fromhex("1C2A3B4C5D6E7F80")  # security.md 1, worked example
PAN = "6223164991230014"
TRACK = "6223164991230014D30122010000012345678"
TID, MID = "12345678", "123456789012345"

VECTORS = Path(__file__).parents[2] / "vectors"
Row = dict[str, Any]


def rows(name: str) -> dict[str, Row]:
    return {row["name"]: row for row in json.loads((VECTORS / name).read_text("utf-8"))}


FRAMES = rows("constructed.json")
DUMPS = rows("vectors.json")


def constructed(name: str) -> Message:
    return codec.decode_payload(bytes.fromhex(FRAMES[name]["hex"])[2:], CUP)


def dump(name: str) -> Message:
    row = DUMPS[name]
    dialect = CUP if row["framing"]["header"] else load("cup-noheader")
    raw = bytes.fromhex(row["hex"])
    length = 0 if row["framing"]["length"] == "none" else 2
    prefix = length + (5 if row["framing"]["tpdu"] else 0) + row["framing"]["header"]
    return codec.decode(raw[prefix:], dialect)


def wire(message: Message, dialect: Dialect = CUP) -> str:
    """The whole frame in hex, with the MAC of the worked example where this kind of message carries one."""
    if cup.carries_mac(message):
        body = codec.encode(message.with_fields({64: "00" * 8}), dialect)
        mac = security.mac_ecb(MAK, codec.mab(body, {64}, dialect))
        message = message.with_fields({64: mac.hex().upper()})
    return frame(codec.encode_payload(message, dialect), dialect.frame).hex().upper()


def request(name: str) -> Operation:
    read = cup.read_request(constructed(name), CUP)
    assert isinstance(read, Operation), read
    return read


def refused(message: Message) -> Unreadable:
    read = cup.read_request(message, CUP)
    assert isinstance(read, Unreadable)
    return read


def sums(*rows: tuple[str, str, int, int]) -> Totals:
    return Totals(tuple(Sum(*row) for row in rows))


SIGN_ON = "cup-0800-sign-on-0800-003"
SIGN_ON_ANSWER = "cup-0810-answer-0810-with-40-byte-de62"
SALE = "cup-0200-purchase-100-00-swipe-pin-ecb-mac"
SALE_ANSWER = "cup-0210-answer-0210-rc-00"
REVERSAL = "cup-0400-reversal-0400-reason-98"
REVERSAL_ANSWER = "cup-0410-answer-0410"
ECHO = "cup-0820-echo-0820-301"
SETTLE = "cup-0500-settlement-0500-debit-150-00-2-credit-70-00-2-foreign-debit-30-00-1"
AGREED = "cup-0510-0510-balanced-balanced"
DIFFERS = "cup-0510-0510-domestic-not-balanced-2-foreign-balanced-1"
UPLOAD = "cup-0320-0320-201-with-three-magnetic-items"
UPLOAD_ANSWER = "cup-0330-answer"
END = "cup-0320-0320-202-end-total-4-3-items-1-refund-advice-copy"
END_ANSWER = "cup-0330-answer-end"
SIGN_OFF = "cup-0820-sign-off-0820-002"

SETTLED = sums(
    ("domestic", "debit", 2, 15000),
    ("domestic", "credit", 2, 7000),
    ("foreign", "debit", 1, 3000),
    ("foreign", "credit", 0, 0),
)


def item(stan: str, minor: int) -> UploadItem:
    return UploadItem(OriginalRef(stan, "000001"), minor, pan=PAN, foreign=False)


#: cup.md section 7 in words: what each request frame asks.
REQUESTS: dict[str, Operation] = {
    SIGN_ON: Operation(Kind.SIGN_ON, TID, MID, "000001", "000001", key_layout=40, operator="01", serial="306012345678"),
    SALE: Operation(
        *(Kind.SALE, TID, MID, "000123", "000001", 10000, "156"),
        card=Card(PAN, "3012", TRACK, entry=Entry.SWIPE),
        pin_block=bytes.fromhex("F5D4AEDECBD60833"),
        processing_code="000000",
        content=(
            ("processing_code", "00"),
            ("type", "22"),
            ("amount", "000000010000"),
            ("pan", PAN),
            ("currency", "156"),
        ),
    ),
    REVERSAL: Operation(
        *(Kind.REVERSAL, TID, MID, "000123", "000001", 10000, "156"),
        card=Card(PAN, "3012", entry=Entry.SWIPE),
        processing_code="000000",
        reason="98",
        original=OriginalRef("000123", "000001", amount=10000),
        content=(
            ("processing_code", "00"),
            ("type", "22"),
            ("amount", "000000010000"),
            ("pan", PAN),
            ("currency", "156"),
        ),
    ),
    ECHO: Operation(Kind.ECHO, TID, MID, "", "000001", advice=True),
    SETTLE: Operation(Kind.SETTLE, TID, MID, "000127", "000001", currency="156", totals=SETTLED, operator="01"),
    UPLOAD: Operation(
        *(Kind.UPLOAD, TID, MID, "000128", "000001"),
        advice=True,
        items=(item("000123", 10000), item("000124", 5000), item("000125", 5000)),
    ),
    END: Operation(Kind.UPLOAD_END, TID, MID, "000129", "000001", advice=True, count=4),
    SIGN_OFF: Operation(Kind.SIGN_OFF, TID, MID, "000130", "000001", advice=True),
}

KEYS = bytes.fromhex(
    "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03"  # security.md 1
)
ISSUER, ACQUIRER = "01020000", "48001234"

#: Answer frame -> the request it answers, and what the host had to say.
ANSWERS: dict[str, tuple[str, Outcome]] = {
    SIGN_ON_ANSWER: (
        SIGN_ON,
        Outcome("00", at="0913090000", rrn="000000000001", acquirer=ACQUIRER, batch="000001", keys=KEYS),
    ),
    SALE_ANSWER: (
        SALE,
        Outcome(
            *("00", None, "0913101112", "2024-09-13", "000000000123", "A12345", 10000),
            organisation="CUP",
            issuer=ISSUER,
            acquirer=ACQUIRER,
        ),
    ),
    REVERSAL_ANSWER: (
        REVERSAL,
        Outcome("00", None, "0913101230", "2024-09-13", "000000000124", issuer=ISSUER, acquirer=ACQUIRER),
    ),
    AGREED: (
        SETTLE,
        Outcome(
            *("", None, "0913220000", "2024-09-13", "000000000127"),
            acquirer=ACQUIRER,
            verdict=Verdict.AGREED,
            sides=(("domestic", Verdict.AGREED), ("foreign", Verdict.AGREED)),
        ),
    ),
    DIFFERS: (
        SETTLE,
        Outcome(
            *("", None, "0913220000", "2024-09-13", "000000000127"),
            acquirer=ACQUIRER,
            verdict=Verdict.DIFFERS,
            sides=(("domestic", Verdict.DIFFERS), ("foreign", Verdict.AGREED)),
        ),
    ),
    UPLOAD_ANSWER: (UPLOAD, Outcome("00", at="0913220010", rrn="000000000128", acquirer=ACQUIRER, count=3)),
    END_ANSWER: (END, Outcome("00", at="0913220020", rrn="000000000129", acquirer=ACQUIRER, count=4)),
}


def test_the_family_is_found_by_its_name() -> None:
    assert family(CUP.family) is cup


@pytest.mark.parametrize("name", REQUESTS)
def test_a_constructed_request_reads_as_what_it_asks(name: str) -> None:
    assert request(name) == REQUESTS[name]


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != REVERSAL])
def test_a_request_is_written_as_the_constructed_frame(name: str) -> None:
    assert wire(cup.write_request(REQUESTS[name], CUP)) == FRAMES[name]["hex"]


def test_a_reversal_written_from_an_operation_cannot_know_that_a_pin_was_entered() -> None:
    """DE 22 digit 3 of the sale was 1; the reversal's operation holds no PIN. reversal_of copies it (below)."""
    expected = constructed(REVERSAL).with_fields({22: "022", 64: None})
    assert cup.write_request(REQUESTS[REVERSAL], CUP) == expected


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_the_constructed_frame(name: str) -> None:
    asked, outcome = ANSWERS[name]
    assert wire(cup.write_answer(constructed(asked), outcome, CUP)) == FRAMES[name]["hex"]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_constructed_answer_reads_as_what_the_host_said(name: str) -> None:
    _, said = ANSWERS[name]
    read = cup.read_answer(constructed(name), CUP)
    assert read.business_date == said.business_date[5:].replace("-", "")
    known = replace(
        said,
        business_date=read.business_date,
        currency=read.currency,
        # The frame of a 0410 and a 0510 carry more than the outcome had to say: an echoed amount, the totals.
        amount=read.amount,
        totals=SETTLED if said.sides else None,
    )
    assert read == known


def test_the_reversal_of_the_constructed_sale_is_the_constructed_reversal() -> None:
    """The stored request has the track only; the 0400 has the number and no track, PIN or security control."""
    made = cup.reversal_of(constructed(SALE), ReversalReason.NO_ANSWER, CUP)
    assert wire(made) == FRAMES[REVERSAL]["hex"]


def test_a_reversal_carries_the_authorization_code_when_it_is_known() -> None:
    assert cup.reversal_of(constructed(SALE), "06", CUP, "A12345")[38] == "A12345"


def void_request() -> Message:
    return cup.write_request(
        replace(
            REQUESTS[SALE],
            kind=Kind.VOID,
            stan="000125",
            processing_code="",
            pin_block=None,
            original=OriginalRef("000123", "000001", "000000000123", auth_code="A12345"),
        ),
        CUP,
    )


def test_a_void_names_the_sale_in_de_61_and_37() -> None:
    """cup.md 5.9: twelve digits, batch before STAN; cup.md 4: 0200, 200000, 60.1 = 23."""
    written = void_request()
    assert (written.mti, written[3], written[60][:2]) == ("0200", "200000", "23")
    assert (written[61], written[37], written[38]) == ("000001000123", "000000000123", "A12345")
    read = cup.read_request(written, CUP)
    assert isinstance(read, Operation)
    assert read.original == OriginalRef("000123", "000001", "000000000123", auth_code="A12345")
    assert dict(read.content)["original"] == "000001000123"
    assert read.rrn == ""


def test_the_reversal_of_a_void_keeps_its_de_61_and_names_the_void() -> None:
    made = cup.reversal_of(void_request(), ReversalReason.OTHER, CUP)
    assert (made[61], made[60][:2], made[39]) == ("000001000123", "23", "06")
    assert 37 not in made
    read = cup.read_request(made, CUP)
    assert isinstance(read, Operation)
    assert read.original is not None
    assert (read.original.stan, read.original.batch) == ("000125", "000001")  # DE 11 and 60.2: DE 61 is ignored
    assert "original" not in dict(read.content)


def test_a_repeated_reversal_reads_as_a_repeat_and_is_answered_0410() -> None:
    repeated = replace(constructed(REVERSAL), mti="0401")
    read = cup.read_request(repeated, CUP)
    assert isinstance(read, Operation)
    assert (read.kind, read.repeat) == (Kind.REVERSAL, True)
    answer = cup.write_answer(repeated, Outcome("00", at="0913101230"), CUP)
    assert answer.mti == "0410"
    assert cup.fits(repeated, answer) == ""


# --- the real dumps ---


@pytest.mark.parametrize(
    ("name", "kind", "amount", "batch"),
    [
        ("cup-0800-signon-whty", Kind.SIGN_ON, None, "000001"),
        ("cup-0800-signon-c", Kind.SIGN_ON, None, "000001"),
        ("cup-0800-signon-e", Kind.SIGN_ON, None, "000002"),
        ("cup-0800-signon-6021-moc", Kind.SIGN_ON, None, "000001"),
        ("cup-0800-signon-noheader-moc", Kind.SIGN_ON, None, "000001"),
        ("cup-0800-signon-go8583-1", Kind.SIGN_ON, None, "000000"),
        ("cup-0200-purchase-whty", Kind.SALE, 1, "000001"),
        ("cup-0200-purchase-a-cil", Kind.SALE, 1000, "000249"),
        ("cup-0200-icc-6022", Kind.SALE, 999, "000399"),
        ("cup-0200-qr-go8583", Kind.SALE, 1, "006603"),
        ("cup-0200-purchase-tracks-j8583", Kind.SALE, 1, "000015"),
        ("cup-0200-void-mp", Kind.VOID, 264000, "000001"),
        ("cup-0400-reversal-chip-citic", Kind.REVERSAL, 111, "000001"),
    ],
)
def test_a_real_request_is_understood(name: str, kind: Kind, amount: int | None, batch: str) -> None:
    read = cup.read_request(dump(name), CUP)
    assert isinstance(read, Operation), read
    assert (read.kind, read.amount, read.batch) == (kind, amount, batch)


#: The real requests that this host does not serve.
NOT_SERVED = {
    "cup-0800-420-tmk-request-vfwz": (Refusal.NOT_OFFERED, "master key download"),
    "cup-0800-352-rsa-cil": (Refusal.NOT_OFFERED, "RSA transfer of the master key"),
    "cup-0800-350-tmk-b-cil": (Refusal.NOT_OFFERED, "RSA transfer of the master key"),
    "cup-0920-esign-upload-vfwz": (Refusal.UNKNOWN_TYPE, ""),
}


@pytest.mark.parametrize("name", NOT_SERVED)
def test_a_real_request_that_is_not_served_is_known_as_what_it_is(name: str) -> None:
    refusal, known_as = NOT_SERVED[name]
    fault = refused(dump(name))
    assert fault.refusal is refusal
    assert not known_as or fault.got == known_as


@pytest.mark.parametrize("name", [name for name, row in DUMPS.items() if row["dialect"] == "cup"])
def test_every_real_message_is_understood(name: str) -> None:
    """Requests as an operation or as what is not served, answers as an outcome with their DE 39."""
    message = dump(name)
    if message.mti[2] in "02":
        assert isinstance(cup.read_request(message, CUP), Operation) or name in NOT_SERVED
    elif "420" not in name:  # a master key in DE 62 is no sign-on answer
        assert cup.read_answer(message, CUP).code == (message.get(39) or "")


def test_the_details_of_real_requests() -> None:
    def of(name: str) -> Operation:
        read = cup.read_request(dump(name), CUP)
        assert isinstance(read, Operation)
        return read

    layouts = {n: of(f"cup-0800-signon-{n}").key_layout for n in ("whty", "c", "e")}
    assert layouts == {"whty": 60, "c": 24, "e": 40}
    void = of("cup-0200-void-mp")
    assert void.original == OriginalRef("387203", "000001", "141654241643", auth_code="876718", date="0128")
    qr = of("cup-0200-qr-go8583")
    assert qr.card == Card("", entry=Entry.QR)
    assert dict(of("cup-0200-purchase-whty").content)["cryptogram"] == "9C0A057796D091E3"
    chip = of("cup-0400-reversal-chip-citic")
    assert (chip.reason, chip.card) == ("06", Card("6205500000000000004", "2912", sequence="000", entry=Entry.CHIP))


def test_no_card_number_is_taken_from_an_encrypted_track() -> None:
    """DE 53 = 2610…: what stands before the separator may itself be cipher text (security.md 7)."""
    message = dump("cup-0200-purchase-tracks-j8583")
    assert cup.tracks_encrypted(message)
    read = cup.read_request(message, CUP)
    assert isinstance(read, Operation)
    assert read.card is not None
    assert (read.card.pan, read.card.expiry, read.card.track2) == ("", "", message[35])
    assert 2 not in cup.reversal_of(message, "98", CUP)
    clear = cup.read_request(cup.with_clear_track(message, TRACK), CUP)
    assert isinstance(clear, Operation)
    assert clear.card is not None
    assert clear.card.pan == PAN


@pytest.mark.parametrize(
    ("name", "code", "rrn", "batch"),
    [
        ("cup-0810-signon-yuantu", "00", "091942150067", "000007"),
        ("cup-0210-purchase-yuantu", "00", "091947145060", None),
        ("cup-0410-reversal-yuantu", "00", "091948160058", None),
        ("cup-0830-signoff-ipaynow", "00", "150908836099", None),
        ("cup-0330-207-batch-end-ipaynow", "00", "150908836098", None),
        ("cup-0210-purchase-A0-b-cil", "A0", "261165073094", None),
        ("cup-0210-qr-94-go8583", "94", "101236061130", None),
        ("cup-0210-purchase-6022-a", "00", "145619260096", None),
        ("cup-0210-purchase-insert-topwise", "00", "222255296583", None),
    ],
)
def test_a_real_answer_is_understood(name: str, code: str, rrn: str, batch: str | None) -> None:
    read = cup.read_answer(dump(name), CUP)
    assert (read.code, read.rrn, read.batch) == (code, rrn, batch)


def test_the_real_settlement_answer_agrees_on_both_sides() -> None:
    """DE 48 = 000000000011 011 000000000002 002 1 …: debit 0.11 in 11, credit 0.02 in 2, code 1; foreign zeros, 1."""
    read = cup.read_answer(dump("cup-0510-settle-balanced-ipaynow"), CUP)
    assert read.code == ""
    assert read.verdict is Verdict.AGREED
    assert read.totals is not None
    assert read.totals.get("domestic", "debit") == Sum("domestic", "debit", 11, 11)
    assert read.totals.get("domestic", "credit") == Sum("domestic", "credit", 2, 2)


# --- refusals ---


@pytest.mark.parametrize(
    ("name", "de"),
    [
        *((SIGN_ON, de) for de in (11, 41, 42, 60, 63)),
        *((SIGN_OFF, de) for de in (11, 41, 42, 60)),
        *((ECHO, de) for de in (41, 42, 60)),
        *((SALE, de) for de in (3, 4, 11, 22, 25, 41, 42, 49, 60)),
        *((REVERSAL, de) for de in (3, 4, 11, 22, 25, 39, 41, 42, 49, 60)),
        *((SETTLE, de) for de in (11, 41, 42, 48, 49, 60, 63)),
        *((UPLOAD, de) for de in (11, 41, 42, 48, 60)),
        *((END, de) for de in (11, 41, 42, 48, 60)),
    ],
)
def test_a_missing_mandatory_element_is_a_format_error_that_names_it(name: str, de: int) -> None:
    """cup.md 6.1, rows marked M; answered 30 (rules.md 8)."""
    message = constructed(name).with_fields({de: None})
    fault = refused(message)
    assert (fault.refusal, fault.de, fault.got) == (Refusal.FORMAT, de, "absent")
    answer = cup.refusal_answer(message, fault, "0913101112", CUP)
    assert answer is not None
    assert answer[39] == "30"
    assert codec.encode_payload(answer, CUP)


def test_a_void_without_de_61_is_a_format_error_and_without_de_37_is_not() -> None:
    assert refused(void_request().with_fields({61: None})).de == 61
    assert isinstance(cup.read_request(void_request().with_fields({37: None}), CUP), Operation)


def test_a_sale_must_show_its_card_somewhere() -> None:
    fault = refused(constructed(SALE).with_fields({35: None}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 2)


@pytest.mark.parametrize(
    ("name", "de", "value"),
    [
        (SETTLE, 48, "0" * 61),
        (UPLOAD, 48, "04" + "0" * 120),  # four items announced, three there
        (UPLOAD, 48, "00"),
        (END, 48, "04"),
        (SALE, 60, "2200"),
        (SALE, 35, "6223164991230014"),  # no separator
    ],
)
def test_a_sub_field_that_cannot_be_read_is_a_format_error(name: str, de: int, value: str) -> None:
    fault = refused(constructed(name).with_fields({de: value}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, de)
    assert PAN not in fault.expected + fault.got


def test_a_broken_void_reference_is_a_format_error() -> None:
    fault = refused(void_request().with_fields({61: "0000010001"}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 61)


def financial(mti: str, processing: str, private: str, condition: str = "00") -> Message:
    base = {**constructed(SALE).fields, 3: processing, 25: condition, 60: private}
    return Message(mti, base, "6000030000", "603100310000")


def managed(mti: str, private: str) -> Message:
    return Message(mti, {11: "000009", 41: TID, 42: MID, 60: private}, "6000030000", "603100310000")


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (financial("0200", "000000", "2200000100050", "64"), "instalment sale"),
        (financial("0200", "200000", "2300000100050", "65"), "loyalty void"),
        (financial("0400", "000000", "2200000100050", "64"), "reversal of instalment sale"),
        (financial("0200", "000000", "0300000100050"), "loyalty inquiry"),
        (financial("0220", "200000", "2700000100050"), "electronic-cash refund"),
        (financial("0200", "600000", "4500000100050", "91"), "e-purse or electronic-cash load"),
        (financial("0200", "000000", "4800000100050"), "mag-stripe top-up"),
        (financial("0200", "000000", "5300000100050", "67"), "appointment"),
        (managed("0800", "00000001005"), "sign-on with SM4 keys"),
        (managed("0800", "00000001350"), "RSA transfer of the master key"),
        (managed("0820", "00000001373"), "CA public keys with SM2"),
        (managed("0800", "00000001383"), "IC parameters with SM2"),
        (managed("0800", "00000001390"), "blacklist"),
        (managed("0800", "00000001394"), "contactless parameters"),
        (managed("0820", "00000001399"), "BIN list"),
        (managed("0800", "00000001401"), "loyalty log-on"),
        (managed("0800", "00000001420"), "master key download"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_known_transaction_that_is_not_offered_is_answered_40(message: Message, name: str) -> None:
    fault = refused(message)
    assert (fault.refusal, fault.got) == (Refusal.NOT_OFFERED, name)
    answer = cup.refusal_answer(message, fault, "0913101112", CUP)
    assert answer is not None
    assert answer[39] == "40"


@pytest.mark.parametrize(
    "message",
    [
        financial("0200", "990000", "2200000100050"),
        financial("0200", "000000", "9900000100050"),
        financial("0400", "200000", "2500000100050"),  # a refund is never reversed
        managed("0820", "00000001999"),
        managed("0500", "00000001202"),
        managed("0900", "00000001001"),
        Message("0920", {41: TID}),
        Message("0804", {41: TID}),
    ],
    ids=str,
)
def test_an_unknown_type_is_answered_12(message: Message) -> None:
    fault = refused(message)
    assert fault.refusal is Refusal.UNKNOWN_TYPE
    answer = cup.refusal_answer(message, fault, "0913101112", CUP)
    assert answer is None or answer[39] == "12"


@pytest.mark.parametrize("mti", ["0210", "0510", "abcd"])
def test_what_is_no_request_gets_no_answer(mti: str) -> None:
    message = replace(constructed(SALE), mti=mti)
    assert cup.refusal_answer(message, refused(message), "0913101112", CUP) is None


def test_account_digits_of_de_3_do_not_matter() -> None:
    """cup.md 4: match digits 1-2."""
    read = cup.read_request(constructed(SALE).with_fields({3: "003000"}), CUP)
    assert isinstance(read, Operation)
    assert (read.kind, read.processing_code, dict(read.content)["processing_code"]) == (Kind.SALE, "003000", "00")


def test_a_refusal_echoes_only_what_the_dialect_can_carry() -> None:
    """A lenient reader hands over broken values; the answer must still be encodable."""
    broken = constructed(SALE).with_fields({4: "12AB", 49: "1567", 60: "2" * 99})
    answer = cup.refusal_answer(broken, refused(broken), "0913101112", CUP)
    assert answer is not None
    assert set(answer.fields) == {3, 11, 12, 13, 25, 39, 41, 42}
    assert (answer.tpdu, answer.header) == ("6000000003", "603100310000")
    assert codec.encode_payload(answer, CUP)


def test_a_refused_settlement_carries_both_codes_3() -> None:
    """rules.md 6, last row: 39 = 30 and codes 3/3."""
    message = constructed(SETTLE).with_fields({63: None})
    answer = cup.refusal_answer(message, refused(message), "0913220000", CUP)
    assert answer is not None
    assert (answer[39], answer[48][30], answer[48][61]) == ("30", "3", "3")
    assert answer[48][:30] == constructed(SETTLE)[48][:30]


# --- answers beyond the constructed ones ---


def test_a_declined_sale_has_no_authorization_code_balance_or_mac() -> None:
    outcome = replace(ANSWERS[SALE_ANSWER][1], code="51", balance=7, auth_code="A12345")
    answer = cup.write_answer(constructed(SALE), outcome, CUP)
    assert answer[39] == "51"
    assert not {38, 54, 62} & answer.fields.keys()
    assert not cup.carries_mac(answer)
    assert answer[4] == "000000010000"


def test_a_refusal_of_the_engine_is_said_in_the_family_s_code() -> None:
    answer = cup.write_answer(constructed(SALE), Outcome("", Refusal.CLOSED_BATCH, request="3"), CUP)
    assert (answer[39], answer.header) == ("22", "603103310000")  # header digit 6 = 3: sign on again
    assert cup.read_answer(answer, CUP).request == "3"


def test_a_partial_approval_says_its_amount_and_fits() -> None:
    outcome = replace(ANSWERS[SALE_ANSWER][1], code="10", amount=4000, balance=0)
    answer = cup.write_answer(constructed(SALE), outcome, CUP)
    assert (answer[4], answer[54]) == ("000000004000", "1002156C000000000000")
    assert cup.fits(constructed(SALE), answer) == ""
    assert cup.read_answer(answer, CUP).amount == 4000


def test_a_balance_is_answered_as_in_the_document() -> None:
    """cup.md 5.4: 1002156C000000012345; 6.2: no DE 4, 15, 38, 63."""
    asked = cup.write_request(replace(REQUESTS[SALE], kind=Kind.BALANCE, amount=None, processing_code=""), CUP)
    assert (asked.mti, asked[3], asked[60][:2], 4 in asked) == ("0200", "310000", "01", False)
    answer = cup.write_answer(asked, Outcome("00", at="0913101112", rrn="000000000009", balance=12345), CUP)
    assert answer[54] == "1002156C000000012345"
    assert not {4, 15, 38, 63} & answer.fields.keys()
    assert cup.read_answer(answer, CUP).balance == 12345


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ({"domestic": Verdict.CLOSED_OTHER, "foreign": Verdict.AGREED}, "31"),
        ({"domestic": Verdict.AGREED, "foreign": Verdict.DIFFERS}, "12"),
    ],
)
def test_each_side_of_a_settlement_has_its_own_code(said: dict[str, Verdict], codes: str) -> None:
    answer = cup.write_answer(constructed(SETTLE), Outcome("00", sides=tuple(said.items())), CUP)
    assert answer[48][30] + answer[48][61] == codes
    assert 39 not in answer
    assert dict(cup.read_answer(answer, CUP).sides) == said


def test_an_unknown_batch_number_is_22_with_both_codes_3() -> None:
    """rules.md 6, row «unknown number»; the terminal then signs on and renames its batch."""
    answer = cup.write_answer(constructed(SETTLE), Outcome("", verdict=Verdict.NUMBER_UNKNOWN, request="3"), CUP)
    assert (answer[39], answer[48][30], answer[48][61]) == ("22", "3", "3")
    read = cup.read_answer(answer, CUP)
    assert (read.code, read.verdict, read.sides) == ("22", Verdict.NUMBER_UNKNOWN, ())


def test_a_settlement_that_failed_says_nothing_of_the_sides() -> None:
    answer = cup.write_answer(constructed(SETTLE), Outcome("96", sides=(("domestic", Verdict.AGREED),)), CUP)
    read = cup.read_answer(answer, CUP)
    assert (read.code, read.verdict, read.sides) == ("96", None, ())


def test_the_host_may_answer_with_its_own_totals() -> None:
    own = sums(("domestic", "debit", 1, 100))
    answer = cup.write_answer(constructed(SETTLE), Outcome("", verdict=Verdict.DIFFERS, totals=own), CUP)
    assert answer[48] == "000000000100001" + "0" * 15 + "2" + "0" * 30 + "2"


def test_a_profile_may_want_de_39_in_a_good_0510() -> None:
    wanted = replace(CUP, profile={**CUP.profile, "settle_code": "00"})
    answer = cup.write_answer(constructed(SETTLE), Outcome("", verdict=Verdict.AGREED), wanted)
    assert answer[39] == "00"
    assert cup.read_answer(answer, wanted).verdict is Verdict.AGREED


@pytest.mark.parametrize("code", ["0", "4"])
def test_a_0510_without_a_verdict_cannot_be_read(code: str) -> None:
    value = constructed(AGREED)[48]
    with pytest.raises(DecodeError, match="DE 48"):
        cup.read_answer(constructed(AGREED).with_fields({48: value[:30] + code + value[31:]}), CUP)


@pytest.mark.parametrize("name", [SALE_ANSWER, REVERSAL_ANSWER, UPLOAD_ANSWER, SIGN_ON_ANSWER])
def test_an_answer_without_de_39_cannot_be_read(name: str) -> None:
    with pytest.raises(DecodeError, match="DE 39"):
        cup.read_answer(constructed(name).with_fields({39: None}), CUP)


def test_a_request_cannot_be_read_as_an_answer() -> None:
    with pytest.raises(DecodeError, match="MTI"):
        cup.read_answer(constructed(SALE), CUP)


def test_keys_are_not_taken_from_a_refused_sign_on() -> None:
    refused_answer = constructed(SIGN_ON_ANSWER).with_fields({39: "97"})
    assert cup.read_answer(refused_answer, CUP).keys is None


@pytest.mark.parametrize("value", ["0000", "03", None, "0000000000"])
def test_hosts_disagree_on_de_48_of_a_0330_and_all_are_taken(value: str | None) -> None:
    read = cup.read_answer(constructed(UPLOAD_ANSWER).with_fields({48: value}), CUP)
    assert read.code == "00"


# --- does the answer fit (RT5) ---


@pytest.mark.parametrize("name", ANSWERS)
def test_every_constructed_answer_fits_its_request(name: str) -> None:
    assert cup.fits(constructed(ANSWERS[name][0]), constructed(name)) == ""


@pytest.mark.parametrize(
    ("de", "value"),
    [(3, "200000"), (4, "000000010001"), (11, "000124"), (41, "12345679"), (42, "X" * 15), (11, None), (4, None)],
)
def test_an_answer_with_another_identity_does_not_fit(de: int, value: str | None) -> None:
    why = cup.fits(constructed(SALE), constructed(SALE_ANSWER).with_fields({de: value}))
    assert f"DE {de}" in why


def test_an_answer_of_another_type_does_not_fit() -> None:
    """flows.md 12: a 0210 to a 0400."""
    assert "MTI" in cup.fits(constructed(REVERSAL), constructed(SALE_ANSWER))


def test_another_merchant_matters_only_in_an_approval() -> None:
    answer = constructed(SALE_ANSWER).with_fields({39: "51", 42: "X" * 15})
    assert cup.fits(constructed(SALE), answer) == ""


# --- totals (rules.md 5) ---


def test_a_voided_sale_stays_in_debit_and_its_void_adds_to_credit() -> None:
    """Domestic debit S1 100.00 + S2 50.00 = 150.00 in 2; credit V 50.00 + R 20.00 = 70.00 in 2; foreign debit F 30.00
    in 1: the DE 48 of the constructed 0500.
    """
    books = [
        BatchItem(Kind.SALE, 10000),
        BatchItem(Kind.SALE, 5000, voided=True),
        BatchItem(Kind.VOID, 5000),
        BatchItem(Kind.REFUND, 2000),
        BatchItem(Kind.SALE, 3000, foreign=True),
    ]
    assert cup.count(books) == SETTLED
    written = cup.write_request(replace(REQUESTS[SETTLE], totals=cup.count(books)), CUP)
    assert written[48] == "00000001500000200000000700000200000000030000010000000000000000"


def test_the_worked_example_of_the_rules() -> None:
    """rules.md 5: S1 100.00 with tip 10.00; S2 50.00, voided by V; refund R 20.00; S3 80.00 reversed, so not handed
    over; offline sale O 40.00; foreign card F 30.00. Net 160.00."""
    books = [
        BatchItem(Kind.SALE, 10000, adjusted=True),
        BatchItem(Kind.TIP, 11000),
        BatchItem(Kind.SALE, 5000, voided=True),
        BatchItem(Kind.VOID, 5000, of=Kind.SALE),
        BatchItem(Kind.REFUND, 2000),
        BatchItem(Kind.OFFLINE_SALE, 4000),
        BatchItem(Kind.SALE, 3000, foreign=True),
    ]
    written = cup.write_request(replace(REQUESTS[SETTLE], totals=cup.count(books)), CUP)
    assert written[48] == "00000002000000300000000700000200000000030000010000000000000000"


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        *((kind, "debit") for kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.ADJUST)),
        (Kind.COMPLETION_VOID, "credit"),
        *((kind, "") for kind in (Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID, Kind.BALANCE)),
    ],
)
def test_where_each_kind_counts(kind: Kind, group: str) -> None:
    """cup.md 5.5."""
    counted = [s.group for s in cup.count([BatchItem(kind, 100)]).sums if (s.count, s.amount) == (1, 100)]
    assert counted == ([group] if group else [])


def test_a_voided_adjustment_leaves_the_new_total_on_both_sides() -> None:
    books = [
        BatchItem(Kind.SALE, 10000, adjusted=True),
        BatchItem(Kind.TIP, 11000, voided=True),
        BatchItem(Kind.VOID, 11000, of=Kind.TIP),
    ]
    assert cup.count(books).get("domestic", "debit") == Sum("domestic", "debit", 1, 11000)
    assert cup.count(books).get("domestic", "credit") == Sum("domestic", "credit", 1, 11000)


def test_an_empty_batch_has_four_sums_of_zero() -> None:
    assert cup.count([]).empty
    assert len(cup.count([]).sums) == 4


# --- MAC (security.md 6) ---


@pytest.mark.parametrize("mti", ["0100", "0200", "0201", "0220", "0400", "0401", "0620"])
def test_requests_that_carry_a_mac(mti: str) -> None:
    assert cup.carries_mac(Message(mti))


@pytest.mark.parametrize("mti", ["0110", "0210", "0230", "0410"])
def test_answers_carry_a_mac_only_when_they_approve(mti: str) -> None:
    assert cup.carries_mac(Message(mti, {39: "00"}))
    assert not cup.carries_mac(Message(mti, {39: "A0"}))
    assert not cup.carries_mac(Message(mti))


@pytest.mark.parametrize("mti", ["0800", "0810", "0820", "0830", "0500", "0510", "0320", "0330", "xxxx"])
def test_messages_without_a_mac(mti: str) -> None:
    assert not cup.carries_mac(Message(mti, {39: "00"}))


# --- the table itself ---


def test_every_row_can_be_told_from_the_ones_before_it() -> None:
    """A row hidden behind an earlier one of the same signs would never be met."""
    signs = [(r.mti, r.processing, r.condition, r.type_code, r.function) for r in cup_table.ROWS]
    assert len(signs) == len(set(signs))


def test_what_the_operation_does_not_say_is_our_own_mistake() -> None:
    with pytest.raises(EncodeError, match="DE 49"):
        cup.write_request(replace(REQUESTS[SALE], currency=""), CUP)


def test_nothing_sensitive_shows_in_a_repr() -> None:
    shown = repr(request(SALE)) + repr(request(UPLOAD)) + repr(cup.read_answer(constructed(SIGN_ON_ANSWER), CUP))
    for secret in (PAN, TRACK, "F5D4AEDECBD60833", repr(KEYS), "20B8F49A"):
        assert secret not in shown
