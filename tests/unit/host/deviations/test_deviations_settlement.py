"""Deviations in the settlement: which batch a 0500 means, and what it is told. Each beside the reference."""

from __future__ import annotations

import pytest

from host.rows import BatchState
from specs.operation import Kind, Outcome, Verdict
from specs.profile import Profile
from specs.totals import Totals
from tests.support.books import cup_totals, nac_totals
from tests.support.engine import CUP, NAC, TID, Desk

BOTH = pytest.mark.parametrize("profile", [CUP, NAC], ids=["cup", "nac"])


def sales(profile: Profile, count: int, amount: int) -> Totals:
    """The totals of a terminal that has sold so much."""
    return cup_totals((count, amount)) if profile.family == "cup" else nac_totals((count, amount))


def settle(desk: Desk, stan: int, totals: Totals, batch: str = "000001", *, final: bool = False) -> Outcome:
    """The 0500 of a batch (NAC: with its number in DE 60), or its trailer."""
    outcome = desk.send(desk.request(Kind.SETTLE, stan=stan, totals=totals, batch=batch, final=final))
    assert outcome is not None
    return outcome


def batches(desk: Desk) -> dict[str, str]:
    return {b.number: b.state.value for b in desk.books.batches(TID)}


def closed_once(profile: Profile, *bugs: str) -> Desk:
    """Batch 000001 with one sale of 100.00, settled and agreed."""
    desk = Desk(profile, bugs=bugs)
    desk.sale(1)
    assert settle(desk, 90, sales(profile, 1, 10_000)).verdict is Verdict.AGREED
    return desk


# ---- replay-any-totals (cases 31, 47)


def test_replay_any_totals_tells_a_stale_number_00_while_its_items_wait_elsewhere() -> None:
    """FC 31: «stored 00 replayed, T clears unsettled items». T sold 50.00 more under the number that H has closed."""
    desk = closed_once(NAC, "replay-any-totals")
    desk.sale(2, 5_000)
    said = settle(desk, 91, sales(NAC, 1, 5_000))
    assert (said.code, said.totals) == ("00", sales(NAC, 1, 10_000))
    assert batches(desk) == {"000001": "closed", "000002": "open"}


def test_the_reference_calls_a_stale_number_stale() -> None:
    desk = closed_once(NAC)
    desk.sale(2, 5_000)
    assert settle(desk, 91, sales(NAC, 1, 5_000)).code == "80"


@BOTH
def test_replay_any_totals_agrees_with_totals_that_it_never_had(profile: Profile) -> None:
    """FC 47: two units, one TID: the second one's 0500 gets the first one's answer."""
    desk = closed_once(profile, "replay-any-totals")
    said = settle(desk, 91, sales(profile, 7, 70_000))
    assert said.verdict is Verdict.AGREED
    assert all(verdict is Verdict.AGREED for _, verdict in said.sides)
    honest = closed_once(profile)
    assert settle(honest, 91, sales(profile, 7, 70_000)).verdict is Verdict.CLOSED_OTHER


@BOTH
def test_replay_any_totals_compares_an_open_batch(profile: Profile) -> None:
    desk = Desk(profile, bugs=("replay-any-totals",))
    desk.sale(1)
    assert settle(desk, 90, sales(profile, 1, 9_999)).verdict is Verdict.DIFFERS
    batch = desk.books.open_batch(TID)
    assert batch is not None
    assert batch.state is BatchState.DISPUTED
