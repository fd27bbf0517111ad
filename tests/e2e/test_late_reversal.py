"""Past the close: a late reversal is an adjustment in the open batch (RH4, FC 2), a late stored sale is carried into it
(FC 44). Real host, real terminal, TCP; every settlement behind it agrees, and `audit` ends with 0.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from host.checker import report
from host.checker.books import HostBooks
from host.checker.compare import compare
from host.rows import Batch, Txn, TxnState
from host.store.store import open_reader
from specs import journal
from terminal_sim.cards import card_from
from terminal_sim.flash import CutPower
from terminal_sim.lab.host_process import HostProcess
from terminal_sim.moves import End, OfflineSale, Order, Result, Sale, Settle
from terminal_sim.state import Archived
from tests.e2e.conftest import HostCommand
from tests.support.power import DIALECTS, PowerTill, force_close

pytestmark = pytest.mark.e2e

CARD = card_from("credit1", "swipe")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    options = ("--log-level", "warning")
    with HostProcess(tmp_path_factory.mktemp("late"), dialects=DIALECTS, options=options) as running:
        yield running


@dataclass
class Day:
    """One terminal on one host, and what both hold."""

    host: HostProcess
    till: PowerTill

    def do(self, order: Order) -> Result:
        return self.till.ended(order)

    def sell(self, amount: int) -> str:
        """The STAN of a sale that is approved; a sign-on before it where the host asks for one."""
        sold = self.do(Sale(amount, CARD))
        if sold.code == "22":  # CUP: a batch number that is closed; the terminal has signed on for another by itself
            sold = self.do(Sale(amount, CARD))
        assert sold.end is End.APPROVED, sold.text
        return sold.stan

    def lose(self, order: Order, at: str) -> str:
        """The STAN of an order in which the power fails behind this step."""
        stan = self.till.memory.next_stan()
        assert self.till.press(order, CutPower(at, "after")) is None
        return stan

    def settle(self) -> list[Archived]:
        """Settle until nothing is left; what was archived."""
        before = len(self.till.memory.archive)
        for _ in range(6):
            if self.do(Settle()).end is End.NOTHING:
                break
            self.till.sign_on()
        memory = self.till.memory
        assert (memory.rows, memory.pending, memory.settlement) == ((), None, None)
        return list(memory.archive[before:])

    def books(self) -> HostBooks:
        return open_reader(self.host.store).load_books()

    def txn(self, books: HostBooks, amount: int) -> Txn:
        (found,) = [t for t in books.txns if (t.tid, t.amount) == (self.till.tid, amount)]
        return found

    def answers(self, mti: str) -> list[dict[str, str]]:
        """The elements of the host's answers of an MTI, oldest first."""
        seen = self.host.api.items("/messages", tid=self.till.tid)
        return [m["fields"] for m in seen if m["direction"] == "out" and m["mti"] == mti]


@pytest.fixture(params=DIALECTS)
def day(request: pytest.FixtureRequest, host: HostProcess, tmp_path: Path) -> Day:
    dialect, number = request.param, sum(map(ord, request.node.name)) % 10_000
    till = PowerTill(tmp_path / "till", host.url(dialect), f"{dialect[0].upper()}L{number:06d}", f"LATE{number:011d}")
    return Day(host, till.sign_on())


