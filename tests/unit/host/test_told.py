"""What was told 96 without a row: which copies it meets, for how long, and how many are kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from host import told
from host.told import ToldTrouble
from specs.operation import Kind
from tests.support.engine import NAC, a_request

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_the_same_request_is_held_and_another_is_not() -> None:
    kept = ToldTrouble()
    sale = a_request(Kind.SALE, NAC, stan=1, amount=100)
    kept.note(sale, NOW)
    assert kept.holds(replace(sale, token=99, peer="another line"), NOW)
    assert not kept.holds(a_request(Kind.SALE, NAC, stan=2, amount=100), NOW)
    assert not kept.holds(a_request(Kind.SALE, NAC, stan=1, amount=101), NOW)
    kept.clear()
    assert not kept.holds(sale, NOW)


def test_it_is_forgotten_after_a_day() -> None:
    """rules.md 1: as long as a copy may be taken for a repeat."""
    kept = ToldTrouble()
    sale = a_request(Kind.SALE, NAC, stan=1, amount=100)
    kept.note(sale, NOW)
    assert kept.holds(sale, NOW + timedelta(hours=24))
    assert not kept.holds(sale, NOW + timedelta(hours=24, seconds=1))


@pytest.mark.parametrize("kind", [Kind.REVERSAL, Kind.SETTLE, Kind.UPLOAD])
def test_what_comes_again_on_purpose_is_never_held(kind: Kind) -> None:
    kept = ToldTrouble()
    request = a_request(kind, NAC, stan=1)
    kept.note(request, NOW)
    assert not kept.holds(request, NOW)


def test_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "KEPT_MAX", 2)
    kept = ToldTrouble()
    sales = [a_request(Kind.SALE, NAC, stan=stan, amount=100) for stan in (1, 2, 3)]
    for sale in sales:
        kept.note(sale, NOW)
    assert [kept.holds(sale, NOW) for sale in sales] == [False, True, True]
