"""NAC / EDC: each transaction of nac.md section 4 as data elements, written out by hand, and back.

Totals: the worked example of rules.md section 5 with its exact digits.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.codes import Refusal
from specs.dialect import Dialect, load
from specs.families import nac
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
    Verdict,
)
from specs.totals import BatchItem, Sum, Totals

NAC = load("nac")
PAN = "4111111111111111"
TRACK = f"{PAN}D30122010000012345678"
TID, MID = "12345678", "123456789012345"
TPDU = "6000030000"
CHIP = bytes.fromhex("9F2608689BB04E70B50CDA9F360202CC")
SWIPED = Card(PAN, "3012", TRACK, entry=Entry.SWIPE)
KEYED = Card(PAN, "3012", entry=Entry.SWIPE)
RRN, CODE = "000000000123", "A12345"

#: nac.md 4, presence: what every money message has; «swipe» shows the card by its track, «number» by DE 2 and 14.
BASE = {11: "000124", 22: "022", 24: "003", 25: "00", 41: TID, 42: MID}
SWIPE = BASE | {35: TRACK, 62: "000045"}
NUMBER = BASE | {2: PAN, 14: "3012", 62: "000045"}
TIMED = NUMBER | {12: "101112", 13: "0913"}

MONEY = Operation(Kind.SALE, TID, MID, "000124", None, 11000, card=SWIPED, invoice="000045")
BY_NUMBER = replace(MONEY, card=KEYED, local_time="101112", local_date="0913")
NAMED = OriginalRef(rrn=RRN, invoice="000045", amount=10000, auth_code=CODE)

#: name -> (operation as the terminal fills it, MTI, data elements)
CASES: dict[str, tuple[Operation, str, dict[int, str]]] = {
    "sale with tip": (
        replace(MONEY, tip=1000),
        "0200",
        SWIPE | {3: "000000", 4: "000000011000", 54: "000000001000"},
    ),
    "chip sale": (
        replace(MONEY, card=replace(SWIPED, entry=Entry.CHIP, sequence="001"), chip=CHIP),
        "0200",
        SWIPE | {3: "000000", 4: "000000011000", 22: "052", 23: "001", 55: CHIP.hex().upper()},
    ),
    "fallback sale": (
        replace(MONEY, card=replace(SWIPED, entry=Entry.FALLBACK)),
        "0200",
        SWIPE | {3: "000000", 4: "000000011000", 22: "802"},
    ),
    "cash back": (
        replace(MONEY, kind=Kind.CASH_BACK, cash=3000),
        "0200",
        SWIPE | {3: "090000", 4: "000000011000", 54: "000000003000"},
    ),
    "cash back, the other code": (
        replace(MONEY, kind=Kind.CASH_BACK, cash=3000, processing_code="170000"),
        "0200",
        SWIPE | {3: "170000", 4: "000000011000", 54: "000000003000"},
    ),
    "refund without a reference": (
        replace(MONEY, kind=Kind.REFUND),
        "0200",
        SWIPE | {3: "200000", 4: "000000011000"},
    ),
    "refund by RRN": (
        replace(MONEY, kind=Kind.REFUND, original=OriginalRef(rrn=RRN, auth_code=CODE)),
        "0200",
        SWIPE | {3: "200000", 4: "000000011000", 37: RRN, 38: CODE},
    ),
    "refund advice": (
        replace(BY_NUMBER, kind=Kind.REFUND, advice=True, original=OriginalRef(rrn=RRN)),
        "0220",
        TIMED | {3: "200000", 4: "000000011000", 37: RRN},
    ),
    "void of a sale": (
        replace(BY_NUMBER, kind=Kind.VOID, amount=10000, original=NAMED),
        "0200",
        TIMED | {3: "020000", 4: "000000010000", 37: RRN, 38: CODE, 60: "000000010000"},
    ),
    "void of a refund": (
        replace(BY_NUMBER, kind=Kind.VOID, amount=10000, original=NAMED, processing_code="220000"),
        "0200",
        TIMED | {3: "220000", 4: "000000010000", 37: RRN, 38: CODE, 60: "000000010000"},
    ),
    "pre-authorization": (
        replace(MONEY, kind=Kind.PRE_AUTH),
        "0100",
        SWIPE | {3: "300000", 4: "000000011000", 25: "06"},
    ),
    "pre-authorization void": (
        replace(BY_NUMBER, kind=Kind.PRE_AUTH_VOID, amount=10000, original=NAMED),
        "0100",
        TIMED | {3: "020000", 4: "000000010000", 25: "06", 37: RRN, 38: CODE, 60: "000000010000"},
    ),
    "completion": (
        replace(MONEY, kind=Kind.COMPLETION, original=OriginalRef(rrn=RRN, auth_code=CODE)),
        "0200",
        SWIPE | {3: "000000", 4: "000000011000", 25: "06", 37: RRN, 38: CODE},
    ),
    "completion advice": (
        replace(BY_NUMBER, kind=Kind.COMPLETION_ADVICE, advice=True, original=OriginalRef(auth_code=CODE)),
        "0220",
        TIMED | {3: "000000", 4: "000000011000", 25: "06", 38: CODE},
    ),
    "offline sale": (
        replace(BY_NUMBER, kind=Kind.OFFLINE_SALE, advice=True, auth_code=CODE),
        "0220",
        TIMED | {3: "000000", 4: "000000011000", 38: CODE},
    ),
    "small offline sale with tip": (
        replace(BY_NUMBER, kind=Kind.OFFLINE_SALE, advice=True, tip=1000),
        "0220",
        TIMED | {3: "000000", 4: "000000011000", 54: "000000001000"},
    ),
    "tip": (
        replace(BY_NUMBER, kind=Kind.TIP, advice=True, tip=1000, original=NAMED),
        "0220",
        TIMED | {3: "020000", 4: "000000011000", 37: RRN, 38: CODE, 54: "000000001000", 60: "000000010000"},
    ),
    "adjustment": (
        replace(BY_NUMBER, kind=Kind.ADJUST, advice=True, original=NAMED),
        "0220",
        TIMED | {3: "020000", 4: "000000011000", 37: RRN, 38: CODE, 60: "000000010000"},
    ),
    "tip, the other code": (
        replace(BY_NUMBER, kind=Kind.TIP, advice=True, tip=1000, original=NAMED, processing_code="000000"),
        "0220",
        TIMED | {3: "000000", 4: "000000011000", 37: RRN, 38: CODE, 54: "000000001000", 60: "000000010000"},
    ),
    "adjustment, the other code": (
        replace(BY_NUMBER, kind=Kind.ADJUST, advice=True, original=NAMED, processing_code="000000"),
        "0220",
        TIMED | {3: "000000", 4: "000000011000", 37: RRN, 38: CODE, 60: "000000010000"},
    ),
    "balance": (
        replace(MONEY, kind=Kind.BALANCE, amount=None, processing_code="311000"),
        "0100",
        SWIPE | {3: "311000"},
    ),
    "log-on": (
        Operation(Kind.SIGN_ON, TID, stan="000124", processing_code="920000"),
        "0800",
        {3: "920000", 11: "000124", 24: "003", 41: TID},
    ),
}
CASH_BACKS = [name for name, (op, _, _) in CASES.items() if op.kind is Kind.CASH_BACK]


def message(mti: str, fields: dict[int, str]) -> Message:
    return Message(mti, fields, TPDU)


def operation(asked: Message, dialect: Dialect = NAC) -> Operation:
    read = nac.read_request(asked, dialect)
    assert isinstance(read, Operation), read
    return read


def refused(asked: Message) -> Unreadable:
    read = nac.read_request(asked, NAC)
    assert isinstance(read, Unreadable), read
    return read


@pytest.mark.parametrize("name", CASES)
def test_the_terminal_writes_the_elements_of_the_table(name: str) -> None:
    meant, mti, fields = CASES[name]
    written = nac.write_request(meant, NAC)
    assert (written.mti, dict(written.fields), written.tpdu) == (mti, fields, TPDU)


@pytest.mark.parametrize("name", CASES)
def test_the_host_reads_what_was_meant(name: str) -> None:
    meant, mti, fields = CASES[name]
    expected = replace(meant, processing_code=fields[3])
    assert replace(operation(message(mti, fields)), content=()) == expected


@pytest.mark.parametrize("name", CASES)
def test_the_answer_approves_and_fits(name: str) -> None:
    """nac.md 4: answer MTI = request + 10; the amount goes back."""
    _, mti, fields = CASES[name]
    asked = message(mti, fields)
    amount = int(fields[4]) if 4 in fields else None
    # A log-on's answer has no approval code, an inquiry approves no amount.
    code = "" if mti == "0800" else "B54321"
    said = Outcome("00", at="0913101112", rrn=RRN, auth_code=code, amount=amount)
    answer = nac.write_answer(asked, said, NAC)
    assert (int(answer.mti), answer.tpdu) == (int(mti) + 10, "6000000003")
    assert nac.fits(asked, answer) == ""
    assert nac.read_answer(answer, NAC) == said


REVERSIBLE = [name for name, (_, mti, _) in CASES.items() if mti in ("0100", "0200") and name != "balance"]


@pytest.mark.parametrize("name", REVERSIBLE)
def test_what_may_be_lost_can_be_reversed(name: str) -> None:
    """nac.md 7: MTI 0400, same DE 3, 4, 11, 41, 42 and 62; no track, no reason."""
    _, mti, fields = CASES[name]
    made = nac.reversal_of(message(mti, fields), "98", NAC)
    kept = {de: fields[de] for de in (3, 4, 11, 41, 42, 62)}
    assert made.mti == "0400"
    assert kept.items() <= dict(made.fields).items()
    assert not {35, 39, 52} & made.fields.keys()
    read = operation(made)
    assert (read.kind, read.tip, read.cash) == (Kind.REVERSAL, None, None)
    assert read.original is not None
    assert (read.original.stan, read.original.amount) == (fields[11], int(fields[4]))


@pytest.mark.parametrize("name", ["refund advice", "offline sale", "tip", "adjustment", "balance"])
def test_an_advice_or_inquiry_is_sent_again_unchanged(name: str) -> None:
    _, mti, fields = CASES[name]
    assert nac.repeat_of(message(mti, fields)) == message(mti, fields)


# --- how terminals differ ---


def test_a_completion_without_an_approval_code_is_a_sale_on_request_and_unreadable_as_an_advice() -> None:
    _, mti, fields = CASES["completion"]
    assert operation(message(mti, fields).with_fields({38: None})).kind is Kind.SALE
    _, mti, fields = CASES["completion advice"]
    fault = refused(message(mti, fields).with_fields({38: None}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 38)


@pytest.mark.parametrize("condition", ["05", "08", "01"])
def test_a_sale_by_mail_or_telephone_is_a_sale(condition: str) -> None:
    """nac.md 3, DE 25; a code of the table or not."""
    fields = NUMBER | {3: "000000", 4: "000000011000", 22: "012", 25: condition}
    read = operation(message("0200", fields))
    assert (read.kind, read.card) == (Kind.SALE, Card(PAN, "3012", entry=Entry.MANUAL))


@pytest.mark.parametrize("mti", ["0100", "0200"])
@pytest.mark.parametrize("amount", [None, "000000000000"])
def test_a_balance_is_asked_for_in_either_class_with_or_without_an_amount(mti: str, amount: str | None) -> None:
    read = operation(message(mti, SWIPE | {3: "310000"}).with_fields({4: amount}))
    assert (read.kind, read.amount) == (Kind.BALANCE, None)


def test_a_refund_with_an_rrn_of_zeros_names_nothing() -> None:
    read = operation(message("0200", SWIPE | {3: "200000", 4: "000000011000", 37: "0" * 12}))
    assert read.original is None


def test_a_real_log_on_has_no_network_id() -> None:
    """nac-hpdh-log-on-req: DE 3, 11 and 41 only. CrediBanco's test message 0800/920000 has 24, 42 and 63."""
    read = operation(message("0800", {3: "920000", 11: "000002", 41: TID}))
    assert (read.kind, read.key_layout, read.stan) == (Kind.SIGN_ON, 0, "000002")
    full = {3: "920000", 11: "000001", 24: "107", 41: "000SQA05", 42: "00  010203040  ", 63: "PFIH05"}
    assert operation(message("0800", full)).kind is Kind.SIGN_ON


