"""Questions people ask of the books: lists, one item whole, waits and verifications. Reads only.

The same answers serve the API (over the store's read-only connection of a running host) and the command line (over a
store opened read-only), so both say the same thing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from host.api import shapes
from host.checker import report
from host.checker.books import HostBooks, family_of
from host.checker.compare import unsettled
from host.checker.outcomes import outcomes
from host.rows import (
    Alarm,
    Batch,
    BatchState,
    ExceptionItem,
    JournalUpload,
    Leg,
    MessageRow,
    Posting,
    StagedItem,
    Terminal,
    Txn,
)
from host.store.pruning import Pruned
from specs import journal
from specs.profile import Profile

R = TypeVar("R")
Shape = dict[str, Any]
LIMIT_MAX = 1_000
COMMON_TEXTS = "iso87"
"""Whose texts explain a code when a user's own dialect does not say its family by its name: the standard's."""
NEAR_MAX = 20
"""Near misses that are shown: more is noise."""


class Reader(Protocol):
    """What the desk needs of a store: rows by equality, in order of id."""

    def select(
        self,
        table: type[R],
        where: Mapping[str, object] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[R]:
        """Rows whose columns equal `where`, ids above `after` (below it when newest), oldest or newest first."""

    def profiles(self) -> Mapping[str, Profile]:
        """The switches of every dialect that was ever served, by its name."""

    def pruned(self) -> Pruned | None:
        """Up to where messages are gone from the log; None = none is."""

    def load_books(self) -> HostBooks:
        """Everything, for the checker."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Shape: every method gives plain values ready for JSON; lists are {"items": […], "next": …}."""

    reader: Reader

    # ---- transactions

    def transactions(self, filters: Mapping[str, object], after: str, limit: int, *, newest: bool = False) -> Shape:
        """filters: tid, stan, rrn, state, kind, amount, business_date, batch (the wire number)."""
        where = dict(filters)
        number = where.pop("batch", None)
        start = shapes.row_id(Txn, after) or 0 if after else 0
        rows: list[Txn] = []
        numbers: dict[int, str] = {}
        while len(rows) <= limit:
            page = self.reader.select(Txn, where, after=start, limit=limit + 1, newest=newest)
            numbers |= self._numbers(page, numbers)
            rows += [t for t in page if number is None or number in (numbers.get(t.batch_id, ""), t.wire_batch)]
            if len(page) <= limit:
                break
            start = page[-1].id
        items = [shapes.transaction(t, numbers.get(t.batch_id, t.wire_batch)) for t in rows[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}

    def _numbers(self, rows: list[Txn], known: Mapping[int, str]) -> dict[int, str]:
        wanted = {t.batch_id for t in rows} - known.keys() - {0}
        found = (self.reader.select(Batch, {"id": i}) for i in sorted(wanted))
        return {b.id: b.number for page in found for b in page}

    def transaction(self, public: str) -> Shape | None:
        """One transaction whole: fields, time line, money, explanation; None when there is none."""
        txn_id = shapes.row_id(Txn, public)
        found = self.reader.select(Txn, {"id": txn_id}) if txn_id is not None else []
        if not found:
            return None
        row = found[0]
        messages = self.reader.select(MessageRow, {"txn_id": row.id})
        return shapes.transaction_whole(
            row,
            self._numbers([row], {}).get(row.batch_id, row.wire_batch),
            self.family(row.dialect) or COMMON_TEXTS,
            pruned_until=self._pruned_of(row, messages),
            messages=messages,
            postings=self.reader.select(Posting, {"txn_id": row.id}),
            legs=self.reader.select(Leg, {"txn_id": row.id}),
        )

    def _pruned_of(self, row: Txn, messages: Iterable[MessageRow]) -> str:
        """Up to when messages were pruned, if some of this transaction's may be among them; else ""."""
        pruned = self.reader.pruned()
        if pruned is None or any(m.direction == "in" and m.kind == row.kind for m in messages):
            return ""
        late = datetime.fromisoformat(row.created_at) > datetime.fromisoformat(pruned.until)
        return "" if late else pruned.until

    def _pruned_until(self) -> str:
        pruned = self.reader.pruned()
        return pruned.until if pruned is not None else ""

    def family(self, dialect: str) -> str:
        """The family of a dialect, a user's own included, "" when it is not known."""
        known = self.reader.profiles().get(dialect)
        return known.family if known is not None else family_of(dialect)

    def find(self, key: str) -> list[Shape]:
        """What `trace KEY` means: a transaction id, an RRN, a STAN, or TID:STAN; newest last."""
        if key.startswith("txn-"):
            one = self.transaction(key)
            return [one] if one else []
        tid, separator, stan = key.rpartition(":")
        if separator:
            rows = self.reader.select(Txn, {"tid": tid, "stan": stan.zfill(6)})
        elif len(key) == 12:
            rows = self.reader.select(Txn, {"rrn": key})
        else:
            rows = self.reader.select(Txn, {"stan": key.zfill(6)})
        wholes = (self.transaction(shapes.public_id(Txn, r.id)) for r in rows[-LIMIT_MAX:])
        return [w for w in wholes if w is not None]

    # ---- batches

    def batches(self, filters: Mapping[str, object], after: str, limit: int, *, newest: bool = False) -> Shape:
        """filters: tid, state (as it is shown, «stale» too); `after` and the order as for `transactions`."""
        start = shapes.row_id(Batch, after) or 0 if after else 0
        state = filters.get("state")
        where = dict(filters) | ({"state": BatchState.OPEN} if state == shapes.STALE else {})
        rows: list[Batch] = []
        while len(rows) <= limit:
            page = self.reader.select(Batch, where, after=start, limit=limit + 1, newest=newest)
            rows += [b for b in page if state in (None, shapes.batch_state(b))]
            if len(page) <= limit:
                break
            start = page[-1].id
        items = [shapes.batch(b) for b in rows[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}

    def batch(self, public: str) -> Shape | None:
        """One batch whole: totals, items, uploads, exceptions; None when there is none."""
        batch_id = shapes.row_id(Batch, public)
        found = self.reader.select(Batch, {"id": batch_id}) if batch_id is not None else []
        if not found:
            return None
        where = {"batch_id": found[0].id}
        return shapes.batch_whole(
            found[0],
            self.reader.select(Txn, where),
            self.reader.select(StagedItem, where),
            self.reader.select(ExceptionItem, where),
        )

    # ---- messages

    def messages(self, filters: Mapping[str, object], after: str, limit: int, *, newest: bool = False) -> Shape:
        """filters: tid, mti, stan. Masked when they were stored: there is no clear form to show."""
        start = shapes.row_id(MessageRow, after) or 0 if after else 0
        rows = self.reader.select(MessageRow, filters, after=start, limit=limit + 1, newest=newest)
        items = [shapes.message(m) for m in rows[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}

    def message(self, public: str) -> Shape | None:
        """One frame by its public id; None when there is none."""
        message_id = shapes.row_id(MessageRow, public)
        found = self.reader.select(MessageRow, {"id": message_id}) if message_id is not None else []
        return shapes.message(found[0]) if found else None

    def hits(self, match: Mapping[str, object]) -> list[Shape]:
        """Messages that have every one of these values, oldest first."""
        return [shapes.message(row) for row in self.reader.select(MessageRow, match)]

    def near_misses(self, match: Mapping[str, object]) -> list[Shape]:
        """The newest messages that match in all but one of at least two keys, each with what differs."""
        near: list[Shape] = []
        if len(match) < 2:
            return near
        for key, wanted in match.items():
            others = {k: v for k, v in match.items() if k != key}
            rows = self.reader.select(MessageRow, others, newest=True, limit=NEAR_MAX)
            near += [
                shapes.message(row) | {"differs_in": key, "got": getattr(row, key)}
                for row in rows
                if getattr(row, key) != wanted
            ]
        return sorted(near, key=lambda shape: str(shape["id"]))[-NEAR_MAX:]

    # ---- terminals

    def terminals(self) -> Shape:
        """Every terminal, on one page: there are as many as people have installed."""
        return {"items": [self._terminal(t) for t in self.reader.select(Terminal)], "next": None}

    def terminal(self, tid: str) -> Shape | None:
        """One terminal by TID; None when it is not known."""
        found = self.reader.select(Terminal, {"tid": tid})
        return self._terminal(found[0]) if found else None

    def track_key(self, tid: str) -> bytes:
        """The working track key of a terminal, b"" when it has none; for the edge, never shown."""
        found = self.reader.select(Terminal, {"tid": tid})
        return bytes.fromhex(found[0].tdk) if found else b""

    def _terminal(self, row: Terminal) -> Shape:
        live = [
            b
            for state in ("open", "disputed")
            for b in self.reader.select(Batch, {"tid": row.tid, "state": state}, newest=True, limit=1)
        ]
        alarms = self.reader.select(Alarm, {"tid": row.tid}, newest=True, limit=20)
        pending = len(self.reader.select(Txn, {"tid": row.tid, "state": "pending"}))
        shown = [{"at": a.at, "code": a.code, "text": a.text} for a in alarms]
        return shapes.terminal(row, live[0] if live else None, pending, shown)

    def alarms(self, filters: Mapping[str, object], after: str, limit: int, *, newest: bool = True) -> Shape:
        """filters: tid ("" = of the host itself); `after` and the order as for `transactions`."""
        start = shapes.row_id(Alarm, after) or 0 if after else 0
        rows = self.reader.select(Alarm, filters, after=start, limit=limit + 1, newest=newest)
        items = [shapes.alarm(row) for row in rows[:limit]]
        return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}

    # ---- the checker's side

    def unsettled(self, tid: str | None = None) -> Shape:
        """Charged but not settled, each with why."""
        found = unsettled(self.reader.load_books())
        items = [u.to_json() for u in found if tid in (None, u.tid)]
        return {"items": items, "messages_pruned_until": self._pruned_until(), "next": None}

    def terminal_books(self) -> dict[str, journal.TerminalBook]:
        """The newest journal each terminal has handed over."""
        return {upload.tid: journal.parse(upload.lines.splitlines()) for upload in self.reader.select(JournalUpload)}

    def journals(self) -> list[JournalUpload]:
        """The journals as handed over, one a terminal."""
        return self.reader.select(JournalUpload)

    def findings(self) -> Shape:
        """What the checker holds against the books and the journals handed over, with evidence; beside it every
        purchase that is over and not clean, with its classes, also those that an exception explains."""
        books, terminals = self.reader.load_books(), self.terminal_books()
        found = report.check(books, terminals)
        items = [
            {"invariant": f.invariant, "subject": f.subject, "text": f.text, "evidence": list(f.evidence)}
            for f in found
        ]
        classes = [shapes.outcome(o) for o in outcomes(books, terminals) if not o.clean]
        until = books.pruned_until
        return {"items": items, "outcomes": classes, "messages_pruned_until": until, "next": None}
