"""Every row of the settlement dialogue for ISO 87 (rules.md, section 6): DE 15 names the batch, DE 66 is the answer.

One batch: S1 110.00, S2 50.00 voided by V, S3 80.00 reversed. 76/88 = 3 / 240.00, 77/89 = 2 / 130.00.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from host.engine import closing
from host.engine.draft import Draft
from host.engine.settle import decide_settle
from host.rows import Batch, BatchState, ExceptionItem, Posting, Row, Txn, TxnState
from specs.operation import Kind, Outcome, Verdict
from specs.totals import Totals
from tests.support.books import TID, a_batch, a_draft, a_leg, a_request, a_terminal, a_txn, next_draft
from tests.unit.host.engine.test_worked_totals import ISO87, iso87_totals

TOTALS = iso87_totals((3, 24000), (2, 13000))
OTHER = iso87_totals((2, 16000), (1, 5000))
NOTHING = iso87_totals()
AGREED, DIFFERS, STILL, CLOSED_OTHER = (
    Verdict.AGREED,
    Verdict.DIFFERS,
    Verdict.STILL_DIFFERS,
    Verdict.CLOSED_OTHER,
)
DAY, NEXT_DAY = "2026-03-02", "2026-03-03"
CLOSED_NEXT = {"000001": "closed", "000002": "open"}
WITH_EXCEPTIONS = {"000001": "closed-with-exceptions", "000002": "open"}
FIGURES = [("all/debit-reversals", "totals-differ", 13000, 5000), ("all/debits", "totals-differ", 24000, 16000)]


def claimed(totals: Totals) -> str:
    return json.dumps(totals.to_json())


def day(batch_id: int = 1) -> list[Row]:
    """The example's transactions; ISO 87 rows carry no batch number."""

    def txn(txn_id: int, amount: int, kind: Kind = Kind.SALE, **changes: Any) -> Txn:
        return a_txn(txn_id, amount, kind, batch_id=batch_id, wire_batch="", **changes)

    return [
        txn(1, 11000),
        txn(2, 5000, state=TxnState.VOIDED),
        txn(3, 5000, Kind.VOID, original_id=2, voids_kind="sale"),
        txn(4, 8000, state=TxnState.REVERSED, settlement="none"),
    ]


OPEN = a_batch(day=DAY)
DISPUTED = replace(
    OPEN,
    state=BatchState.DISPUTED,
    claimed=claimed(OTHER),
    answered=claimed(TOTALS),
    verdict="differs",
    sides="[]",
    business_date=DAY,
)
CLOSED = replace(
    OPEN,
    state=BatchState.CLOSED,
    claimed=claimed(TOTALS),
    answered=claimed(TOTALS),
    verdict="agreed",
    sides="[]",
    business_date=DAY,
    closed_at="2026-03-02T21:00:00.000+00:00",
    digest="d",
)
FORCED = replace(CLOSED, state=BatchState.CLOSED_WITH_EXCEPTIONS, claimed="", answered="", verdict="", forced="cutoff")
AFTER_DISPUTE = replace(
    CLOSED, state=BatchState.CLOSED_WITH_EXCEPTIONS, claimed=claimed(OTHER), verdict="still-differs"
)
NEXT = a_batch("000002", id=2)
NEXT_WITH_SALE: list[Row] = [replace(NEXT, day=NEXT_DAY), a_txn(20, 700, batch_id=2, wire_batch="")]
SAME_DAY_SALE: list[Row] = [replace(NEXT, day=DAY), a_txn(20, 700, batch_id=2, wire_batch="")]


@dataclass
class Row6:
    """One cell of the table. answered None = T's own figures."""

    books: list[Row]
    claim: Totals
    verdict: Verdict
    after: dict[str, str]
    day: str = "0302"
    final: bool = False
    answered: Totals | None = None
    exceptions: list[tuple[str, str, int, int]] = field(default_factory=list)