def test_the_void_of_a_completion_is_written_as_a_void() -> None:
    meant = CASES["void of a sale"][0]
    assert nac.write_request(replace(meant, kind=Kind.COMPLETION_VOID), NAC) == nac.write_request(meant, NAC)


@pytest.mark.parametrize("value", ["0000000010", "00000000100X", "1040156C000000001000"])
def test_a_tip_that_is_not_twelve_digits_is_a_format_error(value: str) -> None:
    fault = refused(message("0200", SWIPE | {3: "000000", 4: "000000011000", 54: value}))
    assert (fault.refusal, fault.de) == (Refusal.FORMAT, 54)


def test_an_empty_tip_is_none() -> None:
    read = operation(message("0220", TIMED | {3: "020000", 4: "000000011000", 54: ""}))
    assert (read.kind, read.tip) == (Kind.ADJUST, None)


@pytest.mark.parametrize(
    ("name", "de"),
    [
        *((name, 54) for name in CASH_BACKS),
        *((name, de) for name in ("offline sale", "completion advice") for de in (2, 4, 11, 12, 13, 22, 24, 25, 62)),
        ("offline sale", 14),
        *((name, de) for name in ("tip", "adjustment") for de in (2, 4, 11, 22, 24, 25, 41, 42, 62)),
        *(("pre-authorization", de) for de in (4, 11, 22, 24, 25, 41, 42)),
        *(("balance", de) for de in (11, 22, 24, 25, 41, 42)),
        *(("log-on", de) for de in (11, 41)),
    ],
)
def test_a_missing_mandatory_element_is_named(name: str, de: int) -> None:
    """nac.md 4, presence table."""
    _, mti, fields = CASES[name]
    fault = refused(message(mti, fields).with_fields({de: None}))
    assert (fault.refusal, fault.de, fault.got) == (Refusal.FORMAT, de, "absent")


