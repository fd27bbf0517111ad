"""The books as the checker reads them: every row of the host, and what it may conclude from them.

A finding is a value: which invariant, of what, which two figures differ, and the rows that show it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import TypeVar

from host.rows import (
    Adjustment,
    Alarm,
    Batch,
    BatchState,
    ExceptionItem,
    IssuerAccount,
    IssuerLeg,
    JournalUpload,
    Leg,
    Merchant,
    MessageRow,
    Posting,
    Row,
    StagedItem,
    Terminal,
    Txn,
    TxnState,
)
from specs import dialect as dialects
from specs import profile as profiles
from specs.journal import TerminalBook, parse
from specs.operation import ADJUSTMENTS, FINANCIAL, RESERVATIONS, VOIDS
from specs.profile import Profile
from specs.totals import Totals

CLOSED = frozenset({BatchState.CLOSED, BatchState.CLOSED_WITH_EXCEPTIONS})
#: States in which a transaction stands as an item of its batch; a voided one counts beside its void (rules.md 5). What
#: moves money is `authorised` only under profile TC, before its capture.
STANDING = frozenset({TxnState.CAPTURED, TxnState.VOIDED, TxnState.AUTHORISED})
#: Approved, and not taken back.
LIVE = frozenset({TxnState.CAPTURED, TxnState.AUTHORISED})
FINANCIAL_KINDS = frozenset(kind.value for kind in FINANCIAL)
RESERVATION_KINDS = frozenset(kind.value for kind in RESERVATIONS)
KEYED_KINDS = FINANCIAL_KINDS | RESERVATION_KINDS
"""Originals that the issuer acts on: what may be reversed, and has rows at both ends."""
ACQUIRER, ISSUER = "acquirer", "issuer"
#: The account that both books keep for each other: what issuers owe the acquirer, debit there, credit here.
CLEARING = "issuer-clearing"
_OF_ONE_ISSUER = f"{CLEARING}:"

R = TypeVar("R")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be.

    subject: "txn 12", "batch 3 of T0000001", … text: what differs, with both figures. evidence: the rows that show it,
    one a line. Nothing in it is clear card data, since the rows hold none.
    """

    invariant: str
    subject: str
    text: str
    evidence: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.text}"


