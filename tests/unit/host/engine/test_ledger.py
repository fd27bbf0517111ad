"""Double entry: each reason moves the right accounts by the right sign, and what does not sum to zero is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from host.engine import ledger
from host.errors import LedgerBroken
from host.rows import Posting
from tests.support.books import a_txn


def ids() -> Callable[[], int]:
    numbers = count(1)
    return lambda: next(numbers)


@pytest.mark.parametrize(
    ("reason", "amount", "clearing"),
    [
        ("capture", 10_000, +10_000),
        ("undo", -10_000, -10_000),
        ("undo", 10_000, +10_000),
        ("void", -10_000, -10_000),
        ("refund", -10_000, -10_000),
        ("refund-void", 10_000, +10_000),
        ("adjust", 1_000, +1_000),
        ("adjust", -1_000, -1_000),
        ("debit-again", 10_000, +10_000),
        ("adjustment", -10_000, -10_000),
        ("adjustment", 10_000, +10_000),
    ],
)
def test_a_reason_moves_clearing_and_the_merchant_by_opposite_amounts(reason: str, amount: int, clearing: int) -> None:
    lines = ledger.entry(reason, a_txn(7, 10_000), amount, 3, new_id=ids(), at="now")
    assert [(p.account, p.amount) for p in lines] == [
        ("issuer-clearing", clearing),
        ("merchant-payable:123456789012345", -clearing),
    ]
    assert {(p.entry_id, p.book, p.currency, p.txn_id, p.batch_id, p.reason) for p in lines} == {
        (1, "acquirer", "156", 7, 3, reason)
    }


@pytest.mark.parametrize(("reason", "amount"), [("capture", -1), ("refund", 1), ("void", 1), ("adjust", 0)])
def test_money_that_goes_the_wrong_way_is_our_mistake(reason: str, amount: int) -> None:
    with pytest.raises(AssertionError):
        ledger.entry(reason, a_txn(7, 10_000), amount, 3, new_id=ids(), at="now")


def test_lines_that_do_not_sum_to_zero_are_refused() -> None:
    lines = [
        Posting(1, 1, "acquirer", "issuer-clearing", 100, "156", 1, 1, "capture", "now"),
        Posting(2, 1, "acquirer", "suspense", -99, "156", 1, 1, "capture", "now"),
    ]
    with pytest.raises(LedgerBroken, match="entry 1 of the acquirer book sums to 1"):
        ledger.check(lines)


def test_one_entry_does_not_make_up_for_another() -> None:
    lines = [
        Posting(1, 1, "acquirer", "issuer-clearing", 100, "156", 1, 1, "capture", "now"),
        Posting(2, 2, "acquirer", "issuer-clearing", -100, "156", 1, 1, "undo", "now"),
    ]
    with pytest.raises(LedgerBroken):
        ledger.check(lines)