TABLE: dict[str, Row6] = {
    "agreed": Row6([OPEN, *day()], TOTALS, AGREED, CLOSED_NEXT),
    "agreed, by an advice at once": Row6([OPEN, *day()], TOTALS, AGREED, CLOSED_NEXT, final=True),
    "not agreed": Row6([OPEN, *day()], OTHER, DIFFERS, {"000001": "disputed"}, answered=TOTALS),
    "not agreed, by count alone": Row6(
        [OPEN, *day()], iso87_totals((4, 24000), (2, 13000)), DIFFERS, {"000001": "disputed"}, answered=TOTALS
    ),
    "repeated while disputed, same totals": Row6(
        [DISPUTED, *day()], OTHER, DIFFERS, {"000001": "disputed"}, answered=TOTALS
    ),
    "repeated while disputed, now right": Row6([DISPUTED, *day()], TOTALS, AGREED, CLOSED_NEXT),
    "what was owed has come, 0520 agrees": Row6([DISPUTED, *day()], TOTALS, AGREED, CLOSED_NEXT, final=True),
    "still not agreed": Row6(
        [DISPUTED, *day()], OTHER, STILL, WITH_EXCEPTIONS, final=True, answered=TOTALS, exceptions=FIGURES
    ),
    "already closed, same totals": Row6([CLOSED, NEXT, *day()], TOTALS, AGREED, CLOSED_NEXT),
    "already closed, same totals, items of the next day in the open batch": Row6(
        [CLOSED, *NEXT_WITH_SALE, *day()], TOTALS, AGREED, CLOSED_NEXT
    ),
    "already closed after a dispute, same totals": Row6(
        [AFTER_DISPUTE, NEXT, *day()], OTHER, STILL, WITH_EXCEPTIONS, answered=TOTALS
    ),
    "0521 of a batch closed after a dispute": Row6(
        [AFTER_DISPUTE, NEXT, *day()], OTHER, STILL, WITH_EXCEPTIONS, final=True, answered=TOTALS
    ),
    "closed by H without a 0500, same totals": Row6([FORCED, NEXT, *day()], TOTALS, AGREED, WITH_EXCEPTIONS),
    "already closed, other totals": Row6(
        [CLOSED, NEXT, *day()], OTHER, CLOSED_OTHER, CLOSED_NEXT, answered=TOTALS, exceptions=FIGURES
    ),
    "closed by H without a 0500, other totals": Row6(
        [FORCED, NEXT, *day()], OTHER, CLOSED_OTHER, WITH_EXCEPTIONS, answered=TOTALS, exceptions=FIGURES
    ),
    "a closed day while the open batch holds T's items": Row6(
        [CLOSED, *NEXT_WITH_SALE, *day()], OTHER, CLOSED_OTHER, CLOSED_NEXT, answered=TOTALS, exceptions=FIGURES
    ),
    "the second batch of one day": Row6(
        [CLOSED, *SAME_DAY_SALE, *day()],
        iso87_totals((1, 700)),
        AGREED,
        {"000001": "closed", "000002": "closed", "000003": "open"},
    ),
    "the open batch of that day holds only what was carried": Row6(
        [CLOSED, replace(NEXT, day=DAY), a_txn(20, 700, batch_id=2, wire_batch="", carried=True), *day()],
        TOTALS,
        AGREED,
        CLOSED_NEXT,
    ),
    "the open day beside a closed one": Row6(
        [CLOSED, *NEXT_WITH_SALE, *day()],
        iso87_totals((1, 700)),
        AGREED,
        {"000001": "closed", "000002": "closed", "000003": "open"},
        day="0303",
    ),
    "a day that H never had: compared with what is open": Row6(
        [OPEN, *day()], OTHER, DIFFERS, {"000001": "disputed"}, day="0228", answered=TOTALS
    ),
    "no DE 15: what is open": Row6([OPEN, *day()], TOTALS, AGREED, CLOSED_NEXT, day=""),
    "no DE 15, the answer was lost": Row6([CLOSED, NEXT, *day()], TOTALS, AGREED, CLOSED_NEXT, day=""),
    "empty on both sides": Row6([a_batch()], NOTHING, AGREED, CLOSED_NEXT),
    "empty on both sides on a day that had its settlement": Row6(
        [CLOSED, NEXT, *day()],
        NOTHING,
        AGREED,
        {"000001": "closed", "000002": "closed", "000003": "open"},
    ),
    "H has nothing": Row6([a_batch()], OTHER, DIFFERS, {"000001": "disputed"}, answered=NOTHING),
    "only a reversed sale is no empty batch": Row6(
        [OPEN, *day()[3:]], iso87_totals((1, 8000), (1, 8000)), AGREED, CLOSED_NEXT
    ),
    "first contact": Row6([], OTHER, DIFFERS, {"000001": "disputed"}, answered=NOTHING),
}


def settle(draft: Draft, claim: Totals, *, final: bool = False, of: str = "0302", **changes: Any) -> Outcome:
    request = a_request(Kind.SETTLE, ISO87, totals=claim, day=of, final=final, batch=None, **changes)
    outcome = decide_settle(draft, request, a_terminal(dialect="iso87"))
    assert outcome is not None
    return outcome


