"""What a terminal writes, through the codec and back, the host reads as it was meant; and so do the answers.

The operations are built from the words of the rules (who names what by which element), not from the tables under test.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import codec
from specs.codes import RESPONSE_CODES, Refusal
from specs.dialect import Dialect, load
from specs.errors import DecodeError
from specs.families import cup, family, nac
from specs.message import Message
from specs.operation import Card, Entry, Kind, Operation, OriginalRef, Outcome, Unreadable, UploadItem, Verdict
from specs.totals import BatchItem, Sum, Totals

CUP, NAC = load("cup"), load("nac")
HEADERLESS = load("cup-noheader")
DIALECTS = pytest.mark.parametrize("dialect", [CUP, HEADERLESS, NAC], ids=lambda d: d.name)


def digits(size: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=size, max_size=size)


def text(size: int) -> st.SearchStrategy[str]:
    return st.text("ABCXYZ0189", min_size=size, max_size=size)


minor = st.integers(0, 10**12 - 1)
stans, batches, invoices, rrns, codes = digits(6), digits(6), digits(6), text(12), text(6)
pans = st.from_regex(r"[1-9][0-9]{12,18}", fullmatch=True)
expiries = digits(4)
entries = st.sampled_from(list(Entry))
dates, times = digits(4), digits(6)
tids, mids = text(8), text(15)
pins = st.one_of(st.none(), st.binary(min_size=8, max_size=8))


@st.composite
def swiped(draw: st.DrawFn) -> Card:
    pan, expiry = draw(pans.filter(lambda p: len(p) <= 16)), draw(expiries)
    track = f"{pan}D{expiry}{draw(digits(3))}{draw(digits(8))}"
    return Card(pan, expiry, track, draw(st.sampled_from(["", "001", "123"])), draw(entries))


keyed = st.builds(Card, pans, expiries, st.just(""), st.sampled_from(["", "001"]), entries)
cards = st.one_of(swiped(), keyed)

cup_sums = st.tuples(*(st.tuples(st.integers(0, 999), minor) for _ in range(4))).map(
    lambda v: Totals(
        tuple(
            Sum(side, group, *pair)
            for (side, group), pair in zip(
                [("domestic", "debit"), ("domestic", "credit"), ("foreign", "debit"), ("foreign", "credit")],
                v,
                strict=True,
            )
        )
    )
)
nac_sums = st.tuples(*(st.tuples(st.integers(0, 999), minor) for _ in range(2))).map(
    lambda v: Totals((Sum("all", "sales", *v[0]), Sum("all", "refunds", *v[1])))
)


@st.composite
def cup_operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from([k for k in Kind if k not in (Kind.REFUND, Kind.OTHER)]))
    base = Operation(kind, draw(tids), draw(mids), draw(stans), draw(batches))
    match kind:
        case Kind.SIGN_ON:
            serial = draw(st.sampled_from(["", "306012345678", "ABCD0001"]))
            layout = draw(st.sampled_from([24, 40, 60]))
            return replace(base, key_layout=layout, operator=draw(text(2)), serial=serial)
        case Kind.SIGN_OFF:
            return replace(base, advice=True)
        case Kind.ECHO:
            return replace(base, advice=True, stan=draw(st.sampled_from(["", "000009"])))
        case Kind.SETTLE:
            return replace(base, currency=draw(digits(3)), totals=draw(cup_sums), operator=draw(text(3)))
        case Kind.UPLOAD_END:
            count = draw(st.integers(0, 9999))
            return replace(base, advice=True, count=count, balanced=draw(st.booleans()))
        case Kind.UPLOAD:
            item = st.builds(
                UploadItem,
                st.builds(OriginalRef, stans, st.just(base.batch or "")),
                minor,
                st.none(),
                pans,
                st.booleans(),
            )
            return replace(base, advice=True, items=tuple(draw(st.lists(item, min_size=1, max_size=8))))
    money = replace(
        base,
        currency=draw(digits(3)),
        amount=None if kind is Kind.BALANCE else draw(minor),
        processing_code={Kind.SALE: "00", Kind.VOID: "20", Kind.BALANCE: "31"}.get(
            kind, draw(st.sampled_from(["00", "20"]))
        )
        + draw(st.sampled_from(["0000", "1000", "3000"])),
    )
    if kind is Kind.REVERSAL:
        named = OriginalRef(money.stan, money.batch or "", amount=money.amount, auth_code=draw(st.just("") | codes))
        return replace(
            money,
            card=draw(keyed),
            original=named,
            reason=draw(st.sampled_from(["98", "A0", "06"])),
            repeat=draw(st.booleans()),
        )
    original = (
        OriginalRef(draw(stans), draw(batches), draw(st.just("") | rrns), auth_code=draw(st.just("") | codes))
        if kind is Kind.VOID
        else None
    )
    return replace(money, card=draw(cards), pin_block=draw(pins), original=original)


@st.composite
def nac_operations(draw: st.DrawFn) -> Operation:
    kind = draw(st.sampled_from([Kind.SALE, Kind.VOID, Kind.REVERSAL, Kind.SETTLE, Kind.UPLOAD, Kind.ECHO]))
    base = Operation(kind, draw(tids), draw(mids), draw(stans))
    auth_code, rrn, invoice = draw(st.just("") | codes), draw(st.just("") | rrns), draw(invoices)
    match kind:
        case Kind.ECHO:
            return replace(base, processing_code="990000", mid=draw(st.just("") | mids))
        case Kind.SETTLE:
            final = draw(st.booleans())
            code = "960000" if final else "920000"
            return replace(base, processing_code=code, final=final, batch=draw(batches), totals=draw(nac_sums))
        case Kind.UPLOAD:
            card, more = draw(keyed), draw(st.booleans())
            first, uploaded = draw(st.sampled_from([("00", Kind.SALE), ("20", Kind.REFUND), ("02", Kind.VOID)]))
            # A blank or zero RRN is not known (nac.md 10).
            ref = OriginalRef(draw(stans), rrn=rrn if rrn.strip("0") else "", invoice=invoice, auth_code=auth_code)
            return replace(
                base,
                advice=True,
                card=card,
                more=more,
                processing_code=f"{first}300{int(more)}",
                items=(UploadItem(ref, draw(minor), uploaded, card.pan),),
                local_date=draw(dates),
                local_time=draw(times),
            )
    amount = draw(minor.filter(bool))
    money = replace(base, amount=amount, invoice=invoice)
    named = OriginalRef(rrn=rrn, invoice=invoice, amount=amount, auth_code=auth_code)
    if kind is Kind.SALE:
        return replace(money, processing_code="003000", card=draw(cards), pin_block=draw(pins))
    timed = replace(money, local_date=draw(dates), local_time=draw(times), card=draw(keyed))
    if kind is Kind.VOID:
        return replace(timed, processing_code="020000", original=named)
    code = draw(st.sampled_from(["000000", "020000"]))
    return replace(timed, processing_code=code, original=replace(named, stan=base.stan), repeat=draw(st.booleans()))


def over_the_wire(message: Message, dialect: Dialect) -> Message:
    return codec.decode_payload(codec.encode_payload(message, dialect), dialect)


def operations(dialect: Dialect) -> st.SearchStrategy[Operation]:
    return nac_operations() if dialect is NAC else cup_operations()


@DIALECTS
@given(data=st.data())
def test_the_host_reads_what_the_terminal_meant(dialect: Dialect, data: st.DataObject) -> None:
    meant = data.draw(operations(dialect))
    module = family(dialect.family)
    read = module.read_request(over_the_wire(module.write_request(meant, dialect), dialect), dialect)
    assert isinstance(read, Operation), read
    # A reversal holds no PIN: only the third digit of DE 22 told of one.
    assert replace(read, content=()) == meant


@DIALECTS
@given(data=st.data())
def test_what_is_compared_is_what_was_sent(dialect: Dialect, data: st.DataObject) -> None:
    """rules.md 1, row «same content means»."""
    meant = data.draw(operations(dialect).filter(lambda op: op.kind in (Kind.SALE, Kind.VOID)))
    module = family(dialect.family)
    read = module.read_request(over_the_wire(module.write_request(meant, dialect), dialect), dialect)
    assert isinstance(read, Operation)
    assert meant.card is not None
    expected = {"processing_code": meant.processing_code[:2], "amount": f"{meant.amount:012d}", "pan": meant.card.pan}
    if dialect is NAC:
        expected["invoice"] = meant.invoice
        expected |= {"rrn": meant.original.rrn} if meant.original and meant.original.rrn else {}
    else:
        expected |= {"type": "22" if meant.kind is Kind.SALE else "23", "currency": meant.currency}
        expected |= {"original": meant.original.batch + meant.original.stan} if meant.original else {}
    assert dict(read.content) == expected


@DIALECTS
@given(data=st.data())
def test_a_reversal_made_from_a_stored_request_names_it(dialect: Dialect, data: st.DataObject) -> None:
    meant = data.draw(operations(dialect).filter(lambda op: op.kind in (Kind.SALE, Kind.VOID)))
    module = family(dialect.family)
    stored = over_the_wire(module.write_request(meant, dialect), dialect)
    made = over_the_wire(module.reversal_of(stored, "98", dialect), dialect)
    assert not {26, 35, 36, 45, 48, 52, 53, 57, 64} & made.fields.keys()
    read = module.read_request(made, dialect)
    assert isinstance(read, Operation), read
    assert meant.card is not None
    assert read.card is not None
    assert read.original is not None
    assert (read.kind, read.stan, read.batch, read.amount) == (Kind.REVERSAL, meant.stan, meant.batch, meant.amount)
    assert (read.original.stan, read.card.pan, read.invoice) == (meant.stan, meant.card.pan, meant.invoice)
    assert (39 in made) == (dialect is not NAC)


approvals = {
    name: sorted(code for code, row in table.items() if row.approved) for name, table in RESPONSE_CODES.items()
}


@st.composite
def outcomes(draw: st.DrawFn, op: Operation, dialect: Dialect) -> Outcome:
    """An answer whose every word the wire of this dialect has room for."""
    code = draw(st.sampled_from(["00", "00", *approvals[dialect.family], "51", "25", "96"]))
    good = code in approvals[dialect.family]
    at = draw(dates) + draw(times)
    if dialect is NAC:
        money = op.kind in (Kind.SALE, Kind.VOID)
        said = Outcome(
            code,
            at=at,
            rrn="" if op.kind is Kind.ECHO else draw(rrns),
            auth_code=draw(codes) if money and good else "",
            amount=draw(minor) if good and op.kind in (Kind.SALE, Kind.VOID, Kind.REVERSAL) else None,
            text=draw(st.sampled_from(["", "THANK YOU"])) if money else "",
        )
        if op.kind is Kind.UPLOAD:
            return replace(said, amount=op.items[0].amount if good else None)
        if op.kind is not Kind.SETTLE:
            return said
        verdicts = {
            "00": Verdict.AGREED,
            "95": Verdict.UPLOAD_INCOMPLETE if op.final else Verdict.DIFFERS,
            "77": Verdict.STILL_DIFFERS if op.final else Verdict.CLOSED_OTHER,
            "80": Verdict.NUMBER_STALE,
            "96": None,
        }
        code = draw(st.sampled_from(list(verdicts)))
        return replace(said, code=code, verdict=verdicts[code], totals=draw(nac_sums))
    acquirer = draw(digits(8))
    rrn = "" if op.kind is Kind.ECHO else draw(rrns)
    said = Outcome(code, at=at, rrn=rrn, acquirer="" if op.kind is Kind.ECHO else acquirer)
    match op.kind:
        case Kind.SIGN_ON:
            keys = draw(st.binary(min_size=op.key_layout, max_size=op.key_layout)) if good else None
            return replace(said, batch=draw(batches), keys=keys)
        case Kind.SIGN_OFF | Kind.ECHO:
            return said
        case Kind.UPLOAD:
            return replace(said, count=len(op.items))
        case Kind.UPLOAD_END:
            return replace(said, count=op.count)
        case Kind.SETTLE:
            verdicts3 = st.sampled_from([Verdict.AGREED, Verdict.DIFFERS, Verdict.CLOSED_OTHER])
            sides = (("domestic", draw(verdicts3)), ("foreign", draw(verdicts3)))
            order = [Verdict.AGREED, Verdict.DIFFERS, Verdict.CLOSED_OTHER]
            worst = max((v for _, v in sides), key=order.index)
            return replace(
                said,
                code="",
                currency=op.currency,
                business_date=draw(dates),
                sides=sides,
                verdict=worst,
                totals=draw(cup_sums),
            )
    said = replace(said, currency=op.currency, issuer=draw(digits(8)))
    if op.kind is Kind.BALANCE:
        return replace(said, balance=draw(st.integers(-(10**12) + 1, 10**12 - 1)) if good else None)
    said = replace(said, business_date=draw(dates), amount=draw(minor) if good else None)
    if op.kind is Kind.REVERSAL:
        return said
    return replace(
        said,
        auth_code=draw(codes) if good else "",
        organisation=draw(st.sampled_from(["CUP", "VIS", "MCC"])),
        balance=draw(minor) if code == "10" else None,
    )


@DIALECTS
@given(data=st.data())
def test_the_terminal_reads_what_the_host_said(dialect: Dialect, data: st.DataObject) -> None:
    op = data.draw(operations(dialect))
    module = family(dialect.family)
    request = over_the_wire(module.write_request(op, dialect), dialect)
    processing = "0" if dialect is not CUP else data.draw(st.sampled_from("0123"))
    said = replace(data.draw(outcomes(op, dialect)), request=processing)
    answer = over_the_wire(module.write_answer(request, said, dialect), dialect)
    assert module.read_answer(answer, dialect) == said
    if said.amount in (None, op.amount) or said.code == "10":
        assert module.fits(request, answer) == ""


@DIALECTS
@given(data=st.data())
def test_every_refusal_of_every_request_makes_an_answer_that_fits(dialect: Dialect, data: st.DataObject) -> None:
    module = family(dialect.family)
    request = over_the_wire(module.write_request(data.draw(operations(dialect)), dialect), dialect)
    fault = Unreadable(data.draw(st.sampled_from(list(Refusal))), 0, "", "")
    answer = module.refusal_answer(request, fault, "0913101112", dialect)
    assert answer is not None
    answer = over_the_wire(answer, dialect)
    assert module.fits(request, answer) == ""
    assert module.read_answer(answer, dialect).code == answer[39]


wild = st.text("0123456789ABCDEF D=", max_size=70)


@DIALECTS
@given(data=st.data(), changes=st.dictionaries(st.sampled_from(range(2, 65)), st.none() | wild, max_size=6))
def test_no_broken_request_is_a_surprise(dialect: Dialect, data: st.DataObject, changes: dict[int, str | None]) -> None:
    """A lenient listener hands over whatever it could read: it is an operation or a refusal, never an exception."""
    module = family(dialect.family)
    request = module.write_request(data.draw(operations(dialect)), dialect).with_fields(changes)
    read = module.read_request(request, dialect)
    if isinstance(read, Unreadable):
        answer = module.refusal_answer(request, read, "0913101112", dialect)
        assert answer is not None
        codec.encode_payload(answer, dialect)


@DIALECTS
@given(data=st.data(), changes=st.dictionaries(st.sampled_from(range(2, 65)), st.none() | wild, max_size=6))
def test_no_broken_answer_is_a_surprise(dialect: Dialect, data: st.DataObject, changes: dict[int, str | None]) -> None:
    op = data.draw(operations(dialect))
    module = family(dialect.family)
    request = module.write_request(op, dialect)
    answer = module.write_answer(request, data.draw(outcomes(op, dialect)), dialect).with_fields(changes)
    module.fits(request, answer)
    blamed = None
    try:
        module.read_answer(answer, dialect)
    except DecodeError as error:
        blamed = error.de
    assert blamed is None or blamed in changes


items = st.lists(
    st.builds(
        BatchItem,
        st.sampled_from([Kind.SALE, Kind.VOID, Kind.REFUND]),
        st.integers(1, 10**6),
        st.booleans(),
        st.booleans(),
    ),
    max_size=20,
)


@given(items)
def test_totals_do_not_depend_on_the_order(books: list[BatchItem]) -> None:
    assert cup.count(books) == cup.count(books[::-1])
    assert nac.count(books) == nac.count(books[::-1])


@given(
    st.lists(st.builds(BatchItem, st.just(Kind.SALE), st.integers(1, 10**6), st.booleans(), st.booleans()), max_size=20)
)
def test_both_families_settle_the_same_net(sales: list[BatchItem]) -> None:
    """rules.md 5: only the wire's gross figures differ. Each voided sale has its void in the books."""
    books = sales + [BatchItem(Kind.VOID, s.amount, s.foreign) for s in sales if s.voided]
    wanted = sum(s.amount for s in sales if not s.voided)
    signs = {"debit": 1, "credit": -1, "sales": 1, "refunds": -1}
    for totals in (cup.count(books), nac.count(books)):
        assert sum(signs[s.group] * s.amount for s in totals.sums) == wanted
