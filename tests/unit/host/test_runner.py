"""The writer: nothing is spoken that is not on disk, every wait ends, and one bad event spoils no other.

Decisions here are small stand-ins, so that each test is about the runner; the store is a real one in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from host.clock import Clock
from host.engine.context import Context, Settings
from host.engine.draft import Draft
from host.engine.events import Ask, CloseBatch, Decision, Event, IssuerAnswer, LegOverdue, Record, Request
from host.engine.working import Needs, WorkingSet
from host.errors import Busy, HostError, LedgerBroken, StoreUnavailable
from host.issuer.link import FaultKind, LinkFault
from host.rows import Alarm, JournalUpload, Leg, MessageRow, Posting, Row, Terminal, Txn, TxnState
from host.runner import Runner
from host.store.store import Store, open_store
from specs.operation import Kind, Outcome
from tests.support.books import TID, a_leg, a_terminal, a_txn
from tests.support.engine import a_card, a_request
from tests.support.host_engine import EngineHost

START = datetime(2026, 3, 2, 22, 0, 0, tzinfo=UTC)
"""tests.support.books.a_leg has its deadline 20 seconds later."""


@dataclass
class ScriptedStore:
    """A real store that refuses its next commits, in front of the disk: failures and what was written are kept."""

    real: Store
    failures: list[Exception] = field(default_factory=list)
    commits: list[list[Row]] = field(default_factory=list)
    refuses: Callable[[list[Row]], Exception | None] = field(default=lambda _rows: None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def commit(self, puts: Iterable[Row]) -> None:
        rows = list(puts)
        error = self.failures.pop(0) if self.failures else self.refuses(rows)
        if error is not None:
            raise error
        self.real.commit(rows)
        self.commits.append(rows)


@dataclass
class Line:
    """A link that only remembers; a test speaks for the issuer."""

    asked: list[Ask] = field(default_factory=list)
    deliver: Callable[[Event], None] = field(default=lambda _event: None)

    def connect(self, deliver: Callable[[Event], None]) -> None:
        self.deliver = deliver

    def send(self, asks: tuple[Ask, ...], now: datetime) -> None:
        self.asked += asks

    def work(self, context: Callable[[], Context]) -> None:
        """Nothing to do: the test delivers."""

    def next_due(self) -> datetime | None:
        return None

    def reset(self) -> None:
        self.asked.clear()


def nothing_needed(_event: Event) -> Needs:
    return Needs(tids={TID}, txn_ids={1}, leg_ids={1})


def say(code: str, **changes: Any) -> Decision:
    return Decision(outcome=Outcome(code=code), **changes)


def write_and_approve(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
    """Each request becomes an alarm row with its STAN, and 00."""
    draft = Draft(ws, ctx)
    assert isinstance(event, Request)
    draft.alarm(TID, "seen", event.operation.stan)
    return replace(say("00"), puts=draft.puts)


class Bench:
    """A runner without its thread over a store in memory. heard: STAN -> the codes it got, None for silence."""

    def __init__(self, decide: Any = write_and_approve, rows: Iterable[Row] = (), **options: Any) -> None:
        self.store = ScriptedStore(open_store("sqlite://", seed=7))
        self.store.real.commit(rows)
        self.line = Line()
        self.clock = Clock(UTC, START, running=False)
        self.heard: dict[str, list[str | None]] = {}
        self.runner = Runner(
            self.store,  # type: ignore[arg-type]
            self.clock,
            Settings(),
            self.line,
            decide=decide,
            needs=nothing_needed,
            **options,
        )

    def submit(self, *stans: int, kind: Kind = Kind.SALE) -> None:
        for stan in stans:
            self.runner.submit(a_request(kind, tid=TID, stan=stan, amount=100), self.hear)

    def hear(self, event: Event, _decision: Decision, outcome: Outcome | None) -> None:
        assert isinstance(event, Request)
        self.heard.setdefault(event.operation.stan, []).append(outcome.code if outcome else None)

    def written(self) -> list[str]:
        return [alarm.text for alarm in self.store.real.reader().select(Alarm)]


# ---- groups


def test_what_is_queued_is_one_commit_and_everybody_hears_after_it() -> None:
    bench = Bench()
    bench.submit(1, 2, 3)
    assert bench.heard == {}
    assert bench.runner.run_once() == 3
    assert len(bench.store.commits) == 1
    assert bench.written() == ["000001", "000002", "000003"]
    assert bench.heard == {"000001": ["00"], "000002": ["00"], "000003": ["00"]}


def test_nobody_hears_anything_before_the_commit() -> None:
    """The order of the two is the whole point: an answer that the disk does not have is a lie after a power cut."""
    order: list[str] = []
    bench = Bench()
    commit = bench.store.real.commit
    bench.store.real.commit = lambda puts: (order.append("commit"), commit(puts))[1]  # type: ignore[method-assign,func-returns-value]
    bench.runner.submit(a_request(Kind.SALE, stan=1, amount=100), lambda *_: order.append("speak"))
    bench.runner.run_once()
    assert order == ["commit", "speak"]


def test_an_event_of_a_group_sees_what_the_one_before_it_did() -> None:
    def count(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        decision = write_and_approve(ws, event, ctx)
        return replace(decision, outcome=Outcome(code=f"{len(ws.all(Alarm)):02d}"))

    bench = Bench(count)
    bench.submit(1, 2)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["01"], "000002": ["02"]}


def test_a_group_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.runner.GROUP_MAX", 2)
    bench = Bench()
    bench.submit(1, 2, 3)
    assert [bench.runner.run_once() for _ in range(3)] == [2, 1, 0]


def test_a_full_queue_says_so() -> None:
    bench = Bench(queue_max=2)
    bench.submit(1, 2)
    with pytest.raises(Busy, match="2 requests"):
        bench.submit(3)
    bench.runner.run_once()
    bench.submit(3)
    bench.runner.run_once()
    assert sorted(bench.heard) == ["000001", "000002", "000003"]


# ---- failures


@pytest.mark.parametrize("leaves_half", [False, True], ids=["discarded", "half a decision left behind"])
def test_one_event_that_cannot_be_decided_is_96_and_the_rest_go_on(
    leaves_half: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a row of it is written, none of it is seen by the next, and the log shows no card."""

    def stumble(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        assert isinstance(event, Request)
        if event.operation.stan == "000002":
            if leaves_half:
                ws.apply([Alarm(999, "", TID, "half", "half", 0, 0)])
            raise ValueError("cannot read card 6223164991230014")
        decision = write_and_approve(ws, event, ctx)
        assert "half" not in [a.code for a in ws.all(Alarm)]
        return decision

    bench = Bench(stumble)
    bench.submit(1, 2, 3)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["00"], "000002": ["96"], "000003": ["00"]}
    assert bench.written() == ["000001", "000003"]
    assert len(bench.store.commits) == 1
    shown = "".join(capsys.readouterr())
    assert "ValueError" in shown
    assert "6223164991230014" not in shown