def _wait_for(day: Day, amount: int) -> Txn:
    """The sale whose answer nobody waits for, once the host has captured it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [t for t in day.books().txns if (t.tid, t.amount) == (day.till.tid, amount)]
        if found and found[0].state is TxnState.CAPTURED:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("the host has not captured the sale")


def _batches(books: HostBooks, day: Day) -> list[Batch]:
    return [b for b in books.batches if b.tid == day.till.tid]


def _results(archived: list[Archived]) -> list[tuple[str, str]]:
    return [(closed.batch, closed.result) for closed in archived]


# ---- RH4


def test_a_reversal_past_the_close_is_an_adjustment_in_the_open_batch(day: Day) -> None:
    """10.00 sold; 50.00 sold, its answer lost with the power; the back office closes; then the terminal comes back."""
    day.sell(1000)
    stan = day.lose(Sale(5000, CARD), "send")
    assert _wait_for(day, 5000).stan == stan
    assert force_close(day.host.api, day.till.tid)["state"] == "closed-with-exceptions"

    first = day.settle()

    answers = day.answers("0430" if day.till.dialect == "iso87" else "0410")
    assert [(a["39"], a["11"] == stan or "90" in a) for a in answers] == [("00", True)]
    # The closed batch as the host's books have it since: with the reversal, as the terminal claims it.
    assert _results(first) == [("000001", "agreed")]
    assert [(r.amount, r.state) for r in first[0].rows] == KEPT[day.till.dialect]
    books = day.books()
    closed, follower = _batches(books, day)
    (undone,) = [a for a in books.adjustments if books.txn_by_id[a.txn_id].stan == stan and a.batch_id == follower.id]
    assert (undone.amount, undone.reason) == (-5000, "reversal")
    late = day.txn(books, 5000)
    assert (late.state, late.batch_id, late.settlement) == (TxnState.REVERSED, closed.id, "settled")
    posted = [p for p in books.postings if p.txn_id == late.id and p.book == "acquirer" and "payable" in p.account]
    assert [(p.batch_id, p.amount) for p in posted] == [(closed.id, -5000), (follower.id, 5000)]  # a credit is negative
    assert not {a.stan for a in day.till.memory.rows}

    day.sell(3000)
    (after,) = day.settle()
    assert after.result == "agreed"
    assert [(r.amount, r.state) for r in after.rows] == [(3000, "journaled")]
    books = day.books()
    _, second, third = _batches(books, day)
    assert (second.state, third.state) == ("closed", "open")
    assert second.id == follower.id, "the adjustment is funded with the batch that it landed in"
    assert {(s[2], s[3]) for s in json.loads(second.claimed) if s[2]} == {(1, 3000)}, "and is in no comparison"
    assert second.claimed == second.answered
    _right(day)


KEPT = {
    "cup": [(1000, "journaled")],
    "nac": [(1000, "journaled")],
    "iso87": [(1000, "journaled"), (5000, "reversed")],
}
"""Of the first batch at the terminal: ISO 87 counts what was reversed as well (rules.md, section 5)."""


def test_a_reversal_past_the_close_with_nothing_else_to_settle(day: Day) -> None:
    """The terminal has no row of the batch that was closed, and goes on under the host's next number."""
    day.lose(Sale(5000, CARD), "send")
    _wait_for(day, 5000)
    force_close(day.host.api, day.till.tid)
    day.sell(3000)
    assert day.settle()[-1].result == "agreed"
    books = day.books()
    assert [(a.amount, a.batch_id) for a in books.adjustments if books.txn_by_id[a.txn_id].tid == day.till.tid] == [
        (-5000, _batches(books, day)[1].id)
    ]
    assert [closed.result for closed in day.till.memory.archive] == ["agreed"] * len(day.till.memory.archive)
    day.sell(4000)
    assert day.settle()[-1].result == "agreed"
    _right(day)


# ---- a forced close, and what was stored


def test_a_stored_sale_past_a_forced_close_is_carried(day: Day) -> None:
    """10.00 sold; 50.00 sold offline and stored; the back office closes; then the stored sale arrives."""
    day.sell(1000)
    assert day.do(OfflineSale(5000, CARD)).end is End.APPROVED
    force_close(day.host.api, day.till.tid)

    (first,) = day.settle()

    assert [a["39"] for a in day.answers("0230")] == ["00"]
    assert (first.batch, first.result) == ("000001", "not-agreed"), "the host had closed without it: late, explained"
    books = day.books()
    closed, follower = _batches(books, day)
    carried = day.txn(books, 5000)
    assert (carried.state, carried.carried, carried.batch_id) == (TxnState.CAPTURED, True, follower.id)
    listed = {(e.reason, e.amount, e.side_amount) for e in books.exceptions if e.batch_id == closed.id}
    assert listed == LISTED[day.till.dialect]

    day.sell(3000)
    (after,) = day.settle()
    assert after.result == "agreed"
    assert [r.amount for r in after.rows] == [3000]
    books = day.books()
    second = _batches(books, day)[1]
    assert (second.state, day.txn(books, 5000).settlement) == ("closed", "settled"), (
        "funded with the batch it landed in"
    )
    assert {(s[2], s[3]) for s in json.loads(second.claimed) if s[2]} == {(1, 3000)}
    _right(day)


