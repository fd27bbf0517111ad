"""Pre-authorisation, increment, void and expiry: what is held is what the row says (rules.md, 8 and 9; FC 57, A11)."""

from __future__ import annotations

import pytest

from host.engine.events import Expire
from host.rows import Adjustment, Batch, Posting, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.engine import CUP, NAC, TID
from tests.support.money import ISO87, MoneyDesk, a_desk

ALL = pytest.mark.parametrize("profile", [CUP, NAC, ISO87], ids=["cup", "nac", "iso87"])


def held(profile: Profile, amount: int = 10_000) -> MoneyDesk:
    desk = a_desk(profile)
    assert desk.do(Kind.PRE_AUTH, 1, amount) == "00"
    return desk


@ALL
def test_a_preauth_holds_and_is_in_no_total(profile: Profile) -> None:
    desk = held(profile)
    txn = desk.txn(1)
    assert (txn.state, txn.held, txn.settlement, txn.approved_amount) == (TxnState.AUTHORISED, 10_000, "none", 10_000)
    assert (desk.bank.held, desk.bank.debited, desk.rows(Posting)) == (10_000, 0, [])
    assert [b.running for b in desk.rows(Batch)] == ["{}"]
    desk.check()


@ALL
def test_a_preauth_in_part_and_a_refused_one(profile: Profile) -> None:
    desk = a_desk(profile)
    said = desk.outcome(Kind.PRE_AUTH, 1, 5_000)
    assert said is not None
    assert (said.code, said.amount, desk.txn(1).held) == ("10", 3_000, 3_000)
    assert desk.do(Kind.PRE_AUTH, 2, 20_000) == "51"
    desk.check()


@ALL
def test_a_replay_of_a_live_preauth_says_the_same(profile: Profile) -> None:
    desk = held(profile)
    assert desk.outcome(Kind.PRE_AUTH, 1, 10_000) == desk.said[0][1]
    assert desk.bank.held == 10_000


@ALL
def test_an_increment_lets_the_hold_grow(profile: Profile) -> None:
    desk = held(profile)
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1) == "00"
    increment = desk.txn(2)
    assert (desk.txn(1).held, increment.held, increment.original_id) == (12_000, 0, desk.txn(1).id)
    assert increment.state is TxnState.AUTHORISED
    desk.check()
    assert desk.bank.held == 12_000


@ALL
def test_an_increment_of_nothing(profile: Profile) -> None:
    desk = a_desk(profile)
    nothing = OriginalRef(stan="000099", transmitted="0302000099", mti="0100", auth_code="999999")
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 1, 2_000, original=nothing) == "25"


