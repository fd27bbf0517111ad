"""The verdict over both books: what it calls right, and every way in which it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from host.rows import BatchState, ExceptionItem, Txn, TxnState
from specs.journal import ArchivedBatch, JournalRow
from terminal_sim.lab.ladder import WIDTH
from terminal_sim.lab.verdict import Judgement, judge, lines
from tests.support.checker_books import DROPPED, Day, cup_totals


def verdict(day: Day, *findings: str) -> Judgement:
    return judge(day.books, day.book, findings)


def two_sales() -> Day:
    """A closed batch that agreed: 100.00 and 30.00."""
    day = Day()
    day.sale("000001", 100_00)
    day.sale("000002", 30_00)
    day.close(cup_totals(debit=(2, 130_00)))
    return day


def one_lost(*, reason: str = "host-only") -> Day:
    """100.00 at both ends, 75.00 at the host only; listed under `reason` ("" = not listed)."""
    day = Day()
    day.sale("000001", 100_00)
    lost = day.sale("000002", 75_00, fate="dropped", notes=DROPPED)
    day.events.append(day._event("rev-cleared", "000002", "00"))
    day.pending = ""
    day.close(cup_totals(debit=(1, 100_00)), result="not-agreed", exceptions=((lost.id, reason),) if reason else ())
    return day


def test_equal_books_agree() -> None:
    found = verdict(two_sales())
    assert found.agree
    assert found.sentence == "T0000001: books agree: 2 items, all equal"


def test_a_difference_on_the_hosts_list_is_explained() -> None:
    found = verdict(one_lost())
    assert found.agree
    assert [(i.pair.stan, i.reason) for i in found.exceptions] == [("000002", "host-only")]
    assert found.sentence == (
        "T0000001: books agree: 1 item equal; 1 difference, explained by the host's list of exceptions "
        "(batch 000001 STAN 000002 sale: host-only)"
    )


@pytest.mark.parametrize("reason", ["", "AMT", "reversed"])
def test_a_difference_without_its_reason_is_not(reason: str) -> None:
    found = verdict(one_lost(reason=reason))
    assert not found.agree
    assert "batch 000001 STAN 000002 sale is host-only without a reason" in found.sentence
    assert any("NO REASON" in line for line in lines(found))


def test_a_lost_sale_that_both_ends_have_undone_is_shown_and_counts_nowhere() -> None:
    day = Day()
    day.reverse(day.sale("000001", 80_00, fate="dropped", notes=DROPPED))
    day.sale("000002", 80_00)
    found = verdict(day)
    assert found.agree
    assert [(u.stan, u.amount, u.acked) for u in found.undone] == [("000001", 80_00, "00")]
    assert (found.comparison.terminal_net, found.comparison.host_net) == (80_00, 80_00)
    assert "1 reversal on both sides" in found.sentence


def test_an_exception_that_a_late_reversal_mended_is_no_trouble() -> None:
    day = Day()
    lost = day.sale("000001", 40_00, fate="dropped", notes=DROPPED)
    closed = day.close(cup_totals(), result="not-agreed", exceptions=((lost.id, "host-only"),))
    (entry,) = day.all(ExceptionItem)
    day.change(entry, item_key=f"{closed.number}/000001")
    day.reverse(lost, late_in=day.batch)
    assert verdict(day).agree


def _extra_row(day: Day) -> None:
    day.journal.append(JournalRow(day.tid, "000001", "000009", "sale", 15_00))


def _other_amount(day: Day) -> None:
    day.journal[0] = replace(day.journal[0], amount=101_00)


def _other_state(day: Day) -> None:
    day.journal[0] = replace(day.journal[0], state="voided")


def _missing_row(day: Day) -> None:
    del day.journal[0]


def _owed(day: Day) -> None:
    day.pending = "000002"


def _false_exception(day: Day) -> None:
    day.new(ExceptionItem, batch_id=1, tid=day.tid, txn_id=1, item_key="000001/000001", reason="AMT", at=day.now())


def _still_disputed(day: Day) -> None:
    day.change(day.books.batches[0], state=BatchState.DISPUTED)


def _open_at_the_host(day: Day) -> None:
    day.change(day.books.batches[0], state=BatchState.OPEN)


def _not_archived(day: Day) -> None:
    day.archived.clear()


def _reversed_behind_its_back(day: Day) -> None:
    day.sale("000003", 5_00)
    day.journal.pop()
    day.events = [e for e in day.events if e.stan != "000003"]
    day.change(day.all(Txn)[-1], state=TxnState.REVERSED)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_extra_row, "STAN 000009 sale is terminal-only without a reason"),
        (_other_amount, "STAN 000001 sale is amount without a reason"),
        (_other_state, "STAN 000001 sale is state without a reason"),
        (_missing_row, "STAN 000001 sale is host-only without a reason"),
        (_owed, "still owes the reversal of STAN 000002"),
        (_false_exception, "lists 000001/000001 as AMT, but there is no such difference"),
        (_still_disputed, "batch 000001 is still disputed at the host"),
        (_open_at_the_host, "batch 000001 is closed at the terminal and open at the host"),
        (_not_archived, "batch 000001 is closed at the host and not at the terminal"),
        (_reversed_behind_its_back, "has reversed STAN 000003, the terminal knows nothing of it"),
    ],
)
def test_whatever_is_not_right_makes_the_books_disagree(spoil: Callable[[Day], None], said: str) -> None:
    day = two_sales()
    spoil(day)
    found = verdict(day)
    assert not found.agree
    assert said in found.sentence
    assert "do NOT agree" in found.sentence


def test_a_frozen_terminal_and_a_finding_of_the_checker_are_trouble() -> None:
    day = two_sales()
    frozen = judge(day.books, replace(day.book, frozen=True))
    assert not frozen.agree
    assert "has not finished the settlement" in frozen.sentence
    found = verdict(day, "A8 batch 1 of T0000001: the sums differ")
    assert not found.agree
    assert "invariant broken: A8" in found.sentence


def test_a_slip_that_says_agreed_over_a_difference_is_trouble() -> None:
    day = one_lost()
    (closed,) = day.archived
    assert isinstance(closed, ArchivedBatch)
    day.archived[:] = [replace(closed, result="agreed")]
    assert "slip says agreed, but the items differ" in verdict(day).sentence


def test_the_table_shows_both_sides_and_fits_the_page() -> None:
    shown = lines(verdict(one_lost()))
    assert [line for line in shown if len(line) > WIDTH] == []
    assert "000001  000001  sale                   100.00 journaled      100.00 journaled  same" in shown
    assert "000001  000002  sale                                  —       75.00 journaled  host-only" in shown
    assert "net, all batches   terminal 100.00   host 175.00   difference 75.00" in shown
