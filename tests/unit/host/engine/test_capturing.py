"""Profile TC: held at approval, captured at the settlement, or let go (rules.md, section 9, the right-hand column)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine import capturing
from host.engine.draft import Draft
from host.rows import Adjustment, Posting, TxnState
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, NAC
from tests.support.money import ISO87, MoneyDesk, a_desk

PROFILES = [replace(p, capture="TC") for p in (CUP, NAC, ISO87)]
ALL = pytest.mark.parametrize("profile", PROFILES, ids=["cup", "nac", "iso87"])
VOIDABLE = pytest.mark.parametrize("profile", PROFILES[1:], ids=["nac", "iso87"])


def sold(profile: Profile, amount: int = 10_000) -> MoneyDesk:
    desk = a_desk(profile)
    assert desk.do(Kind.SALE, 1, amount) == "00"
    return desk


@pytest.mark.parametrize("kind", [Kind.SALE, Kind.CASH_BACK, Kind.OFFLINE_SALE])
@ALL
def test_a_sale_is_held_and_captured_at_the_settlement(profile: Profile, kind: Kind) -> None:
    desk = a_desk(profile)
    said = desk.outcome(kind, 1, 10_000)
    assert said is not None
    assert (said.code, said.amount) == ("00", 10_000)
    txn = desk.txn(1)
    assert (txn.state, txn.held, txn.settlement, txn.approved_amount) == ("authorised", 10_000, "open", 10_000)
    assert (desk.rows(Posting), desk.bank.held, desk.bank.debited) == ([], 10_000, 0)
    assert desk.outcome(kind, 1, 10_000) == said
    desk.check()
    desk.capture_all()
    assert (desk.states(1), desk.txn(1).settlement, desk.payable()) == (["captured"], "settled", 10_000)
    assert [(p.batch_id, p.reason) for p in desk.rows(Posting)] == [(txn.batch_id, "capture")] * 2
    assert desk.purposes() == [("hold", 10_000, 0), ("debit", 10_000, 10_000)]
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (10_000, 0)


@ALL
def test_a_sale_that_the_terminal_lost_is_let_go(profile: Profile) -> None:
    """TC: a lost journal is lost money."""
    desk = sold(profile)
    desk.do(Kind.SALE, 2, 700)
    desk.do(Kind.TIP, 3, 800, of=2)
    desk.capture_all(1, 3)
    assert desk.states(1, 2, 3) == ["expired"] * 3
    assert (desk.txn(1).settlement, desk.txn(1).undone_by, desk.payable()) == ("exception", "expiry", 0)
    desk.check()
    assert desk.bank.held == 0
    assert desk.undo(1) == "12"


@ALL
def test_a_void_releases(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.VOID, 2, 10_000, of=1) == "00"
    assert (desk.states(1, 2), desk.rows(Posting)) == (["voided", "captured"], [])
    assert desk.purposes()[-1] == ("release", 10_000, 0)
    desk.check()
    assert desk.undo(2) == "00"
    assert (desk.states(1, 2), desk.txn(1).held) == (["authorised", "reversed"], 10_000)
    assert desk.purposes()[-1] == ("hold-again", 10_000, 0)
    desk.check()
    desk.capture_all()
    desk.check()
    assert desk.payable() == 10_000


@ALL
def test_a_reversed_sale_is_released(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.undo(1) == "00"
    assert (desk.states(1), desk.rows(Posting)) == (["reversed"], [])
    desk.check()
    assert desk.bank.held == 0


@ALL
def test_after_its_capture_a_reversal_is_an_adjustment(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    fresh = desk.capture_all()
    assert desk.payable() == 11_000
    assert desk.undo(1) == "00"
    assert sorted((a.batch_id, a.amount) for a in desk.rows(Adjustment)) == [(fresh.id, -10_000), (fresh.id, -1_000)]
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (0, 0)


@ALL
def test_a_tip_is_a_new_hold(profile: Profile) -> None:
    desk = sold(profile)
    assert desk.do(Kind.TIP, 2, 11_000, of=1) == "00"
    assert (desk.states(1, 2), desk.txn(1).held, desk.txn(2).held) == (["authorised"] * 2, 0, 11_000)
    assert (desk.purposes()[-1], desk.rows(Posting)) == (("hold", 11_000, 10_000), [])
    desk.check()
    assert desk.undo(2) == "00"
    assert (desk.txn(1).held, desk.txn(1).replaced_by) == (10_000, 0)
    desk.check()
    assert desk.do(Kind.TIP, 3, 12_000, of=1) == "00"
    desk.capture_all()
    assert (desk.states(1, 3), desk.payable()) == (["captured"] * 2, 12_000)
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (12_000, 0)


@ALL
def test_a_tip_that_is_reversed_after_its_capture_leaves_the_sale_debited(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    desk.capture_all()
    assert desk.undo(2) == "00"
    desk.check()
    assert (desk.payable(), desk.bank.debited, desk.bank.held) == (10_000, 10_000, 0)
    assert desk.undo(1) == "00"
    desk.check()
    assert (desk.payable(), desk.bank.debited, desk.bank.held) == (0, 0, 0)


@ALL
def test_a_void_of_a_tipped_sale_and_back(profile: Profile) -> None:
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    assert desk.do(Kind.VOID, 3, 11_000, of=1) == "00"
    desk.check()
    assert desk.bank.held == 0
    assert desk.undo(3) == "00"
    assert (desk.states(1, 2), desk.txn(1).held, desk.txn(2).held) == (["authorised"] * 2, 0, 11_000)
    desk.check()


@ALL
def test_a_tip_after_the_capture_is_the_difference(profile: Profile) -> None:
    desk = sold(profile)
    desk.capture_all()
    assert desk.do(Kind.TIP, 2, 11_000, of=1) == "00"
    assert (desk.states(2), desk.txn(2).carried, desk.payable()) == (["captured"], True, 11_000)
    desk.check()


@ALL
def test_a_refund_is_credited_at_the_settlement(profile: Profile) -> None:
    desk = sold(profile)
    desk.capture_all()
    assert desk.do(Kind.REFUND, 2, 4_000, of=1) == "00"
    assert (desk.states(2), len(desk.purposes()), desk.payable()) == (["authorised"], 2, 10_000)
    assert desk.do(Kind.REFUND, 3, 6_001, of=1) == "64"
    desk.check()
    desk.capture_all()
    assert (desk.states(2), desk.payable(), desk.purposes()[-1]) == (["captured"], 6_000, ("credit", 4_000, 0))
    desk.check()


@ALL
def test_a_refund_that_the_terminal_lost_is_not_paid(profile: Profile) -> None:
    desk = sold(profile)
    desk.capture_all()
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    desk.capture_all(2)
    assert (desk.states(2), desk.payable(), len(desk.purposes())) == (["expired"], 10_000, 2)
    desk.check()


@VOIDABLE
def test_a_void_and_a_reversal_of_a_refund_ask_nothing(profile: Profile) -> None:
    desk = sold(profile)
    desk.capture_all()
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    assert desk.do(Kind.VOID, 3, 4_000, of=2, processing_code="220000") == "00"
    assert desk.undo(3) == "00"
    assert desk.undo(2) == "00"
    assert (desk.states(2, 3), len(desk.purposes())) == (["reversed", "reversed"], 2)
    desk.check()


@VOIDABLE
def test_a_reversed_refund_after_its_capture(profile: Profile) -> None:
    desk = sold(profile)
    desk.capture_all()
    desk.do(Kind.REFUND, 2, 4_000, of=1)
    desk.capture_all()
    assert desk.undo(2) == "00"
    assert ([a.amount for a in desk.rows(Adjustment)], desk.payable()) == ([4_000], 10_000)
    desk.check()


@pytest.mark.parametrize("how", [Kind.COMPLETION, Kind.COMPLETION_ADVICE])
@ALL
def test_a_completion_keeps_its_amount_held(profile: Profile, how: Kind) -> None:
    desk = a_desk(profile)
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    assert desk.do(how, 2, 9_000, of=1) == "00"
    assert (desk.states(1, 2), desk.txn(1).held, desk.txn(2).held) == (["captured", "authorised"], 0, 9_000)
    assert desk.purposes()[-1] == ("hold", 9_000, 10_000)
    desk.check()
    assert desk.undo(2) == "00"
    assert (desk.states(1, 2), desk.txn(1).held) == (["authorised", "reversed"], 10_000)
    desk.check()
    assert desk.do(how, 3, 11_000, of=1) == "00"
    desk.capture_all()
    assert desk.payable() == 11_000
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (11_000, 0)


@ALL
def test_a_completion_void_holds_again_and_back(profile: Profile) -> None:
    desk = a_desk(profile)
    void = Kind.COMPLETION_VOID if profile.family == "cup" else Kind.VOID
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    assert desk.do(void, 3, 9_000, of=2) == "00"
    assert (desk.states(1, 2, 3), desk.txn(1).held) == (["authorised", "voided", "captured"], 10_000)
    assert desk.purposes()[-1] == ("hold-again", 10_000, 9_000)
    desk.check()
    assert desk.undo(3) == "00"
    assert (desk.states(1, 2, 3), desk.txn(1).held, desk.txn(2).held) == (
        ["captured", "authorised", "reversed"],
        0,
        9_000,
    )
    desk.check()
    assert desk.undo(2) == "00"
    desk.check()
    assert desk.bank.held == 10_000


@ALL
def test_a_void_that_is_reversed_after_its_batch_closed(profile: Profile) -> None:
    """There is no capture to come for what lives again: it is captured then, as an adjustment."""
    desk = sold(profile)
    desk.do(Kind.TIP, 2, 11_000, of=1)
    desk.do(Kind.VOID, 3, 11_000, of=1)
    fresh = desk.capture_all()
    assert desk.payable() == 0
    assert desk.undo(3) == "00"
    assert [(a.batch_id, a.amount) for a in desk.rows(Adjustment)] == [(fresh.id, 11_000)]
    assert (desk.states(1, 2), desk.payable()) == (["captured"] * 2, 11_000)
    desk.check()
    assert desk.undo(1) == "00"
    desk.check()
    assert (desk.payable(), desk.bank.debited, desk.bank.held) == (0, 0, 0)


@ALL
def test_a_preauth_is_the_same_as_under_hc(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.do(Kind.PRE_AUTH, 1, 10_000)
    desk.capture_all()
    assert (desk.states(1), desk.txn(1).held) == (["authorised"], 10_000)
    assert desk.do(Kind.PRE_AUTH_VOID, 2, 10_000, of=1) == "00"
    desk.check()


@ALL
def test_a_partial_approval_holds_and_captures_its_part(profile: Profile) -> None:
    desk = a_desk(profile)
    assert desk.do(Kind.SALE, 1, 5_000) == "10"
    assert desk.txn(1).held == 3_000
    desk.capture_all()
    assert desk.payable() == 3_000
    desk.check()


@ALL
def test_an_advice_while_the_issuer_is_away_is_owed_as_a_hold(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.bank.mode = "down"
    assert desk.do(Kind.OFFLINE_SALE, 1, 20_000) == "00"
    assert (desk.states(1), desk.txn(1).held) == (["authorised"], 20_000)
    desk.capture_all()
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (20_000, 0)


def test_only_what_is_authorised_is_captured() -> None:
    desk = a_desk(PROFILES[0])
    desk.do(Kind.SALE, 1, 100)
    desk.capture_all()
    with pytest.raises(AssertionError, match="is captured"):
        capturing.capture(Draft(desk.books, desk.context()), desk.txn(1))
    assert desk.txn(1).state is TxnState.CAPTURED


def test_an_advice_of_a_closed_batch_is_captured_at_once() -> None:
    """RH6: it is in no comparison, so no settlement would ever capture it."""
    desk = a_desk(PROFILES[0])
    desk.do(Kind.SALE, 1, 100)
    desk.capture_all()
    assert desk.do(Kind.OFFLINE_SALE, 2, 10_000, batch="000001") == "00"
    assert (desk.states(2), desk.txn(2).carried, desk.txn(2).held) == (["captured"], True, 0)
    assert (desk.purposes()[-1], desk.payable()) == (("debit", 10_000, 0), 10_100)
    desk.check()
