"""The end of a business day at the host (rules.md 7; FC 42-46): cutoff 23:00, books of 2 March."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from host.engine import cutover
from host.engine.draft import Draft
from host.engine.events import CloseBatch, Cutover
from host.engine.settle import decide_settle
from host.rows import Alarm, Batch, BatchState, ExceptionItem, Row, TxnState
from specs.operation import Kind, Verdict
from specs.profile import KeyScheme, Profile
from tests.support.books import CUP, NAC, TID, a_batch, a_draft, a_leg, a_request, a_terminal, a_txn, nac_totals

DAY = "2026-03-02"
ENDED = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)
TC = replace(CUP, capture="TC")
ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME, reversed="both")
OPEN = a_batch(day=DAY, running='{"sale": [1, 10000]}')
SALE = a_txn(1, 10000)


def books(*rows: Row, profile: Profile = CUP, at: datetime = ENDED, **settings: Any) -> Draft:
    """Books at a moment after the cutoff: the business date is the next day's already."""
    draft = a_draft([a_terminal(dialect=profile.family), *rows], **settings)
    day = at.date().replace(day=3)
    return Draft(draft.ws, replace(draft.ctx, now=at, business_date=day, profiles={profile.family: profile}))


def cut(draft: Draft, day: str = DAY) -> None:
    event = Cutover(1, TID, "cutoff", day=day, ended_at=ENDED.isoformat())
    assert not cutover.close_batch(draft, event).waits_tid


def states(draft: Draft) -> dict[str, str]:
    return {b.number: str(b.state) for b in draft.ws.batches(TID)}


def test_an_open_batch_is_closed_from_h_s_books_on_the_day_that_ends() -> None:
    draft = books(OPEN, SALE)
    cut(draft)
    closed = draft.ws.all(Batch)[0]
    assert states(draft) == {"000001": "closed-with-exceptions", "000002": "open"}
    assert (closed.business_date, closed.forced, closed.verdict, closed.claimed) == (DAY, "cutoff", "", "")
    assert draft.ws.all(ExceptionItem) == []
    sale = draft.ws.txn(1)
    assert sale is not None
    assert sale.settlement == "settled"


@pytest.mark.parametrize(
    ("rows", "day"),
    [([a_batch()], ""), ([a_batch(day=DAY), a_txn(1, 10000, state=TxnState.REVERSED, settlement="none")], "")],
    ids=["never used", "all of it was reversed"],
)
def test_an_empty_batch_just_changes_its_date(rows: list[Row], day: str) -> None:
    draft = books(*rows)
    cut(draft)
    assert states(draft) == {"000001": "open"}
    assert draft.ws.all(Batch)[0].day == day


def test_iso87_has_a_reversed_sale_to_show_so_its_batch_is_not_empty() -> None:
    """T will settle 76 = 1, 77 = 1 for that day, and must find it."""
    draft = books(a_batch(day=DAY), a_txn(1, 10000, state=TxnState.REVERSED, settlement="none"), profile=ISO87)
    cut(draft)
    assert draft.ws.all(Batch)[0].state == "closed-with-exceptions"


def test_a_cutoff_of_carried_items_alone_leaves_the_number_to_the_terminal() -> None:
    """rules.md 4: a terminal with an empty batch must not wake up to a refusal."""
    draft = books(a_batch(day=DAY), a_txn(1, 10000, carried=True, wire_batch="000000"))
    cut(draft)
    assert [(b.number, str(b.state)) for b in draft.ws.all(Batch)] == [
        ("000001", "closed-with-exceptions"),
        ("000001", "open"),
    ]
    carried = draft.ws.txn(1)
    assert carried is not None
    assert carried.settlement == "settled"


def test_a_cutoff_waits_for_what_is_still_at_the_issuer() -> None:
    """FC 43: the sale in flight is an item of this batch or of the next, never of both."""
    draft = books(OPEN, SALE, a_txn(2, 100, state=TxnState.PENDING), a_leg(2))
    event = Cutover(1, TID, "cutoff", day=DAY, ended_at=ENDED.isoformat())
    assert cutover.close_batch(draft, event).waits_tid
    assert draft.puts == ()


@pytest.mark.parametrize(
    "batch",
    [replace(OPEN, state=BatchState.CLOSED), replace(OPEN, day="2026-03-03")],
    ids=["closed in between", "of the new day"],
)
def test_a_cutoff_that_comes_late_closes_nothing(batch: Batch) -> None:
    draft = books(batch, SALE)
    cut(draft)
    assert draft.puts == ()


# --- the grace of a dispute ---


def disputed(moved: str = "22:55:00", **changes: Any) -> Batch:
    return replace(
        OPEN,
        state=BatchState.DISPUTED,
        claimed=json.dumps(nac_totals((1, 9000)).to_json()),
        answered=json.dumps(nac_totals((1, 10000)).to_json()),
        verdict="differs",
        sides="[]",
        business_date=DAY,
        moved_at=f"2026-03-02T{moved}.000+00:00",
        **changes,
    )