@pytest.mark.parametrize("name", ["pre-authorization", "balance", "refund without a reference", "completion"])
def test_a_request_must_show_its_card_somewhere(name: str) -> None:
    _, mti, fields = CASES[name]
    assert refused(message(mti, fields).with_fields({35: None})).de == 2


# --- DE 60 of a financial message ---


def test_six_digits_of_de_60_are_the_batch_where_the_profile_says_so() -> None:
    """rules.md 1: ignored by default, since HPDH sends 000001 for ever."""
    numbered = replace(NAC, profile={**NAC.profile, "de60_batch": True})
    asked = message("0200", SWIPE | {3: "000000", 4: "000000011000", 60: "000007"})
    assert operation(asked).batch is None
    assert operation(asked, numbered).batch == "000007"
    sent = replace(MONEY, batch="000007")
    assert nac.write_request(sent, numbered) == asked
    assert 60 not in nac.write_request(sent, NAC)
    void = replace(CASES["void of a sale"][0], batch="000007")
    assert nac.write_request(void, numbered)[60] == "000000010000"


# --- balance ---


@pytest.mark.parametrize(
    ("value", "balance", "currency"),
    [
        ("1002156C000000123456", 123456, "156"),
        ("1002156D000000000100", -100, "156"),
        ("1001156C000000999999" + "1002156C000000123456", 123456, "156"),
        ("000000123456", 123456, ""),
    ],
)
def test_a_balance_is_read_in_both_forms(value: str, balance: int, currency: str) -> None:
    """nac.md 4 says only «DE54 in the answer»: groups of 20 as in ISO 8583, or 12 digits."""
    asked = message(*CASES["balance"][1:])
    answer = nac.write_answer(asked, Outcome("00"), NAC).with_fields({54: value})
    read = nac.read_answer(answer, NAC)
    assert (read.balance, read.currency) == (balance, currency)


