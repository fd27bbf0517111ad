"""ISO 8583:1987: what a terminal writes, through the codec and back, the host reads as meant; and so the answers.

Every layout that a listener's URL can ask for says the same thing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.codes import RESPONSE_CODES, Refusal
from specs.dialect import Dialect, load
from specs.endpoint import parse
from specs.errors import DecodeError
from specs.families import iso87
from specs.framing import FrameReader, frame
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, Verdict
from specs.totals import BatchItem, Sum, Totals

ISO = load("iso87")
LAYOUTS = [
    ISO,
    load("iso87-binary"),
    load("as2805"),
    parse("iso87://:1?charset=ebcdic&length=ascii4").dialect,
    parse("iso87://:1?bitmap=binary&binary=raw&numeric=bcd&lengths=bcd&mti=bcd&tpdu=1").dialect,
]
each_layout = pytest.mark.parametrize("dialect", LAYOUTS, ids=["hex", "binary", "as2805", "ebcdic", "bcd"])


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


def text(size: int) -> st.SearchStrategy[str]:
    return st.text("ABCXYZ0189", min_size=size, max_size=size)


minor = st.integers(0, 10**12 - 1)
given_stans = digits(6).filter(lambda s: s.strip("0"))
moments = digits(10).filter(lambda s: s.strip("0"))
currencies = digits(3)
pans = st.from_regex(r"[1-9][0-9]{12,18}", fullmatch=True)
chips = st.none() | st.binary(min_size=1, max_size=200)
entries = st.sampled_from(list(Entry))


@st.composite
def swiped(draw: st.DrawFn) -> Card:
    pan, expiry = draw(pans.filter(lambda p: len(p) <= 16)), draw(digits(4))
    track = f"{pan}D{expiry}{draw(digits(3))}{draw(digits(8))}"
    return Card(pan, expiry, track, draw(st.sampled_from(["", "001"])), draw(entries))


keyed = st.builds(Card, pans, digits(4), st.just(""), st.sampled_from(["", "001"]), entries)
cards = swiped() | keyed
figures = st.tuples(*(st.tuples(st.integers(0, 10**10 - 1), st.integers(0, 10**15)) for _ in range(4))).map(
    lambda v: Totals(
        tuple(
            Sum("all", name, *pair)
            for name, pair in zip(["credits", "credit-reversals", "debits", "debit-reversals"], v, strict=True)
        )
    )
)

#: Kind -> (DE 3 digits 1-2 that say it, MTI of the original as DE 90 may have it).
MONEY: dict[Kind, tuple[list[str], list[str]]] = {
    Kind.SALE: (["00", "01"], []),
    Kind.CASH_BACK: (["09"], []),
    Kind.OFFLINE_SALE: (["00"], []),
    Kind.BALANCE: (["31"], []),
    Kind.PRE_AUTH: (["00", "03", "30"], []),
    Kind.VOID: (["02", "22"], ["0200", "0220", "0201"]),
    Kind.REFUND: (["20"], ["0200", "0220"]),
    Kind.ADJUST: (["00"], ["0200", "0220"]),
    Kind.TIP: (["00"], ["0200", "0210"]),
    Kind.COMPLETION: (["00"], ["0100", "0120"]),
    Kind.COMPLETION_ADVICE: (["00"], ["0100", "0101"]),
    Kind.PRE_AUTH_INCREMENT: (["00", "03", "30"], ["0100"]),
    Kind.PRE_AUTH_VOID: (["02"], ["0100", "0120"]),
}
ALWAYS_ADVICES = (Kind.OFFLINE_SALE, Kind.ADJUST, Kind.TIP, Kind.COMPLETION_ADVICE)
EITHER = (Kind.REFUND, Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT)
AT_ITS_AMOUNT = (Kind.VOID, Kind.PRE_AUTH_VOID)


@st.composite
def originals(draw: st.DrawFn, op: Operation, mtis: list[str]) -> OriginalRef | None:
    code = draw(st.just("") | text(6))
    amount = op.amount if op.kind in AT_ITS_AMOUNT else None
    named = OriginalRef(
        draw(given_stans),
        amount=amount,
        auth_code=code,
        transmitted=draw(st.just("") | moments),
        mti=draw(st.sampled_from(mtis)),
    )
    if op.kind is Kind.REFUND:
        return draw(st.sampled_from([named, OriginalRef(rrn=draw(text(12)), auth_code=code), None]))
    if op.kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE):
        return draw(st.sampled_from([named, OriginalRef(auth_code=draw(text(6)))]))
    return named


@st.composite
def money_operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from(sorted(MONEY)))
    codes, mtis = MONEY[kind]
    op = Operation(
        *(kind, draw(text(8)), draw(text(15)), draw(digits(6)), None),
        amount=None if kind is Kind.BALANCE else draw(minor),
        currency=draw(currencies),
        card=draw(cards),
        pin_block=draw(st.none() | st.binary(min_size=8, max_size=8)),
        advice=kind in ALWAYS_ADVICES or (kind in EITHER and draw(st.booleans())),
        repeat=draw(st.booleans()),
        processing_code=draw(st.sampled_from(codes)) + draw(st.sampled_from(["0000", "1000", "3000"])),
        local_date=draw(digits(4)),
        local_time=draw(digits(6)),
        transmitted=draw(digits(10)),
        chip=draw(chips),
    )
    if kind is Kind.TIP:
        op = replace(op, tip=draw(minor))
    if kind is Kind.CASH_BACK:
        op = replace(op, cash=draw(st.none() | minor))
    if mtis:
        op = replace(op, original=draw(originals(op, mtis)))
    else:
        op = replace(op, auth_code=draw(st.just("") | text(6)))
    by_rrn = kind is Kind.REFUND and (op.original is None or not op.original.stan)
    return op if by_rrn else replace(op, rrn=draw(st.just("") | text(12)))


@st.composite
def other_operations(draw: st.DrawFn) -> Operation:
    kind = draw(
        st.sampled_from([Kind.REVERSAL, Kind.SETTLE, Kind.SIGN_ON, Kind.SIGN_OFF, Kind.ECHO, Kind.SCRIPT_RESULT])
    )
    base = Operation(kind, draw(text(8)), draw(text(15)), draw(digits(6)), transmitted=draw(digits(10)))
    base = replace(base, repeat=draw(st.booleans()))
    match kind:
        case Kind.SETTLE:
            final = draw(st.booleans())
            said = replace(base, totals=draw(figures), day=draw(digits(4)), currency=draw(currencies))
            return replace(said, final=final, advice=final)
        case Kind.REVERSAL:
            amount = draw(minor)
            named = OriginalRef(
                *(draw(given_stans), "", "", "", amount, draw(st.just("") | text(6))),
                transmitted=draw(moments),
                mti=draw(st.sampled_from(["0100", "0200", "0220"])),
            )
            return replace(
                base,
                amount=amount,
                advice=draw(st.booleans()),
                processing_code=draw(digits(6)),
                card=draw(keyed),
                original=named,
                reason=draw(st.sampled_from(["98", "A0", "06"])),
                currency=draw(currencies),
                local_date=draw(digits(4)),
                local_time=draw(digits(6)),
            )
        case Kind.SCRIPT_RESULT:
            return replace(base, advice=True, chip=draw(st.binary(min_size=1, max_size=200)), card=draw(keyed))
    return replace(base, advice=draw(st.booleans()))


operations = money_operations() | other_operations()


def over_the_wire(message: Message, dialect: Dialect) -> Message:
    raw = frame(codec.encode_payload(message, dialect), dialect.frame)
    (payload,) = FrameReader(dialect.frame).feed(raw)
    return codec.decode_payload(payload, dialect)


@each_layout
@given(meant=operations)
def test_the_host_reads_what_the_terminal_meant(dialect: Dialect, meant: Operation) -> None:
    read = iso87.read_request(over_the_wire(iso87.write_request(meant, dialect), dialect), dialect)
    assert isinstance(read, Operation), read
    assert replace(read, content=()) == meant


@given(meant=money_operations(), reason=st.sampled_from(["98", "A0", "06"]))
def test_a_reversal_made_from_a_stored_request_names_it(meant: Operation, reason: str) -> None:
    """rules.md 1: DE 90 has its MTI, STAN and DE 7; the same STAN, amount and local time beside it."""
    stored = over_the_wire(iso87.write_request(meant, ISO), ISO)
    made = over_the_wire(iso87.repeat_of(iso87.reversal_of(stored, reason, ISO)), ISO)
    assert made.mti == "0421"
    assert not {35, 52, 64, 128} & made.fields.keys()
    if meant.kind is Kind.BALANCE:
        return
    read = iso87.read_request(made, ISO)
    assert isinstance(read, Operation), read
    assert read.original is not None
    assert (read.kind, read.repeat, read.reason, read.stan) == (Kind.REVERSAL, True, reason, meant.stan)
    assert (read.amount, read.processing_code) == (meant.amount, meant.processing_code)
    assert (read.local_date, read.local_time) == (meant.local_date, meant.local_time)
    if meant.stan.strip("0"):
        assert (read.original.stan, read.original.mti) == (meant.stan, stored.mti)
        assert read.original.transmitted in (meant.transmitted, "")
    assert meant.card is not None
    assert read.card is not None
    assert read.card.pan == meant.card.pan


APPROVALS = sorted(code for code, row in RESPONSE_CODES["iso87"].items() if row.approved)
NO_BALANCE = (Kind.REVERSAL, Kind.SCRIPT_RESULT, Kind.ADJUST, Kind.TIP)


@st.composite
def outcomes(draw: st.DrawFn, op: Operation, request: Message) -> Outcome:
    """An answer whose every word the wire has room for; what is echoed is the request's."""
    code = draw(st.sampled_from(["00", "00", *APPROVALS, "51", "25", "96"]))
    good = code in APPROVALS
    own_time = op.local_date + op.local_time
    said = Outcome(code, at=own_time or draw(digits(10)), currency=op.currency)
    if op.kind in (Kind.SIGN_ON, Kind.SIGN_OFF, Kind.ECHO):
        return replace(said, business_date=draw(st.just("") | digits(4)))
    if op.kind is Kind.SETTLE:
        verdicts = [Verdict.AGREED, Verdict.CLOSED_OTHER, Verdict.STILL_DIFFERS if op.final else Verdict.DIFFERS]
        verdict = draw(st.sampled_from(verdicts))
        totals = op.totals if verdict is Verdict.AGREED else draw(figures)
        settled = replace(said, code="00", verdict=verdict, totals=totals, business_date=op.day)
        return draw(st.sampled_from([settled, replace(said, code="96", business_date=op.day)]))
    said = replace(said, rrn=request.get(37) or draw(text(12)), business_date=draw(digits(4)))
    if op.kind is Kind.SCRIPT_RESULT:
        return said
    echoed = op.kind in (Kind.ADJUST, Kind.TIP)
    has_amount = good and op.kind is not Kind.BALANCE
    said = replace(said, amount=(op.amount if echoed else draw(minor)) if has_amount else None)
    if op.kind is Kind.REVERSAL:
        return said
    said = replace(said, auth_code=draw(text(6)) if good else "")
    if op.kind in NO_BALANCE:
        return said
    left = draw(st.integers(-(10**12) + 1, 10**12 - 1)) if op.kind is Kind.BALANCE and good else None
    return replace(said, chip=draw(chips), balance=draw(minor) if code == "10" else left)


