"""Issuer legs: silence, late answers, restarts (rules.md, section 9; RH7; FC 17-20, 55)."""

from __future__ import annotations

import pytest

from host.engine.events import IssuerAnswer, LegOverdue
from host.rows import Leg, Posting, TxnState
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, NAC, Desk, approve, code, refuse, silent


def leg(desk: Desk, number: int = 1) -> Leg:
    return desk.rows(Leg)[number - 1]


@pytest.mark.parametrize(("profile", "expected"), [(CUP, "98"), (NAC, "91")], ids=["cup", "nac"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_silent_issuer_declines_and_is_undone_until_acked(profile: Profile, expected: str, restart: bool) -> None:
    desk = Desk(profile, issuer=silent)
    desk.sale(1)
    desk.later(seconds=20)
    assert [o.code for o in desk.silence(restart=restart)] == [expected]
    txn = desk.txn(1)
    assert (txn.state, txn.undone_by, txn.refusal) == (TxnState.DECLINED, "no-answer", "issuer-silent")
    assert (leg(desk).state, leg(desk).tries, leg(desk).deadline) == ("undoing", 1, "2026-03-02T09:00:40+00:00")
    for tries in (2, 3, 4):
        assert desk.silence() == []
        assert leg(desk).tries == tries
    assert [a.undo for a in desk.asked] == [False, True, True, True, True]
    desk.answer(desk.asked[-1])
    assert (leg(desk).state, leg(desk).result) == ("done", "undone")
    assert desk.silence() == []
    assert len(desk.asked) == 5
    assert code(desk.reverse(1)) == "12"


def test_a_late_yes_is_never_captured() -> None:
    """FC 20: the issuer's yes comes after the terminal was told no."""
    desk = Desk(issuer=silent)
    desk.sale(1)
    desk.silence()
    desk.answer(desk.asked[0])  # the late yes, while the 0420 is on its way
    assert (desk.txn(1).state, leg(desk).state, desk.rows(Posting)) == (TxnState.DECLINED, "undoing", [])
    desk.answer(desk.asked[1])
    desk.answer(desk.asked[0])  # and once more after the ack
    assert (desk.txn(1).state, leg(desk).state, desk.rows(Posting)) == (TxnState.DECLINED, "done", [])


def test_a_yes_after_a_no_is_undone() -> None:
    desk = Desk(issuer=refuse("issuer-down"))
    assert code(desk.sale(1)) == "91"
    desk.issuer = approve
    desk.answer(desk.asked[0])
    assert (desk.txn(1).state, leg(desk).result, desk.rows(Posting)) == (TxnState.DECLINED, "undone", [])
    assert desk.asked[-1].undo


def test_a_repeated_answer_changes_nothing() -> None:
    desk = Desk()
    desk.sale(1)
    before = desk.rows(Posting), desk.rows(Leg), desk.txn(1)
    assert desk.answer(desk.asked[0]) is None
    assert (desk.rows(Posting), desk.rows(Leg), desk.txn(1)) == before


def test_an_unknown_leg_is_ignored() -> None:
    desk = Desk()
    assert desk.send(IssuerAnswer(99, 99, "debit", True, 1, "")) is None
    assert desk.send(LegOverdue(99, 99)) is None


def test_a_silent_inquiry_leaves_nothing_to_undo() -> None:
    desk = Desk(issuer=silent)
    desk.send(desk.request(Kind.BALANCE, stan=1))
    assert [o.code for o in desk.silence()] == ["98"]
    assert (leg(desk).state, len(desk.asked), desk.txn(1).undone_by) == ("done", 1, "")


def test_a_void_half_done_at_the_issuer_is_debited_back_and_the_sale_stands() -> None:
    """FC 55: the issuer may have credited; the 0420 of the credit leg debits again."""
    desk = Desk()
    desk.sale(1)
    desk.issuer = silent
    desk.void(2, of=1)
    assert [o.code for o in desk.silence()] == ["98"]
    assert (desk.txn(1).state, desk.txn(2).state, desk.payable()) == (TxnState.CAPTURED, TxnState.DECLINED, 10_000)
    assert (desk.asked[-1].leg.purpose, desk.asked[-1].undo) == ("credit", True)


def test_a_void_approved_after_its_sale_was_reversed_is_undone() -> None:
    desk = Desk()
    desk.sale(1)
    desk.issuer = silent
    desk.void(2, of=1)
    credit = desk.asked[-1]
    desk.issuer = approve
    assert code(desk.reverse(1)) == "00"
    assert code(desk.answer(credit)) == "12"
    assert (desk.txn(1).state, desk.txn(2).state, desk.payable()) == (TxnState.REVERSED, TxnState.DECLINED, 0)
    assert (desk.asked[-1].leg.purpose, desk.asked[-1].undo) == ("credit", True)


def test_debit_again_is_asked_until_the_issuer_takes_it_and_nobody_waits() -> None:
    desk = Desk()
    desk.sale(1)
    desk.void(2, of=1)
    desk.issuer = silent
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert leg(desk, 3).state == "owing"  # so that a settlement does not wait for it
    desk.silence()
    desk.answer(desk.asked[-1], refuse_down)
    assert leg(desk, 3).state == "owing"
    desk.silence()
    assert [(a.leg.purpose, a.undo) for a in desk.asked[2:]] == [("debit-again", False)] * 3
    desk.answer(desk.asked[-1])
    assert (leg(desk, 3).state, leg(desk, 3).tries, desk.alarms()) == ("done", 3, [])


def refuse_down(ask: object) -> IssuerAnswer:
    return IssuerAnswer(3, 2, "debit-again", False, 0, "issuer-down")


def test_an_issuer_that_refuses_to_debit_again_raises_an_alarm() -> None:
    desk = Desk()
    desk.sale(1)
    desk.void(2, of=1)
    desk.issuer = silent
    desk.reverse(2, of=Kind.VOID)
    ask = desk.asked[-1]
    desk.send(IssuerAnswer(ask.leg.id, ask.leg.txn_id, "debit-again", False, 0, "stolen-card"))
    assert desk.alarms() == ["debit-again-refused"]
    assert desk.payable() == 10_000


def test_more_than_was_asked_is_our_mistake_and_changes_nothing() -> None:
    desk = Desk(issuer=silent)
    desk.sale(1)
    before = desk.txn(1)
    with pytest.raises(AssertionError, match="approved 10001 of 10000"):
        desk.send(IssuerAnswer(1, before.id, "debit", True, 10_001, ""))
    assert desk.txn(1) == before