def test_a_commit_that_fails_once_is_tried_again_event_by_event() -> None:
    bench = Bench()
    bench.store.failures = [StoreUnavailable("disk is full")]
    bench.submit(1, 2)
    bench.runner.run_once()
    assert len(bench.store.commits) == 2
    assert bench.written() == ["000001", "000002"]
    assert bench.heard == {"000001": ["00"], "000002": ["00"]}


def test_what_still_cannot_be_written_is_96_and_is_not_on_disk() -> None:
    """RH2: nothing approved that is not on disk; the one bad event does not take the others with it."""

    def refuses(rows: list[Row]) -> Exception | None:
        bad = any(isinstance(r, Alarm) and r.text == "000002" for r in rows)
        return StoreUnavailable("disk is full") if bad else None

    bench = Bench()
    bench.store.refuses = refuses
    bench.submit(1, 2, 3)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["00"], "000002": ["96"], "000003": ["00"]}
    assert bench.written() == ["000001", "000003"]
    assert bench.runner.counters.commits_failed == 1


def test_a_full_disk_answers_96_and_service_goes_on_when_there_is_room() -> None:
    bench = Bench()
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.submit(1, 2)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["96"], "000002": ["96"]}
    assert bench.runner.trouble == "disk is full"
    bench.store.refuses = lambda _rows: None
    bench.submit(3)
    bench.runner.run_once()
    assert (bench.heard["000003"], bench.runner.trouble) == (["00"], "")


