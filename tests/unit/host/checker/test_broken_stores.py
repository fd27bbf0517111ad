"""Shows 7: a store of real decisions on disk, broken by hand with SQL, and the invariant that notices.

The day is played through the engine, the runner and the issuer into a SQLite file, with a message log beside it as the
edge keeps one; the terminal's journal is handed over as the API takes it. Each test opens the file with plain sqlite3,
changes it, and lets the checker read the store again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from host.checker.auditor import audit
from host.checker.books import HostBooks
from host.checker.compare import compare, unsettled
from host.checker.invariants import INVARIANTS
from host.checker.report import check, render
from host.engine.context import Context
from host.engine.events import Decision, Request
from host.rows import JournalUpload, MessageRow, Row, Txn
from host.runner import Runner
from host.store.store import open_reader
from specs.journal import ArchivedBatch, JournalRow, TerminalBook, TerminalEvent, dump
from specs.operation import Kind, Operation, OriginalRef, Outcome, UploadItem
from specs.testcards import load_test_cards
from specs.totals import Sum, Totals
from tests.support.engine import TID, a_card
from tests.support.host_engine import EngineHost

MTI = {
    **dict.fromkeys((Kind.SALE, Kind.VOID, Kind.COMPLETION), ("0200", "0210")),
    Kind.PRE_AUTH: ("0100", "0110"),
    Kind.REVERSAL: ("0400", "0410"),
}
SETTLES = ("0500", "0510")


def claim(debit: tuple[int, int], credit: tuple[int, int] = (0, 0)) -> Totals:
    """(count, amount) of domestic cards."""
    rest = (Sum("foreign", "debit"), Sum("foreign", "credit"))
    return Totals((Sum("domestic", "debit", *debit), Sum("domestic", "credit", *credit), *rest))


class LoggingHost(EngineHost):
    """An EngineHost with the edge's message log: a request's row once, an answer's row when it is there."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.runner = Runner(self.store, self.clock, self.settings, self.link, before_commit=self._log)
        self._logged: dict[int, int] = {}

    def _log(
        self, ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
    ) -> Iterable[Row]:
        if not waited:
            row = self._row(ctx, event.operation, decision.txn_id)
            self._logged[id(event)] = row.id
            yield row
        if outcome is not None:
            yield self._row(ctx, event.operation, decision.txn_id, outcome, self._logged[id(event)])

    def _row(
        self,
        ctx: Context,
        operation: Operation,
        txn_id: int,
        outcome: Outcome | None = None,
        reply_to: int = 0,
    ) -> MessageRow:
        amount = outcome.amount if outcome is not None else operation.amount
        fields = {} if amount is None else {"4": f"{amount:012d}"}
        return MessageRow(
            id=ctx.ids.new(MessageRow.__name__),
            at=ctx.now.isoformat(timespec="milliseconds"),
            direction="out" if outcome else "in",
            peer="192.0.2.1:1024",
            dialect="cup",
            tid=operation.tid,
            mti=MTI.get(operation.kind, SETTLES)[outcome is not None],
            kind=str(operation.kind),
            stan=operation.stan,
            code=outcome.code if outcome else "",
            rrn=outcome.rrn if outcome else "",
            auth_code=outcome.auth_code if outcome else "",
            txn_id=txn_id,
            reply_to=reply_to,
            fields=json.dumps(fields),
            notes="[]",
            fate="sent" if outcome else "",
            digest="" if outcome else f"{operation.kind} {operation.batch} {operation.stan}",
        )