LISTED = {
    "cup": {("report-after-close", 1000, 6000), ("carried", 0, 5000)},
    "nac": {("report-after-close", 1000, 6000)},
    "iso87": {("totals-differ", 1000, 6000)},
}
"""The exceptions of the closed batch: figures (what the host has, what the terminal says), CUP's uploaded item too."""


def test_sales_between_a_forced_close_and_the_settlement(day: Day) -> None:
    """The terminal does not know of the close and sells on, on the same day; the settlement behind it agrees in each.

    CUP: 22, settle first. NAC: all in the next batch, the earlier sale named as settled. ISO 87: the host dates what
    follows as the next day, so that each settles by itself (rules.md, section 6: one 0500 for each DE 15).
    """
    day.sell(1000)
    assert day.do(OfflineSale(5000, CARD)).end is End.APPROVED
    force_close(day.host.api, day.till.tid)
    sold = day.do(Sale(3000, CARD))
    if day.till.dialect == "cup":
        assert (sold.end, sold.code) == (End.DECLINED, "22")
        day.till.sign_on()
    else:
        assert sold.end is End.APPROVED
    assert _results(day.settle()) == BETWEEN[day.till.dialect]
    reasons = {e.reason for e in day.books().exceptions if e.tid == day.till.tid}
    assert reasons == BETWEEN_LISTED[day.till.dialect]
    day.sell(4000)
    (after,) = day.settle()
    assert (after.result, [r.amount for r in after.rows]) == ("agreed", [4000])
    _right(day)


BETWEEN = {
    "cup": [("000001", "not-agreed")],
    "nac": [("000002", "not-agreed")],
    "iso87": [("000001", "not-agreed"), ("000002", "agreed")],
}
BETWEEN_LISTED = {
    "cup": {"report-after-close", "carried"},
    "nac": {"forced-close", "carried"},
    "iso87": {"totals-differ"},
}


def test_the_day_of_what_is_carried_is_that_of_its_batch(host: HostProcess, tmp_path: Path) -> None:
    """ISO 87, DE 15: the stored sale belongs to the day that was closed, the sale behind it to the next one."""
    till = PowerTill(tmp_path / "till", host.url("iso87"), "ILDATES0", "LATE00000DATES0").sign_on()
    day = Day(host, till)
    day.sell(1000)
    assert day.do(OfflineSale(5000, CARD)).end is End.APPROVED
    force_close(host.api, till.tid)
    day.sell(3000)
    first, stored, last = (row.day for row in till.memory.rows)
    assert first == stored
    closed = date.fromisoformat(_batches(day.books(), day)[0].day)
    assert (first, last) == (f"{closed:%m%d}", f"{closed + timedelta(days=1):%m%d}")


def _right(day: Day) -> None:
    """Nothing is open or differs, with the terminal's journal beside the host's books."""
    api = day.host.api
    api.ask("POST", f"/terminals/{day.till.tid}/journal", journal.dump(day.till.book()))
    books = day.books()
    compared = compare(books, day.till.book())
    assert compared.agrees, compared.differing
    assert not [t for t in books.txns if t.tid == day.till.tid and t.settlement == "open"]
    found = report.check(books, {day.till.tid: day.till.book()})
    assert not found, report.render(found)


def test_audit_finds_nothing_in_all_these_books(host: HostProcess, acquirer_host: HostCommand) -> None:
    api = host.api
    assert api.whole("/findings") == []
    ended = acquirer_host("audit", "--api", api.base)
    assert (ended.returncode, ended.stdout) == (0, "the books are right: every invariant holds\n")