@ALL
def test_a_void_releases_everything_that_is_held(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    assert desk.do(Kind.PRE_AUTH_VOID, 3, 12_000, of=1) == "00"
    assert desk.states(1, 2, 3) == ["voided", "voided", "captured"]
    assert (desk.txn(1).held, desk.bank.held, desk.rows(Posting)) == (0, 0, [])
    assert desk.purposes()[-1] == ("release", 12_000, 0)
    assert desk.do(Kind.PRE_AUTH_VOID, 4, 12_000, of=1) in ("12", "25")
    desk.check()


@pytest.mark.parametrize(("amount", "expected"), [(12_000, "00"), (10_000, "00"), (2_000, "64"), (11_999, "64")])
@ALL
def test_the_amount_of_a_preauth_void_is_what_is_held_or_the_first(
    profile: Profile, amount: int, expected: str
) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    assert desk.do(Kind.PRE_AUTH_VOID, 3, amount, of=1) == expected
    desk.check()


@ALL
def test_a_void_of_nothing_is_25_and_of_a_completed_one_12(profile: Profile) -> None:
    desk = held(profile)
    nothing = OriginalRef(stan="000099", transmitted="0302000099", mti="0100", auth_code="999999", rrn="9" * 12)
    assert desk.do(Kind.PRE_AUTH_VOID, 2, 100, original=nothing) == "25"
    assert desk.do(Kind.COMPLETION, 3, 10_000, of=1) == "00"
    assert desk.do(Kind.PRE_AUTH_VOID, 4, 10_000, of=1) == "12"
    desk.check()


@ALL
def test_a_reversed_preauth_lets_go_of_its_increments_too(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    assert desk.undo(1) == "00"
    assert (desk.states(1, 2), desk.bank.held) == (["reversed", "reversed"], 0)
    assert desk.undo(1) == "00"
    assert desk.do(Kind.COMPLETION, 3, 100, of=1) == "25"
    desk.check()


@ALL
def test_a_reversed_increment_gives_its_part_back(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    assert desk.undo(2) == "00"
    assert (desk.states(1, 2), desk.txn(1).held, desk.bank.held) == (["authorised", "reversed"], 10_000, 10_000)
    desk.check()


@ALL
def test_a_reversed_void_holds_again(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    desk.do(Kind.PRE_AUTH_VOID, 3, 12_000, of=1)
    assert desk.undo(3) == "00"
    assert desk.states(1, 2, 3) == ["authorised", "authorised", "reversed"]
    assert (desk.txn(1).held, desk.purposes()[-1]) == (12_000, ("hold-again", 12_000, 0))
    assert desk.do(Kind.COMPLETION, 4, 12_000, of=1) == "00"
    desk.check()


@ALL
def test_in_a_closed_batch_a_preauth_is_reversed_without_any_adjustment(profile: Profile) -> None:
    desk = held(profile)
    desk.close_batch()
    assert desk.undo(1) == "00"
    assert (desk.rows(Adjustment), desk.rows(Posting), desk.bank.held) == ([], [], 0)


@ALL
def test_a_completed_preauth_is_not_reversed(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    desk.do(Kind.COMPLETION, 3, 12_000, of=1)
    assert [desk.undo(1), desk.undo(2)] == ["12", "12"]
    assert desk.alarms() == ["reversal-of-completed"] * 2
    desk.check()


@ALL
def test_a_preauth_is_reversed_while_the_issuer_thinks(profile: Profile) -> None:
    desk = a_desk(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.PRE_AUTH, 1, 10_000) == "waits"
    assert desk.undo(1) == "00"
    desk.check()
    assert (desk.bank.held, desk.states(1)) == (0, ["reversed"])


@ALL
def test_expiry_releases_what_was_held_once(profile: Profile) -> None:
    desk = held(profile)
    desk.do(Kind.PRE_AUTH_INCREMENT, 2, 2_000, of=1)
    desk.bank.mode = "down"
    desk.send(Expire(desk.txn(1).id, TID))
    assert (desk.states(1, 2), desk.txn(1).undone_by, desk.txn(1).held) == (["expired", "expired"], "expiry", 0)
    assert desk.bank.held == 12_000  # not there yet
    desk.send(Expire(desk.txn(1).id, TID))
    desk.check()
    assert (desk.bank.held, desk.purposes()[-1]) == (0, ("release", 12_000, 0))
    assert desk.do(Kind.COMPLETION, 3, 100, of=1) == "25"
    assert desk.do(Kind.PRE_AUTH_VOID, 4, 12_000, of=1) == "12"
    assert desk.undo(1) == "12"


@ALL
def test_what_is_being_completed_does_not_expire(profile: Profile) -> None:
    desk = held(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.COMPLETION, 2, 10_000, of=1) == "waits"
    desk.send(Expire(desk.txn(1).id, TID))
    desk.check()
    assert desk.states(1, 2) == ["captured", "captured"]


@ALL
def test_what_is_being_changed_is_not_changed_twice(profile: Profile) -> None:
    desk = held(profile)
    desk.bank.mode = "late"
    assert desk.do(Kind.PRE_AUTH_VOID, 2, 10_000, of=1) == "waits"
    assert desk.do(Kind.COMPLETION, 3, 10_000, of=1) == "12"
    assert desk.do(Kind.PRE_AUTH_INCREMENT, 4, 100, of=1) == "12"
    desk.check()


@ALL
def test_a_void_that_comes_too_late_is_undone(profile: Profile) -> None:
    """The pre-authorisation was reversed while the release was at the issuer."""
    desk = held(profile)
    desk.bank.mode = "late"
    desk.do(Kind.PRE_AUTH_VOID, 2, 10_000, of=1)
    assert desk.undo(1) == "00"
    desk.check()
    assert (desk.states(1, 2), desk.bank.held) == (["reversed", "declined"], 0)