def test_the_host_answers_the_balance_in_twenty_characters() -> None:
    asked = message(*CASES["balance"][1:])
    answer = nac.write_answer(asked, Outcome("00", balance=123456, currency="156"), NAC)
    assert (answer.mti, answer[54]) == ("0110", "1002156C000000123456")
    assert 54 not in nac.write_answer(asked, Outcome("51", balance=123456, currency="156"), NAC)


def test_an_echoed_tip_is_no_balance() -> None:
    asked = message(*CASES["sale with tip"][1:])
    answer = nac.write_answer(asked, Outcome("00"), NAC).with_fields({54: "000000001000"})
    assert nac.read_answer(answer, NAC).balance is None


def test_chip_data_go_back_with_the_answer() -> None:
    said = Outcome("00", chip=bytes.fromhex("910A0102030405060708" + "3030"), amount=11000)
    answer = nac.write_answer(message(*CASES["chip sale"][1:]), said, NAC)
    assert answer[55] == "910A01020304050607083030"
    assert nac.read_answer(answer, NAC) == said


def test_the_answer_to_an_adjustment_echoes_its_amount() -> None:
    answer = nac.write_answer(message(*CASES["tip"][1:]), Outcome("00", amount=999), NAC)
    assert answer[4] == "000000011000"


# --- upload ---

