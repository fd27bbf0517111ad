"""E5 and what stands around it: the classes of failure-catalogue.md, section 2, of one purchase and of a day."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from host.checker.compare import Pair, Verdict, compare, unsettled
from host.checker.differences import Listed
from host.checker.outcomes import Outcome, outcome_class, outcomes
from host.checker.report import check
from host.rows import ExceptionItem, JournalUpload, Leg, MessageRow, Txn, TxnState
from specs.journal import JournalRow, dump
from tests.support.checker_books import ALL_KINDS, DROPPED, Day, all_kinds, cup_totals, iso87_totals

HALF = Fraction(1, 2)

#: (debited, settled, delivered) in multiples of the purchase -> its tags, by section 3, E5.
CLASSES: dict[tuple[int | Fraction, int | Fraction, int | Fraction | None], str] = {
    (0, 0, 0): "clean",
    (1, 1, 1): "clean",
    (1, 1, None): "clean",
    (0, 0, None): "clean",
    (1, 0, 0): "CNS",
    (1, 0, 1): "CNS SNF",
    (1, 0, None): "CNS",
    (0, 1, 1): "SNC",
    (0, 1, None): "SNC",
    (1, 1, 0): "CNSale",
    (0, 0, 1): "SNF",
    (2, 1, 1): "CNS DC",
    (2, 2, 1): "DC DS",
    (1, 2, 1): "SNC DS",
    (HALF, HALF, 1): "AMT",
    (1, 1, HALF): "AMT",
    (2, 2, 2): "DC DS",
}


@pytest.mark.parametrize("figures", CLASSES, ids=lambda f: "-".join(map(str, f)))
def test_the_class_of_a_purchase(figures: tuple[int, int, int | None]) -> None:
    assert " ".join(outcome_class(*figures)) == CLASSES[figures]


def found(day: Day) -> dict[str, tuple[str, str]]:
    """STAN -> (classes, reason) of every purchase that is over and not clean."""
    seen = outcomes(day.books, day.terminals)
    return {o.stan: ("+".join(o.classes), o.reason) for o in seen if not o.clean}


@pytest.mark.parametrize("dialect", ALL_KINDS)
def test_a_right_day_of_every_kind_is_clean(dialect: str) -> None:
    day = all_kinds(dialect)
    assert found(day) == {}
    over = {o.stan: (o.amount, o.charged, o.settled, o.delivered) for o in outcomes(day.books, day.terminals)}
    assert over["000001"] == (110_00, 110_00, 110_00, 110_00), "with its tip"
    assert over["000003"] == (50_00, 0, 0, 0), "voided"
    assert over["000006"] == (230_00, 230_00, 230_00, 230_00)
    assert over["000008"] == (-20_00, -20_00, -20_00, -20_00)
    assert "000011" not in over, "its batch is open"


def test_a_lost_sale_that_was_settled_is_charged_without_a_sale_and_explained_by_its_exception() -> None:
    day = Day()
    day.sale("000001", 100_00)
    lost = day.sale("000002", 75_00, fate="dropped", notes=DROPPED)
    day.pending = ""
    day.close(
        cup_totals((1, 100_00)),
        result="not-agreed",
        exceptions=((lost.id, "host-only"),),
        told=cup_totals((2, 175_00)),
    )
    assert found(day) == {"000002": ("CNSale", "host-only")}


def test_what_only_the_terminal_sold_is_funded_by_nobody() -> None:
    day = Day()
    day.sale("000001", 100_00)
    day.journal.append(JournalRow(day.tid, "000001", "000009", "sale", 15_00))
    closed = day.close(cup_totals((2, 115_00)), result="not-agreed", told=cup_totals((1, 100_00)))
    day.new(ExceptionItem, batch_id=closed.id, tid=day.tid, item_key="000001/000009", reason="terminal-only")
    assert found(day) == {"000009": ("SNF", "terminal-only")}


def test_what_was_uploaded_under_a_later_number_is_found_on_the_list() -> None:
    """NAC behind a cutoff, CUP behind a 22: the batch gets another number, its rows keep theirs."""
    day = Day()
    closed = day.close(cup_totals((1, 15_00)), result="not-agreed", told=cup_totals((0, 0)))
    key = "000002/000009"
    entry = day.new(ExceptionItem, batch_id=closed.id, tid=day.tid, item_key=key, side_amount=15_00)
    sold = Pair("000001", "000009", "sale", "journaled", 15_00, "", 0, Verdict.TERMINAL_ONLY)
    listed = Listed.of(day.books, day.tid)
    assert listed.about(sold) == [entry]
    assert listed.about(replace(sold, terminal_amount=14_00)) == [], "another item under the same STAN"
    assert listed.about(replace(sold, txn_id=7)) == [], "the host knows it: it is not on the list as unknown"


def test_a_terminal_that_settles_just_now_has_not_said_its_last_word() -> None:
    day = all_kinds()
    day.journal = [row for row in day.journal if row.stan != "000007"]
    assert "000007" in found(day)
    day.pending = "000099"
    assert found(day) == {}


def test_without_a_journal_only_the_money_is_judged() -> None:
    day = all_kinds()
    assert [o for o in outcomes(day.books, {}) if not o.clean] == []
    day.change(next(t for t in day.all(Txn) if t.stan == "000007"), settlement="exception")
    (one,) = (o for o in outcomes(day.books, {}) if not o.clean)
    assert (one.stan, list(one.classes), one.delivered) == ("000007", ["CNS"], None)
    assert one.to_json()["classes"] == ["CNS"]


def test_iso87_explains_a_difference_by_the_figure_that_is_listed() -> None:
    """No items on its wire: one exception for each figure that differs."""
    day = Day(dialect="iso87")
    day.sale("000001", 100_00)
    day.sale("000002", 75_00, fate="dropped", notes=DROPPED)
    day.pending = ""
    closed = day.close(iso87_totals((1, 100_00)), result="not-agreed", told=iso87_totals((2, 175_00)))
    assert {f.invariant for f in check(day.books, day.terminals)} == {"A5", "E1", "E5"}
    day.new(
        ExceptionItem,
        batch_id=closed.id,
        tid=day.tid,
        item_key="all/debits",
        reason="totals-differ",
        amount=175_00,
        side_amount=100_00,
    )
    assert {f.invariant for f in check(day.books, day.terminals)} == {"A5"}, "the reversal was never cleared"
    assert found(day) == {"000002": ("CNSale", "totals-differ")}


# ---- charged, not settled; compared: what is new with the kinds


def why(day: Day) -> dict[str, str]:
    return {item.stan: item.why for item in unsettled(day.books)}


def test_a_live_pre_authorisation_is_not_charged_and_so_not_on_the_list() -> None:
    day = Day()
    preauth = day.preauth("000001", 60_00)
    assert why(day) == {}
    answer = next(m for m in day.all(MessageRow) if m.direction == "out")
    day.change(answer, fate="dropped")
    (item,) = unsettled(day.books)
    assert item.doubtful
    assert item.why.startswith(f"authorised at {preauth.created_at}, 6000 held and not charged, answer written but dro")


def test_a_reservation_whose_release_is_owed_is_named() -> None:
    day = Day()
    preauth = day.preauth("000001", 60_00)
    day.change(preauth, state=TxnState.EXPIRED, held=0)
    day.new(Leg, txn_id=preauth.id, number=2, purpose="release", state="owing", tries=3)
    assert why(day) == {"000001": "leg 2: the issuer has not acknowledged the release (asked 3 times)"}


def test_under_tc_an_approved_sale_is_held_until_the_settlement() -> None:
    day = Day()
    day.held_sale("000001", 60_00)
    (item,) = unsettled(day.books)
    assert (item.state, item.doubtful) == ("authorised", False)
    assert item.reasons[1] == "held, not charged yet: captured at the settlement (TC)"


def test_what_a_close_has_let_go_is_named_with_its_exception() -> None:
    day = Day()
    sale = day.held_sale("000001", 60_00)
    day.change(sale, state=TxnState.EXPIRED, held=0, settlement="exception")
    day.new(ExceptionItem, batch_id=1, tid=day.tid, txn_id=sale.id, reason="host-only")
    assert why(day) == {"000001": "never captured, and its hold was let go: host-only"}


def test_an_adjusted_sale_gives_way_to_its_tip() -> None:
    day = Day()
    day.tip("000002", day.sale("000001", 100_00), 110_00)
    (item,) = unsettled(day.books)
    assert (item.stan, item.amount) == ("000002", 110_00)


def test_a_stored_advice_comes_from_the_terminal_s_journal_until_the_host_has_it() -> None:
    day = Day()
    row = JournalRow(day.tid, "000001", "000005", "offline-sale", 40_00, stored=True, advice=True)
    day.journal.append(row)
    day.new(JournalUpload, tid=day.tid, at=day.now(), lines=dump(day.book))
    (item,) = unsettled(day.books)
    assert (item.stan, item.state, item.amount, item.txn_id) == ("000005", "stored", 40_00, 0)
    assert "stored at the terminal" in item.why
    day.offline("000005", 40_00)
    assert [item.state for item in unsettled(day.books)] == ["captured"]


@pytest.mark.parametrize("dialect", ALL_KINDS)
def test_a_day_of_every_kind_agrees_item_by_item(dialect: str) -> None:
    """360.00 closed, 5.00 + 7.00 - 1.00 open."""
    day = all_kinds(dialect)
    both = compare(day.books, day.book)
    assert both.agrees, both.differing
    assert (both.terminal_net, both.host_net) == (371_00, 371_00)
    assert {pair.kind for pair in both.rows if not pair.counts} == {"pre-auth"}


def _refused(day: Day) -> None:
    """An advice that the host declined: rejected here, declined there."""
    day.journal.append(JournalRow(day.tid, "000001", "000005", "offline-sale", 40_00, state="rejected"))
    named = day.declined("000005", 40_00)
    day.change(named, kind="offline-sale")


def _expired(day: Day) -> None:
    """A reservation that ran out: the terminal cannot know."""
    day.change(day.preauth("000005", 40_00), state=TxnState.EXPIRED, held=0)


def _offline_taken_for_a_completion(day: Day) -> None:
    """NAC, ISO 87: the host knows better."""
    day.change(day.offline("000005", 40_00), kind="completion-advice")


def _echoed_rrn(day: Day) -> None:
    """ISO 87: the answer to a void carries the RRN of what it voids, as its request did."""
    day.dialect = "iso87"
    (terminal,) = day.books.terminals
    day.change(terminal, dialect="iso87")
    sale = day.sale("000004", 40_00)
    void = day.void("000005", sale)
    day.journal = [replace(r, rrn=sale.rrn) if r.stan == void.stan else r for r in day.journal]


@pytest.mark.parametrize("step", [_refused, _expired, _offline_taken_for_a_completion, _echoed_rrn])
def test_two_words_for_the_same_thing_are_no_difference(step: Callable[[Day], None]) -> None:
    day = Day()
    step(day)
    assert not compare(day.books, day.book).differing


def test_a_batch_that_the_host_has_closed_by_itself_explains_its_items() -> None:
    day = Day()
    day.sale("000001", 100_00)
    lost = day.sale("000002", 75_00, fate="dropped", notes=DROPPED)
    day.pending = ""
    closed = day.close(cup_totals((1, 100_00)), result="not-agreed", told=cup_totals((2, 175_00)))
    day.change(closed, forced="cutoff")
    assert found(day) == {"000002": ("CNSale", "forced-close")}
    assert lost.id == 2


def test_an_outcome_says_what_it_is_worth() -> None:
    day = all_kinds()
    shown = [o.to_json() for o in outcomes(day.books, day.terminals)]
    assert json.loads(json.dumps(shown)) == shown
    assert all(isinstance(o, Outcome) for o in outcomes(day.books, day.terminals))