def test_a_locked_store_keeps_nobody_waiting_for_one_try_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try waits two seconds for the lock: with twenty terminals the last would have had its own timeout first."""
    seconds = [0.0]
    monkeypatch.setattr("host.clock.monotonic", lambda: seconds[0])

    def locked(_rows: list[Row]) -> Exception:
        seconds[0] += 2.0
        return StoreUnavailable("database is locked")

    bench = Bench()
    bench.store.refuses = locked
    bench.submit(*range(1, 21))
    bench.runner.run_once()
    assert seconds[0] <= 8.0
    assert {stan: codes for stan, codes in bench.heard.items() if codes != ["96"]} == {}
    assert len(bench.heard) == 20


def test_after_a_commit_of_unknown_end_nobody_is_refused_without_a_try_of_his_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who gets no try is told what the whole group's end allows: 96 would belie rows that may be on disk."""
    seconds = [0.0]
    monkeypatch.setattr("host.clock.monotonic", lambda: seconds[0])

    def slow(_rows: list[Row]) -> Exception:
        seconds[0] += 2.0
        return StoreUnavailable("database is locked")

    bench = Bench()
    bench.store.failures = [StoreUnavailable("the disk did not say", unknown=True)]
    bench.store.refuses = slow
    bench.submit(*range(1, 6))
    bench.runner.run_once()
    assert seconds == [4.0]
    assert bench.heard["000005"] == [None]


def test_what_may_be_on_disk_stays_unknown_when_the_next_try_is_refused_for_sure() -> None:
    """The sale of a commit that nobody knows about, and no word for its repeat: 96 would drop the reversal."""
    bench = Bench()
    bench.store.failures = [StoreUnavailable("the disk did not say", unknown=True)]
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.submit(1, 2)
    bench.runner.run_once()
    assert bench.heard == {"000001": [None], "000002": [None]}


def test_a_failed_commit_has_the_log_moved_into_the_books_before_the_next_try() -> None:
    """A log that has filled its own disk is where the room is; a move that failed is tried again."""
    bench = Bench()
    done: list[str] = []
    bench.store.real.checkpoint = lambda: done.append("checkpoint")  # type: ignore[method-assign]
    bench.submit(1)
    bench.runner.run_once()
    bench.store.failures = [StoreUnavailable("disk is full")]
    bench.submit(2)
    bench.runner.run_once()
    assert done == ["checkpoint"]
    assert bench.heard["000002"] == ["00"]

    def refuse() -> None:
        done.append("refused")
        raise StoreUnavailable("disk is full")

    bench.store.real.checkpoint = refuse  # type: ignore[method-assign]
    for stan in (3, 4):
        bench.store.failures = [StoreUnavailable("disk is full")]
        bench.submit(stan)
        bench.runner.run_once()
    assert done == ["checkpoint", "refused", "refused"]