UPLOADED = Operation(
    *(Kind.UPLOAD, TID, MID, "000131"), card=KEYED, advice=True, local_time="101112", local_date="0913"
)


@pytest.mark.parametrize(
    ("kind", "original", "code", "condition", "read_as"),
    [
        (Kind.SALE, "0200", "000000", "00", Kind.SALE),
        (Kind.CASH_BACK, "0200", "090000", "00", Kind.CASH_BACK),
        (Kind.REFUND, "0200", "200000", "00", Kind.REFUND),
        (Kind.COMPLETION, "0200", "000000", "06", Kind.COMPLETION),
        (Kind.COMPLETION_ADVICE, "0220", "000000", "06", Kind.COMPLETION_ADVICE),
        (Kind.OFFLINE_SALE, "0220", "000000", "00", Kind.OFFLINE_SALE),
    ],
)
def test_an_uploaded_item_carries_its_original_mti(
    kind: Kind, original: str, code: str, condition: str, read_as: Kind
) -> None:
    """nac.md 6: one 0320 per stored transaction, DE 60 = original MTI + STAN + RRN, DE 3 = original."""
    item = UploadItem(OriginalRef("000124", rrn=RRN, invoice="000045", auth_code=CODE), 11000, kind, PAN)
    written = nac.write_request(replace(UPLOADED, items=(item,)), NAC)
    assert (written[3], written[25], written[60]) == (code, condition, original + "000124" + RRN)
    assert operation(written).items == (replace(item, kind=read_as),)


def test_an_adjusted_sale_is_uploaded_as_itself_at_the_final_amount() -> None:
    """nac.md 6: S1 100.00 with tip 10.00 under its own STAN and MTI, 110.00."""
    item = UploadItem(OriginalRef("000124", rrn=RRN, invoice="000045"), 11000, Kind.SALE, PAN, tip=1000)
    written = nac.write_request(replace(UPLOADED, items=(item,)), NAC)
    assert (written[4], written[54], written[60][:10]) == ("000000011000", "000000001000", "0200000124")
    assert operation(written).items == (item,)


