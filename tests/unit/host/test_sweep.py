"""What the passing of days brings, over a real store and the writer: cutovers, their grace, and holds that run out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest

from host.clock import Clock
from host.engine.context import Context, Ids, Settings
from host.errors import StoreUnavailable
from host.rows import Alarm, Batch, IssuerAccount, Txn
from host.sweep import AT_ONCE_MAX, Sweep
from specs.operation import Kind, OriginalRef
from specs.profile import KeyScheme, Profile
from specs.totals import Sum, Totals
from tests.support.books import a_batch
from tests.support.engine import CUP, NAC
from tests.support.host_engine import EngineHost

EVENING = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
ISO87 = Profile(family="iso87", key_scheme=KeyScheme.LOCAL_TIME, reversed="both")

Start = Callable[..., EngineHost]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def started(profile: Profile = CUP) -> EngineHost:
            clock = Clock(UTC, EVENING, running=False, cutoff=time(23, 0))
            host = EngineHost("sqlite://", profile=profile, clock=clock)
            stack.callback(host.store.close)
            return host

        yield started


def states(host: EngineHost) -> list[tuple[str, str, str]]:
    return [(b.number, str(b.state), b.business_date) for b in host.rows(Batch)]


def claim(host: EngineHost, amount: int) -> Totals:
    group = {"cup": ("domestic", "debit"), "nac": ("all", "sales"), "iso87": ("all", "debits")}[host.profile.family]
    return Totals((Sum(*group, 1, amount),))


def settle(host: EngineHost, amount: int, stan: int = 9, **changes: Any) -> list[str]:
    changes.setdefault("batch", None if host.profile.family == "iso87" else "000001")
    return host.ask(Kind.SETTLE, stan=stan, totals=claim(host, amount), **changes)


def test_a_day_that_ends_closes_what_is_open_once(start: Start) -> None:
    """FC 44: then T's own 0500 for that day is «already closed, same totals»."""
    host = start()
    assert host.ask(Kind.SALE, stan=1, amount=10_000) == ["00"]
    host.later(3599)
    assert states(host) == [("000001", "open", "")]
    host.later(1)
    assert states(host) == [("000001", "closed-with-exceptions", "2026-03-02"), ("000002", "open", "")]
    for _ in range(3):
        host.later(3600)
    assert len(host.rows(Batch)) == 2
    assert settle(host, 10_000) == [""]
    assert [o.sides for _, o in host.heard if o is not None][-1] == (("domestic", "agreed"), ("foreign", "agreed"))


def test_a_sale_after_the_cutoff_belongs_to_the_next_day(start: Start) -> None:
    host = start(NAC)
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.later(3600)
    host.ask(Kind.SALE, stan=2, amount=5_000)
    assert [b.day for b in host.rows(Batch)] == ["2026-03-02", "2026-03-03"]
    assert [t.batch_id for t in host.rows(Txn)] == [1, 2]
    assert settle(host, 10_000, batch="000001") == ["80"]


def test_an_empty_batch_stays_open_over_many_days(start: Start) -> None:
    host = start()
    host.ask(Kind.SALE, stan=1, amount=10_000)
    settle(host, 10_000)
    for _ in range(3):
        host.later(86_400)
    assert [state for _, state, _ in states(host)] == ["closed", "open"]


def test_a_host_that_was_away_at_the_cutoff_closes_when_it_is_back(tmp_path: Path) -> None:
    clock = Clock(UTC, EVENING, running=False, cutoff=time(23, 0))
    host = EngineHost(f"sqlite:///{tmp_path / 'books.db'}", clock=clock)
    host.ask(Kind.SALE, stan=1, amount=10_000)
    clock.advance(5 * 86_400)
    again = host.crash_and_restart()
    again.later(0)
    assert states(again) == [("000001", "closed-with-exceptions", "2026-03-02"), ("000002", "open", "")]
    again.store.close()