def journal() -> TerminalBook:
    """What the terminal of the day below believes, by hand."""
    rows = [
        JournalRow(TID, "000001", "000001", "sale", 10_000, settlement="settled"),
        JournalRow(TID, "000001", "000002", "sale", 5_000, state="voided", settlement="settled"),
        JournalRow(TID, "000001", "000003", "void", 5_000, settlement="settled", original_stan="000002"),
        JournalRow(TID, "000002", "000006", "sale", 2_000, settlement="settled"),
        JournalRow(TID, "000003", "000012", "sale", 500, response_code="00"),
        JournalRow(TID, "000003", "000013", "pre-auth", 10_000),
        JournalRow(TID, "000003", "000014", "completion", 11_500, original_stan="000013"),
        JournalRow(TID, "000003", "000015", "sale", 700),
        JournalRow(TID, "000003", "000016", "pre-auth", 3_000),
    ]
    archived = (
        ArchivedBatch(TID, "000001", "agreed", claim((2, 15_000), (1, 5_000))),
        ArchivedBatch(TID, "000002", "not-agreed", claim((1, 2_000))),
    )
    events = []
    for row in rows:
        events.append(TerminalEvent(TID, "rev-stored", row.batch, row.stan))
        events.append(TerminalEvent(TID, "rev-cleared", row.batch, row.stan, "00"))
        events.append(TerminalEvent(TID, "slip", row.batch, row.stan, "00", "approved"))
    events += [
        TerminalEvent(TID, "rev-stored", "000001", "000004"),
        TerminalEvent(TID, "rev-cleared", "000001", "000004", "00"),
        TerminalEvent(TID, "rev-stored", "000001", "000005"),
        TerminalEvent(TID, "rev-cleared", "000001", "000005", "51"),
        TerminalEvent(TID, "shown", "000001", "000005", "51", "declined"),
    ]
    return TerminalBook(TID, tuple(rows), archived, tuple(events), batch="000003", stan="000016")


def play(url: str) -> None:
    """Three batches: 1 agreed, 2 closed with exceptions after an upload, 3 open with an adjustment, a tombstone, a
    pre-authorisation that was completed and one that lives."""
    host = LoggingHost(url)
    sale, reversal = Kind.SALE, Kind.REVERSAL
    assert host.ask(sale, stan=1, amount=10_000) == ["00"]
    assert host.ask(sale, stan=1, amount=10_000) == ["00"]  # a repeat, replayed
    assert host.ask(sale, stan=2, amount=5_000) == ["00"]
    assert host.ask(Kind.VOID, stan=3, amount=5_000, original=OriginalRef("000002", "000001")) == ["00"]
    assert host.ask(sale, stan=4, amount=8_000) == ["00"]
    assert host.ask(reversal, stan=4, amount=8_000) == ["00"]
    assert host.ask(sale, stan=5, amount=9_000, card=a_card(load_test_cards()["nofunds"].pan)) == ["51"]
    host.ask(Kind.SETTLE, stan=90, totals=claim((2, 15_000), (1, 5_000)))
    second = {"batch": "000002"}
    assert host.ask(sale, stan=6, amount=2_000, **second) == ["00"]
    assert host.ask(sale, stan=7, amount=4_000, **second) == ["00"]
    host.ask(Kind.SETTLE, stan=91, totals=claim((1, 2_000)), **second)
    items = (UploadItem(OriginalRef("000006"), 2_000), UploadItem(OriginalRef("000009"), 1_500))
    assert host.ask(Kind.UPLOAD, stan=92, items=items, **second) == ["00"]
    assert host.ask(Kind.UPLOAD_END, stan=93, count=2, **second) == ["00"]
    assert host.ask(reversal, stan=7, amount=4_000, **second) == ["00"]
    third = {"batch": "000003"}
    assert host.ask(reversal, stan=11, amount=6_000, **third) == ["25"]
    assert host.ask(sale, stan=12, amount=500, **third) == ["00"]
    assert host.ask(Kind.PRE_AUTH, stan=13, amount=10_000, **third) == ["00"]
    approval = next(txn.auth_code for txn in host.rows(Txn, stan="000013"))
    named = OriginalRef("000013", auth_code=approval)
    assert host.ask(Kind.COMPLETION, stan=14, amount=11_500, original=named, auth_code=approval, **third) == ["00"]
    assert host.ask(sale, stan=15, amount=700, **third) == ["00"]
    assert host.ask(Kind.PRE_AUTH, stan=16, amount=3_000, **third) == ["00"]
    host.store.commit([JournalUpload(1, TID, "2026-03-02T23:00:00.000+00:00", dump(journal()))])
    host.store.close()


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a right day, once."""
    path = tmp_path_factory.mktemp("day") / "day.db"
    play(f"sqlite:///{path}")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path.read_bytes()


@dataclass
class BrokenStore:
    """A copy of the day: `sql` changes it behind the host's back, `books` reads it as the checker does."""

    path: Path

    def sql(self, statement: str, *values: Any) -> None:
        """Raises when the statement changes nothing: a lie that is not told proves nothing."""
        database = sqlite3.connect(self.path)
        with database:
            changed = database.execute(statement, values).rowcount
        database.close()
        assert changed > 0, statement

    def books(self) -> HostBooks:
        reader = open_reader(f"sqlite:///{self.path}")
        try:
            return reader.load_books()
        finally:
            reader.close()

    def broken(self) -> set[str]:
        books = self.books()
        return {finding.invariant for finding in check(books, books.terminal_books())}


