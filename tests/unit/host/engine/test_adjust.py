"""Tips and adjustments: the sale's final amount, told later (rules.md, sections 5, 8 and 9; FC 59)."""

from __future__ import annotations

import pytest

from host.engine.events import CloseBatch
from host.rows import Adjustment, Batch, Posting, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID
from tests.support.money import ISO87, MoneyDesk, a_desk

ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])


def sold(profile: Profile, amount: int = 10_000) -> MoneyDesk:
    desk = a_desk(profile)
    assert desk.do(Kind.SALE, 1, amount) in ("00", "10")
    return desk


def running(desk: MoneyDesk) -> str:
    batch = desk.books.open_batch(TID)
    assert batch is not None
    return batch.running


@ALL
def test_a_tip_stands_in_the_place_of_its_sale(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.TIP, 2, 11_000, of=1, tip=1_000) == "00"
    sale, tip = desk.txn(1), desk.txn(2)
    assert (sale.state, sale.replaced_by) == (TxnState.CAPTURED, tip.id)
    assert (tip.state, tip.approved_amount, tip.tip, tip.original_id) == ("captured", 11_000, 1_000, sale.id)
    assert [(p.txn_id, p.amount, p.reason) for p in desk.rows(Posting)][-2:] == [
        (tip.id, 1_000, "adjust"),
        (tip.id, -1_000, "adjust"),
    ]
    assert (desk.payable(), running(desk)) == (11_000, '{"tip": [1, 11000]}')
    assert [(p, a) for p, a, _ in desk.purposes()] == [("debit", 10_000), ("debit", 1_000)]
    desk.check()


@ALL
def test_less_than_before_is_credited_and_the_same_is_nothing(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.ADJUST, 2, 9_000, of=1) == "00"
    assert (desk.payable(), desk.purposes()[-1]) == (9_000, ("credit", 1_000, 0))
    assert desk.do(Kind.ADJUST, 3, 9_000, of=1) == "00"
    assert (len(desk.purposes()), len(desk.rows(Posting)), running(desk)) == (2, 4, '{"adjust": [1, 9000]}')
    desk.check()


