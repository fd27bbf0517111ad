"""The key k, the same content, and each row of the duplicate table (rules.md, sections 1 and 2)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from host.engine import identity
from host.engine.identity import Match, Prior, Ruling
from host.rows import Terminal, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import KeyScheme, Profile
from tests.support.engine import CUP, ISO87, NAC, PAN, TID, Desk, a_card, a_request, code, refuse, silent

WIRE, HOST, TIME = KeyScheme.WIRE_BATCH, KeyScheme.HOST_BATCH, KeyScheme.LOCAL_TIME


def terminal(desk: Desk) -> Terminal:
    found = desk.books.terminal(TID)
    assert found is not None
    return found


# ---- the table


@pytest.mark.parametrize(
    ("prior", "same", "live", "advice", "scheme", "expected"),
    [
        (Prior.NOTHING, False, False, False, WIRE, Ruling.DECIDE),
        (Prior.PENDING, True, True, False, WIRE, Ruling.JOIN),
        (Prior.ANSWERED, True, True, False, WIRE, Ruling.REPLAY),
        (Prior.ANSWERED, True, False, False, WIRE, Ruling.REPLAY),
        (Prior.ANSWERED, True, True, True, HOST, Ruling.REPLAY),
        (Prior.TRANSIENT, True, True, False, WIRE, Ruling.REPLAY),  # a declined request is final for its k
        (Prior.TRANSIENT, True, True, True, WIRE, Ruling.DECIDE),  # RH2
        (Prior.UNDONE, True, True, False, WIRE, Ruling.UNDONE),
        (Prior.UNDONE, True, False, True, HOST, Ruling.UNDONE),
        (Prior.ANSWERED, False, True, False, WIRE, Ruling.TWICE),
        (Prior.PENDING, False, True, False, HOST, Ruling.TWICE),
        (Prior.UNDONE, False, True, False, WIRE, Ruling.TWICE),
        (Prior.ANSWERED, False, True, True, WIRE, Ruling.TWICE_ADVICE),
        (Prior.TRANSIENT, False, True, True, HOST, Ruling.TWICE_ADVICE),
        (Prior.ANSWERED, False, False, False, WIRE, Ruling.CLOSED),
        (Prior.ANSWERED, False, False, True, WIRE, Ruling.CLOSED_ADVICE),
        (Prior.ANSWERED, False, False, False, HOST, Ruling.DECIDE),  # a new transaction
        (Prior.ANSWERED, False, False, True, HOST, Ruling.DECIDE),
        (Prior.ANSWERED, True, False, False, TIME, Ruling.REPLAY),
        (Prior.ANSWERED, False, True, False, TIME, Ruling.TWICE),
        (Prior.ANSWERED, False, True, True, TIME, Ruling.TWICE_ADVICE),
        (Prior.ANSWERED, False, False, False, TIME, Ruling.DECIDE),
        (Prior.TRANSIENT, True, True, True, TIME, Ruling.DECIDE),
    ],
)
def test_each_row_of_section_2(
    prior: Prior, same: bool, live: bool, advice: bool, scheme: KeyScheme, expected: Ruling
) -> None:
    fitting = [
        r.ruling for r in identity.DUPLICATES if r.fits(prior, same=same, live=live, advice=advice, scheme=scheme)
    ]
    assert fitting == [expected]


def test_the_table_has_no_gap_and_no_overlap() -> None:
    flags = (True, False)
    for prior, same, live, advice, scheme in product(Prior, flags, flags, flags, KeyScheme):
        rows = [r for r in identity.DUPLICATES if r.fits(prior, same=same, live=live, advice=advice, scheme=scheme)]
        assert len(rows) == 1, (prior, same, live, advice, scheme)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (TxnState.PENDING, "", Prior.PENDING),
        (TxnState.CAPTURED, "00", Prior.ANSWERED),
        (TxnState.VOIDED, "00", Prior.ANSWERED),
        (TxnState.AUTHORISED, "00", Prior.ANSWERED),  # a live pre-authorisation
        (TxnState.EXPIRED, "00", Prior.ANSWERED),
        (TxnState.DECLINED, "51", Prior.ANSWERED),
        (TxnState.DECLINED, "98", Prior.TRANSIENT),
        (TxnState.DECLINED, "91", Prior.TRANSIENT),
        (TxnState.REVERSED, "00", Prior.UNDONE),
        (TxnState.TOMBSTONE, "25", Prior.UNDONE),
    ],
)
def test_a_stored_state_counts_as(state: TxnState, code: str, expected: Prior) -> None:
    desk = Desk()
    desk.sale(1)
    txn = replace(desk.txn(1), state=state, response_code=code)
    assert identity.prior_of(Match(txn, same=True, live=True)) is expected


# ---- content


def test_content_never_holds_the_card_number() -> None:
    request = a_request(Kind.SALE, stan=1, amount=100, content=(("DE 2", PAN), ("pan", PAN), ("processing", "00")))
    stored = identity.stored_content(request)
    assert PAN not in stored
    assert identity.content_of(request) == {
        "processing": "00",
        "kind": "sale",
        "amount": "100",
        "pan": "hash-of-0014",
    }


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ({"amount": "100"}, True),
        ({"amount": "100", "invoice": "000045"}, True),  # absent on one side: not compared
        ({}, True),
        ({"amount": "101"}, False),
        ({"amount": "100", "pan": "other"}, False),
    ],
)
def test_what_is_absent_on_one_side_is_not_compared(now: dict[str, str], same: bool) -> None:
    assert identity.same_content('{"amount": "100", "pan": "hash"}', now) is same


# ---- the key, by scheme


def found(desk: Desk, **changes: Any) -> tuple[bool, bool] | None:
    """(same content, batch open) of what is stored under the key."""
    request = desk.request(Kind.SALE, **{"stan": 1, "amount": 10_000} | changes)
    match = identity.find(desk.books, terminal(desk), request, desk.now)
    return (match.same, match.live) if match else None


def test_cup_key_is_tid_batch_number_and_stan() -> None:
    desk = Desk(CUP)
    desk.sale(1)
    assert found(desk) == (True, True)
    assert found(desk, stan=2) is None
    assert found(desk, batch="000002") is None
    assert found(desk, amount=10_001) == (False, True)


def test_cup_looks_in_the_latest_generation_of_a_number_only() -> None:
    """After 999999 comes 000001: the number serves again, and an old sale under it is no duplicate."""
    desk = Desk(CUP)
    desk.sale(1)
    desk.close_batch()
    assert found(desk) == (True, False)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    desk.books.apply([replace(batch, number="000001", generation=2)])
    assert found(desk) is None


def test_nac_key_lives_as_long_as_the_batch_and_a_day() -> None:
    desk = Desk(NAC)
    desk.sale(1)
    assert found(desk) == (True, True)
    desk.close_batch()
    desk.later(hours=23, minutes=59)
    assert found(desk) == (True, False)
    desk.later(minutes=1)
    assert found(desk) is None


def test_keys_of_an_earlier_epoch_leave_the_search() -> None:
    for profile in (CUP, NAC):
        desk = Desk(profile)
        desk.sale(1)
        desk.books.apply([replace(terminal(desk), epoch=2)])
        assert found(desk) is None


AT_NINE: dict[str, Any] = {"local_date": "0302", "local_time": "090000", "transmitted": "0302010000"}


def test_iso87_key_is_tid_stan_and_local_time_whatever_the_batch() -> None:
    desk = Desk(ISO87)
    desk.sale(1, **AT_NINE)
    assert found(desk, **AT_NINE) == (True, True)
    assert found(desk, **AT_NINE, amount=10_001) == (False, True)
    assert found(desk, **AT_NINE | {"transmitted": "0302020000"}) == (True, True)  # DE 7 is never compared
    assert found(desk, **AT_NINE | {"local_time": "090001"}) is None  # the number has wrapped
    assert found(desk, stan=2, **AT_NINE) is None
    desk.close_batch()
    desk.later(days=29, hours=23)
    assert found(desk, **AT_NINE) == (True, False)
    desk.later(hours=1)
    assert found(desk, **AT_NINE) is None


def test_iso87_without_de_12_and_13_is_told_by_de_7() -> None:
    desk = Desk(ISO87)
    desk.sale(1, transmitted="0302010000")
    assert found(desk, transmitted="0302010000") == (True, True)
    assert found(desk, transmitted="0302010001") is None
    assert found(desk, transmitted="0302010000", local_time="090000") == (True, True)  # half a time is none


def test_iso87_without_any_time_is_told_as_nac() -> None:
    desk = Desk(ISO87)
    desk.sale(1)
    assert found(desk) == (True, True)
    assert found(desk, amount=1) == (False, True)
    desk.close_batch()
    desk.later(hours=23, minutes=59)
    assert found(desk) == (True, False)
    desk.later(minutes=1)
    assert found(desk) is None


def test_iso87_takes_one_stan_at_another_time_for_another_sale() -> None:
    desk = Desk(ISO87)
    assert code(desk.sale(1, **AT_NINE)) == "00"
    assert code(desk.sale(1, **AT_NINE, amount=20_000)) == "94"
    assert code(desk.sale(1, amount=20_000, local_date="0302", local_time="091500")) == "00"
    assert (desk.payable(), desk.alarms()) == (30_000, ["stan-twice"])


def test_an_iso87_tombstone_holds_stan_and_de_7_for_30_days() -> None:
    """Whatever the amount; without DE 90 as NAC: DE 3 and 4, for a day."""
    for days, hours, expected in ((29, 23, "12"), (30, 0, "00")):
        desk = Desk(ISO87)
        ref = OriginalRef(stan="000001", transmitted="0302010000", mti="0200")
        assert code(desk.reverse(77, original=ref)) == "25"
        assert desk.txn(1).state is TxnState.TOMBSTONE
        desk.later(days=days, hours=hours)
        assert code(desk.sale(1, amount=5, **AT_NINE)) == expected
    for hours, amount, expected in ((23, 10_000, "12"), (24, 10_000, "00"), (0, 5, "00")):
        desk = Desk(ISO87)
        assert code(desk.reverse(1)) == "25"
        desk.later(hours=hours)
        assert code(desk.sale(1, amount=amount, **AT_NINE)) == expected


def test_a_carried_advice_keeps_its_key() -> None:
    """Booked in the open batch under the closed number it came with (rules.md, section 4): its repeat is a repeat."""
    desk = Desk(CUP)
    desk.sale(1)
    desk.close_batch()
    first = desk.send(desk.request(Kind.OFFLINE_SALE, stan=2, amount=700, advice=True))
    assert (code(first), desk.txn(2).carried) == ("00", True)
    again = desk.send(desk.request(Kind.OFFLINE_SALE, stan=2, amount=700, advice=True))
    assert (again, desk.payable()) == (first, 10_700)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    fresh = desk.close_batch()
    desk.books.apply([replace(fresh, number="000001", generation=2)])
    assert found(desk, stan=2, amount=700) is None  # the number serves again


def test_an_advice_carried_before_its_number_was_opened_keeps_its_key() -> None:
    """Its number was unknown and the open batch taken, so it was carried; the number is adopted later (section 4)."""
    desk = Desk(CUP)
    desk.sale(1)
    advice = desk.request(Kind.OFFLINE_SALE, stan=2, amount=700, advice=True, batch="000007")
    first = desk.send(advice)
    assert (code(first), desk.txn(2).carried) == ("00", True)
    desk.close_batch()
    assert code(desk.sale(3, batch="000007")) == "00"
    assert (desk.send(advice), desk.payable()) == (first, 20_700)


# ---- seen from the desk: what a second delivery gets


@pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])
def test_the_same_sale_again_gets_the_stored_answer_and_moves_nothing(profile: Profile) -> None:
    desk = Desk(profile)
    first = desk.sale(1)
    desk.later(minutes=5)
    assert desk.sale(1) == first
    assert (desk.payable(), len(desk.asked)) == (10_000, 1)
    noted = "replayed; if this terminal was re-flashed, reset it" in desk.notes
    assert noted is (profile is NAC)


def test_the_same_sale_while_the_issuer_thinks_joins_it() -> None:
    desk = Desk(issuer=silent)
    desk.sale(1)
    assert desk.sale(1) is None
    assert (desk.last.waits_txn, len(desk.asked)) == (desk.txn(1).id, 1)
    answer = desk.answer(desk.asked[0])
    assert code(answer) == "00"
    assert desk.payable() == 10_000


def test_one_stan_for_two_sales_is_94_with_an_alarm() -> None:
    desk = Desk()
    desk.sale(1)
    said = desk.sale(1, amount=20_000)
    assert code(said) == "94"
    assert (desk.alarms(), desk.payable()) == (["stan-twice"], 10_000)


def test_another_card_is_other_content() -> None:
    desk = Desk()
    desk.sale(1)
    said = desk.sale(1, card=a_card("6216261000000000018"))
    assert code(said) == "94"


def test_an_advice_with_other_content_is_12_never_94() -> None:
    desk = Desk()
    desk.sale(1)
    said = desk.sale(1, amount=20_000, advice=True)
    assert (code(said), desk.alarms()) == ("12", ["stan-twice"])


@pytest.mark.parametrize(
    ("profile", "answer", "payable"),
    [(CUP, "22", 10_000), (NAC, "00", 30_000), (ISO87, "00", 30_000)],
    ids=["cup", "nac", "iso87"],
)
def test_other_content_under_a_closed_batch(profile: Profile, answer: str, payable: int) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.close_batch()
    said = desk.sale(1, amount=20_000)
    assert (code(said), desk.payable(), desk.alarms()) == (answer, payable, [])
    assert said is not None
    assert said.request == ("3" if profile is CUP else "0")


@pytest.mark.parametrize(("refusal", "again"), [("issuer-down", "00"), ("funds", "51")])
def test_a_repeated_advice_is_decided_again_only_after_a_transient_no(refusal: str, again: str) -> None:
    """RH2: 91 and 98 are no decision; a no of the issuer is."""
    desk = Desk(CUP, issuer=refuse(refusal))
    desk.sale(1)
    request = desk.request(Kind.ADJUST, stan=2, amount=100, advice=True, original=OriginalRef(stan="000001"))
    declined = replace(desk.txn(1), stan="000002", kind="adjust", content=identity.stored_content(request))
    desk.books.apply([declined])
    match = identity.find(desk.books, terminal(desk), request, desk.now)
    expected = Ruling.DECIDE if again == "00" else Ruling.REPLAY
    assert identity.rule(match, request.operation, WIRE) is expected


def test_duplicates_refuse_says_94_in_place_of_the_replay() -> None:
    desk = Desk(replace(CUP, duplicates="refuse"))
    desk.sale(1)
    said = desk.sale(1)
    assert (code(said), desk.alarms()) == ("94", [])


def test_a_declined_request_is_final_for_its_key() -> None:
    desk = Desk()
    first = desk.sale(1, amount=0)
    assert code(first) == "13"
    assert desk.sale(1, amount=0) == first
    assert len(desk.books.txns_by_stan(TID, "000001")) == 1


def test_a_voided_sale_is_still_replayed() -> None:
    desk = Desk()
    first = desk.sale(1)
    desk.void(2, of=1)
    assert desk.sale(1) == first
