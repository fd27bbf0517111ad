"""Which rows of a journal belong to which archived batch where each DE 15 is settled by itself."""

from __future__ import annotations

from dataclasses import replace

from host.checker.closing import archived_rows
from specs.journal import ArchivedBatch, JournalRow, TerminalBook
from specs.totals import Sum, Totals

TID = "T0000001"
PREAUTH = JournalRow(TID, "000001", "000001", "pre-auth", 500, settlement="settled", day="0301")
SALE = JournalRow(TID, "000001", "000002", "sale", 1_000, settlement="settled", day="0301")
NEXT_DAY = JournalRow(TID, "000002", "000003", "sale", 2_000, settlement="settled", day="0302")
NOTHING = Totals((Sum("all", "credits"), Sum("all", "debits")))


def sold(count: int, amount: int) -> Totals:
    return Totals((Sum("all", "credits"), Sum("all", "debits", count, amount)))


def split(rows: list[JournalRow], *totals: Totals) -> list[list[str]]:
    """The STANs of each archived batch, the batches numbered from 1."""
    archived = tuple(ArchivedBatch(TID, f"{n:06}", "agreed", each) for n, each in enumerate(totals, start=1))
    book = TerminalBook(TID, tuple(rows), archived, (), batch="000009", stan="000009")
    return [[row.stan for row in own] for _, own in archived_rows(book, by_day=True)]


def test_each_day_has_its_own_rows() -> None:
    assert split([SALE, NEXT_DAY], sold(1, 1_000), sold(1, 2_000)) == [["000002"], ["000003"]]


def test_a_day_that_was_settled_empty_has_what_never_counts() -> None:
    assert split([PREAUTH, NEXT_DAY], NOTHING, sold(1, 2_000)) == [["000001"], ["000003"]]


def test_a_day_that_was_settled_empty_leaves_the_next_days_sales_alone() -> None:
    later = replace(NEXT_DAY, batch="000001")  # its number is no higher than that of the empty day
    assert split([PREAUTH, later], NOTHING, sold(1, 2_000)) == [["000001"], ["000003"]]


def test_what_is_replaced_by_its_adjustment_in_no_sum_may_be_all_of_an_empty_day() -> None:
    gone = replace(SALE, adjusted=True)
    assert split([gone, NEXT_DAY], NOTHING, sold(1, 2_000)) == [["000002"], ["000003"]]


def test_a_refused_advice_goes_with_any_day() -> None:
    refused = replace(SALE, state="rejected")
    assert split([refused, NEXT_DAY], NOTHING, sold(1, 2_000)) == [["000002"], ["000003"]]
