"""RH2 and RH7 at the writer: what is not on disk is asked of no issuer (docs/rules-and-tests.md)."""

from __future__ import annotations

from host.errors import StoreUnavailable
from tests.unit.host.test_runner import Bench, at_the_issuer


def test_rh7_nothing_is_asked_of_the_issuer_that_is_not_in_the_log() -> None:
    """FC 17 with a full disk: a debit that nobody can undo, since nobody knows of it."""
    bench = Bench(at_the_issuer)
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.submit(1)
    bench.runner.run_once()
    assert (bench.line.asked, bench.heard) == ([], {"000001": ["96"]})
    good = Bench(at_the_issuer)
    good.submit(1)
    good.runner.run_once()
    assert [ask.leg.id for ask in good.line.asked] == [1]
