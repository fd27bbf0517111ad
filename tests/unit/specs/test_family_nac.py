"""NAC / EDC: messages <-> operations and outcomes.

Expected bytes are the constructed frames of nac.md section 9 and the real dumps of vectors.json; expected codes are
those of rules.md sections 6 and 8; expected sums are computed by hand beside the test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs import codec
from specs.codes import Refusal, ReversalReason
from specs.dialect import load
from specs.errors import DecodeError, EncodeError
from specs.families import nac, nac_table
from specs.framing import frame
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, UploadItem, Verdict
from specs.totals import BatchItem, Sum, Totals

NAC = load("nac")
PAN = "4111111111111111"
TRACK = "4111111111111111D30122010000012345678"
TID, MID = "12345678", "123456789012345"

VECTORS = Path(__file__).parents[2] / "vectors"
Row = dict[str, Any]


def rows(name: str) -> dict[str, Row]:
    return {row["name"]: row for row in json.loads((VECTORS / name).read_text("utf-8"))}


FRAMES = rows("constructed.json")
DUMPS = rows("vectors.json")


def constructed(name: str) -> Message:
    return codec.decode_payload(bytes.fromhex(FRAMES[name]["hex"])[2:], NAC)


def dump(name: str) -> Message:
    row = DUMPS[name]
    raw = bytes.fromhex(row["hex"])
    length = 0 if row["framing"]["length"] == "none" else 2
    return codec.decode(raw[length + (5 if row["framing"]["tpdu"] else 0) :], NAC)


def wire(message: Message) -> str:
    return frame(codec.encode_payload(message, NAC), NAC.frame).hex().upper()


def operation(message: Message) -> Operation:
    read = nac.read_request(message, NAC)
    assert isinstance(read, Operation), read
    return read


def refused(message: Message) -> Unreadable:
    read = nac.read_request(message, NAC)
    assert isinstance(read, Unreadable)
    return read


def sums(sales: tuple[int, int], refunds: tuple[int, int]) -> Totals:
    return Totals((Sum("all", "sales", *sales), Sum("all", "refunds", *refunds)))


SALE = "nac-0200-sale-100-00"
SETTLE = "nac-0500-0500-920000"
SETTLE_ANSWER = "nac-0510-0510-rc-95"
UPLOAD = "nac-0320-0320-more-follow"
UPLOAD_ANSWER = "nac-0330-0330"
TRAILER = "nac-0500-0500-960000"

SETTLED = sums((2, 15000), (1, 2000))

#: nac.md section 9 in words: what each request frame asks.
REQUESTS: dict[str, Operation] = {
    SALE: Operation(
        *(Kind.SALE, TID, MID, "000123", None, 10000),
        card=Card(PAN, "3012", TRACK, entry=Entry.SWIPE),
        processing_code="000000",
        invoice="000045",
        content=(("processing_code", "00"), ("amount", "000000010000"), ("pan", PAN), ("invoice", "000045")),
    ),
    SETTLE: Operation(Kind.SETTLE, TID, MID, "000130", "000007", processing_code="920000", totals=SETTLED),
    TRAILER: Operation(Kind.SETTLE, TID, MID, "000132", "000007", processing_code="960000", totals=SETTLED, final=True),
    UPLOAD: Operation(
        *(Kind.UPLOAD, TID, MID, "000131"),
        card=Card(PAN, "3012", entry=Entry.SWIPE),
        advice=True,
        processing_code="000001",
        items=(
            UploadItem(
                OriginalRef("000123", rrn="000000000123", invoice="000045", auth_code="A12345"),
                10000,
                Kind.SALE,
                PAN,
            ),
        ),
        more=True,
        local_date="0913",
        local_time="101112",
    ),
}

#: Answer frame -> the request it answers, and what the host had to say.
ANSWERS: dict[str, tuple[str, Outcome]] = {
    SETTLE_ANSWER: (SETTLE, Outcome("", at="0913220000", rrn="000000000130", verdict=Verdict.DIFFERS)),
    UPLOAD_ANSWER: (UPLOAD, Outcome("00", at="0913220010", rrn="000000000123")),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_constructed_request_reads_as_what_it_asks(name: str) -> None:
    assert operation(constructed(name)) == REQUESTS[name]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_the_constructed_frame(name: str) -> None:
    assert wire(nac.write_request(REQUESTS[name], NAC)) == FRAMES[name]["hex"]


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_the_constructed_frame(name: str) -> None:
    asked, outcome = ANSWERS[name]
    assert wire(nac.write_answer(constructed(asked), outcome, NAC)) == FRAMES[name]["hex"]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_constructed_answer_reads_as_what_the_host_said(name: str) -> None:
    asked, said = ANSWERS[name]
    amount = 10000 if asked == UPLOAD else None  # echoed
    assert nac.read_answer(constructed(name), NAC) == replace(said, code=said.code or "95", amount=amount)


def test_the_reversal_of_a_sale_has_its_stan_and_invoice_and_no_track_or_reason() -> None:
    """nac.md 4 and 7: the elements of the constructed sale, the number and expiry in place of the track, no DE 39."""
    made = nac.reversal_of(constructed(SALE), ReversalReason.NO_ANSWER, NAC)
    expected = {2: PAN, 3: "000000", 4: "000000010000", 11: "000123", 14: "3012", 22: "022", 24: "003", 25: "00"}
    assert (made.mti, dict(made.fields)) == ("0400", expected | {41: TID, 42: MID, 62: "000045"})
    read = operation(made)
    assert read.kind is Kind.REVERSAL
    assert read.original == OriginalRef("000123", invoice="000045", amount=10000)
    assert (read.stan, read.processing_code, read.batch) == ("000123", "000000", None)


def void_operation() -> Operation:
    return Operation(
        *(Kind.VOID, TID, MID, "000124", None, 10000),
        card=Card(PAN, "3012", entry=Entry.SWIPE),
        original=OriginalRef(rrn="000000000123", invoice="000045", amount=10000, auth_code="A12345"),
        local_date="0913",
        local_time="101112",
    )


def test_a_void_names_the_sale_by_rrn_invoice_and_amount() -> None:
    """nac.md 4: DE 62 of the sale, DE 37, DE 60 and DE 4 original amount, DE 12 and 13 of the sale."""
    written = nac.write_request(void_operation(), NAC)
    expected = {2: PAN, 3: "020000", 4: "000000010000", 11: "000124", 12: "101112", 13: "0913", 14: "3012"}
    expected |= {22: "022", 24: "003", 25: "00", 37: "000000000123", 38: "A12345", 41: TID, 42: MID}
    assert dict(written.fields) == expected | {60: "000000010000", 62: "000045"}
    read = operation(written)
    assert read.original == void_operation().original
    assert dict(read.content)["rrn"] == "000000000123"


@pytest.mark.parametrize(
    ("changes", "rrn", "amount"),
    [
        ({37: None, 60: None}, "", 10000),
        ({60: "000007"}, "000000000123", 10000),  # a batch number: ignored in financial messages
        ({4: "000000000000"}, "000000000123", 10000),  # DE 60 has it
        ({4: "000000000000", 60: None}, "000000000123", None),
    ],
)
def test_terminals_name_the_voided_sale_in_different_ways(
    changes: dict[int, str | None], rrn: str, amount: int | None
) -> None:
    """rules.md 1: DE 37; else DE 62 and DE 4 (0 allowed); DE 60 N12 = original amount."""
    original = operation(nac.write_request(void_operation(), NAC).with_fields(changes)).original
    assert original == OriginalRef(rrn=rrn, invoice="000045", amount=amount, auth_code="A12345")


def test_a_void_can_be_reversed() -> None:
    made = nac.reversal_of(nac.write_request(void_operation(), NAC), "98", NAC)
    read = operation(made)
    assert (read.kind, read.processing_code) == (Kind.REVERSAL, "020000")
    assert read.original is not None
    assert (read.original.stan, read.original.rrn) == ("000124", "000000000123")


@pytest.mark.parametrize(("more", "last"), [(True, "1"), (False, "0")])
def test_an_upload_says_whether_more_follow(more: bool, last: str) -> None:
    written = nac.write_request(replace(REQUESTS[UPLOAD], more=more), NAC)
    assert written[3] == "00000" + last
    assert operation(written).more is more


def test_an_unknown_rrn_is_twelve_blanks() -> None:
    """nac.md 10, row «DE60 in 0320, RRN unknown»."""
    item = replace(REQUESTS[UPLOAD].items[0], ref=OriginalRef("000123", invoice="000045"))
    written = nac.write_request(replace(REQUESTS[UPLOAD], items=(item,)), NAC)
    assert written[60] == "0200000123" + " " * 12
    assert operation(written).items[0].ref.rrn == ""


@pytest.mark.parametrize(
    ("mti", "processing", "kind"),
    [
        ("0200", "000001", Kind.SALE),
        ("0200", "020001", Kind.VOID),
        ("0200", "200000", Kind.REFUND),
        ("0220", "200001", Kind.REFUND),
        ("0220", "000001", Kind.OFFLINE_SALE),
        ("0220", "020000", Kind.ADJUST),
        ("0200", "090000", Kind.CASH_BACK),
        ("0200", "170001", Kind.CASH_BACK),
        ("0200", "220000", Kind.VOID),
        ("0100", "300000", None),
    ],
)
def test_the_kind_of_an_uploaded_item_follows_from_its_original_mti_and_de_3(
    mti: str, processing: str, kind: Kind | None
) -> None:
    message = constructed(UPLOAD).with_fields({3: processing, 60: mti + "000123000000000123"})
    assert operation(message).items[0].kind is kind


def test_test_and_settlement_of_a_terminal_without_merchant() -> None:
    echo = nac.write_request(Operation(Kind.ECHO, TID, stan="000009"), NAC)
    assert dict(echo.fields) == {3: "990000", 11: "000009", 24: "003", 41: TID}
    answer = nac.write_answer(echo, Outcome("00", at="0913101112"), NAC)
    assert (answer.mti, dict(answer.fields)) == (
        "0810",
        {3: "990000", 11: "000009", 12: "101112", 13: "0913", 24: "003", 39: "00", 41: TID},
    )


# --- the real dumps ---


def test_real_requests_are_understood() -> None:
    sale = operation(dump("nac-hpdh-sales-req"))
    assert (sale.kind, sale.amount, sale.invoice, sale.batch) == (Kind.SALE, 50000, "000036", None)  # DE 60 ignored
    assert dict(sale.content)["cryptogram"] == "689BB04E70B50CDA"
    crediban = operation(dump("nac-0200-sale-chip-crediban"))
    assert (crediban.kind, crediban.amount, crediban.stan) == (Kind.SALE, 2222200, "001537")


def test_a_real_reversal_of_a_processing_code_that_no_source_names_is_unknown() -> None:
    """nac-0400-reversal-golomt: DE 3 = 010000, in none of the transactions of nac.md 4; 12 makes the terminal stop."""
    assert refused(dump("nac-0400-reversal-golomt")).refusal is Refusal.UNKNOWN_TYPE


def test_the_real_reversal_of_a_void_names_it() -> None:
    """The STAN is the void's own; DE 37 and 62 are what the void carried."""
    read = operation(dump("nac-hpdh-void-reversal-req"))
    assert (read.kind, read.processing_code, read.amount) == (Kind.REVERSAL, "020000", 980000)
    assert read.original == OriginalRef("000065", rrn="000000000064", invoice="000002", amount=980000)