def test_a_refund_that_was_an_advice_is_uploaded_as_one() -> None:
    item = UploadItem(OriginalRef("000124", invoice="000045", mti="0220"), 2000, Kind.REFUND, PAN)
    written = nac.write_request(replace(UPLOADED, items=(item,)), NAC)
    assert (written[3], written[60]) == ("200000", "0220000124" + " " * 12)
    assert operation(written).items[0].kind is Kind.REFUND


@pytest.mark.parametrize("more", [True, False])
def test_a_certificate_is_uploaded_with_its_chip_data(more: bool) -> None:
    """nac.md 4: 0320 94a000."""
    ref = OriginalRef("000124", rrn=RRN, invoice="000045", auth_code=CODE)
    item = UploadItem(ref, 11000, None, PAN, form=UploadForm.TC, chip=CHIP)
    meant = replace(UPLOADED, kind=Kind.TC_UPLOAD, items=(item,), more=more)
    written = nac.write_request(meant, NAC)
    assert (written.mti, written[3], written[55]) == ("0320", f"94000{int(more)}", CHIP.hex().upper())
    read = operation(written)
    assert (read.kind, read.items, read.more, read.amount) == (Kind.TC_UPLOAD, (item,), more, None)
    assert nac.fits(written, nac.write_answer(written, Outcome("00"), NAC)) == ""


def test_a_certificate_without_original_data_belongs_to_its_own_stan() -> None:
    fields = {3: "940000", 11: "000124", 24: "003", 41: TID, 42: MID, 55: CHIP.hex().upper()}
    (item,) = operation(message("0320", fields)).items
    assert (item.ref.stan, item.amount, item.form, item.chip) == ("000124", 0, UploadForm.TC, CHIP)


# --- totals (rules.md 5) ---

EXAMPLE = (
    BatchItem(Kind.SALE, 10000, adjusted=True),  # S1
    BatchItem(Kind.TIP, 11000),  # S1 with its tip
    BatchItem(Kind.SALE, 5000, voided=True),  # S2
    BatchItem(Kind.VOID, 5000, of=Kind.SALE),  # V
    BatchItem(Kind.REFUND, 2000),  # R
    BatchItem(Kind.OFFLINE_SALE, 4000),  # O
    BatchItem(Kind.SALE, 3000, foreign=True),  # F
)
"""S3 is reversed: not handed over."""
EXAMPLE_63 = "003000000018000" + "001000000002000" + "0" * 60


def sums(sales: tuple[int, int], refunds: tuple[int, int]) -> Totals:
    return Totals((Sum("all", "sales", *sales), Sum("all", "refunds", *refunds)))


def settlement(totals: Totals, dialect: Dialect = NAC) -> Message:
    return nac.write_request(Operation(Kind.SETTLE, TID, MID, "000130", "000007", totals=totals), dialect)


def test_the_worked_example() -> None:
    """S1 110 + O 40 + F 30 = 3/180.00, refunds 1/20.00; net 160.00."""
    totals = nac.count(EXAMPLE)
    assert totals == sums((3, 18000), (1, 2000))
    assert settlement(totals)[63] == EXAMPLE_63


