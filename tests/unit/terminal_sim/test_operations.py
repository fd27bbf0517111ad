"""Every order in every family against a scripted host: approved, declined, not answered; what is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from specs.operation import Card, Entry, Kind
from specs.security import pin_from_block
from terminal_sim.flash import MemoryFlash
from terminal_sim.moves import (
    Adjust,
    Balance,
    Complete,
    End,
    OfflineSale,
    Order,
    PreAuth,
    PreAuthVoid,
    Refund,
    Sale,
    SendStored,
    Settle,
    SignOn,
    Void,
)
from terminal_sim.state import RowState
from tests.support.scripted_host import KEY_BLOCK, drop
from tests.support.till import CARD, FOREIGN, Till, agree

FAMILIES = ("cup", "nac", "iso87")
EACH = pytest.mark.parametrize("dialect", FAMILIES)
REQUESTS = pytest.mark.parametrize("dialect", ["nac", "iso87"])
PIK = bytes.fromhex("2315208C9110AD40AB1C6E4F7A98D3B5")
"""security.md section 1, worked example: what DE 62 of the scripted sign-on holds."""


def ready(dialect: str, **config: object) -> Till:
    till = Till(dialect, **config)
    if dialect == "cup":
        assert till.press(SignOn()).end is End.OK
    return till


def sold(till: Till, amount: int = 10_000, card: Card = CARD) -> str:
    result = till.press(Sale(amount, card))
    assert result.end is End.APPROVED, result.text
    return result.stan


def reserved(till: Till, amount: int = 10_000) -> str:
    result = till.press(PreAuth(amount, CARD))
    assert result.end is End.APPROVED, result.text
    return result.stan


def settled(till: Till) -> None:
    result = till.press(Settle())
    assert result.end is End.AGREED, (result.text, till.screen.lines[-4:])
    agree(till)


# --- every online order: approved and settled, declined, unanswered


ONLINE: dict[str, tuple[str, Callable[[Till], Order]]] = {
    "sale": ("0200", lambda till: Sale(777, CARD)),
    "void": ("0200", lambda till: Void(stan=till.memory.rows[0].stan)),
    "refund": ("0200", lambda till: Refund(777, stan=till.memory.rows[0].stan)),
    "pre-auth": ("0100", lambda till: PreAuth(777, CARD)),
    "pre-auth-increment": ("0100", lambda till: PreAuth(777, CARD, increment=True)),
    "pre-auth-void": ("0100", lambda till: PreAuthVoid(stan=till.memory.rows[1].stan)),
    "completion": ("0200", lambda till: Complete(stan=till.memory.rows[1].stan, amount=777)),
    "cash-back": ("0200", lambda till: Sale(777, CARD, cash=500)),
}
NO_MESSAGE = {("nac", "pre-auth-increment"), ("cup", "cash-back")}
NOT_REVERSED = {("cup", "refund")}
CELLS = [(d, name) for d in FAMILIES for name in ONLINE]


def _two_rows(dialect: str) -> Till:
    till = ready(dialect)
    sold(till)
    reserved(till, 5_000)
    return till


@pytest.mark.parametrize(("dialect", "name"), [cell for cell in CELLS if cell not in NO_MESSAGE])
def test_approved_it_stands_in_both_books_and_the_batch_agrees(dialect: str, name: str) -> None:
    till = _two_rows(dialect)
    result = till.press(ONLINE[name][1](till))
    assert (result.end, result.exit_code) == (End.APPROVED, 0), result.text
    row = till.memory.rows[-1]
    assert (str(row.kind), row.stan, row.rrn) == (name, result.stan, result.rrn)
    assert till.host.books[result.stan].kind == name
    assert result.slip is not None
    assert result.slip == till.screen.slips[-1] == till.memory.last_slip
    settled(till)


@pytest.mark.parametrize(("dialect", "name"), [cell for cell in CELLS if cell not in NO_MESSAGE | NOT_REVERSED])
def test_unanswered_it_is_unknown_and_reversed_before_anything_else(dialect: str, name: str) -> None:
    till = _two_rows(dialect)
    mti, order = ONLINE[name]
    till.host.faults[mti, till.host.counts.get(mti, 0) + 1] = drop
    rows = till.memory.rows
    result = till.press(order(till))
    assert (result.end, result.exit_code) == (End.UNKNOWN, 3)
    assert till.memory.rows == rows
    assert till.memory.pending is not None
    heard = len(till.host.seen)
    sold(till, 1)
    assert till.host.mtis()[heard] == ("0420" if dialect == "iso87" else "0400")
    assert till.host.books[result.stan].state == "reversed"
    settled(till)


@pytest.mark.parametrize(("dialect", "name"), [cell for cell in CELLS if cell not in NO_MESSAGE])
def test_without_a_connection_nothing_is_owed_and_nothing_is_booked(dialect: str, name: str) -> None:
    till = _two_rows(dialect)
    rows = till.memory.rows
    till.line.down = True
    result = till.press(ONLINE[name][1](till))
    assert (result.end, result.exit_code) == (End.NOT_SENT, 4)
    assert (till.memory.pending, till.memory.rows) == (None, rows)


@pytest.mark.parametrize(
    ("dialect", "name"), [(d, n) for d, n in CELLS if (d, n) not in NO_MESSAGE and "void" not in n]
)
def test_declined_it_leaves_nothing(dialect: str, name: str) -> None:
    till = _two_rows(dialect)
    rows = till.memory.rows
    till.host.decline[777] = "51"
    result = till.press(ONLINE[name][1](till))
    assert (result.end, result.code) == (End.DECLINED, "51")
    assert (till.memory.pending, till.memory.rows) == (None, rows)
    settled(till)


@pytest.mark.parametrize(("dialect", "name"), sorted(NO_MESSAGE))
def test_what_the_dialect_has_no_message_for_is_refused_here(dialect: str, name: str) -> None:
    till = _two_rows(dialect)
    heard = len(till.host.seen)
    assert till.press(ONLINE[name][1](till)).exit_code == 4
    assert len(till.host.seen) == heard


# --- sale: tip, cash back, PIN, entry modes


@REQUESTS
def test_a_tip_is_part_of_the_amount_and_stands_on_the_row(dialect: str) -> None:
    till = ready(dialect)
    assert till.press(Sale(11_000, CARD, tip=1_000)).end is End.APPROVED
    sent, row = till.host.sent("0200")[0], till.memory.rows[0]
    assert sent[4] == "000000011000"
    assert (row.kind, row.amount, row.tip) == (Kind.SALE, 11_000, 1_000)
    if dialect == "nac":
        assert sent[54] == "000000001000"


@REQUESTS
def test_cash_back_has_its_own_code_and_its_part_in_de_54(dialect: str) -> None:
    till = ready(dialect)
    till.press(Sale(15_000, CARD, cash=5_000))
    sent, row = till.host.sent("0200")[0], till.memory.rows[0]
    assert (sent[3], sent[4]) == ("090000", "000000015000")
    assert (row.kind, row.cash) == (Kind.CASH_BACK, 5_000)
    if dialect == "nac":
        assert sent[54] == "000000005000"


@pytest.mark.parametrize(
    ("dialect", "order"),
    [
        ("cup", Sale(1_100, CARD, tip=100)),
        ("cup", Sale(1_100, CARD, cash=100)),
        ("nac", Sale(1_100, CARD, tip=50, cash=50)),
        ("nac", Sale(1_100, CARD, cash=1_100)),
        ("nac", Sale(1_100, CARD, tip=700)),
        ("iso87", Sale(1_100, CARD, tip=-1)),
    ],
)
def test_a_tip_or_cash_that_cannot_be_said_is_refused_here(dialect: str, order: Sale) -> None:
    till = ready(dialect)
    heard = len(till.host.seen)
    assert till.press(order).end is End.REFUSED_LOCALLY
    assert len(till.host.seen) == heard


def test_a_pin_goes_as_an_iso_9564_block_under_the_pik_of_the_sign_on() -> None:
    """security.md section 1: the PIK of the worked key block; the PIN must come out of the block with it."""
    till = ready("cup")
    assert till.press(Sale(100, CARD, pin="907351")).end is End.APPROVED
    sent = till.host.sent("0200")[0]
    assert pin_from_block(bytes.fromhex(sent[52]), CARD.pan, PIK) == "907351"
    assert (sent[22], sent[53][:1]) == ("021", "2")
    assert "907351" not in repr(till.memory)
    till.host.faults["0200", 2] = drop
    till.press(Sale(100, CARD, pin="907351"))
    assert till.memory.pending is not None
    assert 52 not in till.memory.pending.image


def test_a_balance_takes_a_pin_too() -> None:
    till = ready("cup")
    assert till.press(Balance(CARD, pin="1234")).end is End.APPROVED
    assert 52 in till.host.sent("0200")[0]


@pytest.mark.parametrize("pin", ["123", "1234567890123", "12a4", "١٢٣٤"])
def test_a_pin_that_is_none_is_refused_here(pin: str) -> None:
    till = ready("cup")
    assert till.press(Sale(100, CARD, pin=pin)).end is End.REFUSED_LOCALLY


@REQUESTS
def test_without_a_key_no_pin_is_taken(dialect: str) -> None:
    till = ready(dialect)
    assert till.press(Sale(100, CARD, pin="1234")).end is End.REFUSED_LOCALLY
    assert till.host.seen == []
    till.flash = MemoryFlash(replace(till.memory, key_block=KEY_BLOCK.hex().upper()))
    assert till.power_up(Sale(100, CARD, pin="1234")).end is End.APPROVED
    assert len(till.host.sent("0200")[0][52]) == 16


@EACH
@pytest.mark.parametrize(
    ("entry", "digits"),
    [
        (Entry.SWIPE, "02"),
        (Entry.MANUAL, "01"),
        (Entry.CHIP, "05"),
        (Entry.TAP, "07"),
        (Entry.QR, "03"),
        (Entry.FALLBACK, "80"),
    ],
)
def test_every_entry_mode_is_said_in_de_22(dialect: str, entry: Entry, digits: str) -> None:
    till = ready(dialect)
    track = CARD.track2 if entry in (Entry.SWIPE, Entry.FALLBACK) else ""
    assert till.press(Sale(100, Card(CARD.pan, CARD.expiry, track, entry=entry))).end is End.APPROVED
    sent = till.host.sent("0200")[0]
    assert sent[22][:2] == digits
    assert (55 in sent) is (entry in (Entry.CHIP, Entry.TAP))
    assert till.memory.rows[0].entry is entry


# --- refund


def test_a_cup_refund_is_an_advice_with_the_original_s_date_batch_and_stan() -> None:
    """cup.md 4 and 5.9: 0220, 200000, 60.1 = 25, DE 61 of 16 digits, DE 63 the organisation of the original."""
    till = ready("cup")
    stan = sold(till, 10_000)
    rrn = till.memory.rows[0].rrn
    assert till.press(Refund(2_000, stan=stan)).end is End.APPROVED
    sent = till.host.sent("0220")[0]
    assert (sent[3][:2], sent[4], sent[60][:2], sent[37]) == ("20", "000000002000", "25", rrn)
    assert sent[61] == "000001" + stan + "1121"
    assert sent[63][:3] == "CUP"
    assert 35 not in sent
    settled(till)
    assert till.host.sent("0500")[0][48][:30] == "000000010000001000000002000001"


def test_a_cup_refund_without_an_answer_goes_again_unchanged_and_is_never_reversed() -> None:
    """rules.md section 3; a new STAN would refund twice (FC A11)."""
    till = ready("cup")
    stan = sold(till)
    till.host.faults["0220", 1] = drop
    result = till.press(Refund(2_000, stan=stan))
    assert (result.end, result.exit_code) == (End.UNKNOWN, 3)
    assert "unknown: query first" in result.text
    assert till.memory.rows[-1].stored
    sold(till, 1)
    first, second = till.host.sent("0220")
    assert first.fields == second.fields
    assert till.host.mtis()[-2:] == ["0220", "0200"]
    assert till.host.sent("0400") == []
    assert not till.memory.stored_rows
    assert [b.kind for b in till.host.books.values()].count(Kind.REFUND) == 1
    settled(till)


def test_a_cup_refund_that_the_host_refuses_at_its_repeat_is_listed_as_rejected() -> None:
    """RT9: nobody was told «declined», so the list of the settlement slip has to say it."""
    till = ready("cup")
    stan = sold(till)
    till.host.unheard = {("0220", 1)}
    assert till.press(Refund(2_000, stan=stan)).end is End.UNKNOWN
    till.host.decline[2_000] = "64"
    result = till.press(Settle())
    assert result.end is End.AGREED
    closed = till.memory.archive[0]
    assert [(r.state, r.rejected) for r in closed.rows if r.kind is Kind.REFUND] == [(RowState.REJECTED, "64")]
    assert till.host.sent("0500")[0][48][15:30] == "0" * 15
    assert result.slip is not None
    assert closed.rows[-1].stan in result.slip.copies[0]


@pytest.mark.parametrize("answer", ["91", "96"])
def test_a_cup_refund_answered_with_trouble_of_the_host_is_kept(answer: str) -> None:
    till = ready("cup")
    stan = sold(till)
    till.host.decline[2_000] = answer
    assert till.press(Refund(2_000, stan=stan)).end is End.UNKNOWN
    assert till.memory.rows[-1].stored
    till.host.decline.clear()
    settled(till)


def test_a_cup_refund_may_be_left_to_the_operator() -> None:
    """Profile `refund.on_timeout` = "operator": nothing is repeated, as the sources do it."""
    till = ready("cup")
    till.wire = replace(till.wire, profile=replace(till.wire.profile, refund_on_timeout="operator"))
    till.power_up()
    stan = sold(till)
    till.host.faults["0220", 1] = drop
    assert till.press(Refund(2_000, stan=stan)).end is End.UNKNOWN
    assert till.memory.stored_rows == ()
    sold(till, 1)
    assert len(till.host.sent("0220")) == 1


@EACH
def test_a_refund_finds_its_sale_in_the_archive(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till)
    rrn = till.memory.rows[0].rrn
    settled(till)
    assert till.press(Refund(2_000, rrn=rrn)).end is End.APPROVED
    assert till.memory.rows[0].original_stan == stan
    settled(till)


@EACH
def test_no_more_is_refunded_than_was_sold(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till, 5_000)
    assert till.press(Refund(5_001, stan=stan)).end is End.REFUSED_LOCALLY
    assert till.press(Refund(3_000, stan=stan)).end is End.APPROVED
    assert till.press(Refund(2_001, stan=stan)).end is End.REFUSED_LOCALLY
    assert till.press(Refund(2_000, stan=stan)).end is End.APPROVED


def test_a_refund_of_a_sale_that_is_not_known_here_needs_card_and_reference() -> None:
    cup, nac = ready("cup"), ready("nac")
    assert cup.press(Refund(100, CARD)).end is End.REFUSED_LOCALLY
    assert cup.press(Refund(100, stan="000077")).end is End.REFUSED_LOCALLY
    assert nac.press(Refund(100)).end is End.REFUSED_LOCALLY
    assert nac.press(Refund(100, CARD)).end is End.APPROVED
    assert cup.press(Refund(100, CARD, rrn="123456789012", date="1120")).end is End.APPROVED
    assert cup.host.sent("0220")[0][61] == "0" * 12 + "1120"


@REQUESTS
def test_a_refund_is_voided_with_22(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till)
    refund = till.press(Refund(2_000, stan=stan))
    assert till.press(Void(stan=refund.stan)).end is End.APPROVED
    assert till.host.sent("0200")[-1][3][:2] == "22"
    assert till.memory.rows[-1].of is Kind.REFUND
    assert till.memory.rows[1].state is RowState.VOIDED
    settled(till)


def test_no_message_voids_a_cup_refund() -> None:
    till = ready("cup")
    refund = till.press(Refund(2_000, stan=sold(till)))
    assert till.press(Void(stan=refund.stan)).end is End.REFUSED_LOCALLY


# --- the family of the pre-authorisation


@EACH
def test_a_pre_authorisation_counts_in_no_total_and_outlives_its_batch(dialect: str) -> None:
    """FC A11, flows.md 3: a completion may come batches later."""
    till = ready(dialect)
    stan = reserved(till)
    sold(till, 300)
    settled(till)
    assert till.memory.archive[0].totals.item_count == 1
    sold(till, 400)
    settled(till)
    assert till.press(Complete(stan=stan, amount=8_000)).end is End.APPROVED
    assert till.host.books[till.memory.rows[-1].stan].original == stan
    assert till.press(Complete(stan=stan)).end is End.REFUSED_LOCALLY
    settled(till)


@EACH
@pytest.mark.parametrize("advice", [False, True], ids=["request", "advice"])
def test_a_completion_may_be_115_percent_of_what_is_held(dialect: str, advice: bool) -> None:
    till = ready(dialect)
    stan = reserved(till, 10_000)
    assert till.press(Complete(stan=stan, amount=11_501, advice=advice)).end is End.REFUSED_LOCALLY
    assert till.press(Complete(stan=stan, amount=11_500, advice=advice)).end is End.APPROVED
    settled(till)


@pytest.mark.parametrize("dialect", ["cup", "iso87"])
def test_an_increment_adds_to_what_is_held(dialect: str) -> None:
    till = ready(dialect)
    stan = reserved(till, 10_000)
    assert till.press(PreAuth(2_000, CARD, increment=True)).end is End.APPROVED
    sent = till.host.sent("0100")[-1]
    if dialect == "cup":
        assert (sent[25], sent[61]) == ("60", "0" * 16)  # cup.md 4 and 5.9
    else:
        assert sent[90][:10] == "0100" + stan
    assert till.press(Complete(stan=stan)).amount == 12_000
    settled(till)


@EACH
def test_an_increment_needs_an_open_pre_authorisation_of_the_card(dialect: str) -> None:
    till = ready(dialect)
    assert till.press(PreAuth(2_000, CARD, increment=True)).end is End.REFUSED_LOCALLY
    reserved(till)
    assert till.press(PreAuth(2_000, FOREIGN, increment=True)).end is End.REFUSED_LOCALLY
    assert till.press(PreAuth(2_000, CARD, increment=True, auth_code="ZZZZZZ")).end is End.REFUSED_LOCALLY


@EACH
def test_a_pre_authorisation_is_voided_once(dialect: str) -> None:
    till = ready(dialect)
    stan = reserved(till)
    assert till.press(Void(stan=stan)).end is End.REFUSED_LOCALLY
    assert till.press(PreAuthVoid(stan=stan)).end is End.APPROVED
    assert till.host.books[stan].state == "voided"
    assert till.press(PreAuthVoid(stan=stan)).end is End.REFUSED_LOCALLY
    assert till.press(Complete(stan=stan)).end is End.REFUSED_LOCALLY


@EACH
def test_a_completion_void_opens_the_pre_authorisation_again(dialect: str) -> None:
    till = ready(dialect)
    stan = reserved(till)
    done = till.press(Complete(stan=stan))
    void = till.press(Void(stan=done.stan))
    assert void.end is End.APPROVED, void.text
    assert till.memory.rows[-1].kind is Kind.COMPLETION_VOID
    assert till.memory.rows[-1].of is Kind.COMPLETION
    assert till.host.books[void.stan].kind is Kind.COMPLETION_VOID
    assert till.press(Complete(stan=stan, amount=1_000)).end is End.APPROVED
    settled(till)


def test_a_cup_completion_void_has_type_21_and_a_sale_s_has_23() -> None:
    till = ready("cup")
    done = till.press(Complete(stan=reserved(till)))
    till.press(Void(stan=done.stan))
    sale = sold(till)
    till.press(Void(stan=sale))
    assert [m[60][:2] for m in till.host.sent("0200")] == ["20", "21", "22", "23"]


@EACH
def test_a_batch_of_pre_authorisations_alone_can_be_closed(dialect: str) -> None:
    """Else the journal would fill up with rows that no settlement ever takes away."""
    till = ready(dialect)
    stan = reserved(till)
    assert till.press(Settle()).end is End.AGREED
    assert till.memory.rows == ()
    assert till.press(Complete(stan=stan)).end is End.APPROVED


# --- adjusted sales


@EACH
@pytest.mark.parametrize(
    ("order", "kind", "total"),
    [(Adjust(tip=1_000), Kind.TIP, 11_000), (Adjust(amount=9_000), Kind.ADJUST, 9_000)],
    ids=["tip", "adjust"],
)
def test_an_adjustment_stands_in_the_place_of_its_sale(dialect: str, order: Adjust, kind: Kind, total: int) -> None:
    till = ready(dialect)
    stan = sold(till, 10_000)
    heard = len(till.host.seen)
    result = till.press(replace(order, stan=stan))
    assert (result.end, result.amount) == (End.APPROVED, total)
    assert len(till.host.seen) == heard, "it is stored; nothing is sent yet"
    sale, row = till.memory.rows
    assert (sale.adjusted, row.kind, row.amount, row.adjusted) == (True, kind, total, False)
    settled(till)
    assert till.host.mtis()[heard] == "0220"
    assert till.host.standing() == {result.stan: (kind, total)}


def test_a_cup_tip_says_the_original_amount_and_the_tip_apart_and_the_others_the_new_total() -> None:
    """rules.md section 1, row «tip, adjustment»."""
    sent = {}
    for dialect in FAMILIES:
        till = ready(dialect)
        stan = sold(till, 10_000)
        till.press(Adjust(stan=stan, tip=1_000))
        till.press(SendStored())
        sent[dialect] = till.host.sent("0220")[0]
    assert (sent["cup"][4], sent["cup"][48], sent["cup"][60][:2]) == ("000000010000", "000000001000", "34")
    assert (sent["nac"][4], sent["nac"][54], sent["nac"][60]) == ("000000011000", "000000001000", "000000010000")
    assert (sent["iso87"][4], sent["iso87"][90][:4]) == ("000000011000", "0200")


@EACH
def test_the_void_of_an_adjusted_sale_takes_the_new_total_back(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till, 10_000)
    till.press(Adjust(stan=stan, tip=1_000))
    assert till.press(Void(stan=stan)).end is End.APPROVED
    assert till.memory.rows[-1].amount == 11_000
    assert [row.state for row in till.memory.rows] == [RowState.VOIDED, RowState.VOIDED, RowState.JOURNALED]
    assert till.press(Void(stan=stan)).end is End.REFUSED_LOCALLY
    settled(till)
    assert till.host.totals().empty


@EACH
def test_a_second_tip_replaces_the_first(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till, 10_000)
    till.press(Adjust(stan=stan, tip=1_000))
    last = till.press(Adjust(stan=stan, tip=500))
    assert last.amount == 10_500
    settled(till)
    assert till.host.standing() == {last.stan: (Kind.TIP, 10_500)}


@EACH
def test_what_cannot_be_adjusted_is_refused_here(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till, 10_000)
    for order in (
        *(Adjust(stan="000099", tip=1), Adjust(stan=stan), Adjust(stan=stan, tip=1, amount=2)),
        *(Adjust(stan=stan, tip=0), Adjust(stan=stan, tip=10_001), Adjust(stan=stan, amount=0)),
    ):
        assert till.press(order).end is End.REFUSED_LOCALLY, order
    till.press(Void(stan=stan))
    assert till.press(Adjust(stan=stan, tip=100)).end is End.REFUSED_LOCALLY


@EACH
def test_a_refused_adjustment_gives_the_sale_its_place_back(dialect: str) -> None:
    till = ready(dialect)
    stan = sold(till, 10_000)
    till.host.decline[11_000] = "12"
    till.press(Adjust(stan=stan, tip=1_000))
    assert till.press(SendStored()).end is End.OK
    sale, tip = till.memory.rows
    assert (sale.adjusted, tip.state, tip.rejected) == (False, RowState.REJECTED, "12")
    settled(till)
    assert till.host.standing() == {stan: (Kind.SALE, 10_000)}


# --- offline sales


@EACH
def test_an_offline_sale_is_approved_here_and_told_before_the_next_online_order(dialect: str) -> None:
    till = ready(dialect)
    heard = len(till.host.seen)
    result = till.press(OfflineSale(4_000, CARD))
    assert (result.end, result.exit_code, len(till.host.seen)) == (End.APPROVED, 0, heard)
    assert result.slip is not None
    sold(till, 100)
    assert till.host.mtis()[heard:] == ["0220", "0200"]
    sent = till.host.sent("0220")[0]
    assert (sent[2], sent[4]) == (CARD.pan, "000000004000")
    assert not {35, 52} & sent.fields.keys()
    settled(till)
    assert till.host.books[result.stan].kind is Kind.OFFLINE_SALE


@EACH
def test_an_offline_sale_has_a_limit_that_a_phone_approval_lifts(dialect: str) -> None:
    till = ready(dialect, offline_limit=5_000)
    assert till.press(OfflineSale(5_001, CARD)).end is End.REFUSED_LOCALLY
    assert till.press(OfflineSale(5_001, CARD, auth_code="123456")).end is End.APPROVED
    till.press(SendStored())
    assert till.host.sent("0220")[0][38] == "123456"


@EACH
def test_an_offline_sale_is_delivered_before_it_is_voided(dialect: str) -> None:
    till = ready(dialect)
    stan = till.press(OfflineSale(4_000, CARD)).stan
    till.host.unheard = {("0220", 1), ("0220", 2), ("0220", 3), ("0221", 1), ("0221", 2)}
    refused = till.press(Void(stan=stan))
    assert refused.end is End.REFUSED_LOCALLY, "the host cannot void what it does not have"
    till.host.unheard.clear()
    assert till.press(Void(stan=stan)).end is End.APPROVED
    settled(till)


def test_a_foreign_offline_sale_stands_on_the_foreign_side() -> None:
    """rules.md 5: the side of an advice is what its own DE 63 says."""
    till = ready("cup")
    till.press(OfflineSale(3_000, FOREIGN))
    settled(till)
    assert till.host.sent("0220")[0][63][:3] == "VIS"
    assert till.host.sent("0500")[0][48][31:46] == "000000003000001"


def test_an_offline_chip_sale_of_cup_is_a_request_of_type_36_with_chip_data() -> None:
    till = ready("cup")
    till.press(OfflineSale(3_000, Card(CARD.pan, CARD.expiry, entry=Entry.CHIP)))
    settled(till)
    sent = till.host.sent("0200")[0]
    assert (sent[60][:2], 55 in sent) == ("36", True)
    assert till.host.sent("0400") == []


@REQUESTS
def test_no_total_goes_below_the_cash_that_was_paid_out(dialect: str) -> None:
    till = ready(dialect)
    till.press(Sale(15_000, CARD, cash=5_000))
    stan = till.memory.rows[0].stan
    refused = till.press(Adjust(stan=stan, amount=4_999))
    assert refused.end is End.REFUSED_LOCALLY
    assert "cash" in refused.text
    assert till.press(Adjust(stan=stan, amount=5_000)).end is not End.REFUSED_LOCALLY


def test_what_would_not_fit_the_totals_is_not_sold() -> None:
    """DE 48 of a 0500 has twelve digits for a sum (cup.md 5.5): a batch above that could never be settled."""
    till = ready("cup")
    assert till.press(Sale(10**12 - 2, CARD)).end is End.APPROVED
    refused = till.press(Sale(2, CARD))
    assert refused.end is End.REFUSED_LOCALLY
    assert "settle first" in refused.text
    assert till.press(Sale(1, CARD)).end is End.APPROVED