@pytest.mark.parametrize(
    ("name", "batch", "sales", "final"),
    [
        ("nac-0500-settle-90", "000001", (2, 800), False),
        ("nac-hpdh-settlement-req", "000001", (1, 50000), False),
        ("nac-hpdh-final-settlement-req", "000001", (1, 50000), True),
    ],
)
def test_real_settlements_are_understood(name: str, batch: str, sales: tuple[int, int], final: bool) -> None:
    """Also the form of 15 digits, one group, and the one of 90."""
    read = operation(dump(name))
    assert (read.batch, read.totals, read.final) == (batch, sums(sales, (0, 0)), final)


def test_the_real_upload_is_understood() -> None:
    read = operation(dump("nac-hpdh-batch-upload-req"))
    (item,) = read.items
    assert (item.ref.stan, item.ref.rrn, item.amount, item.kind) == ("000118", "110718000118", 1280000, Kind.SALE)
    assert (item.pan, read.more, read.amount) == ("5555555555554444", False, None)


@pytest.mark.parametrize(
    ("name", "verdict", "sales"),
    [
        ("nac-hpdh-settlement-resp", Verdict.DIFFERS, (1, 50000)),
        ("nac-hpdh-final-settlement-resp", Verdict.AGREED, (1, 50000)),
    ],
)
def test_real_settlement_answers_are_understood(name: str, verdict: Verdict, sales: tuple[int, int]) -> None:
    read = nac.read_answer(dump(name), NAC)
    assert (read.verdict, read.totals) == (verdict, sums(sales, (0, 0)))


