"""Completion by request and advice, its void and its reversal (rules.md, sections 1, 8 and 9; FC 58, A11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.events import Expire
from host.rows import Adjustment, Batch, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID, a_card
from tests.support.money import ISO87, MoneyDesk, a_desk

ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])
HOW = pytest.mark.parametrize("how", [Kind.COMPLETION, Kind.COMPLETION_ADVICE], ids=["request", "advice"])


def held(profile: Profile, amount: int = 10_000) -> MoneyDesk:
    desk = a_desk(profile)
    assert desk.do(Kind.PRE_AUTH, 1, amount) == "00"
    return desk


def void_of(profile: Profile) -> Kind:
    return Kind.COMPLETION_VOID if profile.family == "cup" else Kind.VOID


@HOW
@ALL
def test_a_completion_debits_and_the_hold_is_gone(profile: Profile, how: Kind) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    assert desk.do(how, 3, 11_000, of=1) == "00"
    preauth, completion = desk.txn(1), desk.txn(3)
    assert (preauth.state, preauth.held, preauth.replaced_by) == (TxnState.CAPTURED, 0, completion.id)
    assert (completion.state, completion.settlement, completion.original_id) == ("captured", "open", preauth.id)
    assert (desk.payable(), desk.bank.debited, desk.bank.held) == (11_000, 11_000, 0)
    assert desk.purposes()[-1] == ("debit", 11_000, 12_000)
    assert [b.running for b in desk.rows(Batch)] == [f'{{"{how}": [1, 11000]}}']
    desk.check()


@pytest.mark.parametrize(
    ("percent", "amount", "expected"), [(115, 11_500, "00"), (115, 11_501, "61"), (100, 10_001, "61")]
)
@HOW
@ALL
def test_at_most_115_percent_of_what_is_held(
    profile: Profile, how: Kind, percent: int, amount: int, expected: str
) -> None:
    desk = held(replace(profile, completion_percent=percent))
    assert desk.do(how, 2, amount, of=1) == expected
    if expected == "61":  # FC 58: still usable
        assert desk.do(how, 3, 10_000, of=1) == "00"
    desk.check()


@HOW
@ALL
def test_none_25_twice_12(profile: Profile, how: Kind) -> None:
    desk = held(profile)
    nothing = OriginalRef(stan="000099", transmitted="0302000099", mti="0100", auth_code="999999")
    assert desk.do(how, 2, 100, original=nothing) == "25"
    assert desk.do(how, 3, 100, of=1) == "00"
    assert desk.do(how, 4, 100, of=1) == "12"
    desk.check()


@ALL
def test_a_completion_is_never_refused_for_funds(profile: Profile) -> None:
    """The bank refuses 200.00 of anything new; a completion draws on what is held."""
    desk = held(profile, 19_000)
    assert desk.do(Kind.COMPLETION, 2, 21_000, of=1) == "00"
    desk.check()


@ALL
def test_another_batch_does_not_matter(profile: Profile) -> None:
    desk = held(profile)
    fresh = desk.close_batch()
    assert desk.do(Kind.COMPLETION, 2, 9_000, of=1) == "00"
    assert (desk.txn(2).batch_id, desk.payable()) == (fresh.id, 9_000)
    desk.check()


@ALL
def test_voided_or_reversed_there_is_no_preauth(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_VOID, 2, 10_000, of=1)
    assert desk.do(Kind.COMPLETION, 3, 100, of=1) == "25"


@pytest.mark.parametrize("profile", [NAC, ISO87], ids=["nac", "iso87"])
def test_an_offline_sale_with_the_approval_code_of_a_preauth_is_its_completion(profile: Profile) -> None:
    desk = held(profile)
    code = desk.txn(1).auth_code
    other = a_card("4111111111111111")
    assert desk.do(Kind.OFFLINE_SALE, 2, 100, auth_code=code, card=other) == "00"
    assert desk.txn(2).kind == "offline-sale"
    assert desk.do(Kind.OFFLINE_SALE, 3, 12_000, auth_code=code) == "61"
    assert desk.do(Kind.OFFLINE_SALE, 4, 11_000, auth_code=code) == "00"
    assert (desk.txn(4).kind, desk.states(1)) == ("completion-advice", ["captured"])
    assert desk.do(Kind.OFFLINE_SALE, 4, 11_000, auth_code=code) == "00"  # the repeat of it
    assert desk.payable() == 11_100
    desk.check()


def test_a_cup_offline_sale_is_never_a_completion() -> None:
    desk = held(CUP)
    assert desk.do(Kind.OFFLINE_SALE, 2, 100, auth_code=desk.txn(1).auth_code) == "00"
    assert (desk.txn(2).kind, desk.states(1)) == ("offline-sale", ["authorised"])
    assert desk.txn(2).auth_code == desk.txn(1).auth_code


@HOW
@ALL
def test_a_voided_completion_gives_the_hold_back(profile: Profile, how: Kind) -> None:
    desk = held(profile)
    desk.do(how, 2, 9_000, of=1)
    assert desk.do(void_of(profile), 3, 9_000, of=2) == "00"
    preauth, void = desk.txn(1), desk.txn(3)
    assert (preauth.state, preauth.held, preauth.replaced_by) == (TxnState.AUTHORISED, 10_000, 0)
    assert (desk.states(2, 3), void.voids_kind, desk.payable()) == (["voided", "captured"], how.value, 0)
    assert desk.purposes()[-1] == ("credit", 9_000, -10_000)
    desk.check()
    assert (desk.bank.debited, desk.bank.held) == (0, 10_000)
    assert desk.do(how, 4, 10_000, of=1) == "00"
    desk.check()


@ALL
def test_a_completion_void_that_is_reversed_completes_again(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    desk.do(void_of(profile), 3, 9_000, of=2)
    assert desk.undo(3) == "00"
    assert desk.states(1, 2, 3) == ["captured", "captured", "reversed"]
    assert (desk.txn(1).held, desk.txn(1).replaced_by, desk.payable()) == (0, desk.txn(2).id, 9_000)
    assert desk.purposes()[-1] == ("debit-again", 9_000, 10_000)
    desk.check()


@ALL
def test_a_completion_void_that_is_reversed_after_another_completion_raises_an_alarm(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    desk.do(void_of(profile), 3, 9_000, of=2)
    desk.do(Kind.COMPLETION, 4, 8_000, of=1)
    assert desk.undo(3) == "00"
    assert (desk.alarms(), desk.payable()) == (["completed-twice"], 17_000)
    desk.check()


@HOW
@ALL
def test_a_reversed_completion_gives_the_hold_back(profile: Profile, how: Kind) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 1_000, of=1)
    desk.do(how, 3, 9_000, of=1)
    assert desk.undo(3) == "00"
    assert (desk.states(1, 2, 3), desk.txn(1).held) == (["authorised", "authorised", "reversed"], 11_000)
    assert desk.purposes()[-1] == ("undo debit", 9_000, 11_000)
    desk.check()
    assert (desk.bank.debited, desk.bank.held, desk.payable()) == (0, 11_000, 0)


@ALL
def test_in_a_closed_batch_the_completion_is_adjusted_and_the_hold_is_back(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    fresh = desk.close_batch()
    assert desk.undo(2) == "00"
    assert [(a.batch_id, a.amount) for a in desk.rows(Adjustment)] == [(fresh.id, -9_000)]
    assert (desk.txn(1).held, desk.payable()) == (10_000, 0)
    desk.check()


@ALL
def test_a_completion_that_comes_too_late_is_undone(profile: Profile) -> None:
    """An increment was reversed while the debit was at the issuer: it is not the hold that was dropped."""
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 1_000, of=1)
    desk.bank.mode = "late"
    assert desk.do(Kind.COMPLETION, 3, 9_000, of=1) == "waits"
    assert desk.undo(2) == "00"
    desk.check()
    assert (desk.states(1, 3), desk.txn(1).held) == (["authorised", "declined"], 10_000)


@ALL
def test_a_tip_on_a_completion(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    assert desk.do(Kind.TIP, 3, 9_500, of=2) == "00"
    assert desk.payable() == 9_500
    assert desk.do(void_of(profile), 4, 9_500, of=2) == "00"
    assert (desk.states(1, 2, 3), desk.txn(1).held) == (["authorised", "voided", "voided"], 10_000)
    desk.check()
    assert desk.undo(4) == "00"
    assert desk.states(1, 2, 3) == ["captured", "captured", "captured"]
    desk.check()
    assert desk.undo(2) == "00"
    assert desk.states(1, 2, 3) == ["authorised", "reversed", "reversed"]
    desk.check()


@ALL
def test_a_completion_that_lives_again_takes_what_came_meanwhile(profile: Profile) -> None:
    """Its void was reversed after the hold had grown: all of it comes back when the completion falls for good."""
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    assert desk.do(void_of(profile), 3, 9_000, of=2) == "00"
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 4, 2_000, of=1) == "00"
    assert desk.undo(3) == "00"
    assert (desk.states(1, 2, 4), desk.txn(1).held) == (["captured", "captured", "captured"], 0)
    desk.check()
    assert desk.undo(2) == "00"
    assert (desk.states(1, 2, 4), desk.txn(1).held) == (["authorised", "reversed", "authorised"], 12_000)
    desk.check()
    assert desk.undo(4) == "00"
    assert desk.txn(1).held == 10_000
    desk.check()


@ALL
def test_what_another_completion_has_taken_does_not_come_back(profile: Profile) -> None:
    """The void of the first was reversed after a second: an alarm; and when the first falls, the second stands."""
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    desk.do(void_of(profile), 3, 9_000, of=2)
    assert desk.do(Kind.COMPLETION, 4, 8_000, of=1) == "00"
    assert desk.undo(3) == "00"
    assert "completed-twice" in desk.alarms()
    desk.check()
    assert desk.undo(2) == "00"
    assert (desk.states(1, 2, 4), desk.txn(1).held) == (["captured", "reversed", "captured"], 0)
    assert desk.do(Kind.COMPLETION, 5, 8_000, of=1) == "12"
    desk.check()
    assert (desk.payable(), desk.bank.held) == (8_000, 0)


@ALL
def test_what_has_expired_does_not_come_back(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.COMPLETION, 2, 9_000, of=1)
    desk.do(void_of(profile), 3, 9_000, of=2)
    desk.send(Expire(desk.txn(1).id, TID))
    assert desk.undo(3) == "00"
    assert desk.do(void_of(profile), 4, 9_000, of=2) == "00"
    assert (desk.states(1, 2), desk.txn(1).held) == (["expired", "voided"], 0)
    desk.check()
    assert (desk.payable(), desk.bank.held) == (0, 0)


def test_only_completions_are_voided_by_a_cup_completion_void() -> None:
    desk = a_desk(CUP)
    desk.do(Kind.SALE, 1, 100)
    assert desk.do(Kind.COMPLETION_VOID, 2, 100, of=1) == "25"
    assert desk.books.open_batch(TID) is not None


def test_a_completion_that_names_a_declined_increment_is_25() -> None:
    desk = a_desk(ISO87)
    unknown = OriginalRef(stan="000077", transmitted="0302000117", mti="0100")
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 1, 1_000, original=unknown) == "25"
    assert desk.do(Kind.COMPLETION, 2, 1_000, of=1) == "25"
