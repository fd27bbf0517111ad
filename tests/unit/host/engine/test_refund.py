"""Refunds: never more than is left of a sale (rules.md, sections 1 rule R and 8; FC 56, A11), and their voids."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.rows import TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.engine import CUP, NAC, a_card
from tests.support.money import ISO87, MoneyDesk, a_desk

ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
VOIDABLE = pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])


def sold(profile: Profile, amount: int = 10_000) -> MoneyDesk:
    desk = a_desk(profile)
    assert desk.do(Kind.SALE, 1, amount) == "00"
    return desk


@ALL
def test_a_refund_credits_the_card_and_is_negative_in_the_ledger(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.REFUND, 2, 4_000, of=1) == "00"
    refund = desk.txn(2)
    assert (refund.state, refund.kind, refund.original_id) == (TxnState.CAPTURED, "refund", desk.txn(1).id)
    assert (desk.payable(), desk.bank.debited) == (6_000, 6_000)
    assert desk.purposes() == [("debit", 10_000, 0), ("credit", 4_000, 0)]
    desk.check()


@ALL
def test_all_refunds_of_a_sale_together_are_never_more_than_it(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.REFUND, 2, 6_000, of=1) == "00"
    assert desk.do(Kind.REFUND, 3, 4_001, of=1) == "64"
    assert desk.do(Kind.REFUND, 4, 4_000, of=1) == "00"
    assert desk.do(Kind.REFUND, 5, 1, of=1) == "64"
    assert desk.payable() == 0
    desk.check()


@ALL
def test_a_refund_in_flight_counts_too(profile: Profile) -> None:
    """Two terminals at once must not give back the same money."""
    desk = sold(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.REFUND, 2, 6_000, of=1) == "waits"
    assert desk.do(Kind.REFUND, 3, 6_000, of=1) == "64"
    desk.check()
    assert desk.payable() == 4_000


@ALL
def test_a_refund_of_nothing_or_of_what_never_was_a_sale(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.SALE, 2, 20_000) == "51"
    assert desk.do(Kind.PRE_AUTH, 3, 1_000) == "00"
    for stan in (2, 3):
        assert desk.do(Kind.REFUND, 10 + stan, 100, of=stan) == "25"
    nothing = OriginalRef(stan="000099", batch="000001", date="0302", rrn="999999999999", transmitted="0302000099")
    assert desk.do(Kind.REFUND, 20, 100, original=nothing) == "25"
    desk.check()


@ALL
def test_nothing_is_left_of_what_was_voided_or_reversed(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.VOID, 2, 10_000, of=1) == "00"
    assert desk.do(Kind.REFUND, 3, 1, of=1) == "64"
    assert desk.do(Kind.SALE, 4, 10_000) == "00"
    assert desk.undo(4) == "00"
    assert desk.do(Kind.REFUND, 5, 1, of=4) == "64"
    desk.check()


@ALL
def test_a_tip_may_be_refunded_with_its_sale(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.TIP, 2, 11_000, of=1) == "00"
    assert desk.do(Kind.REFUND, 3, 11_001, of=1) == "64"
    assert desk.do(Kind.REFUND, 4, 11_000, of=1) == "00"
    assert desk.payable() == 0
    desk.check()


@ALL
def test_after_the_close_too(profile: Profile) -> None:
    """FC 53: a sale of yesterday is refunded, not voided."""
    desk = sold(profile)
    desk.close_batch()
    assert desk.do(Kind.VOID, 2, 10_000, of=1) == "12"
    assert desk.do(Kind.REFUND, 3, 10_000, of=1) == "00"
    assert desk.payable() == 0
    desk.check()


@pytest.mark.parametrize(
    ("rule", "first", "second"), [("card", "00", "64"), ("refuse", "25", "25"), ("accept", "00", "00")]
)
@VOIDABLE
def test_rule_r_a_refund_that_names_nothing(profile: Profile, rule: str, first: str, second: str) -> None:
    desk = sold(replace(profile, refund_unreferenced=rule))
    assert desk.do(Kind.REFUND, 2, 9_000) == first
    assert desk.do(Kind.REFUND, 3, 9_000) == second
    assert desk.do(Kind.REFUND, 4, 100, card=a_card("4111111111111111")) == ("00" if rule == "accept" else "25")
    desk.heal()
    assert desk.bank.debited == desk.payable()


@ALL
def test_the_money_goes_back_to_the_card_of_the_sale(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.REFUND, 2, 100, of=1, card=a_card("4111111111111111")) == "00"
    assert desk.txn(2).pan_hash == desk.txn(1).pan_hash


@VOIDABLE
def test_a_void_of_a_refund_debits_again(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert desk.do(Kind.VOID, 3, 4_000, of=2, processing_code="220000") == "00"
    assert desk.states(1, 2, 3) == ["captured", "voided", "captured"]
    assert (desk.txn(3).voids_kind, desk.payable()) == ("refund", 10_000)
    assert desk.purposes()[-1] == ("debit-again", 4_000, 0)
    assert desk.do(Kind.REFUND, 4, 10_000, of=1) == "00"
    desk.check()


@VOIDABLE
def test_22_voids_a_refund_and_02_does_not(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert desk.do(Kind.VOID, 3, 4_000, of=2) == "25"
    assert desk.do(Kind.VOID, 4, 10_000, of=1, processing_code="220000") == "25"


@ALL
def test_a_refunded_sale_is_not_voided_on_top(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 1, of=1)
    assert desk.do(Kind.VOID, 3, 10_000, of=1) == "12"
    desk.check()


@VOIDABLE
def test_a_reversed_refund_is_debited_again(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert desk.undo(2) == "00"
    assert (desk.states(2), desk.payable()) == (["reversed"], 10_000)
    assert desk.purposes()[-1] == ("debit-again", 4_000, 0)
    assert desk.undo(2) == "00"
    assert desk.do(Kind.REFUND, 3, 10_000, of=1) == "00"
    desk.check()


@VOIDABLE
def test_a_void_of_a_refund_that_is_reversed_credits_again(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    desk.do(Kind.VOID, 3, 4_000, of=2, processing_code="220000")
    assert desk.undo(3) == "00"
    assert (desk.states(2, 3), desk.payable()) == (["captured", "reversed"], 6_000)
    desk.check()


@ALL
def test_a_sale_that_is_reversed_after_its_refund_raises_an_alarm(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert desk.undo(1) == "00"
    assert desk.alarms() == ["reversal-of-refunded"]
    desk.check()


@VOIDABLE
def test_a_refund_that_lives_again_beside_another_raises_an_alarm(profile: Profile) -> None:
    """The reversal of its void cannot be refused; a person has to look at what was given back twice (A11)."""
    desk = sold(profile)
    desk.do(Kind.REFUND, 2, 10_000, of=1)
    desk.do(Kind.VOID, 3, 10_000, of=2, processing_code="220000")
    assert desk.do(Kind.REFUND, 4, 4_000, of=1) == "00"
    assert desk.undo(3) == "00"
    assert (desk.payable(), desk.alarms()) == (-4_000, ["reversal-of-refunded"])
    desk.check()


@ALL
def test_a_tip_that_is_reversed_after_its_refund_raises_an_alarm(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    desk.do(Kind.REFUND, 3, 11_000, of=1)
    assert desk.undo(2) == "00"
    assert (desk.payable(), desk.alarms()) == (-1_000, ["reversal-of-refunded"])
    desk.check()