def test_a_dispute_has_its_grace_and_is_looked_at_again(start: Start) -> None:
    host = start(NAC)
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.later(3500)
    assert settle(host, 9_000) == ["95"]
    host.later(200)
    assert states(host)[0][1] == "disputed"
    host.later(600)
    assert states(host)[0][1] == "disputed"
    host.later(100)
    assert states(host)[0] == ("000001", "closed-with-exceptions", "2026-03-02")


def test_tc_becomes_stale_and_is_told_again_when_it_is_old(start: Start) -> None:
    host = start(replace(CUP, capture="TC"))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.later(3600)
    assert states(host) == [("000001", "open", "")]
    assert [a.code for a in host.rows(Alarm)] == ["stale-batch"]
    host.later(3600)
    assert len(host.rows(Alarm)) == 1
    for days, alarms in ((1, 1), (1, 2), (1, 3)):
        host.later(days * 86_400)
        assert len(host.rows(Alarm)) == alarms


def test_what_is_stale_is_captured_when_it_is_settled_at_last(start: Start) -> None:
    """FC 42: late, and nothing is lost as long as the holds live."""
    host = start(replace(CUP, capture="TC"))
    host.ask(Kind.SALE, stan=1, amount=10_000)
    host.later(2 * 86_400)
    settle(host, 10_000)
    host.later(1)
    assert states(host) == [("000001", "closed", "2026-03-04"), ("000002", "open", "")]
    assert (host.rows(IssuerAccount)[0].debited, host.rows(IssuerAccount)[0].held) == (10_000, 0)


def test_iso87_settles_each_day_by_its_date(start: Start) -> None:
    host = start(ISO87)
    assert host.ask(Kind.SALE, stan=1, amount=10_000, local_date="0302", local_time="220000") == ["00"]
    host.later(3600)
    assert host.ask(Kind.SALE, stan=2, amount=5_000, local_date="0302", local_time="230000") == ["00"]
    settle(host, 10_000, day="0302")
    assert host.heard[-1][1] is not None
    assert (host.heard[-1][1].verdict, host.heard[-1][1].business_date) == ("agreed", "2026-03-02")
    settle(host, 5_000, day="0303", stan=10)
    assert host.heard[-1][1].verdict == "agreed"
    assert [state for _, state, _ in states(host)] == ["closed-with-exceptions", "closed", "open"]


def test_a_hold_runs_out_after_its_days(start: Start) -> None:
    """FC 57: thirty days and no completion; the limit is the cardholder's again."""
    host = start()
    assert host.ask(Kind.PRE_AUTH, stan=1, amount=10_000) == ["00"]
    assert host.rows(IssuerAccount)[0].held == 10_000
    host.later(29 * 86_400)
    assert host.txn(1).state == "authorised"
    host.later(86_400)
    assert host.txn(1).state == "expired"
    assert host.rows(IssuerAccount)[0].held == 0


# ---- the sweep by itself


class _Reader:
    """Answers with the batches given, or fails."""

    def __init__(self, batches: list[Batch]) -> None:
        self.batches = batches
        self.asked = 0
        self.fails = False

    def select(self, _table: type, _where: object) -> list[Batch]:
        self.asked += 1
        if self.fails:
            raise StoreUnavailable("away")
        return self.batches

    def live_preauths(self) -> list[Txn]:
        return []


def context(clock: Clock) -> Context:
    now = clock.now()
    return Context(now, clock.business_date(now), Settings(), Ids(), lambda size: b"")


def test_the_books_are_read_when_a_day_turns_and_not_each_second() -> None:
    clock = Clock(UTC, EVENING, running=False, cutoff=time(23, 0))
    sweep, reader = Sweep(clock), _Reader([a_batch(day="2026-03-02")])
    for _ in range(5):
        assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    assert reader.asked == 1
    clock.advance(3600)
    (event,) = sweep.due(reader, context(clock))  # type: ignore[arg-type]
    assert (event.day, event.ended_at) == ("2026-03-02", "2026-03-02T23:00:00+00:00")  # type: ignore[union-attr]
    assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    clock.advance(30)
    assert len(sweep.due(reader, context(clock))) == 1  # type: ignore[arg-type]
    reader.batches = []
    clock.advance(30)
    assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    asked = reader.asked
    clock.advance(300)
    assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    assert reader.asked == asked