@pytest.mark.parametrize(
    ("name", "code", "rrn"),
    [
        ("nac-0210-sale-crediban", "00", "040568915151"),
        ("nac-0410-reversal-crediban", "00", "040568862971"),
        ("nac-hpdh-sales-resp", "00", "000000000036"),
        ("nac-hpdh-void-reversal-resp", "00", "281118000065"),
        ("nac-hpdh-batch-upload-resp", "00", "110718000118"),
        ("nac-hpdh-sign-on-example", "00", ""),
    ],
)
def test_real_answers_are_understood(name: str, code: str, rrn: str) -> None:
    read = nac.read_answer(dump(name), NAC)
    assert (read.code, read.rrn) == (code, rrn)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("nac-hpdh-sales-req", "nac-hpdh-sales-resp"),
        ("nac-hpdh-void-reversal-req", "nac-hpdh-void-reversal-resp"),
        ("nac-hpdh-settlement-req", "nac-hpdh-settlement-resp"),
        ("nac-hpdh-batch-upload-req", "nac-hpdh-batch-upload-resp"),
        ("nac-hpdh-final-settlement-req", "nac-hpdh-final-settlement-resp"),
    ],
)
def test_real_answers_fit_their_requests(asked: str, answer: str) -> None:
    assert nac.fits(dump(asked), dump(answer)) == ""


