"""The tags of a run (failure-catalogue.md, section 2): each has a planted book that trips it, and no other day does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from host.checker.classes import CLASSES, classes
from host.checker.invariants import LIVENESS
from host.checker.liveness import Healed, l1, l2, most_messages, owed_of
from host.checker.purchases import Attempt, Intent, purchases
from host.rows import Batch, BatchState, ExceptionItem, IssuerLeg, Txn
from specs.journal import JournalRow
from specs.totals import Totals
from tests.support.checker_books import ALL_KINDS, Day, all_kinds, cup_totals, healthy, nac_totals

PRICE = 268_00
HEALED = Healed("T0000001", sells=True, cycles=3, messages=20, messages_max=60)


def tags(day: Day, *intents: Intent, healed: tuple[Healed, ...] = (HEALED,)) -> str:
    found = purchases(day.books, day.terminals, intents)
    return " ".join(classes(day.books, day.terminals, found, healed))


def intent(delivered: int, *stans: str, amount: int = PRICE) -> Intent:
    return Intent("p1", amount, delivered, tuple(Attempt("T0000001", stan, "000001") for stan in stans))


# ---- planted


def nothing(day: Day) -> Intent:
    day.sale("000001", PRICE)
    day.close(cup_totals((1, PRICE)))
    return intent(1, "000001")


def issuer_alone_debited(day: Day) -> Intent:
    txn = day.declined("000001", PRICE, "91")
    leg = next(leg for leg in day.all(IssuerLeg) if leg.txn_id == txn.id)
    day.change(leg, approved_amount=PRICE, amount=PRICE, code="")
    return intent(0, "000001")


def never_charged(day: Day) -> Intent:
    found = nothing(day)
    day.change(day.all(IssuerLeg)[0], undone=True)
    return found


def no_goods(day: Day) -> Intent:
    return replace(nothing(day), delivered=0)


def never_sent(day: Day) -> Intent:
    day.journal.append(JournalRow(day.tid, "000001", "000001", "offline-sale", PRICE, stored=False))
    day.close(cup_totals((1, PRICE)))
    return intent(1, "000001")


def keyed_again(day: Day) -> Intent:
    day.sale("000001", PRICE)
    day.sale("000002", PRICE)
    day.close(cup_totals((2, 2 * PRICE)))
    return intent(1, "000001", "000002")


def booked_again(day: Day) -> Intent:
    found = keyed_again(day)
    day.change(day.all(IssuerLeg)[1], undone=True)
    return found


def another_amount(day: Day) -> Intent:
    return replace(nothing(day), amount=270_00)


def settled_days_later(day: Day) -> Intent:
    found = nothing(day)
    day.change(day.all(Txn)[0], business_date="2026-03-02")
    day.change(day.all(Batch)[0], business_date="2026-03-04")
    return found


def one_figure_more(day: Day, *reasons: str, result: str = "not-agreed", verdict: str = "still-differs") -> Intent:
    """Closed over 268.00 at the host and 269.00 at the terminal, whose only row is 268.00."""
    day.sale("000001", PRICE)
    told = cup_totals((1, PRICE))
    closed = day.close(cup_totals((1, 269_00)), result=result, told=told, exceptions=tuple((1, r) for r in reasons))
    day.change(closed, verdict=verdict)
    return intent(1, "000001")


def stays_disputed(day: Day) -> Intent:
    found = nothing(day)
    day.change(day.batch, state=BatchState.DISPUTED)
    return found


PLANTED: dict[str, tuple[str, Callable[[Day], Intent]]] = {
    "clean": ("clean", nothing),
    "CNS": ("CNS", issuer_alone_debited),
    "SNC": ("SNC", never_charged),
    "CNSale": ("CNSale", no_goods),
    "SNF": ("SNF", never_sent),
    "DC": ("DC DS", keyed_again),
    "DS": ("DS SNC", booked_again),
    "AMT": ("AMT", another_amount),
    "TM": ("TM", one_figure_more),
    "STUCK": ("STUCK", stays_disputed),
    "late": ("late", settled_days_later),
}
"""Tag -> all tags of the run, and what trips it. What is charged twice is settled twice, or not charged as it is
settled: by E5 itself neither of these two comes alone."""


@pytest.mark.parametrize("tag", CLASSES)
def test_each_class_has_a_book_that_trips_it(tag: str) -> None:
    expected, plant = PLANTED[tag]
    day = Day()
    found = plant(day)
    assert tags(day, found) == expected
    assert tag in expected


def test_every_tag_of_the_catalogue_is_there() -> None:
    assert set(PLANTED) == set(CLASSES)
    assert set(CLASSES) == {"clean", "late", "CNS", "SNC", "CNSale", "SNF", "DC", "DS", "AMT", "TM", "STUCK"}


@pytest.mark.parametrize("dialect", ALL_KINDS)
def test_a_right_day_is_clean(dialect: str) -> None:
    assert tags(all_kinds(dialect)) == "clean"


def test_a_day_with_exceptions_says_what_they_mean_without_any_intent() -> None:
    """Batch 2 ended «not agreed» over 40.00 that were reversed past its close."""
    assert tags(healthy()) == "TM late"


# ---- from the books alone


def test_what_no_intent_speaks_of_is_judged_by_both_books() -> None:
    for plant, expected in ((never_sent, "SNF"), (never_charged, "SNC"), (settled_days_later, "late")):
        day = Day()
        plant(day)
        assert tags(day) == expected


def test_amounts_that_the_two_ends_have_differently() -> None:
    day = Day()
    day.sale("000001", PRICE)
    day.journal = [replace(row, amount=270_00) for row in day.journal]
    assert tags(day) == "AMT"
    assert tags(day, Intent("p1", PRICE, 1, (Attempt(day.tid, "000001", "000001"),))) == "CNS SNF", "as the intent says"


def test_a_debit_of_a_transaction_that_the_host_has_not() -> None:
    day = Day()
    nothing(day)
    leg = day.all(IssuerLeg)[0]
    day.put(replace(leg, id=77, txn_id=4711))
    assert tags(day) == "CNS"
    day.put(replace(leg, id=77, txn_id=4711, undone=True))
    assert tags(day) == "clean"


# ---- TM: exactly which


def test_what_the_rules_foresee_is_no_mismatch_of_totals() -> None:
    for reasons, expected in ((("carried",), "clean"), (("host-only",), "TM"), (("rejected",), "TM"), ((), "TM")):
        day = Day()
        found = one_figure_more(day, *reasons)
        assert tags(day, found) == expected, reasons


def test_an_end_that_is_agreed_after_all_is_none() -> None:
    day = Day()
    found = one_figure_more(day, verdict="agreed")
    assert tags(day, found) == "clean"


def test_a_slip_that_says_agreed_over_other_totals_is_one() -> None:
    day = Day()
    found = one_figure_more(day, "carried", result="agreed")
    assert tags(day, found) == "TM"


def test_a_slip_that_says_agreed_over_totals_that_the_host_never_closed_on_is_one() -> None:
    """Case 31: the stored 00 of a closed number was said again to other totals."""
    day = Day()
    found = nothing(day)
    day.archived.append(replace(day.archived[0], totals=cup_totals((1, 5_00))))
    assert tags(day, found) == "TM"
    day.archived[1] = replace(day.archived[1], batch="000009")
    assert tags(day, found) == "clean", "of a number that the host does not remember nobody can tell"
    day.archived[1] = replace(day.archived[1], batch="000001", totals=Totals())
    assert tags(day, found) == "clean", "nothing was settled with it"


def test_a_cutoff_before_the_terminal_has_settled_is_foreseen_unless_an_item_differs() -> None:
    """Case 44, and the same with a row that the host never gets."""
    day = Day()
    day.sale("000001", PRICE)
    closed = day.close(cup_totals((1, PRICE)))
    day.change(closed, forced="cutoff", claimed="", answered="")
    where = {"batch_id": closed.id, "tid": day.tid, "reason": "report-after-close", "item_key": "domestic/debit"}
    entry = day.new(ExceptionItem, **where, amount=PRICE, side_amount=270_00, at=day.now())
    day.archived[0] = replace(day.archived[0], result="not-agreed", totals=cup_totals((2, 270_00)))
    assert tags(day, intent(1, "000001")) == "clean"
    day.journal.append(JournalRow(day.tid, "000001", "000002", "sale", 2_00, settlement="settled"))
    assert tags(day, intent(1, "000001"), intent(0, "000002")) == "TM"
    day.journal.pop()
    day.change(closed, forced="")
    assert tags(day, intent(1, "000001")) == "TM", "nobody but the terminal had closed it"
    day.drop(entry)


def test_a_sale_that_the_host_has_under_its_number_in_another_batch_is_one() -> None:
    """Case 43: the cutoff fell between, and each end counts it on another day."""
    day = Day()
    day.sale("000001", PRICE)
    closed = day.close(cup_totals((1, PRICE)))
    day.change(closed, forced="cutoff", claimed="", answered="")
    where = {"batch_id": closed.id, "tid": day.tid, "reason": "report-after-close", "item_key": "domestic/debit"}
    day.new(ExceptionItem, **where, amount=PRICE, side_amount=270_00, at=day.now())
    split = day.change(day.sale("000002", 2_00), wire_batch="000001")
    day.journal[-1] = replace(day.journal[-1], batch="000001", settlement="settled")
    assert tags(day) == "TM"
    day.change(split, carried=True)
    assert "TM" not in tags(day)


def test_a_report_on_paper_alone_is_measured_by_the_items() -> None:
    """Case 45: no 0500; the cutoff closes what the paper says, or it does not."""
    day = Day()
    found = nothing(day)
    day.change(day.all(Batch)[0], forced="cutoff", claimed="", answered="")
    assert tags(day, found) == "clean"
    day.archived[0] = replace(day.archived[0], totals=cup_totals((2, 270_00)))
    assert tags(day, found) == "TM"


def test_iso87_has_no_number_and_is_told_by_its_totals() -> None:
    day = all_kinds("iso87")
    day.archived.append(replace(day.archived[0], batch="000007", totals=ALL_KINDS["iso87"]))
    assert tags(day) == "TM", "archived twice, closed once"


# ---- liveness


def test_a_healed_terminal_sells_and_owes_nothing() -> None:
    day = all_kinds()
    assert not [*l1(day.books, day.terminals, (HEALED,)), *l2(day.books, day.terminals, (HEALED,))]


@pytest.mark.parametrize(
    ("healed", "text"),
    [
        (replace(HEALED, sells=False), "does not sell within one retry cycle"),
        (replace(HEALED, owed=("the reversal of STAN 000004",)), "still owes the reversal of STAN 000004"),
    ],
)
def test_l1_alone_is_broken_by_a_terminal_that_does_not_get_going(healed: Healed, text: str) -> None:
    day = all_kinds()
    (finding,) = l1(day.books, day.terminals, (healed,))
    assert finding.invariant == "L1"
    assert text in finding.text
    assert not [*l2(day.books, day.terminals, (healed,))]
    assert tags(day, healed=(healed,)) == "STUCK"


HARMED: dict[str, Healed] = {"L1": replace(HEALED, sells=False), "L2": replace(HEALED, messages=61)}


@pytest.mark.parametrize("invariant", LIVENESS)
def test_each_liveness_invariant_has_a_healing_that_it_alone_sees(invariant: str) -> None:
    day, healed = all_kinds(), (HARMED[invariant],)
    assert {name for name, holds in LIVENESS.items() if [*holds(day.books, day.terminals, healed)]} == {invariant}


def test_l1_looks_into_the_journal_as_well() -> None:
    """Case 8: a reversal for ever. Case 25: an advice for ever. Case 40: a batch for ever."""
    book = all_kinds().book
    stored = replace(book.rows[0], stored=True)
    for stuck, owed in (
        (replace(book, pending_reversal="000004"), "the reversal of STAN 000004"),
        (replace(book, rows=(stored,)), f"the stored sale of STAN {stored.stan}"),
        (replace(book, frozen=True), "the settlement of batch 000002"),
    ):
        assert owed_of(stuck) == (owed,)
        (finding,) = l1(all_kinds().books, {"T1": stuck}, (HEALED,))
        assert owed in finding.text


def test_l2_alone_is_broken_by_a_storm_of_messages() -> None:
    day = all_kinds()
    storm = replace(HEALED, messages=61)
    (finding,) = l2(day.books, day.terminals, (storm,))
    assert str(finding) == "L2 terminal T0000001: sent 61 messages in 3 cycles without a fault, 60 at most"
    assert not [*l1(day.books, day.terminals, (storm,))]


def test_l2_alone_is_broken_by_a_dispute_that_does_not_end() -> None:
    day = Day()
    stays_disputed(day)
    (finding,) = l2(day.books, day.terminals, (HEALED,))
    assert finding.text == "is disputed after 3 cycles, expected closed or closed-with-exceptions"
    assert not [*l1(day.books, day.terminals, (HEALED,))]
    assert not [*l2(day.books, day.terminals, ())], "nobody has said that it is over"


def test_the_bound_is_that_of_the_rules() -> None:
    """One cycle, three rows, one reversal: 4 of sign-on and echo; 3 for the reversal, 3 for the sale; 3 times the
    0500, then 3 rounds of 3 items and a trailer, each sent 3 times."""
    assert most_messages(rows=3, owed=1, cycles=1) == 4 + 6 + 3 + 3 * (9 + 3)
    assert most_messages(rows=3, owed=1, cycles=2) == 2 * most_messages(rows=3, owed=1, cycles=1)


def test_a_nac_day_that_ends_not_agreed() -> None:
    day = Day(dialect="nac")
    day.sale("000001", PRICE)
    closed = day.close(nac_totals((1, 269_00)), result="not-agreed", told=nac_totals((1, PRICE)))
    day.change(closed, verdict="still-differs")
    assert json.loads(day.newest(closed).claimed) != json.loads(day.newest(closed).answered)
    assert tags(day, intent(1, "000001")) == "TM"
