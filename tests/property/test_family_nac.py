"""NAC: every kind that a terminal writes goes through the codec and back, and totals keep to rules.md section 5.

The operations are built from the words of the rules (who names what by which element), not from the tables under test.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.codes import RESPONSE_CODES, Refusal
from specs.dialect import load
from specs.errors import DecodeError
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
)
from specs.totals import BatchItem

NAC = load("nac")


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


def text(size: int) -> st.SearchStrategy[str]:
    return st.text("ABCXYZ0189", min_size=size, max_size=size)


minor = st.integers(1, 10**12 - 1)
# A blank RRN or one of zeros is not known (nac.md 10).
rrns = text(12).filter(lambda v: v.strip("0") != "")
maybe_rrns, maybe_codes = st.just("") | rrns, st.just("") | text(6)
chips = st.none() | st.just(bytes.fromhex("9F2608689BB04E70B50CDA9F360202CC"))
keyed = st.builds(Card, digits(16), digits(4), st.just(""), st.sampled_from(["", "001"]), st.sampled_from(list(Entry)))


@st.composite
def swiped(draw: st.DrawFn) -> Card:
    card = draw(keyed)
    return replace(card, track2=f"{card.pan}D{card.expiry}{draw(digits(8))}")


#: kind -> DE 3 as nac.md section 4 has it; a = any account.
PROCESSING = {
    Kind.SALE: ("00",),
    Kind.CASH_BACK: ("09", "17"),
    Kind.REFUND: ("20",),
    Kind.VOID: ("02", "22"),
    Kind.PRE_AUTH: ("30",),
    Kind.PRE_AUTH_VOID: ("02",),
    Kind.COMPLETION: ("00",),
    Kind.COMPLETION_ADVICE: ("00",),
    Kind.OFFLINE_SALE: ("00",),
    Kind.ADJUST: ("02",),
    Kind.TIP: ("02", "00"),
    Kind.BALANCE: ("31",),
}
WITH_TRACK = (Kind.SALE, Kind.CASH_BACK, Kind.REFUND, Kind.PRE_AUTH, Kind.COMPLETION, Kind.BALANCE)
ADVICES = (Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.ADJUST, Kind.TIP)


@st.composite
def money(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(list(PROCESSING)))
    code = draw(st.sampled_from(PROCESSING[kind])) + draw(st.sampled_from("01234")) + "000"
    tracked = kind in WITH_TRACK
    made = Operation(
        *(kind, draw(text(8)), draw(text(15)), draw(digits(6))),
        amount=None if kind is Kind.BALANCE else draw(minor),
        card=draw(swiped() | keyed if tracked else keyed),
        pin_block=draw(st.none() | st.binary(min_size=8, max_size=8)) if tracked else None,
        advice=kind in ADVICES,
        processing_code=code,
        invoice=draw(digits(6)),
        chip=None if kind is Kind.PRE_AUTH_VOID else draw(chips),
    )
    named = OriginalRef(rrn=draw(maybe_rrns), auth_code=draw(maybe_codes))
    match kind:
        case Kind.CASH_BACK:
            return replace(made, cash=draw(minor))
        case Kind.SALE | Kind.PRE_AUTH:
            return replace(made, tip=draw(st.none() | minor))
        case Kind.BALANCE:
            return made
        case Kind.REFUND:
            made = replace(made, original=draw(st.none() | st.just(named))) if named.rrn else made
        case Kind.COMPLETION | Kind.COMPLETION_ADVICE:
            made = replace(made, original=replace(named, auth_code=draw(text(6))), tip=draw(st.none() | minor))
        case Kind.OFFLINE_SALE:
            made = replace(made, rrn=named.rrn, auth_code=named.auth_code, tip=draw(st.none() | minor))
        case _:
            # DE 3 00xxxx is an adjustment only by the original amount in DE 60.
            named = replace(named, invoice=made.invoice, amount=draw(minor))
            made = replace(made, original=named, tip=draw(minor) if kind is Kind.TIP else None)
    if kind is Kind.COMPLETION:
        return made
    return replace(made, local_time=draw(digits(6)), local_date=draw(digits(4)))


@st.composite
def certificates(draw: st.DrawFn) -> Operation:
    card, more = draw(keyed), draw(st.booleans())
    ref = OriginalRef(draw(digits(6)), rrn=draw(maybe_rrns), invoice=draw(digits(6)), auth_code=draw(maybe_codes))
    item = UploadItem(ref, draw(minor), None, card.pan, form=UploadForm.TC, chip=draw(chips.filter(bool)))
    return Operation(
        *(Kind.TC_UPLOAD, draw(text(8)), draw(text(15)), draw(digits(6))),
        card=card,
        advice=True,
        processing_code=f"94000{int(more)}",
        items=(item,),
        more=more,
    )


operations = money() | certificates()


def over_the_wire(message: Message) -> Message:
    return codec.decode_payload(codec.encode_payload(message, NAC), NAC)


@given(operations)
def test_the_host_reads_what_the_terminal_meant(meant: Operation) -> None:
    read = nac.read_request(over_the_wire(nac.write_request(meant, NAC)), NAC)
    assert isinstance(read, Operation), read
    assert replace(read, content=()) == meant


APPROVALS = sorted(code for code, row in RESPONSE_CODES["nac"].items() if row.approved)


@given(st.data())
def test_the_terminal_reads_what_the_host_said(data: st.DataObject) -> None:
    asked = data.draw(money())
    request = over_the_wire(nac.write_request(asked, NAC))
    code = data.draw(st.sampled_from([*APPROVALS, "51", "96"]))
    good = code in APPROVALS
    said = Outcome(
        code,
        at=data.draw(digits(4)) + data.draw(digits(6)),
        rrn=data.draw(rrns),
        auth_code=data.draw(text(6)) if good else "",
        amount=asked.amount if good else None,
        chip=data.draw(chips),
    )
    if good and asked.kind is Kind.BALANCE:
        said = replace(said, balance=data.draw(st.integers(-(10**12) + 1, 10**12 - 1)), currency=data.draw(digits(3)))
        said = replace(said, currency=said.currency if said.currency != "000" else "")
    answer = over_the_wire(nac.write_answer(request, said, NAC))
    assert nac.read_answer(answer, NAC) == said
    assert nac.fits(request, answer) == ""


REVERSIBLE = (*WITH_TRACK[:-1], Kind.VOID, Kind.PRE_AUTH_VOID)


@given(money().filter(lambda op: op.kind in REVERSIBLE))
def test_a_reversal_names_the_request_it_undoes(meant: Operation) -> None:
    made = over_the_wire(nac.reversal_of(over_the_wire(nac.write_request(meant, NAC)), "98", NAC))
    assert not {26, 35, 39, 45, 48, 52, 57, 64} & made.fields.keys()
    read = nac.read_request(made, NAC)
    assert isinstance(read, Operation), read
    assert read.original is not None
    assert read.card is not None
    assert meant.card is not None
    assert (read.kind, read.original.stan, read.original.amount) == (Kind.REVERSAL, meant.stan, meant.amount)
    assert (read.processing_code, read.invoice, read.card.pan) == (meant.processing_code, meant.invoice, meant.card.pan)


wild = st.none() | st.text("0123456789ABCDEF D=", max_size=70)


@given(operations, st.dictionaries(st.sampled_from(range(2, 65)), wild, max_size=6))
def test_no_broken_request_is_a_surprise(meant: Operation, changes: dict[int, str | None]) -> None:
    """What a lenient listener lets in is an operation or a refusal that can be answered, never an exception."""
    request = nac.write_request(meant, NAC).with_fields(changes)
    read = nac.read_request(request, NAC)
    if isinstance(read, Unreadable):
        assert read.refusal in (Refusal.FORMAT, Refusal.UNKNOWN_TYPE, Refusal.NOT_OFFERED)
        answer = nac.refusal_answer(request, read, "0913101112", NAC)
        assert answer is not None
        codec.encode_payload(answer, NAC)


@given(operations, st.dictionaries(st.sampled_from(range(2, 65)), wild, max_size=6))
def test_no_broken_answer_is_a_surprise(meant: Operation, changes: dict[int, str | None]) -> None:
    request = nac.write_request(meant, NAC)
    answer = nac.write_answer(request, Outcome("00", balance=5, amount=meant.amount), NAC).with_fields(changes)
    nac.fits(request, answer)
    try:
        nac.read_answer(answer, NAC)
    except DecodeError as error:
        assert error.de in changes  # noqa: PT017


items = st.lists(
    st.builds(
        BatchItem,
        st.sampled_from(list(Kind)),
        st.integers(1, 10**6),
        st.booleans(),
        voided=st.booleans(),
        adjusted=st.booleans(),
        reversed=st.booleans(),
    ),
    max_size=20,
)


@given(items)
def test_what_does_not_stand_counts_nowhere(books: list[BatchItem]) -> None:
    standing = [i for i in books if not (i.voided or i.adjusted or i.reversed)]
    assert nac.count(books) == nac.count(standing) == nac.count(reversed(books))


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**5), st.sampled_from(["", "void", "tip"]))))
def test_the_net_is_what_the_cards_paid(sales: list[tuple[int, int, str]]) -> None:
    """Each sale stands, is voided with its void beside it, or has its tip's adjustment in its place."""
    books: list[BatchItem] = []
    paid = 0
    for amount, tip, fate in sales:
        books.append(BatchItem(Kind.SALE, amount, voided=fate == "void", adjusted=fate == "tip"))
        if fate == "void":
            books.append(BatchItem(Kind.VOID, amount, of=Kind.SALE))
        if fate == "tip":
            books.append(BatchItem(Kind.TIP, amount + tip))
        paid += {"": amount, "void": 0, "tip": amount + tip}[fate]
    assert nac.count(books).get("all", "sales").amount == paid