def states(draft: Draft) -> dict[str, str]:
    return {b.number: str(b.state) for b in draft.ws.batches(TID)}


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_the_settlement_dialogue(row: Row6) -> None:
    draft = a_draft(row.books)
    outcome = settle(draft, row.claim, final=row.final, of=row.day)
    assert (outcome.code, outcome.verdict, outcome.sides) == ("00", row.verdict, ())
    assert outcome.totals is not None
    assert not outcome.totals.differing(row.answered or row.claim)
    assert states(draft) == row.after
    found = [(e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.all(ExceptionItem)]
    assert found == row.exceptions
    assert draft.ws.all(Posting) == []


REPEATED = {name: row for name, row in TABLE.items() if row.claim != NOTHING}


@pytest.mark.parametrize("row", REPEATED.values(), ids=REPEATED)
def test_the_same_message_again_gets_the_same_answer_and_changes_nothing(row: Row6) -> None:
    """RH5, FC 28: 0501 or 0521 after a lost answer."""
    draft = a_draft(row.books)
    first = settle(draft, row.claim, final=row.final, of=row.day)
    again = next_draft(draft)
    second = settle(again, row.claim, final=row.final, of=row.day, repeat=True)
    assert (second.code, second.verdict, second.totals) == (first.code, first.verdict, first.totals)
    assert again.puts == ()
    assert states(again) == row.after


def test_what_was_empty_and_closed_is_said_again() -> None:
    draft = a_draft([a_batch(day=DAY)])
    settle(draft, NOTHING)
    again = next_draft(draft)
    assert settle(again, NOTHING).verdict is AGREED
    assert again.puts == ()


def test_each_of_two_closed_days_is_found_by_its_own_date() -> None:
    """rules.md 6: T sends one 0500 for each DE 15 among its rows, oldest first."""
    first = replace(FORCED, id=1)
    second = replace(FORCED, id=2, number="000002", day=NEXT_DAY, business_date=NEXT_DAY)
    books = [first, second, a_batch("000003", id=3), *day(), a_txn(20, 700, batch_id=2, wire_batch="")]
    draft = a_draft(books)
    assert settle(draft, TOTALS, of="0302").verdict is AGREED
    assert settle(draft, iso87_totals((1, 700)), of="0303").verdict is AGREED
    assert settle(draft, iso87_totals((2, 1400)), of="0303").verdict is CLOSED_OTHER
    assert [b.claimed for b in draft.ws.all(Batch)] == [claimed(TOTALS), claimed(iso87_totals((1, 700))), ""]


def test_the_answer_has_the_day_of_the_batch_and_not_that_of_its_close() -> None:
    """Settled after midnight under TC: T's rows have DE 15 of the day before, and so has the 0510."""
    draft = a_draft([replace(OPEN, day="2026-03-01"), *day()])
    outcome = settle(draft, TOTALS, of="0301")
    assert outcome.business_date == "2026-03-01"
    assert draft.ws.all(Batch)[0].business_date == DAY


def sold_at(minute: str, stan: int) -> Txn:
    """A sale of the open batch of the same day, sent at this minute past 14:00."""
    return a_txn(20, 700, batch_id=2, wire_batch="", stan=f"{stan:06d}", transmitted=f"030214{minute}00")


@pytest.mark.parametrize(
    ("stan", "sent", "of"),
    [
        (4, "0302130000", "000001"),  # held up on the way: batch 1 was closed by a later one, and T has sold since
        (999_998, "0302130000", "000001"),  # the same over the wrap of the STANs
        (7, "0302150000", "000002"),  # the settlement of what was sold
        (7, "0302135000", "000002"),  # the same, by a clock that was set back
        (4, "0302150000", "000002"),  # the same, by a firmware that counts its 0500s apart
        (4, "", "000002"),
    ],
)
def test_a_0500_that_the_next_items_have_overtaken_is_about_the_batch_before_them(
    stan: int, sent: str, of: str
) -> None:
    """No number is on the wire: compared with the open batch a late copy would dispute it, and the cutoff would close
    it under totals that are not its own."""
    draft = a_draft([CLOSED, replace(NEXT, day=DAY), sold_at("00", 6), *day()])
    outcome = settle(draft, TOTALS, stan=f"{stan:06d}", transmitted=sent)
    assert outcome.verdict is (AGREED if of == "000001" else DIFFERS)
    assert states(draft) == {"000001": "closed", "000002": "open" if of == "000001" else "disputed"}


def test_a_close_waits_for_what_is_still_at_the_issuer() -> None:
    draft = a_draft([OPEN, *day(), a_txn(30, 100, state=TxnState.PENDING, wire_batch=""), a_leg(30)])
    request = a_request(Kind.SETTLE, ISO87, totals=TOTALS, day="0302", batch=None)
    assert decide_settle(draft, request, a_terminal(dialect="iso87")) is None
    assert draft.puts == ()


def test_a_forced_close_of_a_dispute_lists_its_figures() -> None:
    draft = a_draft([DISPUTED, a_terminal(dialect="iso87"), *day()])
    closing.forced_close(draft, DISPUTED, "cutoff")
    assert [(e.item_key, e.reason, e.amount, e.side_amount) for e in draft.ws.all(ExceptionItem)] == FIGURES
    assert settle(draft, OTHER, final=True).verdict is STILL


def test_a_report_after_the_close_is_listed_once_however_often_it_comes() -> None:
    draft = a_draft([CLOSED, NEXT, *day()])
    for _ in range(3):
        settle(draft, OTHER)
    assert len(draft.ws.exceptions(1)) == 2
