"""Both books held item by item, and the list of what is charged but not settled."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from host.checker.compare import Verdict, batch_side, compare, unsettled
from host.rows import IssuerLeg, Leg, MessageRow, Txn, TxnState
from specs.journal import JournalRow
from tests.support.checker_books import DROPPED, Day, cup_totals, healthy, nac_totals


def txn(day: Day, stan: str) -> Txn:
    return next(t for t in day.all(Txn) if t.stan == stan)


def verdicts(day: Day) -> dict[str, str]:
    return {pair.key: str(pair.verdict) for pair in compare(day.books, day.book).rows}


def why(day: Day) -> dict[str, str]:
    return {item.stan: item.why for item in unsettled(day.books)}


# ---- item by item


def test_a_right_day_agrees_item_by_item_in_totals_and_in_money() -> None:
    """Domestic debit 100 + 50 + 20 + 5 = 175.00 / 4, credit 50.00 / 1, foreign debit 30.00 / 1; net 155.00."""
    day = healthy()
    found = compare(day.books, day.book)
    assert found.agrees
    assert found.terminal_totals == found.host_totals == cup_totals((4, 175_00), (1, 50_00), (1, 30_00))
    assert (found.terminal_net, found.host_net) == (155_00, 155_00)
    assert [pair.key for pair in found.rows] == [
        "000001/000001",
        "000001/000002",
        "000001/000003",
        "000001/000006",
        "000002/000007",
        "000003/000011",
    ]
    assert [pair.stan for pair in found.of_batch("000002")] == ["000007"]


def test_nac_is_matched_by_rrn_and_counts_a_voided_sale_nowhere() -> None:
    day = Day(dialect="nac")
    day.sale("000001", 70_00)
    day.void("000003", day.sale("000002", 50_00))
    found = compare(day.books, day.book)
    assert found.agrees
    assert found.host_totals == nac_totals((1, 70_00))
    assert found.host_net == 70_00


def test_a_sale_whose_answer_was_lost_is_the_hosts_alone() -> None:
    day = Day()
    day.sale("000001", 80_00, fate="dropped")
    (pair,) = compare(day.books, day.book).rows
    assert (pair.verdict, pair.terminal_state, pair.host_state) == (Verdict.HOST_ONLY, "", "journaled")
    assert (pair.terminal_amount, pair.host_amount) == (0, 80_00)


def test_a_row_the_host_never_saw_is_the_terminals_alone() -> None:
    day = Day()
    day.journal.append(JournalRow(day.tid, "000001", "000009", "sale", 15_00))
    found = compare(day.books, day.book)
    assert [pair.verdict for pair in found.rows] == [Verdict.TERMINAL_ONLY]
    assert (found.terminal_net, found.host_net, found.agrees) == (15_00, 0, False)


def test_other_amounts_and_other_states_are_told_apart() -> None:
    day = Day()
    for stan in ("000001", "000002", "000003"):
        day.sale(stan, 10_00)
    day.journal[0] = replace(day.journal[0], amount=11_00)
    day.journal[1] = replace(day.journal[1], state="reversed")
    day.change(txn(day, "000003"), state=TxnState.REVERSED)
    assert verdicts(day) == {"000001/000001": "amount", "000001/000002": "state", "000001/000003": "state"}


@pytest.mark.parametrize("state", [TxnState.DECLINED, TxnState.TOMBSTONE, TxnState.REVERSED])
def test_a_row_reversed_at_the_terminal_agrees_with_a_host_that_never_captured_it(state: TxnState) -> None:
    day = Day()
    sale = day.sale("000001", 10_00)
    day.journal[0] = replace(day.journal[0], state="reversed")
    day.change(sale, state=state, approved_amount=0)
    assert compare(day.books, day.book).agrees


def test_cup_never_takes_the_same_stan_of_another_batch_for_the_same_item() -> None:
    day = Day()
    day.sale("000001", 10_00)
    day.journal[0] = replace(day.journal[0], batch="000002")
    assert verdicts(day) == {"000001/000001": "host-only", "000002/000001": "terminal-only"}


def test_items_of_an_earlier_epoch_are_not_asked_of_a_re_flashed_terminal() -> None:
    day = Day()
    day.sale("000001", 10_00)
    day.journal.clear()
    (terminal,) = day.books.terminals
    day.change(terminal, epoch=1)
    assert compare(day.books, day.book).agrees


def test_one_batch_alone() -> None:
    day = healthy()
    assert batch_side(day.books, 1) == (cup_totals((2, 150_00), (1, 50_00), (1, 30_00)), 130_00)


def test_a_sale_undone_after_its_close_still_counts_in_the_closed_batch() -> None:
    """Batch 2 was settled with 20.00 + 40.00; the 40.00 went back as an adjustment of batch 3."""
    assert batch_side(healthy().books, 2) == (cup_totals((2, 60_00)), 60_00)


# ---- charged but not settled


def test_only_the_open_batch_waits_on_a_right_day() -> None:
    day = healthy()
    (item,) = unsettled(day.books)
    assert (item.stan, item.amount, item.doubtful) == ("000011", 5_00, False)
    assert item.why.startswith("batch 000003 open since 2026-03-02T09:00:")


def test_a_dropped_answer_is_named_with_the_fault_that_dropped_it() -> None:
    day = Day()
    sale = day.sale("000001", 80_00, fate="dropped", notes=DROPPED)
    (item,) = unsettled(day.books)
    assert item.doubtful
    assert item.reasons[0] == (
        f"captured at {sale.created_at}, answer written but dropped by fault 1: drop-reply (drop at wire/H>T), "
        "after the commit: the terminal may not know"
    )
    assert item.to_json()["why"] == item.why
    assert item.to_json()["reasons"] == list(item.reasons)


@pytest.mark.parametrize(
    ("fate", "words"),
    [
        ("delayed", "held back"),
        ("reset", "the line was reset"),
        ("truncated", "cut off half-way"),
        ("no-connection", "connection was gone"),
        ("odd", "is not known (odd)"),
    ],
)
def test_every_fate_of_an_answer_has_its_words(fate: str, words: str) -> None:
    day = Day()
    day.sale("000001", 80_00, fate=fate)
    assert words in why(day)["000001"]


def test_an_answer_that_was_never_written_is_doubt_too() -> None:
    day = Day()
    day.sale("000001", 80_00)
    day.drop(next(m for m in day.all(MessageRow) if m.direction == "out"))
    assert "no answer was written" in why(day)["000001"]


def test_a_reversed_sale_is_off_the_list() -> None:
    day = Day()
    day.reverse(day.sale("000001", 80_00, fate="dropped"))
    assert why(day) == {}


def test_a_repeat_that_was_answered_takes_the_doubt_away() -> None:
    day = Day()
    sale = day.sale("000001", 80_00, fate="dropped")
    day.message(sale, "sale", "00", 80_00)
    assert not unsettled(day.books)[0].doubtful


def test_a_leg_without_an_outcome_is_named() -> None:
    day = Day()
    sale = day.sale("000001", 80_00)
    day.change(sale, state=TxnState.PENDING, approved_amount=0)
    leg = day.all(Leg)[0]
    day.change(leg, state="asking", deadline="2026-03-02T09:01:00+08:00")
    text = "leg 1 (debit) unanswered by the issuer, until 2026-03-02T09:01:00+08:00"
    assert (unsettled(day.books)[0].amount, why(day)) == (80_00, {"000001": text})
    day.change(leg, state="undoing", tries=2)
    assert why(day) == {"000001": "leg 1: the issuer has not acknowledged the undo (asked 2 times)"}


def test_a_debit_for_a_declined_sale_is_named() -> None:
    """Case 17: the issuer has debited and nothing at the host undoes it."""
    day = Day()
    sale = day.sale("000001", 80_00)
    day.change(sale, state=TxnState.DECLINED, response_code="98")
    assert why(day) == {"000001": "the issuer has debited 8000, and the host has the transaction declined (98)"}
    day.change(day.all(IssuerLeg)[0], undone=True)
    assert why(day) == {}


def test_a_voided_sale_weighs_nothing_and_a_heard_void_waits_for_nothing() -> None:
    day = Day()
    day.void("000002", day.sale("000001", 50_00))
    assert why(day) == {}


def test_a_void_whose_answer_was_lost_leaves_the_terminal_in_the_dark() -> None:
    day = Day()
    void = day.void("000002", day.sale("000001", 50_00))
    answer = next(m for m in day.all(MessageRow) if m.txn_id == void.id and m.direction == "out")
    day.change(answer, fate="dropped")
    assert list(why(day)) == ["000002"]


def test_a_host_only_item_of_a_closed_batch_stays_on_the_list() -> None:
    day = Day()
    day.sale("000001", 10_00)
    lost = day.sale("000002", 40_00, fate="dropped")
    day.close(cup_totals((1, 10_00)), exceptions=((lost.id, "host-only"),))
    assert why(day).keys() == {"000002"}
    assert why(day)["000002"].endswith("batch 000001 closed-with-exceptions: host-only")


def test_a_settlement_under_exception_is_named_without_an_item_of_the_list() -> None:
    day = Day()
    sale = day.sale("000001", 10_00)
    day.close(cup_totals((1, 10_00)))
    assert why(day) == {}
    day.change(sale, settlement="exception")
    assert why(day) == {"000001": "batch 000001 closed: settlement is exception"}


def test_notes_of_another_shape_are_taken_as_they_are() -> None:
    day = Day()
    day.sale("000001", 80_00, fate="dropped", notes=json.dumps(["fault 7: drop-reply", "something else"]))
    assert "dropped by fault 7: drop-reply: the terminal may not know" in why(day)["000001"]
