"""Purchases: whatever number of attempts, what was debited, settled and delivered, and who is out how much.

The figures are those of the table in failure-catalogue.md, section 3 (E5), with the catalogue's 268.00.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from host.checker.purchases import Attempt, Intent, Money, Purchase, purchases
from host.rows import Batch, IssuerLeg, Txn, TxnState
from specs.journal import JournalRow
from tests.support.checker_books import DROPPED, Day, cup_totals, nac_totals

PRICE = 268_00
STAN = "000001"


def bought(day: Day, amount: int, delivered: int | None, *keys: tuple[str, str, str]) -> Purchase:
    """The one purchase of these (STAN, batch, time)."""
    attempts = tuple(Attempt(day.tid, *key) for key in keys)
    (one,) = purchases(day.books, day.terminals, (Intent("p1", amount, delivered, attempts),))
    return one


def closed(day: Day, count: int, amount: int) -> None:
    day.pending = ""
    day.close(cup_totals((count, amount)))


def sold(day: Day) -> None:
    day.sale(STAN, PRICE)
    closed(day, 1, PRICE)


def lost_and_settled(day: Day) -> None:
    day.sale(STAN, PRICE, fate="dropped", notes=DROPPED)
    closed(day, 0, 0)


def debited_and_not_booked(day: Day) -> None:
    """The issuer's yes was lost and is not undone."""
    txn = day.declined(STAN, PRICE, "91")
    leg = next(leg for leg in day.all(IssuerLeg) if leg.txn_id == txn.id)
    day.change(leg, approved_amount=PRICE, amount=PRICE, code="")


def kept_back(day: Day) -> None:
    sold(day)
    day.change(day.all(Txn)[0], settlement="exception")


def never_charged(day: Day) -> None:
    sold(day)
    day.change(day.all(IssuerLeg)[0], undone=True)


def never_sent(day: Day) -> None:
    day.journal.append(JournalRow(day.tid, "000001", STAN, "offline-sale", PRICE))
    closed(day, 1, PRICE)


def posted_twice(day: Day) -> None:
    """The second delivery of the same request was booked as well: one key, two transactions."""
    day.sale(STAN, PRICE)
    day.sale(STAN, PRICE)
    closed(day, 2, 2 * PRICE)


def settled_twice(day: Day) -> None:
    posted_twice(day)
    day.change(day.all(IssuerLeg)[1], undone=True)


@dataclass(frozen=True)
class Case:
    play: Callable[[Day], None]
    delivered: int
    debited: int
    settled: int
    classes: str
    money: Money


CASES = [
    Case(sold, 1, PRICE, PRICE, "clean", Money()),
    Case(lost_and_settled, 0, PRICE, PRICE, "CNSale", Money(cardholder=-PRICE, merchant=PRICE)),
    Case(debited_and_not_booked, 0, PRICE, 0, "CNS", Money(cardholder=-PRICE, issuer=PRICE)),
    Case(kept_back, 1, PRICE, 0, "CNS SNF", Money(merchant=-PRICE, acquirer=PRICE)),
    Case(never_charged, 1, 0, PRICE, "SNC", Money(cardholder=PRICE, acquirer=-PRICE)),
    Case(never_sent, 1, 0, 0, "SNF", Money(cardholder=PRICE, merchant=-PRICE)),
    Case(posted_twice, 1, 2 * PRICE, 2 * PRICE, "DC DS", Money(cardholder=-PRICE, merchant=PRICE)),
    Case(settled_twice, 1, PRICE, 2 * PRICE, "SNC DS", Money(merchant=PRICE, acquirer=-PRICE)),
]


@pytest.mark.parametrize("case", CASES, ids=[case.play.__name__ for case in CASES])
def test_debited_settled_and_who_is_out_how_much(case: Case) -> None:
    day = Day()
    case.play(day)
    found = bought(day, PRICE, case.delivered, (STAN, "000001", ""))
    assert (found.debited, found.settled) == (case.debited, case.settled)
    assert " ".join(found.classes) == case.classes
    assert found.money == case.money
    money = found.money
    assert money.cardholder + money.merchant + money.acquirer + money.issuer == 0