def test_when_the_store_works_again_an_alarm_says_so_and_the_trouble_is_over_without_a_sale() -> None:
    """A host that is told to be not ready gets no sales, and would never be ready again."""

    def decide(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        return Decision(puts=event.make(ctx)) if isinstance(event, Record) else write_and_approve(ws, event, ctx)

    bench = Bench(decide)
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.submit(1)
    bench.runner.run_once()
    for _ in range(3):
        bench.runner.tick()
        bench.runner.run_once()
    assert bench.runner.trouble == "disk is full"
    bench.store.refuses = lambda _rows: None
    bench.clock.advance(90)
    for _ in range(2):
        bench.runner.tick()
        bench.runner.run_once()
    assert bench.runner.trouble == ""
    (alarm,) = bench.store.real.reader().select(Alarm)
    assert (alarm.tid, alarm.code) == ("", "store-trouble")
    assert "from 2026-03-02T22:00:00+00:00 to 2026-03-02T22:01:30+00:00" in alarm.text
    assert "disk is full" in alarm.text


def test_a_commit_whose_end_nobody_knows_is_met_with_silence() -> None:
    """96 would tell the terminal «not sold» and drop its reversal while the sale may be on disk; silence makes it
    reverse."""
    bench = Bench()
    bench.store.refuses = lambda _rows: StoreUnavailable("connection lost", unknown=True)
    bench.submit(1)
    bench.runner.run_once()
    assert bench.heard == {"000001": [None]}


def test_a_store_that_cannot_be_read_is_96_too() -> None:
    bench = Bench()

    def refuse(_needs: Needs) -> WorkingSet:
        raise StoreUnavailable("connection lost")

    bench.store.real.load = refuse  # type: ignore[method-assign,assignment]
    bench.submit(1)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["96"]}


def test_a_broken_ledger_stops_the_host() -> None:
    """An entry that does not sum to zero is our own mistake: better no service than wrong books."""

    def unbalanced(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        line = Posting(ctx.ids.new("Posting"), 1, "acquirer", "suspense", 5, "156", 1, 1, "capture", "x")
        return say("00", puts=(line,))

    broken: list[HostError] = []
    bench = Bench(unbalanced, on_broken=broken.append)
    bench.submit(1, 2)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["96"], "000002": ["96"]}
    assert [type(e) for e in broken] == [LedgerBroken]
    assert not bench.runner.alive
    with pytest.raises(Busy, match="stopped"):
        bench.submit(3)


def test_an_answer_that_cannot_be_handed_over_hurts_nobody_else() -> None:
    bench = Bench()

    def gone(*_: object) -> None:
        raise ConnectionResetError

    bench.runner.submit(a_request(Kind.SALE, stan=1, amount=100), gone)
    bench.submit(2)
    bench.runner.run_once()
    assert bench.heard == {"000002": ["00"]}
    assert bench.written() == ["000001", "000002"]


# ---- the log commits with the books