@each_layout
@given(data=st.data())
def test_the_terminal_reads_what_the_host_said(dialect: Dialect, data: st.DataObject) -> None:
    op = data.draw(operations)
    request = over_the_wire(iso87.write_request(op, dialect), dialect)
    said = data.draw(outcomes(op, request))
    answer = over_the_wire(iso87.write_answer(request, said, dialect), dialect)
    assert iso87.read_answer(answer, dialect) == said
    if said.amount in (None, op.amount) or said.code == "10":
        assert iso87.fits(request, answer) == ""


@given(data=st.data())
def test_every_refusal_of_every_request_makes_an_answer_that_fits(data: st.DataObject) -> None:
    request = over_the_wire(iso87.write_request(data.draw(operations), ISO), ISO)
    fault = Unreadable(data.draw(st.sampled_from(list(Refusal))), 0, "", "")
    answer = iso87.refusal_answer(request, fault, "0913101112", ISO)
    assert answer is not None
    answer = over_the_wire(answer, ISO)
    assert iso87.fits(request, answer) == ""
    assert iso87.read_answer(answer, ISO).code == answer[39]


wild = st.text("0123456789ABCDEF D=", max_size=70)
changed = st.dictionaries(st.sampled_from([*range(2, 65), *range(66, 100)]), st.none() | wild, max_size=6)