# --- refusals ---


@pytest.mark.parametrize(
    ("name", "de"),
    [
        *((SALE, de) for de in (3, 4, 11, 22, 24, 25, 41, 42, 62)),
        *((SETTLE, de) for de in (3, 11, 24, 41, 42, 60, 63)),
        *((TRAILER, de) for de in (3, 11, 24, 41, 42, 60, 63)),
        *((UPLOAD, de) for de in (2, 3, 4, 11, 24, 41, 42, 60)),
    ],
)
def test_a_missing_mandatory_element_is_a_format_error_that_names_it(name: str, de: int) -> None:
    """nac.md 4, presence table, rows marked M; answered 30 (rules.md 8)."""
    message = constructed(name).with_fields({de: None})
    fault = refused(message)
    assert (fault.refusal, fault.de, fault.got) == (Refusal.FORMAT, de, "absent")
    answer = nac.refusal_answer(message, fault, "0913101112", NAC)
    assert answer is not None
    assert (answer[39], answer[12], answer[13], answer.tpdu) == ("30", "101112", "0913", "6000000003")
    assert codec.encode_payload(answer, NAC)


@pytest.mark.parametrize("de", [2, 3, 4, 11, 22, 24, 25, 41, 42, 62])
def test_a_void_needs_what_the_rules_do_not_make_optional(de: int) -> None:
    assert refused(nac.write_request(void_operation(), NAC).with_fields({de: None})).de == de


@pytest.mark.parametrize("de", [3, 4, 11, 22, 24, 25, 41, 42])
def test_a_reversal_needs_what_names_its_original(de: int) -> None:
    assert refused(nac.reversal_of(constructed(SALE), "98", NAC).with_fields({de: None})).de == de