class Clerk:
    """What an edge does: a row for each answer, encoded before the commit. calls: (STAN, code or None, waited)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None, bool]] = []

    def __call__(
        self, ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
    ) -> Iterable[Row]:
        code = outcome.code if outcome else None
        self.calls.append((event.operation.stan, code, waited))
        blank: dict[str, Any] = {
            "at": "x",
            "peer": "",
            "dialect": "cup",
            "tid": TID,
            "mti": "0210",
            "kind": "sale",
            "rrn": "",
        }
        rest: dict[str, Any] = {
            "auth_code": "",
            "txn_id": 0,
            "reply_to": 0,
            "fields": "{}",
            "notes": "[]",
            "fate": "",
            "digest": "",
        }
        direction = "out" if outcome else "in"
        yield MessageRow(
            id=ctx.ids.new("MessageRow"),
            direction=direction,
            stan=event.operation.stan,
            code=code or "",
            **blank,
            **rest,
        )


def test_the_message_log_is_in_the_same_commit() -> None:
    bench = Bench(before_commit=Clerk())
    bench.submit(1)
    bench.runner.run_once()
    assert [[type(r) for r in rows] for rows in bench.store.commits] == [[Alarm, MessageRow]]


def test_a_refusal_for_want_of_a_disk_is_encoded_too() -> None:
    """An edge that keeps the approval it encoded before the commit failed must be told that it is void."""
    clerk = Clerk()
    bench = Bench(before_commit=clerk)
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.submit(1)
    bench.runner.run_once()
    assert [code for _, code, _ in clerk.calls] == ["00", "00", "96"]
    assert bench.heard == {"000001": ["96"]}


def test_an_answer_that_cannot_be_encoded_is_an_event_that_cannot_be_decided() -> None:
    class Stumbling(Clerk):
        def __call__(self, *args: Any) -> Iterable[Row]:
            if args[3] is not None and args[3].code == "00":
                raise ValueError("no room in DE 44")
            return super().__call__(*args)

    bench = Bench(before_commit=Stumbling())
    bench.submit(1)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["96"]}
    assert bench.written() == []


def test_a_record_is_written_without_a_decision_of_its_own() -> None:
    def make(ctx: Context) -> tuple[Row, ...]:
        return (JournalUpload(ctx.ids.new("JournalUpload"), TID, ctx.now.isoformat(), "{}"),)

    def record(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        assert isinstance(event, Record)
        return Decision(puts=event.make(ctx))

    bench = Bench(record)
    bench.runner.submit_and_wait(Record(make))
    assert [u.id for u in bench.store.real.reader().select(JournalUpload)] == [1]
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    with pytest.raises(StoreUnavailable):
        bench.runner.submit_and_wait(Record(make))


# ---- waiting for the issuer


def at_the_issuer(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
    """Requests join transaction 1; the issuer's answer, or its silence, ends it."""
    if isinstance(event, Request):
        return Decision(
            txn_id=1, waits_txn=1, asks=(Ask(a_leg(1), undo=False),) if event.operation.stan == "000001" else ()
        )
    if isinstance(event, IssuerAnswer):
        return say("00", txn_id=1)
    assert isinstance(event, LegOverdue)
    return say("98", txn_id=1)


YES = IssuerAnswer(1, 1, "debit", True, 100, "")
IN_FLIGHT: tuple[Row, ...] = (a_terminal(), a_txn(1, 100, state=TxnState.PENDING), a_leg(1))


def test_all_who_wait_for_a_transaction_hear_its_one_outcome() -> None:
    """Rules 2, «being decided»: a repeat joins and gets the same answer, after the commit, on its own line."""
    clerk = Clerk()
    bench = Bench(at_the_issuer, before_commit=clerk)
    bench.submit(1, 2)
    bench.runner.run_once()
    assert bench.heard == {}
    assert [ask.leg.id for ask in bench.line.asked] == [1]
    bench.line.deliver(YES)
    bench.runner.run_once()
    assert bench.heard == {"000001": ["00"], "000002": ["00"]}
    assert clerk.calls == [
        ("000001", None, False),
        ("000002", None, False),
        ("000001", "00", True),
        ("000002", "00", True),
    ]


def test_a_repeat_that_joins_in_the_very_group_of_the_answer_hears_it_too() -> None:
    bench = Bench(at_the_issuer)
    bench.submit(1)
    bench.runner.run_once()
    bench.submit(2)
    bench.line.deliver(YES)  # internal events come first in the group ...
    bench.runner.run_once()
    bench.line.deliver(YES)  # ... so 2 waits for the next word on the transaction
    bench.runner.run_once()
    assert bench.heard == {"000001": ["00"], "000002": ["00"]}


def test_a_commit_that_fails_keeps_those_who_wait_until_the_leg_is_overdue() -> None:
    """The issuer's yes could not be written: it never counts, the leg stays in flight and is undone later."""
    bench = Bench(at_the_issuer, rows=IN_FLIGHT)
    bench.runner.run_once()  # the restart found the leg
    bench.submit(1)
    bench.runner.run_once()
    bench.store.refuses = lambda _rows: StoreUnavailable("disk is full")
    bench.line.deliver(YES)
    bench.runner.run_once()
    assert bench.heard == {}
    bench.store.refuses = lambda _rows: None
    bench.clock.advance(6)
    bench.runner.tick()
    bench.runner.run_once()
    assert bench.heard == {"000001": ["98"]}