def test_all_attempts_of_one_purchase_count_together() -> None:
    """Case 10 without its reversal: keyed again, both debited and both settled."""
    day = Day()
    day.sale(STAN, PRICE, fate="dropped", notes=DROPPED)
    day.sale("000002", PRICE)
    closed(day, 1, PRICE)
    found = bought(day, PRICE, 1, (STAN, "000001", ""), ("000002", "000001", ""))
    assert (found.classes, found.txn_ids) == (("DC", "DS"), (1, 2))
    assert found.money == Money(cardholder=-PRICE, merchant=PRICE)
    assert bought(day, PRICE, 1, ("000002", "000001", "")).classes == ("clean",), "by itself it is all right"


def test_the_reversed_attempt_counts_nothing() -> None:
    day = Day()
    day.reverse(day.sale(STAN, PRICE, fate="dropped", notes=DROPPED))
    day.sale("000002", PRICE)
    closed(day, 1, PRICE)
    assert bought(day, PRICE, 1, (STAN, "000001", ""), ("000002", "000001", "")).classes == ("clean",)


def test_a_voided_purchase_is_worth_nothing_and_clean() -> None:
    day = Day()
    day.void("000002", day.sale(STAN, PRICE))
    day.close(cup_totals((1, PRICE), (1, PRICE)))
    for keys in ([(STAN, "000001", "")], [(STAN, "000001", ""), ("000002", "000001", "")]):
        for amount in (0, PRICE):
            found = bought(day, amount, 0, *keys)
            assert (found.classes, found.txn_ids, found.money) == (("clean",), (1, 2), Money())


def test_a_purchase_that_should_be_voided_and_is_not_was_charged_for_nothing() -> None:
    day = Day()
    sold(day)
    found = bought(day, 0, 0, (STAN, "000001", ""))
    assert (found.classes, found.money) == (("CNSale",), Money(cardholder=-PRICE, merchant=PRICE))


def test_a_tip_counts_with_its_sale() -> None:
    day = Day()
    day.tip("000002", day.sale(STAN, 100_00), 110_00)
    closed(day, 1, 110_00)
    assert bought(day, 110_00, 1, (STAN, "000001", "")).classes == ("clean",)
    lost = bought(day, 120_00, 1, (STAN, "000001", ""))
    assert lost.classes == ("AMT",)
    assert lost.money == Money(cardholder=10_00, merchant=-10_00)


def test_a_refund_is_a_purchase_with_the_other_sign() -> None:
    day = Day()
    sale = day.sale(STAN, PRICE)
    day.refund("000002", sale, 20_00)
    day.close(cup_totals((1, PRICE), (1, 20_00)))
    found = bought(day, -20_00, 1, ("000002", "000001", ""))
    assert (found.debited, found.settled, found.classes) == (-20_00, -20_00, ("clean",))
    assert bought(day, PRICE, 1, (STAN, "000001", "")).classes == ("clean",)
    missing = bought(day, -20_00, 1, ("000009", "000001", ""))
    assert (missing.classes, missing.money) == (("SNF",), Money(cardholder=-20_00, merchant=20_00))


def test_nobody_knows_whether_goods_were_handed_over() -> None:
    day = Day()
    kept_back(day)
    found = bought(day, PRICE, None, (STAN, "000001", ""))
    assert (found.classes, found.money) == (("CNS",), Money(merchant=-PRICE, acquirer=PRICE))


def test_an_exception_explains_it() -> None:
    day = Day()
    lost = day.sale(STAN, PRICE, fate="dropped", notes=DROPPED)
    day.pending = ""
    told = cup_totals((1, PRICE))
    day.close(cup_totals(), result="not-agreed", exceptions=((lost.id, "host-only"),), told=told)
    found = bought(day, PRICE, 0, (STAN, "000001", ""))
    assert (found.classes, found.reason) == (("CNSale",), "host-only")
    without_journal = purchases(day.books, {}, (found.intent,))
    assert without_journal == (found,)


# ---- late


def test_a_late_reversal_is_late_and_its_money_is_clean_at_once() -> None:
    """Case 2: the adjustment stands in the open batch, which its next close funds."""
    day = Day()
    lost = day.sale(STAN, PRICE, fate="dropped", notes=DROPPED)
    closed(day, 0, 0)
    day.reverse(lost, late_in=day.batch)
    found = bought(day, PRICE, 0, (STAN, "000001", ""))
    assert (found.debited, found.settled, found.classes, found.reason) == (0, 0, ("late",), "adjusted-later")
    closed(day, 0, 0)
    assert bought(day, PRICE, 0, (STAN, "000001", "")) == found