@ALL
def test_adjusted_again_the_newest_wins(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    assert desk.do(Kind.TIP, 3, 12_000, of=1) == "00"
    assert (desk.txn(1).replaced_by, desk.txn(2).replaced_by) == (desk.txn(2).id, desk.txn(3).id)
    assert (desk.payable(), running(desk)) == (12_000, '{"tip": [1, 12000]}')
    desk.check()


@ALL
def test_a_tip_on_a_sale_that_was_approved_in_part(profile: Profile) -> None:
    desk = sold(profile, 5_000)
    assert desk.payable() == 3_000
    assert desk.do(Kind.TIP, 2, 3_500, of=1) == "00"
    assert desk.payable() == 3_500
    desk.check()


@pytest.mark.parametrize(("stated", "expected"), [(10_000, "00"), (0, "00"), (None, "00"), (9_999, "64")])
@ALL
def test_the_original_amount_that_it_states(profile: Profile, stated: int | None, expected: str) -> None:
    desk = sold(profile)
    txn = desk.txn(1)
    ref = OriginalRef(
        stan=txn.stan, batch=txn.wire_batch, rrn=txn.rrn, amount=stated, transmitted=txn.transmitted, mti="0200"
    )
    assert desk.do(Kind.TIP, 2, 11_000, original=ref) == expected
    desk.check()


@ALL
def test_nothing_to_adjust(profile: Profile) -> None:
    desk = sold(profile)
    nothing = OriginalRef(stan="000099", batch="000001", rrn="9" * 12, transmitted="0302000099", mti="0200")
    assert desk.do(Kind.TIP, 2, 100, original=nothing) == "25"
    assert desk.do(Kind.REFUND, 3, 100, of=1) == "00"
    assert desk.do(Kind.TIP, 4, 200, of=3) == "25"
    assert desk.do(Kind.ADJUST, 5, 99, of=1) == "12"  # less than was given back already
    desk.check()


@ALL
def test_of_a_voided_or_reversed_sale_12(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.VOID, 2, 10_000, of=1)
    assert desk.do(Kind.TIP, 3, 11_000, of=1) == "12"
    desk.do(Kind.SALE, 4, 10_000)
    desk.undo(4)
    assert desk.do(Kind.TIP, 5, 11_000, of=4) == "12"
    desk.do(Kind.SALE, 6, 20_000)
    assert desk.do(Kind.TIP, 7, 21_000, of=6) == "12"
    desk.check()


@ALL
def test_of_a_sale_in_a_closed_batch_the_difference_is_carried(profile: Profile) -> None:
    desk = sold(profile)
    closed = desk.txn(1).batch_id
    fresh = desk.close_batch()
    assert desk.do(Kind.TIP, 2, 11_000, of=1) == "00"
    tip = desk.txn(2)
    assert (tip.carried, tip.batch_id, desk.txn(1).replaced_by) == (True, fresh.id, 0)
    assert [(a.txn_id, a.batch_id, a.amount) for a in desk.rows(Adjustment)] == [(tip.id, fresh.id, 1_000)]
    old = desk.books.get(Batch, closed)
    assert old is not None
    assert (running(desk), old.running) == ("{}", '{"sale": [1, 10000]}')
    assert desk.payable() == 11_000
    assert desk.do(Kind.TIP, 3, 12_500, of=1) == "00"
    assert [a.amount for a in desk.rows(Adjustment)] == [1_000, 1_500]
    desk.check()
    assert desk.undo(1) == "00"  # all of it comes back
    assert [a.amount for a in desk.rows(Adjustment)] == [1_000, 1_500, -1_500, -1_000, -10_000]
    assert (desk.payable(), desk.states(1, 2, 3)) == (0, ["reversed"] * 3)
    desk.check()


@ALL
def test_a_void_is_of_the_new_total_and_takes_the_tip_along(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    assert desk.do(Kind.VOID, 3, 10_000, of=1) == "64"
    assert desk.do(Kind.VOID, 4, 11_000, of=1) == "00"
    void = desk.txn(4)
    assert desk.states(1, 2, 4) == ["voided", "voided", "captured"]
    assert (void.approved_amount, void.original_id, desk.payable()) == (11_000, desk.txn(1).id, 0)
    assert (running(desk), desk.purposes()[-1]) == ('{"tip": [1, 11000], "void": [1, 11000]}', ("credit", 11_000, 0))
    assert desk.undo(1) == "12"
    desk.check()
    assert desk.undo(4) == "00"
    assert (desk.states(1, 2, 4), desk.payable()) == (["captured", "captured", "reversed"], 11_000)
    assert running(desk) == '{"tip": [1, 11000]}'
    desk.check()


@ALL
def test_a_reversed_sale_takes_its_tips_along(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    desk.do(Kind.ADJUST, 3, 8_000, of=1)
    assert desk.undo(1) == "00"
    assert (desk.states(1, 2, 3), desk.payable(), running(desk)) == (["reversed"] * 3, 0, "{}")
    desk.check()
    assert desk.bank.debited == 0


@ALL
def test_a_reversed_tip_leaves_what_stood_before(profile: Profile) -> None:
    """Terminals do not reverse a 0220; one that comes is treated as of a sale of its kind."""
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    desk.do(Kind.TIP, 3, 12_000, of=1)
    assert desk.undo(2) == "12"
    assert desk.alarms() == ["reversal-of-adjusted"]
    assert desk.undo(3) == "00"
    assert (desk.payable(), running(desk)) == (11_000, '{"tip": [1, 11000]}')
    assert desk.undo(2) == "00"
    assert (desk.payable(), running(desk), desk.txn(1).replaced_by) == (10_000, '{"sale": [1, 10000]}', 0)
    desk.check()


@ALL
def test_the_issuer_may_be_away(profile: Profile) -> None:
    desk = sold(profile)
    desk.bank.mode = "down"
    assert desk.do(Kind.TIP, 2, 11_000, of=1) == "00"
    assert (desk.payable(), desk.bank.debited) == (11_000, 10_000)
    desk.check()
    assert desk.bank.debited == 11_000


@ALL
def test_a_repeated_tip_changes_nothing(profile: Profile) -> None:
    desk = sold(profile)
    first = desk.outcome(Kind.TIP, 2, 11_000, of=1)
    assert desk.outcome(Kind.TIP, 2, 11_000, of=1) == first
    assert desk.payable() == 11_000
    desk.check()


@ALL
def test_a_void_that_is_overtaken_by_a_tip_comes_too_late(profile: Profile) -> None:
    desk = sold(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.VOID, 2, 10_000, of=1) == "waits"
    assert desk.do(Kind.TIP, 3, 11_000, of=1) == "12"
    desk.check()
    assert desk.payable() == 0


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_a_clock_that_lags_does_not_carry_the_tip_of_an_open_sale(profile: Profile) -> None:
    """An advice from before H's own close is carried by its time; a tip goes where its sale is, as in T's totals."""
    desk = sold(profile)
    desk.later(minutes=1)
    batch = desk.books.open_batch(TID)
    assert batch is not None
    desk.send(CloseBatch(batch.id, TID, "cutoff"))
    desk.later(minutes=1)
    assert desk.do(Kind.SALE, 2, 10_000) == "00"
    late = {"local_date": "0302", "local_time": "085500"}
    assert desk.do(Kind.TIP, 3, 11_000, of=2, **late) == "00"
    assert (desk.txn(3).carried, running(desk)) == (False, '{"tip": [1, 11000]}')
    assert desk.do(Kind.TIP, 4, 11_000, of=1, **late) == "00"
    assert (desk.txn(4).carried, running(desk)) == (True, '{"tip": [1, 11000]}')
    desk.check()


def test_no_total_is_below_the_cash_that_left_the_till() -> None:
    desk = a_desk(NAC)
    assert desk.do(Kind.CASH_BACK, 1, 10_000, cash=4_000) == "00"
    assert desk.do(Kind.ADJUST, 2, 3_999, of=1) == "13"
    assert desk.do(Kind.ADJUST, 3, 4_000, of=1) == "00"
    assert desk.payable() == 4_000
    desk.check()