def test_a_restart_names_every_unfinished_leg_first() -> None:
    seen: list[Event] = []

    def watch(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        seen.append(event)
        return Decision()

    legs = [a_leg(1), replace(a_leg(2, "undoing"), id=2), replace(a_leg(3, "done"), id=3)]
    bench = Bench(watch, rows=legs)
    bench.submit(1)
    bench.runner.run_once()
    assert seen[:2] == [LegOverdue(1, 1, restart=True), LegOverdue(2, 2, restart=True)]
    assert isinstance(seen[2], Request)


def test_a_leg_is_overdue_at_its_deadline_and_not_before() -> None:
    seen: list[Event] = []

    def ask(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        seen.append(event)
        return Decision(puts=(a_leg(1),) if isinstance(event, Request) else ())

    bench = Bench(ask)
    bench.submit(1)
    bench.runner.run_once()
    for seconds in (19, 1):
        bench.clock.advance(seconds)
        bench.runner.tick()
        bench.runner.run_until_quiet()
        assert len(seen) == (1 if seconds == 19 else 2)
    assert seen[1] == LegOverdue(1, 1)


def test_an_undo_is_asked_again_ever_more_slowly_until_it_is_acked() -> None:
    """RH7, FC 19: 0420 until acked, no count of tries; 20 s (the leg's deadline), later 32 and at most 60."""
    tries: list[tuple[int, int]] = []

    def undo(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        leg = ws.get(Leg, 1)
        assert leg is not None
        tries.append((round((ctx.now - START).total_seconds()), leg.tries + 1))
        return Decision(puts=(replace(leg, state="undoing", tries=leg.tries + 1, deadline=ctx.now.isoformat()),))

    bench = Bench(undo, rows=[replace(a_leg(1, "undoing"))])
    bench.runner.run_once()
    for _ in range(200):
        bench.clock.advance(1)
        bench.runner.tick()
        bench.runner.run_until_quiet()
    assert tries == [(0, 1), (1, 2), (3, 3), (7, 4), (15, 5), (31, 6), (63, 7), (123, 8), (183, 9)]


# ---- waiting for the terminal's other requests


def settle_waits(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
    """A settlement waits while leg 1 asks; an answer ends the leg."""
    leg = ws.get(Leg, 1)
    if isinstance(event, IssuerAnswer):
        assert leg is not None
        done = replace(leg, state="done")
        ws.apply([done])
        return say("00", txn_id=1, puts=(done,))
    if isinstance(event, LegOverdue):
        return Decision()
    asking = leg is not None and leg.state == "asking"
    return Decision(waits_tid=True) if asking else say("00")


def test_a_settlement_waits_until_its_terminal_has_nothing_in_flight() -> None:
    bench = Bench(settle_waits, rows=IN_FLIGHT)
    bench.submit(9, kind=Kind.SETTLE)
    bench.runner.run_until_quiet()
    assert bench.heard == {}
    bench.line.deliver(YES)
    bench.runner.run_until_quiet()
    assert bench.heard == {"000009": ["00"]}


def test_that_wait_has_an_end() -> None:
    """At most the issuer timeout (rules.md, section 7); then 96, and the terminal settles again later."""
    bench = Bench(settle_waits, rows=IN_FLIGHT)
    bench.submit(9, kind=Kind.SETTLE)
    bench.runner.run_until_quiet()
    for _ in range(2):
        bench.clock.advance(Settings().issuer_timeout_s)
        bench.runner.tick()
        bench.runner.run_until_quiet()
    assert bench.heard == {"000009": ["96"]}


def test_a_back_office_close_waits_as_well() -> None:
    bench = Bench(settle_waits, rows=IN_FLIGHT)
    closed: list[str] = []
    bench.runner.submit(CloseBatch(1, TID, "test"), lambda *_: closed.append("closed"))
    bench.runner.run_until_quiet()
    assert closed == []
    bench.line.deliver(YES)
    bench.runner.run_until_quiet()
    assert closed == ["closed"]


# ---- the thread


def test_the_thread_decides_and_stop_answers_what_is_queued() -> None:
    bench = Bench()
    answered = threading.Event()
    bench.runner.start()
    bench.runner.submit(a_request(Kind.SALE, stan=1, amount=100), lambda *_: answered.set())
    assert answered.wait(10)
    bench.submit(*range(2, 50))
    bench.runner.stop()
    assert sorted(bench.heard) == [f"{n:06d}" for n in range(2, 50)]
    assert len(bench.written()) == 49
    assert not bench.runner.alive
    with pytest.raises(Busy, match="stopping"):
        bench.submit(99)


def test_stop_leaves_legs_in_flight_to_the_restart_and_their_requests_in_silence() -> None:
    bench = Bench(at_the_issuer)
    bench.submit(1)
    bench.runner.start()
    bench.runner.stop()
    assert bench.heard == {"000001": [None]}


def test_moving_the_clock_wakes_the_thread() -> None:
    seen = threading.Event()

    def watch(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, LegOverdue) and not event.restart:
            seen.set()
        return Decision()

    bench = Bench(watch, rows=IN_FLIGHT)
    bench.runner.start()
    bench.clock.advance(21)
    bench.runner.wake()
    assert seen.wait(10)
    bench.runner.stop()


def test_a_call_runs_between_two_groups_and_its_failure_comes_back() -> None:
    bench = Bench()
    bench.runner.start()
    assert bench.runner.call(lambda store, ctx: ctx.now) == START
    with pytest.raises(ZeroDivisionError):
        bench.runner.call(lambda store, ctx: 1 // 0)
    bench.runner.stop()


def test_ids_go_on_where_the_store_ends() -> None:
    bench = Bench(rows=[Alarm(41, "x", TID, "c", "t", 0, 0)])
    bench.submit(1)
    bench.runner.run_once()
    assert [a.id for a in bench.store.real.reader().select(Alarm)] == [41, 42]


# ---- reset


def test_a_reset_of_everything_keeps_terminals_and_silences_who_waits() -> None:
    bench = Bench(at_the_issuer, rows=[a_terminal(), a_txn(1, 100)])
    bench.submit(1)
    bench.runner.run_once()
    bench.runner.reset("all")
    reader = bench.store.real.reader()
    assert (reader.select(Txn), len(reader.select(Terminal))) == ([], 1)
    assert bench.heard == {"000001": [None]}
    bench.clock.advance(60)
    bench.runner.tick()
    assert bench.runner.run_once() == 0


def test_a_reset_of_a_terminal_starts_a_new_epoch() -> None:
    bench = Bench(rows=[a_terminal(epoch=3)])
    bench.runner.reset("terminal", TID, keep_history=True)
    assert [t.epoch for t in bench.store.real.reader().select(Terminal)] == [4]


def test_the_next_moment_with_something_to_do_is_told() -> None:
    """Who moves the clock by himself must not step over a deadline: nothing in flight, the business date turns; with
    a leg at the issuer, its timeout comes first."""
    host = EngineHost("sqlite://")
    host.faults.append(LinkFault(FaultKind.SILENT))
    host.runner.tick()
    assert host.runner.next_due() == host.clock.end_of(host.clock.business_date())
    assert host.ask(Kind.SALE, stan=1, amount=100, card=a_card()) == []
    assert host.runner.next_due() == host.clock.now() + timedelta(seconds=host.runner.settings.issuer_timeout_s)