@pytest.fixture
def store(day: bytes, tmp_path: Path) -> BrokenStore:
    path = tmp_path / "copy.db"
    path.write_bytes(day)
    return BrokenStore(path)


def test_the_store_of_a_right_day_has_no_findings(store: BrokenStore) -> None:
    books = store.books()
    assert render(check(books, books.terminal_books())) == "no findings\n"


def test_that_day_agrees_item_by_item_and_only_what_is_open_is_unsettled(store: BrokenStore) -> None:
    books = store.books()
    found = compare(books, books.terminal_books()[TID])
    assert (found.agrees, found.terminal_net, found.host_net) == (True, 24_700, 24_700)
    assert [item.stan for item in unsettled(books)] == ["000012", "000014", "000015"]


#: name -> (what is broken, what the same lie breaks besides, the lie).
LIES: dict[str, tuple[str, set[str], str]] = {
    "open-in-a-closed-batch": ("A1", set(), "UPDATE txn SET settlement = 'open' WHERE stan = '000001'"),
    "in-no-batch": ("A1", {"A7", "A8", "E2", "E8"}, "UPDATE txn SET batch_id = 99 WHERE stan = '000001'"),
    "undo-lost": (
        "A2",
        {"A10", "AUDIT", "E2"},
        """DELETE FROM posting WHERE reason = 'undo' AND book = 'acquirer'
        AND txn_id = (SELECT id FROM txn WHERE stan = '000004')""",
    ),
    "adjusted-in-an-earlier-batch": ("A2", {"E2"}, "UPDATE adjustment SET batch_id = 1"),
    "adjusted-by-another-amount": ("A2", set(), "UPDATE adjustment SET amount = -3999"),
    "answered-otherwise": (
        "A3",
        set(),
        """UPDATE message SET auth_code = '000000' WHERE id =
        (SELECT max(id) FROM message WHERE kind = 'sale' AND stan = '000001' AND direction = 'out')""",
    ),
    "captured-twice": (
        "A3",
        {"A10", "AUDIT"},
        """INSERT INTO posting SELECT id + 1000, entry_id + 1000, book, account, amount, currency, txn_id, batch_id,
        reason, at FROM posting WHERE reason = 'capture' AND txn_id = (SELECT id FROM txn WHERE stan = '000012')""",
    ),
    "captured-under-a-tombstone": ("A4", set(), "UPDATE txn SET stan = '000012' WHERE state = 'tombstone'"),
    "reversal-cleared-by-96": (
        "A5",
        set(),
        """UPDATE journal_upload SET lines =
        replace(lines, '"stan": "000004", "code": "00"', '"stan": "000004", "code": "96"')""",
    ),
    "slip-without-a-row": (
        "A6",
        set(),
        """UPDATE journal_upload SET lines = lines || '{"record": "event", "tid": "T0000001", "event": "slip",
        "batch": "000003", "stan": "000044", "code": "00", "detail": "approved"}'""".replace("\n        ", " "),
    ),
    "declined-but-captured": (
        "A6",
        {"A3", "A7", "A8", "E1"},
        "UPDATE txn SET state = 'captured', settlement = 'settled' WHERE stan = '000005'",
    ),
    "item-changed-after-the-close": ("A7", set(), "UPDATE txn SET currency = '840' WHERE stan = '000001'"),
    "number-twice": ("A7", set(), "UPDATE batch SET number = '000001' WHERE number = '000002'"),
    "running-totals": ("A8", set(), """UPDATE batch SET running = '{"sale": [1, 501]}' WHERE number = '000003'"""),
    "claimed-otherwise": (
        "A8",
        set(),
        "UPDATE journal_upload SET lines = replace(lines, '\"debit\", 2, 15000', '\"debit\", 2, 15001')",
    ),
    "doubt-without-an-exception": ("A9", set(), "DELETE FROM exception_item WHERE reason = 'terminal-only'"),
    "known-item-of-nothing": ("A9", set(), "UPDATE staged_item SET txn_id = 4711 WHERE known = 'known'"),
    "entry-out-of-balance": (
        "A10",
        set(),
        "UPDATE posting SET amount = amount + 1 WHERE id = (SELECT max(id) FROM posting WHERE account LIKE 'card%')",
    ),
    "card-owes-too-much": ("A10", set(), "UPDATE issuer_account SET debited = debited + 1 WHERE debited > 0"),
    "holds-too-much": ("A10", set(), "UPDATE issuer_account SET held = held + 1 WHERE held > 0"),
    "completed-above-the-limit": ("A11", set(), "UPDATE txn SET approved_amount = 9999 WHERE stan = '000013'"),
    "sold-while-frozen": (
        "A12",
        set(),
        """UPDATE journal_upload SET lines = lines || '{"record": "event", "tid": "T", "event": "frozen"}
        {"record": "event", "tid": "T", "event": "rev-stored", "stan": "000050"}
        {"record": "event", "tid": "T", "event": "rev-cleared", "stan": "000050", "code": "00"}'""".replace(
            "\n        ", "\n"
        ),
    ),
    "row-written-twice": (
        "A13",
        set(),
        """UPDATE journal_upload SET lines = lines || '{"record": "row", "tid": "T", "batch": "000003",
        "stan": "000015", "kind": "sale", "amount": 700}'""".replace("\n        ", " "),
    ),
    "answered-on-another-line": (
        "A14",
        set(),
        "UPDATE message SET peer = '192.0.2.7:9' WHERE id = (SELECT max(id) FROM message WHERE direction = 'out')",
    ),
    "listed-for-no-reason": ("E1", set(), "UPDATE exception_item SET reason = 'because' WHERE reason = 'host-only'"),
    "settled-with-another-batch": (
        "E2",
        set(),
        """UPDATE posting SET batch_id = 3 WHERE book = 'acquirer'
        AND txn_id = (SELECT id FROM txn WHERE stan = '000001')""",
    ),
    "kept-back-for-no-reason": ("E5", set(), "UPDATE txn SET settlement = 'exception' WHERE stan = '000006'"),
    "debited-for-another": (
        "E6",
        set(),
        """UPDATE issuer_leg SET number = 9, txn_id = (SELECT id FROM txn WHERE stan = '000012')
        WHERE txn_id = (SELECT id FROM txn WHERE stan = '000015')""",
    ),
    "held-beyond-its-days": (
        "E6",
        set(),
        "UPDATE txn SET created_at = '2026-01-28T09:00:00.000+00:00' WHERE stan = '000016'",
    ),
    "the-journal-has-another-code": (
        "E8",
        set(),
        """UPDATE journal_upload SET lines = replace(lines, '"amount": 500, "state": "journaled",
        "settlement": "open", "rrn": "", "auth_code": "", "response_code": "00"', '"amount": 500,
        "response_code": "11"')""".replace("\n        ", " "),
    ),
    "told-otherwise": (
        "AUDIT",
        {"E8"},
        "UPDATE message SET code = '51', rrn = '' WHERE stan = '000012' AND direction = 'out'",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_broken_store_is_caught(store: BrokenStore, name: str) -> None:
    invariant, also, statement = LIES[name]
    store.sql(statement)
    assert store.broken() == {invariant} | also


def test_every_invariant_has_a_broken_store() -> None:
    assert {invariant for invariant, _, _ in LIES.values()} >= set(INVARIANTS)


def test_the_auditor_alone_sees_a_sale_that_was_booked_and_never_said(store: BrokenStore) -> None:
    store.sql("DELETE FROM message WHERE stan = '000012'")
    assert [finding.subject for finding in audit(store.books())] == [f"terminal {TID}"]
