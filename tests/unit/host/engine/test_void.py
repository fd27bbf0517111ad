"""Void: once, whole, in the open batch (rules.md, sections 1, 8 and 9)."""

from __future__ import annotations

import pytest

from host.rows import Leg, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import Profile
from tests.support.engine import CUP, NAC, Desk, a_card, approve, code, partly, refuse, silent

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])


@BOTH
def test_a_void_credits_the_card_and_leaves_both_rows(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    assert code(desk.void(2, of=1)) == "00"
    sale, void = desk.txn(1), desk.txn(2)
    assert (sale.state, sale.undone_by) == (TxnState.VOIDED, f"void:{void.id}")
    assert (void.state, void.kind, void.original_id, void.approved_amount) == (
        TxnState.CAPTURED,
        Kind.VOID,
        sale.id,
        10_000,
    )
    assert (desk.payable(), desk.balance("issuer-clearing")) == (0, 0)
    assert [(g.purpose, g.amount, g.pan_hash) for g in desk.rows(Leg)] == [
        ("debit", 10_000, "hash-of-0014"),
        ("credit", 10_000, "hash-of-0014"),
    ]


@BOTH
def test_a_void_is_refused_once_the_sale_is_voided_reversed_declined_or_settled(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    assert code(desk.void(3, of=1)) == "12"
    desk.sale(4)
    desk.reverse(4)
    assert code(desk.void(5, of=4)) == "12"
    desk.issuer = refuse("funds")
    desk.sale(6)
    desk.issuer = approve
    assert code(desk.void(7, of=6)) == "12"
    desk.sale(8)
    fresh = desk.close_batch()
    number = fresh.number if profile is CUP else None
    ref = OriginalRef(stan="000008", batch="000001", rrn=desk.txn(8).rrn)
    assert code(desk.void(9, of=8, original=ref, batch=number)) == "12"
    assert desk.payable() == 10_000


@BOTH
def test_a_void_of_a_void_or_of_nothing(profile: Profile) -> None:
    desk = Desk(profile)
    desk.sale(1)
    desk.void(2, of=1)
    assert code(desk.void(3, of=2)) == "12"
    assert code(desk.void(4, of=99)) == "25"


@pytest.mark.parametrize(
    ("profile", "amount", "stated", "expected"),
    [
        (CUP, 10_000, None, "00"),
        (CUP, 9_999, None, "64"),
        (CUP, 0, None, "13"),
        (NAC, 10_000, 10_000, "00"),
        (NAC, 0, 10_000, "00"),
        (NAC, 0, None, "00"),
        (NAC, 0, 9_999, "64"),  # DE 60 = original amount
        (NAC, 9_999, None, "64"),
    ],
)
def test_the_amount_of_a_void(profile: Profile, amount: int, stated: int | None, expected: str) -> None:
    desk = Desk(profile)
    desk.sale(1)
    ref = OriginalRef(stan="000001", batch="000001", rrn=desk.txn(1).rrn, amount=stated)
    assert code(desk.void(2, of=1, amount=amount, original=ref)) == expected


def test_a_partly_approved_sale_is_voided_for_what_was_approved() -> None:
    desk = Desk(issuer=partly(7_000))
    desk.sale(1)
    desk.issuer = approve
    assert code(desk.void(2, of=1, amount=10_000)) == "64"
    assert code(desk.void(3, of=1, amount=7_000)) == "00"
    assert desk.payable() == 0


def test_card_and_side_are_those_of_the_sale_whatever_the_void_shows() -> None:
    desk = Desk()
    desk.sale(1)
    desk.void(2, of=1, card=a_card("4111111111111111"))
    sale, void = desk.txn(1), desk.txn(2)
    assert (void.pan_hash, void.organisation, void.foreign) == (sale.pan_hash, sale.organisation, sale.foreign)


def test_a_second_void_while_the_first_is_at_the_issuer_is_12() -> None:
    desk = Desk()
    desk.sale(1)
    desk.issuer = silent
    desk.void(2, of=1)
    assert code(desk.void(3, of=1)) == "12"


def test_a_refused_credit_leaves_the_sale_alone() -> None:
    desk = Desk()
    desk.sale(1)
    desk.issuer = refuse("issuer-down")
    assert code(desk.void(2, of=1)) == "91"
    assert (desk.txn(1).state, desk.txn(2).state, desk.payable()) == (TxnState.CAPTURED, TxnState.DECLINED, 10_000)
