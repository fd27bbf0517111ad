"""Each row of the table of rules.md, section 3: the answer, the books, and what the issuer is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.engine.reversal import TABLE, Found
from host.rows import Adjustment, Batch, Leg, Posting, TxnState
from specs.operation import Kind
from specs.profile import Profile
from tests.support.engine import CUP, MID, NAC, TID, Desk, a_card, code, partly, refuse, silent

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])


def running(desk: Desk) -> str:
    batch = desk.books.open_batch(TID)
    assert batch is not None
    return batch.running


@BOTH
def test_approved_live_batch_open_is_undone_and_leaves_the_totals(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    assert code(desk.reverse(1)) == "00"
    txn = desk.txn(1)
    assert (txn.state, txn.undone_by, txn.settlement) == (TxnState.REVERSED, "reversal", "none")
    assert (desk.payable(), desk.balance("issuer-clearing"), running(desk)) == (0, 0, "{}")
    assert [(a.leg.number, a.undo) for a in desk.asked] == [(1, False), (1, True)]
    assert [(g.state, g.result) for g in desk.rows(Leg)] == [("done", "undone")]


@BOTH
def test_a_repeat_gets_00_again_and_undoes_nothing_twice(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    first = desk.reverse(1)
    desk.later(minutes=1)
    again = desk.reverse(1)
    assert first is not None
    assert again is not None
    assert (again.code, again.rrn, again.auth_code) == (first.code, first.rrn, first.auth_code)  # A3
    assert (desk.payable(), len(desk.rows(Posting)), len(desk.asked)) == (0, 4, 2)


@BOTH
def test_after_its_batch_closed_an_equal_adjustment_lands_in_the_open_one(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    closed = desk.txn(1).batch_id
    fresh = desk.close_batch()
    assert code(desk.reverse(1)) == "00"
    assert [(a.txn_id, a.batch_id, a.amount) for a in desk.rows(Adjustment)] == [(desk.txn(1).id, fresh.id, -10_000)]
    lines = [(p.account, p.amount, p.batch_id) for p in desk.rows(Posting) if p.reason == "adjustment"]
    assert lines == [("issuer-clearing", -10_000, fresh.id), (f"merchant-payable:{MID}", 10_000, fresh.id)]
    assert running(desk) == "{}"  # out of the comparison (RH4)
    old = desk.books.get(Batch, closed)
    assert old is not None
    assert old.running == '{"sale": [1, 10000]}'
    assert (desk.txn(1).state, desk.txn(1).batch_id, desk.txn(1).settlement) == (TxnState.REVERSED, closed, "settled")
    assert desk.asked[-1].undo
    desk.reverse(1)
    assert len(desk.rows(Adjustment)) == 1


@BOTH
def test_still_at_the_issuer_00_at_once_and_its_yes_is_met_with_0420(profile: Profile) -> None:
    desk = Desk(profile, issuer=silent)
    desk.sale(1)
    assert code(desk.reverse(1)) == "00"
    assert desk.txn(1).state is TxnState.REVERSED
    assert [a.undo for a in desk.asked] == [False]
    original = desk.answer(desk.asked[0])  # the late yes
    assert code(original) == "12"
    assert desk.last.asks[0].undo
    assert (desk.payable(), desk.rows(Posting)) == (0, [])
    assert code(desk.sale(1)) == "12"
    assert code(desk.reverse(1)) == "00"


def test_still_at_the_issuer_a_silence_is_undone_and_the_original_gets_12() -> None:
    desk = Desk(issuer=silent)
    desk.sale(1)
    desk.reverse(1)
    assert [o.code for o in desk.silence()] == ["12"]
    assert desk.asked[-1].undo
    assert desk.txn(1).state is TxnState.REVERSED


@BOTH
def test_known_and_never_approved_is_12_and_changes_nothing(profile: Profile) -> None:
    desk = Desk(profile, issuer=refuse("funds"))
    desk.sale(1)
    assert code(desk.reverse(1)) == "12"
    assert (desk.txn(1).state, desk.rows(Posting), len(desk.asked)) == (TxnState.DECLINED, [], 1)


def test_a_balance_inquiry_has_nothing_to_reverse() -> None:
    desk = Desk()
    desk.send(desk.request(Kind.BALANCE, stan=1))
    assert code(desk.reverse(1, amount=None, of=Kind.BALANCE)) == "12"


@BOTH
def test_a_sale_that_was_voided_since_stays_voided_with_an_alarm(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    assert code(desk.reverse(1)) == "12"
    assert (desk.txn(1).state, desk.payable(), desk.alarms()) == (TxnState.VOIDED, 0, ["reversal-of-voided"])


@BOTH
def test_reversing_a_void_brings_the_sale_back_and_debits_again(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    assert (desk.payable(), running(desk)) == (0, '{"sale": [1, 10000], "void": [1, 10000]}')
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert (desk.txn(2).state, desk.txn(2).undone_by) == (TxnState.REVERSED, "reversal")
    assert (desk.txn(1).state, desk.txn(1).undone_by, desk.txn(1).settlement) == (TxnState.CAPTURED, "", "open")
    assert (desk.payable(), running(desk)) == (10_000, '{"sale": [1, 10000]}')
    ask = desk.asked[-1]
    assert (ask.leg.purpose, ask.leg.number, ask.leg.txn_id, ask.undo) == ("debit-again", 2, desk.txn(2).id, False)
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert desk.payable() == 10_000
    assert code(desk.reverse(1)) == "00"  # and the sale that lives again can be reversed
    assert desk.payable() == 0


@BOTH
def test_reversing_a_void_after_the_close_is_an_adjustment_of_plus_the_amount(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    fresh = desk.close_batch()
    assert code(desk.reverse(2, of=Kind.VOID)) == "00"
    assert [(a.txn_id, a.batch_id, a.amount) for a in desk.rows(Adjustment)] == [(desk.txn(2).id, fresh.id, 10_000)]
    assert (desk.txn(1).state, desk.txn(1).settlement, desk.payable()) == (TxnState.CAPTURED, "settled", 10_000)
    assert running(desk) == "{}"


@BOTH
def test_unseen_leaves_a_tombstone_and_the_original_is_refused(profile: Profile) -> None:
    """FC 6: the reversal overtakes its sale. A host that then approves the sale has charged somebody for nothing."""
    desk = Desk(profile)
    first = desk.reverse(1)
    assert code(first) == "25"
    assert desk.txn(1).state is TxnState.TOMBSTONE
    again = desk.reverse(1)
    assert again is not None
    assert first is not None
    assert (again.code, again.rrn) == ("25", first.rrn)
    assert code(desk.sale(1)) == "12"
    assert code(desk.reverse(1)) == "25"
    assert len(desk.books.txns_by_stan(TID, "000001")) == 1
    assert (desk.asked, desk.rows(Posting)) == ([], [])


def test_unseen_can_be_answered_00_by_profile() -> None:
    desk = Desk(replace(CUP, reversal_unseen="00"))
    assert code(desk.reverse(1)) == "00"
    assert code(desk.reverse(1)) == "00"
    assert code(desk.sale(1)) == "12"


def test_a_cup_tombstone_holds_whatever_the_content_and_as_long_as_the_batch() -> None:
    desk = Desk()
    desk.reverse(1)
    desk.later(days=3)
    assert code(desk.sale(1, amount=777)) == "12"
    assert code(desk.sale(2)) == "00"


def test_a_nac_tombstone_holds_its_amount_card_and_invoice_for_a_day() -> None:
    desk = Desk(NAC)
    desk.reverse(1, invoice="000045", card=a_card())
    assert code(desk.sale(1, invoice="000045")) == "12"
    assert code(desk.sale(1, amount=777, invoice="000045")) == "00"

    desk = Desk(NAC)
    desk.reverse(1, invoice="000045", card=a_card())
    assert code(desk.sale(1, invoice="000046")) == "00"

    desk = Desk(NAC)
    desk.reverse(1)
    desk.later(hours=24)
    assert code(desk.sale(1)) == "00"


@BOTH
def test_another_amount_is_25_with_an_alarm_and_no_tombstone(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    assert code(desk.reverse(1, amount=9_999)) == "25"
    assert desk.alarms() == ["near-miss"]
    assert [t.state for t in desk.books.txns_by_stan(TID, "000001")] == [TxnState.CAPTURED]
    assert desk.payable() == 10_000
    assert code(desk.reverse(1)) == "00"


@BOTH
def test_the_reversal_may_name_the_requested_or_the_approved_amount(profile: Profile) -> None:
    for amount in (10_000, 7_000):
        desk = Desk(profile, issuer=partly(7_000))
        assert code(desk.sale(1)) == "10"
        assert desk.payable() == 7_000
        assert code(desk.reverse(1, amount=amount)) == "00"
        assert desk.payable() == 0


def test_the_table_has_a_row_for_all_that_can_be_found() -> None:
    assert set(TABLE) == set(Found) - {Found.UNSEEN, Found.TOMBSTONE, Found.OTHER_CLOSED}


@BOTH
def test_a_reversal_never_gets_94(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    for amount in (10_000, 10_000, 1, 0):
        assert code(desk.reverse(1, amount=amount)) in {"00", "25", "12"}