@pytest.mark.parametrize(
    ("items", "sales", "refunds"),
    [
        # A tip that is voided: the sale stays adjusted away, tip and void count nowhere.
        (
            (
                BatchItem(Kind.SALE, 10000, adjusted=True),
                BatchItem(Kind.TIP, 11000, voided=True),
                BatchItem(Kind.VOID, 11000, of=Kind.TIP),
            ),
            (0, 0),
            (0, 0),
        ),
        # A refund that is voided, its void, and one that stands.
        (
            (
                BatchItem(Kind.REFUND, 2000, voided=True),
                BatchItem(Kind.VOID, 2000, of=Kind.REFUND),
                BatchItem(Kind.REFUND, 300),
            ),
            (0, 0),
            (1, 300),
        ),
        # Cash back counts with its total; completions and the completion's void.
        (
            (
                BatchItem(Kind.CASH_BACK, 11000),
                BatchItem(Kind.COMPLETION, 700),
                BatchItem(Kind.COMPLETION_ADVICE, 50, voided=True),
                BatchItem(Kind.COMPLETION_VOID, 50, of=Kind.COMPLETION_ADVICE),
            ),
            (2, 11700),
            (0, 0),
        ),
        # Reversed ones count nowhere, pre-authorisations are no items.
        ((BatchItem(Kind.SALE, 8000, reversed=True), BatchItem(Kind.PRE_AUTH, 900)), (0, 0), (0, 0)),
        # Adjusted twice: only the last stands.
        (
            (
                BatchItem(Kind.SALE, 10000, adjusted=True),
                BatchItem(Kind.TIP, 11000, adjusted=True),
                BatchItem(Kind.ADJUST, 10500),
            ),
            (1, 10500),
            (0, 0),
        ),
    ],
)
def test_only_what_stands_is_counted(
    items: tuple[BatchItem, ...], sales: tuple[int, int], refunds: tuple[int, int]
) -> None:
    assert nac.count(items) == sums(sales, refunds)


@pytest.mark.parametrize(
    ("length", "sales", "refunds"),
    [
        (15, (3, 18000), (0, 0)),
        (30, (3, 18000), (1, 2000)),
        (36, (3, 18000), (1, 2000)),
        (60, (3, 18000), (1, 2000)),
        (75, (3, 18000), (1, 2000)),
        (90, (3, 18000), (1, 2000)),
        (97, (3, 18000), (1, 2000)),
    ],
)
def test_every_length_of_de_63_is_read(length: int, sales: tuple[int, int], refunds: tuple[int, int]) -> None:
    """rules: length / 15 groups, a remainder ignored; 36 is two groups and six more digits, 97 six and seven."""
    asked = settlement(Totals()).with_fields({63: EXAMPLE_63.ljust(length, "0")[:length]})
    assert operation(asked).totals == sums(sales, refunds)


@pytest.mark.parametrize(
    ("asked", "totals", "answered"),
    [
        (15, sums((1, 50000), (0, 0)), "001000000050000"),  # nac-hpdh-settlement-resp
        (15, sums((3, 18000), (1, 2000)), EXAMPLE_63),
        (30, sums((3, 18000), (1, 2000)), EXAMPLE_63[:30]),
        (36, sums((3, 18000), (1, 2000)), EXAMPLE_63[:36]),
        (60, sums((3, 18000), (1, 2000)), EXAMPLE_63[:60]),
        (75, sums((3, 18000), (1, 2000)), EXAMPLE_63[:75]),
        (97, sums((3, 18000), (1, 2000)), EXAMPLE_63),
    ],
)
def test_the_host_answers_in_the_form_of_the_request_where_that_can_hold_it(
    asked: int, totals: Totals, answered: str
) -> None:
    request = settlement(Totals()).with_fields({63: "0" * asked})
    answer = nac.write_answer(request, Outcome("", verdict=Verdict.DIFFERS, totals=totals), NAC)
    assert answer[63] == answered
    assert nac.read_answer(answer, NAC).totals == totals


def test_an_acquirer_of_debit_cards_has_its_own_groups() -> None:
    """`debit_groups`: groups 3 and 4 (nac.md 5); the host compares the sums all the same."""
    debit = replace(NAC, profile={**NAC.profile, "debit_groups": True})
    asked = settlement(nac.count(EXAMPLE), debit)
    assert asked[63] == "0" * 30 + EXAMPLE_63[:30] + "0" * 30
    assert operation(asked, debit).totals == operation(settlement(nac.count(EXAMPLE))).totals
    answer = nac.write_answer(asked, Outcome("", verdict=Verdict.AGREED, totals=nac.count(EXAMPLE)), debit)
    assert answer[63] == asked[63]
