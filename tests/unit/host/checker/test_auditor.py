"""The auditor works a terminal's money out of its messages alone; the ledger has to come to the same."""

from __future__ import annotations

import json

import pytest

from host.checker.auditor import audit
from host.rows import MessageRow, Txn
from tests.support.checker_books import ALL_KINDS, Day, all_kinds, healthy

ANSWERED_BY_FAULT = json.dumps([{"message": "fault 3: answer (answer at wire/H>T), after the commit"}])
LOST_BEFORE = json.dumps([{"message": "fault 1: drop-request (drop at wire/T>H), before the commit"}])


def texts(day: Day) -> list[str]:
    return [finding.text for finding in audit(day.books)]


def txn(day: Day, stan: str) -> Txn:
    return next(t for t in day.all(Txn) if t.stan == stan)


def test_a_right_day_comes_to_the_same_by_both_ways() -> None:
    assert texts(healthy()) == []


def test_a_right_nac_day_too() -> None:
    day = Day(dialect="nac")
    day.void("000003", day.sale("000002", 50_00))
    day.reverse(day.sale("000004", 7_00))
    day.sale("000005", 1_00)
    assert texts(day) == []


def test_a_posting_nobody_was_told_of_is_found_with_its_stan() -> None:
    """100.00 said; 100.00 and a second 100.00 booked."""
    day = Day()
    sale = day.sale("000001", 100_00)
    day.post(sale, "capture", 100_00, -100_00)
    (finding,) = audit(day.books)
    assert (finding.invariant, finding.subject) == ("AUDIT", "terminal T0000001")
    assert finding.text == "by its messages it comes to 10000, by the ledger to 20000"
    assert finding.evidence == ("STAN 000001: messages 10000, ledger 20000",)


def test_an_approval_without_a_posting_is_found() -> None:
    day = Day()
    day.drop(*day.postings(day.sale("000001", 100_00), "capture"))
    assert texts(day) == ["by its messages it comes to 10000, by the ledger to 0"]


def test_a_reversal_that_was_acked_and_not_booked_is_found() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    day.message(sale, "reversal", "00", 100_00)
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 10000"]


def test_a_reversal_that_was_refused_undoes_nothing() -> None:
    day = Day()
    day.message(day.sale("000001", 100_00), "reversal", "25", 99_00)
    assert texts(day) == []


def test_a_repeated_reversal_undoes_once() -> None:
    day = Day()
    sale = day.reverse(day.sale("000001", 100_00))
    day.message(sale, "reversal", "00", 100_00)
    assert texts(day) == []


def test_a_repeat_of_the_sale_counts_once() -> None:
    day = Day()
    day.message(day.sale("000001", 100_00), "sale", "00", 100_00)
    assert texts(day) == []


def test_a_partial_approval_counts_what_the_answer_says() -> None:
    """100.00 asked, 60.00 approved with code 10."""
    day = Day()
    sale = day.sale("000001", 60_00)
    request, answer = (m for m in day.all(MessageRow) if m.txn_id == sale.id)
    day.change(request, fields='{"4": "000000010000"}')
    day.change(answer, code="10")
    assert texts(day) == []
    day.change(answer, fields="{}")
    assert texts(day) == ["by its messages it comes to 10000, by the ledger to 6000"]


def test_a_reversal_of_a_void_lets_the_sale_live_again() -> None:
    day = Day()
    void = day.void("000002", day.sale("000001", 50_00))
    day.message(void, "reversal", "00", 50_00)
    assert texts(day) == ["by its messages it comes to 5000, by the ledger to 0"]
    day.post(void, "debit-again", 50_00, -50_00)
    assert texts(day) == []


def test_a_request_without_an_answer_leaves_its_stan_out() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    day.drop(next(m for m in day.all(MessageRow) if m.txn_id == sale.id and m.direction == "out"))
    day.sale("000002", 1_00)
    assert texts(day) == []
    day.post(txn(day, "000002"), "capture", 1_00, -1_00)
    assert texts(day) == ["by its messages it comes to 100, by the ledger to 200"]


def test_the_answer_to_its_reversal_takes_that_doubt_away() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    day.drop(next(m for m in day.all(MessageRow) if m.txn_id == sale.id and m.direction == "out"))
    day.message(sale, "reversal", "00", 100_00)
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 10000"]


def test_a_request_that_a_fault_took_away_before_the_commit_decided_nothing() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    request, answer = (m for m in day.all(MessageRow) if m.txn_id == sale.id)
    day.drop(answer)
    day.change(request, notes=LOST_BEFORE)
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 10000"]


def test_an_answer_that_a_fault_rule_wrote_says_nothing_about_the_books() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    answer = next(m for m in day.all(MessageRow) if m.txn_id == sale.id and m.direction == "out")
    day.change(answer, code="51", notes=ANSWERED_BY_FAULT)
    assert texts(day) == []
    day.change(answer, notes="[]")
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 10000"]


def test_what_is_older_than_the_log_is_left_out() -> None:
    day = Day()
    old = day.sale("000001", 100_00)
    day.drop(*[m for m in day.all(MessageRow) if m.txn_id == old.id])
    day.sale("000002", 1_00)
    assert texts(day) == []


def test_a_booking_younger_than_the_log_and_unknown_to_it_is_found() -> None:
    day = Day()
    day.sale("000001", 1_00)
    ghost = day.sale("000002", 100_00)
    day.drop(*[m for m in day.all(MessageRow) if m.txn_id == ghost.id])
    assert texts(day) == ["by its messages it comes to 100, by the ledger to 10100"]


@pytest.mark.parametrize("dialect", ALL_KINDS)
def test_a_day_of_every_kind_comes_to_the_same_by_both_ways(dialect: str) -> None:
    assert texts(all_kinds(dialect)) == []


def test_a_cup_tip_is_the_part_beside_its_base_amount() -> None:
    """DE 4 100.00 and DE 48 10.00 make 110.00: the ledger has 100.00 for the sale and 10.00 for the tip."""
    day = Day()
    tip = day.tip("000002", day.sale("000001", 100_00), 110_00)
    request = next(m for m in day.all(MessageRow) if m.txn_id == tip.id and m.direction == "in")
    day.change(request, fields='{"4": "000000010000", "48": "000000001000"}')
    assert texts(day) == []
    day.change(request, fields='{"4": "000000010000", "48": "000000002000"}')
    assert texts(day) == ["by its messages it comes to 12000, by the ledger to 11000"]


def test_a_void_takes_back_what_the_sale_comes_to_whatever_its_own_amount_says() -> None:
    """A NAC void may carry 0; of a sale with a tip it takes both."""
    day = Day(dialect="nac")
    sale = day.sale("000001", 100_00)
    day.tip("000002", sale, 110_00)
    void = day.void("000003", sale)
    request, answer = (m for m in day.all(MessageRow) if m.txn_id == void.id)
    day.change(request, fields='{"4": "000000000000"}')
    day.change(answer, fields="{}")
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 1000"], "100.00 were posted back"
    day.post(void, "void", -10_00, 10_00)
    assert texts(day) == []


def test_a_reversal_of_a_sale_takes_its_tip_along() -> None:
    day = Day()
    sale = day.sale("000001", 100_00)
    day.tip("000002", sale, 110_00)
    day.message(sale, "reversal", "00", 100_00)
    assert texts(day) == ["by its messages it comes to 0, by the ledger to 11000"]


def test_what_is_held_until_its_capture_is_not_on_the_wire() -> None:
    day = Day()
    sale = day.held_sale("000001", 100_00)
    assert texts(day) == []
    day.captured(sale, at=day.now())
    assert texts(day) == []