def test_a_restart_says_nothing_new_about_what_is_stale() -> None:
    """The alarm was raised at its cutoff; the next one comes when the next day ends."""
    clock = Clock(UTC, EVENING, running=False, cutoff=time(23, 0))
    sweep, reader = Sweep(clock), _Reader([a_batch(day="2026-03-01", stale_since="2026-03-01T23:00:00.000+00:00")])
    assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    clock.advance(3600)
    (event,) = sweep.due(reader, context(clock))  # type: ignore[arg-type]
    assert event.day == "2026-03-02"  # type: ignore[union-attr]


def test_many_batches_are_handed_over_in_parts() -> None:
    clock = Clock(UTC, EVENING, running=False)
    clock.advance(3 * 3600)
    found = [a_batch(id=i, day="2026-03-02") for i in range(1, AT_ONCE_MAX + 11)]
    sweep, reader = Sweep(clock), _Reader(found)
    assert [len(sweep.due(reader, context(clock))) for _ in range(3)] == [AT_ONCE_MAX, 10, 0]  # type: ignore[arg-type]


def test_a_store_that_is_away_is_asked_again() -> None:
    clock = Clock(UTC, EVENING, running=False)
    clock.advance(3 * 3600)
    sweep, reader = Sweep(clock), _Reader([a_batch(day="2026-03-02")])
    reader.fails = True
    assert sweep.due(reader, context(clock)) == []  # type: ignore[arg-type]
    reader.fails = False
    assert len(sweep.due(reader, context(clock))) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cutoff", "hour", "expected"),
    [
        (time(23, 0), 22, date(2026, 3, 2)),
        (time(23, 0), 23, date(2026, 3, 3)),
        (None, 23, date(2026, 3, 2)),
        (time(3, 0), 2, date(2026, 3, 2)),
        (time(3, 0), 3, date(2026, 3, 3)),
    ],
)
def test_the_business_date_turns_at_the_cutoff(cutoff: time | None, hour: int, expected: date) -> None:
    clock = Clock(UTC, datetime(2026, 3, 2, hour, tzinfo=UTC), running=False, cutoff=cutoff)
    assert clock.business_date() == expected
    end = datetime(2026, 3, 3, tzinfo=UTC) if cutoff is None else datetime.combine(date(2026, 3, 2), cutoff, UTC)
    assert clock.end_of(date(2026, 3, 2)) == end


def test_an_adjustment_alone_is_closed_at_the_cutoff_and_leaves_the_number(start: Start) -> None:
    """RH4: the reversal of a settled sale lands in the open batch; T has nothing in it and keeps its number."""
    host = start()
    host.ask(Kind.SALE, stan=1, amount=10_000)
    settle(host, 10_000)
    assert host.ask(Kind.REVERSAL, stan=1, amount=10_000) == ["00"]
    host.later(3600)
    assert states(host) == [
        ("000001", "closed", "2026-03-02"),
        ("000002", "closed-with-exceptions", "2026-03-02"),
        ("000002", "open", ""),
    ]


def test_iso87_answers_say_the_day_of_the_batch(start: Start) -> None:
    """T settles by DE 15: under TC a batch may stay open over midnight, and all of it has one day."""
    host = start(replace(ISO87, capture="TC"))
    host.ask(Kind.SALE, stan=1, amount=10_000, local_date="0302", local_time="220000")
    host.later(3600)
    host.ask(Kind.SALE, stan=2, amount=5_000, local_date="0302", local_time="230000")
    ref = OriginalRef(stan="000002", mti="0200")
    host.ask(Kind.REVERSAL, stan=3, amount=5_000, original=ref, local_date="0302", local_time="230000")
    assert [o.business_date for _, o in host.heard if o is not None] == ["2026-03-02"] * 3
    assert [t.business_date for t in host.rows(Txn)] == ["2026-03-02"] * 2