@pytest.mark.parametrize(
    ("moved", "now", "closed"),
    [
        ("22:55:00", (23, 0, 0), False),
        ("22:55:00", (23, 9, 59), False),
        ("22:55:00", (23, 10, 0), True),
        ("22:40:00", (23, 0, 0), True),
        ("23:50:00", (23, 59, 59), False),
        # The upload still moves, but not for ever: an hour after the cutoff it is over.
        ("23:50:00", (0, 0, 0), True),
    ],
    ids=["just after the cutoff", "14:59", "15:00", "broken off long ago", "59:59", "60:00"],
)
def test_a_dispute_that_moves_is_left_alone_for_a_while(moved: str, now: tuple[int, int, int], closed: bool) -> None:
    at = ENDED.replace(hour=now[0], minute=now[1], second=now[2])
    at = at if now[0] else at.replace(day=3)
    draft = books(disputed(moved), SALE, profile=NAC, at=at)
    cut(draft)
    assert (draft.ws.all(Batch)[0].state == "closed-with-exceptions") is closed
    assert draft.ws.all(Batch)[0].business_date == DAY


def test_the_grace_is_a_setting() -> None:
    draft = books(disputed("22:55:00"), SALE, profile=NAC, cutoff_grace_s=60)
    cut(draft)
    assert draft.ws.all(Batch)[0].state == "closed-with-exceptions"


def test_each_0500_of_a_dispute_starts_its_grace_anew() -> None:
    draft = books(disputed("22:40:00"), SALE, profile=NAC)
    decide_settle(draft, a_request(Kind.SETTLE, NAC, totals=nac_totals((1, 9000))), a_terminal(dialect="nac"))
    cut(draft)
    assert states(draft) == {"000001": "disputed"}
    assert draft.ws.all(Batch)[0].moved_at == "2026-03-02T23:00:00.000+00:00"


def test_after_the_grace_the_rest_of_the_dialogue_meets_a_closed_batch() -> None:
    """960000 -> 77, and the batch stays as it was closed."""
    draft = books(disputed("22:40:00"), SALE, profile=NAC)
    cut(draft)
    trailer = a_request(Kind.SETTLE, NAC, totals=nac_totals((1, 9000)), final=True)
    outcome = decide_settle(draft, trailer, a_terminal(dialect="nac"))
    assert outcome is not None
    assert (outcome.code, outcome.verdict) == ("77", Verdict.STILL_DIFFERS)


# --- profile TC ---


def held() -> Row:
    return a_txn(1, 10000, state=TxnState.AUTHORISED, approved_amount=10000, held=10000)


def test_tc_closes_nothing_and_the_batch_is_stale() -> None:
    """FC 45: what the terminal has not shown is not captured; somebody has to look."""
    draft = books(OPEN, held(), profile=TC)
    cut(draft)
    cut(draft)
    batch = draft.ws.all(Batch)[0]
    assert (batch.state, batch.stale_since) == ("open", "2026-03-02T23:00:00.000+00:00")
    assert [a.code for a in draft.ws.all(Alarm)] == ["stale-batch"]
    assert draft.asks == []


@pytest.mark.parametrize(
    ("ends", "stale_days", "alarms"),
    [("2026-03-03", 3, 0), ("2026-03-04", 3, 1), ("2026-03-05", 3, 1), ("2026-03-05", 0, 0)],
    ids=["second day", "third day", "fourth day", "switched off"],
)
def test_what_stays_stale_is_told_again_each_day(ends: str, stale_days: int, alarms: int) -> None:
    draft = books(replace(OPEN, stale_since="2026-03-02T23:00:00.000+00:00"), held(), profile=TC, stale_days=stale_days)
    cut(draft, ends)
    assert len(draft.ws.all(Alarm)) == alarms


def test_tc_may_close_at_the_cutoff_by_profile() -> None:
    """cutoff.tc: then all of it is the host's alone, since nothing was uploaded."""
    draft = books(OPEN, held(), profile=replace(TC, cutoff_tc="close"))
    cut(draft)
    assert [e.reason for e in draft.ws.all(ExceptionItem)] == ["host-only"]
    assert draft.ws.all(Batch)[0].state == "closed-with-exceptions"


# --- by hand ---


def test_a_close_by_hand_has_its_reason_and_todays_date() -> None:
    draft = books(OPEN, SALE, at=ENDED.replace(hour=12, minute=0))
    cutover.close_batch(draft, CloseBatch(1, TID, "back office, alice: unit stolen"))
    closed = draft.ws.all(Batch)[0]
    assert (closed.forced, closed.business_date) == ("back office, alice: unit stolen", "2026-03-03")