@given(meant=operations, changes=changed)
def test_no_broken_request_is_a_surprise(meant: Operation, changes: dict[int, str | None]) -> None:
    """A lenient listener hands over whatever it could read: an operation or a refusal, and an answer to either."""
    broken = iso87.write_request(meant, ISO).with_fields(changes)
    try:
        read = iso87.read_request(broken, ISO)
    except (DecodeError, ValueError):
        read = Unreadable(Refusal.FORMAT, 0, "", "")
    if isinstance(read, Unreadable):
        answer = iso87.refusal_answer(broken, read, "0913101112", ISO)
    else:
        answer = iso87.write_answer(broken, Outcome("00", verdict=Verdict.AGREED), ISO)
    assert answer is not None
    if isinstance(read, Unreadable):
        assert codec.encode_payload(answer, ISO)


@given(mti=digits(4), fields=st.dictionaries(st.integers(2, 128), wild, max_size=12))
def test_no_message_is_a_surprise(mti: str, fields: dict[int, str]) -> None:
    message = Message(mti, fields)
    try:
        read = iso87.read_request(message, ISO)
    except (DecodeError, ValueError):
        return
    assert isinstance(read, Operation | Unreadable)
    iso87.carries_mac(message)


batch_items = st.lists(
    st.builds(
        BatchItem,
        st.sampled_from([Kind.SALE, Kind.REFUND, Kind.VOID, Kind.TIP, Kind.COMPLETION, Kind.OFFLINE_SALE]),
        st.integers(1, 10**6),
        adjusted=st.booleans(),
        reversed=st.booleans(),
        of=st.sampled_from([None, Kind.SALE, Kind.REFUND]),
    ),
    max_size=12,
)


@given(items=batch_items)
def test_a_reversed_item_changes_the_gross_figures_and_not_the_net(items: list[BatchItem]) -> None:
    """rules.md 5: «none» leaves it out, DE 97 is the same."""
    items = [replace(item, reversed=item.reversed and item.kind is not Kind.VOID) for item in items]

    def net(batch: list[BatchItem]) -> int:
        by_group = {s.group: s.amount for s in iso87.count(batch).sums}
        return by_group["credits"] + by_group["debit-reversals"] - by_group["debits"] - by_group["credit-reversals"]

    assert net(items) == net([item for item in items if not item.reversed])
