"""The terminal's book as it leaves the terminal: JSON lines that the host's API and the checker read.

One line is one record with a "record" name; the schema lives here because both ends must agree on it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from specs.errors import SpecError
from specs.totals import Totals


class JournalError(SpecError):
    """A journal line that cannot be read; names the line number and the key."""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One approved transaction in the terminal's journal, open or archived.

    state: journaled | voided | reversed | rejected (a stored item that the host refused: in no total).
    settlement: open | settled (archived with its batch).
    kind: a value of specs.operation.Kind. batch: the number under which it was sent. pan is masked. amount minor units.
    """

    tid: str
    batch: str
    stan: str
    kind: str
    amount: int
    state: str = "journaled"
    settlement: str = "open"
    rrn: str = ""
    auth_code: str = ""
    response_code: str = ""
    pan: str = ""
    foreign: bool = False
    original_stan: str = ""
    invoice: str = ""
    at: str = ""
    uploaded: bool = False
    tip: int = 0
    adjusted: bool = False
    stored: bool = False
    """An advice whose 0230 has not come yet: the host may not know it."""
    rejected: str = ""
    """The code with which the host refused the advice or the upload, "" when it did not."""
    day: str = ""
    of: str = ""
    """The kind of what a void takes back, "" for a sale."""
    advice: bool = False


@dataclass(frozen=True, slots=True)
class ArchivedBatch:
    """A batch the terminal has closed. result: agreed | not-agreed | forced. totals: what it claimed in the 0500."""

    tid: str
    batch: str
    result: str
    totals: Totals
    at: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class TerminalEvent:
    """Something the terminal did that a checker must be able to see.

    event: rev-stored | rev-cleared | rev-abandoned | slip | shown | frozen | archived | ignored-answer |
        saf-rejected | reprint (detail: which slip, by which operator)
    code: DE 39 that caused it, "" when none. detail: for slip/shown the word on it (approved, declined, unknown, ...).
    """

    tid: str
    event: str
    batch: str = ""
    stan: str = ""
    code: str = ""
    detail: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class TerminalBook:
    """Everything the terminal believes. pending_reversal: the STAN it owes a reversal for, "" when none."""

    tid: str
    rows: tuple[JournalRow, ...] = ()
    archived: tuple[ArchivedBatch, ...] = ()
    events: tuple[TerminalEvent, ...] = ()
    pending_reversal: str = ""
    batch: str = ""
    stan: str = ""
    frozen: bool = False


def dump(book: TerminalBook) -> str:
    """The book as JSON lines, a terminal record first."""
    head = {"record": "terminal", "tid": book.tid, "batch": book.batch, "stan": book.stan, "frozen": book.frozen}
    lines = [head | {"pending_reversal": book.pending_reversal}]
    lines += [{"record": "row"} | asdict(row) for row in book.rows]
    lines += [{"record": "archived"} | asdict(a) | {"totals": a.totals.to_json()} for a in book.archived]
    lines += [{"record": "event"} | asdict(event) for event in book.events]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def parse(lines: Iterable[str]) -> TerminalBook:
    """Read JSON lines back. Raises JournalError naming the line and the key."""
    head: dict[str, Any] | None = None
    rows: list[JournalRow] = []
    archived: list[ArchivedBatch] = []
    events: list[TerminalEvent] = []
    for number, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
            name = record.pop("record")
            if name == "terminal":
                head = record
            elif name == "row":
                rows.append(JournalRow(**record))
            elif name == "archived":
                archived.append(ArchivedBatch(**(record | {"totals": Totals.from_json(record["totals"])})))
            elif name == "event":
                events.append(TerminalEvent(**record))
            else:
                raise JournalError(f"line {number}: record: {name!r} is not terminal, row, archived or event")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise JournalError(f"line {number}: {error}") from error
    if head is None:
        raise JournalError("no terminal record: the first line says whose journal this is")
    try:
        return TerminalBook(rows=tuple(rows), archived=tuple(archived), events=tuple(events), **head)
    except TypeError as error:
        raise JournalError(f"terminal record: {error}") from error