@pytest.mark.parametrize(("forced", "reason"), [("", "settled-later"), ("cutoff", "forced-close")])
def test_a_batch_of_a_later_day_is_late(forced: str, reason: str) -> None:
    day = Day()
    sold(day)
    day.change(day.all(Txn)[0], business_date="2026-03-02")
    day.change(day.all(Batch)[0], business_date="2026-03-02", forced=forced)
    assert bought(day, PRICE, 1, (STAN, "000001", "")).classes == ("clean",)
    day.change(day.all(Batch)[0], business_date="2026-03-05")
    found = bought(day, PRICE, 1, (STAN, "000001", ""))
    assert (found.classes, found.reason) == (("late",), reason)


def test_what_was_carried_is_late() -> None:
    """Case 44."""
    day = Day()
    closed(day, 0, 0)
    day.change(day.offline(STAN, PRICE), carried=True, wire_batch="000001")
    found = bought(day, PRICE, 1, (STAN, "000001", ""))
    assert (found.settled, found.classes, found.reason) == (PRICE, ("late",), "carried")


# ---- whose transaction it is


def test_the_number_on_the_wire_tells_two_uses_of_a_stan_apart() -> None:
    day = Day()
    sold(day)
    day.sale(STAN, 5_00)
    assert bought(day, PRICE, 1, (STAN, "000001", "")).txn_ids == (1,)
    assert bought(day, 5_00, 1, (STAN, "000002", "")).txn_ids == (2,)
    assert bought(day, 5_00, 1, (STAN, "000003", "")).txn_ids == ()


def test_where_no_number_is_on_the_wire_the_newest_counts_unless_the_time_is_known() -> None:
    day = Day(dialect="nac")
    first = day.sale(STAN, PRICE)
    day.close(nac_totals((1, PRICE)))
    second = day.sale(STAN, 5_00)
    assert bought(day, 5_00, 1, (STAN, "000001", "")).txn_ids == (2,)
    keys = [(STAN, "000001", first.created_at), (STAN, "000001", second.created_at)]
    one, other = (Attempt(day.tid, *key) for key in keys)
    both = purchases(day.books, day.terminals, (Intent("p1", PRICE, 1, (one,)), Intent("p2", 5_00, 1, (other,))))
    assert [p.txn_ids for p in both] == [(1,), (2,)]


def test_a_second_sale_that_was_answered_from_the_store_of_the_first_has_no_transaction_of_its_own() -> None:
    """Case 49: the STAN was used twice, and the host replayed."""
    day = Day()
    first = day.sale(STAN, PRICE)
    closed(day, 1, PRICE)
    early, late = Attempt(day.tid, STAN, "000001", first.created_at), Attempt(day.tid, STAN, "000001", day.now())
    late = replace(late, at=late.at.replace("T09:", "T10:"))
    both = purchases(day.books, day.terminals, (Intent("p1", PRICE, 1, (early,)), Intent("p2", PRICE, 1, (late,))))
    assert [(p.txn_ids, p.classes) for p in both] == [((1,), ("clean",)), ((), ("SNF",))]


def test_a_reservation_moves_no_money_and_its_completion_does() -> None:
    day = Day()
    day.complete("000002", day.preauth(STAN, 200_00), 230_00)
    closed(day, 1, 230_00)
    assert bought(day, 230_00, 1, (STAN, "000001", ""), ("000002", "000001", "")).classes == ("clean",)
    alone = bought(day, 200_00, 0, (STAN, "000001", ""))
    assert (alone.classes, alone.txn_ids, alone.debited) == (("clean",), (1,), 0)


def test_what_the_issuer_has_not_undone_yet_counts_as_debited() -> None:
    day = Day()
    txn = day.sale(STAN, PRICE)
    day.change(txn, state=TxnState.DECLINED, settlement="none", response_code="91")
    assert bought(day, PRICE, 0, (STAN, "000001", "")).debited == PRICE