@pytest.mark.parametrize(
    ("name", "de", "value"),
    [
        (SALE, 35, "4111111111111111"),
        (SETTLE, 60, "0000000000"),
        (SETTLE, 60, "000000010000"),
        (SETTLE, 63, "00200000001500"),
        (SETTLE, 63, "TOTALS BY ACQUIRER"),
        (UPLOAD, 60, "000007"),
        (UPLOAD, 60, "02X0000123000000000123"),
    ],
)
def test_a_sub_field_that_cannot_be_read_is_a_format_error(name: str, de: int, value: str) -> None:
    fault = refused(constructed(name).with_fields({de: value}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, de)
    assert PAN not in fault.expected + fault.got


def test_a_sale_must_show_its_card_somewhere() -> None:
    fault = refused(constructed(SALE).with_fields({35: None}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 2)


def like_sale(mti: str, processing: str) -> Message:
    return replace(constructed(SALE), mti=mti).with_fields({3: processing})


def network(processing: str) -> Message:
    return Message("0800", {3: processing, 11: "000001", 24: "003", 41: TID}, "6000030000")


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (network("970000"), "key download"),
        (network("810000"), "key download"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_known_transaction_that_is_not_offered_is_answered_40(message: Message, name: str) -> None:
    fault = refused(message)
    assert (fault.refusal, fault.got) == (Refusal.NOT_OFFERED, name)
    answer = nac.refusal_answer(message, fault, "0913101112", NAC)
    assert answer is not None
    assert answer[39] == "40"


@pytest.mark.parametrize(
    "message",
    [like_sale("0200", "550000"), like_sale("0500", "930000"), network("123456"), like_sale("0600", "000000")],
    ids=str,
)
def test_an_unknown_type_is_answered_12(message: Message) -> None:
    fault = refused(message)
    assert fault.refusal is Refusal.UNKNOWN_TYPE
    answer = nac.refusal_answer(message, fault, "0913101112", NAC)
    assert answer is not None
    assert answer[39] == "12"


def test_what_is_no_request_gets_no_answer() -> None:
    message = like_sale("0210", "000000")
    assert nac.refusal_answer(message, refused(message), "0913101112", NAC) is None


@pytest.mark.parametrize("processing", ["000000", "001000", "003000", "004000"])
def test_the_account_digit_of_de_3_does_not_matter(processing: str) -> None:
    read = operation(constructed(SALE).with_fields({3: processing}))
    assert (read.kind, read.processing_code) == (Kind.SALE, processing)


# --- answers beyond the constructed ones ---


def test_an_approved_sale_is_answered_with_the_elements_of_the_table() -> None:
    """nac.md 4, answers 02x0: 3, 4, 11, 12, 13, 24, 37, 38, 39, 41."""
    outcome = Outcome("00", at="0913101112", rrn="000000000123", auth_code="A12345", amount=10000)
    answer = nac.write_answer(constructed(SALE), outcome, NAC)
    assert (answer.mti, answer.tpdu, answer.header) == ("0210", "6000000003", "")
    expected = {3: "000000", 4: "000000010000", 11: "000123", 12: "101112", 13: "0913", 24: "003"}
    assert dict(answer.fields) == expected | {37: "000000000123", 38: "A12345", 39: "00", 41: TID}
    assert nac.read_answer(answer, NAC) == outcome
    assert nac.fits(constructed(SALE), answer) == ""


def test_a_declined_sale_has_no_authorization_code() -> None:
    answer = nac.write_answer(constructed(SALE), Outcome("51", auth_code="A12345"), NAC)
    assert 38 not in answer


@pytest.mark.parametrize(
    ("verdict", "name", "code"),
    [
        (Verdict.AGREED, SETTLE, "00"),
        (Verdict.AGREED, TRAILER, "00"),
        (Verdict.DIFFERS, SETTLE, "95"),
        (Verdict.UPLOAD_INCOMPLETE, TRAILER, "95"),
        (Verdict.STILL_DIFFERS, TRAILER, "77"),
        (Verdict.CLOSED_OTHER, SETTLE, "77"),
        (Verdict.NUMBER_STALE, SETTLE, "80"),
    ],
)
def test_each_verdict_has_its_code_and_is_read_back(verdict: Verdict, name: str, code: str) -> None:
    """rules.md 6, column NAC."""
    answer = nac.write_answer(constructed(name), Outcome("", verdict=verdict, totals=SETTLED), NAC)
    assert (answer[39], answer[63]) == (code, constructed(SETTLE)[63])
    read = nac.read_answer(answer, NAC)
    assert (read.verdict, read.totals) == (verdict, SETTLED)


@pytest.mark.parametrize("code", ["95", "00"])
def test_a_profile_chooses_what_follows_a_trailer_that_still_differs(code: str) -> None:
    other = replace(NAC, profile={**NAC.profile, "final_not_agreed": code})
    answer = nac.write_answer(constructed(TRAILER), Outcome("", verdict=Verdict.STILL_DIFFERS), other)
    assert answer[39] == code


def test_85_says_the_same_as_80_and_trouble_says_nothing() -> None:
    answer = constructed(SETTLE_ANSWER)
    assert nac.read_answer(answer.with_fields({39: "85"}), NAC).verdict is Verdict.NUMBER_STALE
    assert nac.read_answer(answer.with_fields({39: "96"}), NAC).verdict is None


def test_de_63_of_a_0510_may_be_text_for_the_slip() -> None:
    read = nac.read_answer(constructed(SETTLE_ANSWER).with_fields({63: "BATCH 000007 OPEN"}), NAC)
    assert (read.totals, read.text) == (None, "BATCH 000007 OPEN")


def test_an_answer_without_de_39_cannot_be_read() -> None:
    with pytest.raises(DecodeError, match="DE 39"):
        nac.read_answer(constructed(SETTLE_ANSWER).with_fields({39: None}), NAC)


# --- does the answer fit (RT5) ---


@pytest.mark.parametrize("name", ANSWERS)
def test_every_constructed_answer_fits_its_request(name: str) -> None:
    assert nac.fits(constructed(ANSWERS[name][0]), constructed(name)) == ""


@pytest.mark.parametrize(
    ("de", "value"), [(3, "020000"), (4, "000000010001"), (11, "000124"), (41, "1" * 8), (41, None)]
)
def test_an_answer_with_another_identity_does_not_fit(de: int, value: str | None) -> None:
    answer = nac.write_answer(constructed(SALE), Outcome("00"), NAC)
    assert f"DE {de}" in nac.fits(constructed(SALE), answer.with_fields({de: value}))


def test_a_0330_may_leave_the_amount_out_and_a_0210_may_not() -> None:
    """nac.md 4, presence: DE 4 is O in 0330, M in 02x0."""
    assert nac.fits(constructed(UPLOAD), constructed(UPLOAD_ANSWER).with_fields({4: None})) == ""
    answer = nac.write_answer(constructed(SALE), Outcome("00"), NAC).with_fields({4: None})
    assert "DE 4" in nac.fits(constructed(SALE), answer)


def test_an_answer_of_another_type_does_not_fit() -> None:
    assert "MTI" in nac.fits(constructed(SALE), constructed(SETTLE_ANSWER))


# --- totals (rules.md 5) and MAC ---


def test_what_was_voided_is_netted_out() -> None:
    """The example of rules.md 5 without tip and offline sale; S3 is reversed: not handed over.

    Sales S1 100.00 + F 30.00 = 130.00 in 2 (the foreign card has no side of its own; S2 50.00 and its void count
    nowhere), refunds R 20.00 in 1; 130.00 - 20.00 is what CUP settles of the same books: 150 - 70 + 30 = 110.00.
    """
    books = [
        BatchItem(Kind.SALE, 10000),
        BatchItem(Kind.SALE, 5000, voided=True),
        BatchItem(Kind.VOID, 5000),
        BatchItem(Kind.REFUND, 2000),
        BatchItem(Kind.SALE, 3000, foreign=True),
    ]
    assert nac.count(books) == sums((2, 13000), (1, 2000))
    written = nac.write_request(replace(REQUESTS[SETTLE], totals=nac.count(books)), NAC)
    assert written[63] == "002000000013000" + "001000000002000" + "0" * 60


def test_the_host_compares_the_groups_added_up() -> None:
    """rules.md 5: groups 1 + 3 + 5 and 2 + 4 + 6. 1/1.00 + 2/2.00 + 4/4.00 = 7/7.00; 8/8.00 + 16/16.00 + 32/32.00."""
    groups = "".join(f"{n:03d}{n * 100:012d}" for n in (1, 8, 2, 16, 4, 32))
    assert operation(constructed(SETTLE).with_fields({63: groups})).totals == sums((7, 700), (56, 5600))


def test_an_empty_batch_has_two_sums_of_zero() -> None:
    assert nac.count([]) == sums((0, 0), (0, 0))


@pytest.mark.parametrize(
    ("mti", "code", "carries"),
    [
        *((mti, "", True) for mti in ("0100", "0200", "0220", "0400", "0401")),
        *((mti, "00", True) for mti in ("0110", "0210", "0230", "0410")),
        *((mti, "51", False) for mti in ("0110", "0210", "0230")),
        *((mti, "00", False) for mti in ("0320", "0330", "0500", "0510", "0800", "0810", "nonsense")),
    ],
)
def test_a_dialect_with_a_mac_has_it_where_money_moves(mti: str, code: str, carries: bool) -> None:
    """security.md 6, for a user's dialect whose profile names an algorithm; the answers only when they approve."""
    assert nac.carries_mac(Message(mti, {39: code} if code else {})) is carries


# --- the table itself ---


def test_every_row_can_be_told_from_the_ones_before_it() -> None:
    """A 0400 is told by DE 3 alone: there one row serves all that share it."""
    signs = [(r.mti, r.processing, r.condition, r.function) for r in nac_table.ROWS if r.mti != "0400"]
    assert len(signs) == len(set(signs))


def test_what_the_operation_does_not_say_is_our_own_mistake() -> None:
    with pytest.raises(EncodeError, match="DE 62"):
        nac.write_request(replace(REQUESTS[SALE], invoice=""), NAC)


def test_a_0320_carries_one_item() -> None:
    with pytest.raises(EncodeError, match="DE 60"):
        nac.write_request(replace(REQUESTS[UPLOAD], items=REQUESTS[UPLOAD].items * 2), NAC)


def test_nothing_sensitive_shows_in_a_repr() -> None:
    shown = repr(operation(constructed(SALE))) + repr(operation(constructed(UPLOAD)))
    assert PAN not in shown