@dataclass(frozen=True)
class HostBooks:
    """All rows of the host, one tuple a class in order of id. The look-ups are built at first use and kept."""

    merchants: tuple[Merchant, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    batches: tuple[Batch, ...] = ()
    txns: tuple[Txn, ...] = ()
    postings: tuple[Posting, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    legs: tuple[Leg, ...] = ()
    accounts: tuple[IssuerAccount, ...] = ()
    issuer_legs: tuple[IssuerLeg, ...] = ()
    staged: tuple[StagedItem, ...] = ()
    exceptions: tuple[ExceptionItem, ...] = ()
    messages: tuple[MessageRow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    journals: tuple[JournalUpload, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """The switches of every dialect that the host has ever served, by name; a built-in one needs none."""
    pruned_through: int = 0
    """Messages up to this id may be gone from the log (host.store.pruning); 0 = none is."""
    pruned_until: str = ""
    """The newest time among those that are gone; "" = none is."""

    @classmethod
    def of(
        cls,
        rows: Iterable[Row],
        profiles: Mapping[str, Profile] | None = None,
        *,
        pruned_through: int = 0,
        pruned_until: str = "",
    ) -> HostBooks:
        """The books from rows in any order. A row given twice counts as its last form."""
        sorted_out: dict[type, dict[int, Row]] = {row_class: {} for row_class in _FIELD_OF}
        for row in rows:
            sorted_out[type(row)][row.id] = row
        values = {name: tuple(by_id[key] for key in sorted(by_id)) for name, by_id in _named(sorted_out)}
        known: dict[str, object] = {"profiles": dict(profiles or {})}
        known |= {"pruned_through": pruned_through, "pruned_until": pruned_until}
        return cls(**values, **known)  # type: ignore[arg-type]

    def log_covers(self, at: str) -> bool:
        """Whether the message log still says all about this moment (ISO 8601)."""
        if not self.pruned_until:
            return True
        try:
            return datetime.fromisoformat(at) > datetime.fromisoformat(self.pruned_until)
        except (ValueError, TypeError):  # no time, or one without its offset
            return False

    @cached_property
    def batch_by_id(self) -> Mapping[int, Batch]:
        """Batch id -> batch."""
        return {batch.id: batch for batch in self.batches}

    @cached_property
    def batches_by_tid(self) -> Mapping[str, list[Batch]]:
        """TID -> batches, oldest first."""
        return grouped(self.batches, lambda batch: batch.tid)

    @cached_property
    def memo(self) -> dict[object, object]:
        """What checks have worked out of these rows and others need again: by its name, or with that of a terminal."""
        return {}

    @cached_property
    def txn_by_id(self) -> Mapping[int, Txn]:
        """Transaction id -> transaction."""
        return {txn.id: txn for txn in self.txns}

    @cached_property
    def terminal_by_tid(self) -> Mapping[str, Terminal]:
        """TID -> terminal."""
        return {terminal.tid: terminal for terminal in self.terminals}

    @cached_property
    def message_by_id(self) -> Mapping[int, MessageRow]:
        """Message id -> row of the log."""
        return {message.id: message for message in self.messages}

    @cached_property
    def txns_by_batch(self) -> Mapping[int, list[Txn]]:
        """Batch id -> its transactions, oldest first; 0 = those of no batch."""
        return grouped(self.txns, lambda txn: txn.batch_id)

    @cached_property
    def txns_by_stan(self) -> Mapping[tuple[str, str], list[Txn]]:
        """(TID, STAN) -> transactions, oldest first: a STAN comes again after its wrap."""
        return grouped(self.txns, lambda txn: (txn.tid, txn.stan))

    @cached_property
    def txns_by_number(self) -> Mapping[tuple[str, str], list[Txn]]:
        """(TID, number on the wire) -> transactions, oldest first; none where the wire has no number."""
        return grouped((txn for txn in self.txns if txn.wire_batch), lambda txn: (txn.tid, txn.wire_batch))

    @cached_property
    def txns_by_tid(self) -> Mapping[str, list[Txn]]:
        """TID -> transactions, oldest first."""
        return grouped(self.txns, lambda txn: txn.tid)

    @cached_property
    def acting_on(self) -> Mapping[int, list[Txn]]:
        """Whatever names a transaction as its original, whatever became of it, by the original; oldest first."""
        return grouped((t for t in self.txns if t.original_id), lambda txn: txn.original_id)

    @cached_property
    def voids_by_sale(self) -> Mapping[int, list[Txn]]:
        """Voids, whatever became of them, by what they name."""
        return grouped((t for t in self.txns if t.kind in VOIDS and t.original_id), lambda txn: txn.original_id)

    @cached_property
    def changes_by_sale(self) -> Mapping[int, list[Txn]]:
        """Tips and adjustments, whatever became of them, by the sale that they change; oldest first."""
        return grouped((t for t in self.txns if t.kind in ADJUSTMENTS and t.original_id), lambda txn: txn.original_id)

    @cached_property
    def postings_by_txn(self) -> Mapping[int, list[Posting]]:
        """Transaction id -> postings of both books, oldest first."""
        return grouped(self.postings, lambda posting: posting.txn_id)

    @cached_property
    def adjustments_by_txn(self) -> Mapping[int, list[Adjustment]]:
        """Transaction id -> adjustments for what was reversed after its batch closed (RH4)."""
        return grouped(self.adjustments, lambda adjustment: adjustment.txn_id)

    @cached_property
    def legs_by_txn(self) -> Mapping[int, list[Leg]]:
        """Transaction id -> legs as the acquirer keeps them (RH7)."""
        return grouped(self.legs, lambda leg: leg.txn_id)

    @cached_property
    def issuer_legs_by_txn(self) -> Mapping[int, list[IssuerLeg]]:
        """Transaction id -> legs as the issuer keeps them."""
        return grouped(self.issuer_legs, lambda leg: leg.txn_id)

    @cached_property
    def staged_by_batch(self) -> Mapping[int, list[StagedItem]]:
        """Batch id -> uploaded items."""
        return grouped(self.staged, lambda item: item.batch_id)

    @cached_property
    def exceptions_by_batch(self) -> Mapping[int, list[ExceptionItem]]:
        """Batch id -> its exception list (E1)."""
        return grouped(self.exceptions, lambda item: item.batch_id)

    @cached_property
    def exceptions_by_txn(self) -> Mapping[int, list[ExceptionItem]]:
        """Transaction id -> exceptions that name it; 0 = items that the host does not know."""
        return grouped(self.exceptions, lambda item: item.txn_id)

    @cached_property
    def messages_by_txn(self) -> Mapping[int, list[MessageRow]]:
        """Transaction id -> frames about it, oldest first."""
        return grouped(self.messages, lambda message: message.txn_id)

    @cached_property
    def messages_by_stan(self) -> Mapping[tuple[str, str], list[MessageRow]]:
        """(TID, STAN) -> frames, oldest first: also those that led to no transaction."""
        return grouped(self.messages, lambda message: (message.tid, message.stan))

    @cached_property
    def answers_by_request(self) -> Mapping[int, list[MessageRow]]:
        """Outgoing frames by the incoming one that they answer."""
        return grouped((m for m in self.messages if m.reply_to), lambda message: message.reply_to)

    @cached_property
    def in_flight(self) -> frozenset[int]:
        """Transactions with an issuer leg that has no outcome yet."""
        return frozenset(leg.txn_id for leg in self.legs if leg.state != "done")

    def is_closed(self, batch_id: int) -> bool:
        """Whether a batch is closed, with or without exceptions; False for one that there is not."""
        batch = self.batch_by_id.get(batch_id)
        return batch is not None and batch.state in CLOSED

    def weights(self, txn_id: int, book: str = ACQUIRER) -> Mapping[int, int]:
        """What a transaction weighs in the clearing account of a book, by batch id, adjustments left out."""
        found: dict[int, int] = defaultdict(int)
        for posting in self.postings_by_txn.get(txn_id, ()):
            if posting.book == book and is_clearing(posting) and posting.reason != "adjustment":
                found[posting.batch_id] += posting.amount
        return found

    def family_of(self, tid: str) -> str:
        """The dialect family of a terminal, "" when it is not known."""
        terminal = self.terminal_by_tid.get(tid)
        return self.family_named(terminal.dialect) if terminal else ""

    def profile_of(self, tid: str) -> Profile | None:
        """The switches under which a terminal is served, None when its dialect is not known here."""
        terminal = self.terminal_by_tid.get(tid)
        return self.profile_named(terminal.dialect) if terminal else None

    def family_named(self, dialect: str) -> str:
        """The family of a dialect, a user's own included, "" when it is not known."""
        profile = self.profiles.get(dialect)
        return profile.family if profile is not None else family_of(dialect)

    def profile_named(self, dialect: str) -> Profile | None:
        """The switches of a dialect, a user's own included, None when not even its family is known."""
        return self.profiles.get(dialect) or profile_of(dialect)

    @cached_property
    def latest(self) -> str:
        """The last moment that any row speaks of, "" for empty books: as near to «now» as rows can say."""
        moments = (row.at for rows in (self.messages, self.postings, self.issuer_legs) for row in rows[-1:])
        return max((*moments, *(txn.created_at for txn in self.txns[-1:])), default="")

    def terminal_books(self) -> dict[str, TerminalBook]:
        """The terminals' own journals that were handed over, the newest of each. Raises specs.journal.JournalError."""
        newest = {journal.tid: journal for journal in self.journals}
        return {tid: parse(journal.lines.splitlines()) for tid, journal in newest.items()}


_FIELD_OF: Mapping[type, str] = {
    Merchant: "merchants",
    Terminal: "terminals",
    Batch: "batches",
    Txn: "txns",
    Posting: "postings",
    Adjustment: "adjustments",
    Leg: "legs",
    IssuerAccount: "accounts",
    IssuerLeg: "issuer_legs",
    StagedItem: "staged",
    ExceptionItem: "exceptions",
    MessageRow: "messages",
    Alarm: "alarms",
    JournalUpload: "journals",
}


def _named(sorted_out: Mapping[type, dict[int, Row]]) -> Iterable[tuple[str, dict[int, Row]]]:
    return ((_FIELD_OF[row_class], by_id) for row_class, by_id in sorted_out.items())


def grouped(rows: Iterable[R], key: Callable[[R], K]) -> dict[K, list[R]]:
    """Rows by a key, order kept."""
    found: dict[K, list[R]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(found)


def is_clearing(posting: Posting) -> bool:
    """Whether a line stands in the clearing account, of whichever issuer ("issuer-clearing", "issuer-clearing:…")."""
    account = posting.account
    return account == CLEARING or account.startswith(_OF_ONE_ISSUER)


@cache
def family_of(dialect: str) -> str:
    """The family of a dialect by its name; of a user's own by how its name begins, "" when that says nothing."""
    if dialect in dialects.builtin():
        return dialects.load(dialect).family
    return next((name for name in dialects.FAMILIES if dialect.startswith(name)), "")


@cache
def profile_of(dialect: str) -> Profile | None:
    """The switches of a dialect; of a user's own those of its family, None when not even that is known."""
    name = dialect if dialect in dialects.builtin() else family_of(dialect)
    if not name:
        return None
    loaded = dialects.load(name)
    return profiles.profile_of(loaded.name, loaded.profile)


TEXTS_KEPT = 8_192
"""Texts whose meaning is kept: the same few stand in the books of every run that begins alike."""


@lru_cache(TEXTS_KEPT)
def fields_of(fields: str) -> Mapping[str, object]:
    """MessageRow.fields: number of the element -> what the log shows of it; empty when it is no JSON object."""
    try:
        found = json.loads(fields or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def running_of(batch: Batch) -> Mapping[str, tuple[int, int]]:
    """Batch.running: kind -> (count, amount), zero rows left out. Raises ValueError when it is no such JSON."""
    return _running_of(batch.running)


@lru_cache(TEXTS_KEPT)
def _running_of(running: str) -> Mapping[str, tuple[int, int]]:
    return {kind: (n, a) for kind, (n, a) in json.loads(running or "{}").items() if (n, a) != (0, 0)}


@lru_cache(TEXTS_KEPT)
def totals_of(text: str) -> Totals | None:
    """Batch.claimed or .answered; None before a settlement."""
    return Totals.from_json(json.loads(text)) if text else None


def name_batch(batch: Batch) -> str:
    """How a finding speaks of a batch."""
    return f"batch {batch.id} of {batch.tid}"


def describe(txn: Txn) -> str:
    """One line of evidence about a transaction."""
    return (
        f"txn {txn.id}: {txn.tid} STAN {txn.stan} {txn.kind} {txn.approved_amount or txn.amount} {txn.state}, "
        f"batch {txn.batch_id}, settlement {txn.settlement}, undone by {txn.undone_by or 'nothing'}"
    )
