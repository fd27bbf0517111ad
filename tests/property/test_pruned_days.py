"""Shopping days whose messages are pruned as they go: the checker says what it can, and nothing false.

A day with every order of its dialect, pruned to the last few messages after every step; random days likewise; and a
whole day pruned away bit by bit, looked at after every bit. Then, that what is left still convicts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from hypothesis import given, note, settings

from host.checker import report
from host.checker.compare import unsettled
from host.rows import MessageRow, Posting
from host.wire_log import prune_all
from specs.journal import TerminalBook
from tests.property.test_shopping_days import _AFTERNOON, _MORNING
from tests.support.shopping import call_of, shop
from tests.support.shopping_days import CAPTURES, DIALECTS, days
from tests.support.two_books import TID, Step, TwoBooks

EXAMPLES = 5


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


class Forgetful(TwoBooks):
    """A world whose host keeps a few messages only."""

    keeps = 3
    gone = 0

    def check(self):  # type: ignore[no-untyped-def]
        self.gone += prune_all(self.host.store, self.clock, rows=self.keeps)
        return super().check()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.shopping.TwoBooks", Forgetful)


@pytest.mark.parametrize("keeps", [1, 6])
@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.usefixtures("forgetful")
def test_a_day_that_is_pruned_as_it_goes(
    dialect: str, capture: str, keeps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Forgetful, "keeps", keeps)
    world = shop(dialect, capture, (*_MORNING, *_AFTERNOON[dialect]))
    assert isinstance(world, Forgetful)
    assert world.gone > 50
    assert unsettled(world.host.books()) == []


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.usefixtures("forgetful")
def test_any_day_that_is_pruned_as_it_goes(dialect: str, capture: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(days(dialect))
    def play(steps: list[Step]) -> None:
        note(call_of(dialect, capture, steps))
        shop(dialect, capture, steps)

    play()


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_day_that_is_pruned_away_bit_by_bit(dialect: str, capture: str) -> None:
    """Every place between two messages is the edge of the log once."""
    world = shop(dialect, capture, (*_MORNING, *_AFTERNOON[dialect]))
    store, journals = world.host.store, {TID: world.journal()}
    newest = store.newest(MessageRow)
    for keep in range(newest - 1, 0, -1):
        prune_all(store, world.clock, rows=keep)
        found = report.check(store.reader().load_books(), journals)
        assert not found, f"pruned to {newest - keep}: {report.render(found)}"
    assert len(store.reader().select(MessageRow)) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_left_still_convicts(dialect: str) -> None:
    """The last sale's money is wrong in the ledger, and its messages are there: the auditor says so."""
    world = shop(dialect, "HC", (*_MORNING, *_AFTERNOON[dialect]))
    prune_all(world.host.store, world.clock, rows=60)
    books = world.host.books()
    kept = {m.txn_id for m in books.messages if m.direction == "in" and m.kind == "sale"}
    last = next(p for p in reversed(books.postings) if p.txn_id in kept and p.reason == "capture")
    entry = [p for p in books.postings if p.entry_id == last.entry_id]
    wrong: dict[int, Posting] = {p.id: replace(p, amount=p.amount * 2) for p in entry}
    twisted = replace(books, postings=tuple(wrong.get(p.id, p) for p in books.postings))
    journals: dict[str, TerminalBook] = {}
    assert "AUDIT" in {finding.invariant for finding in report.check(twisted, journals)}
