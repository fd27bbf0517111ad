"""What «the same transaction» means: the key k of an original per scheme, the same content, and the duplicate table.

The only place that says so (rules.md, sections 1 and 2). Class «original» is every 01xx and 02xx; the repeat digit is
not part of it. An 04xx and an upload item have no key of their own: originals.py finds what they name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from json.encoder import encode_basestring_ascii as quoted

from host.engine.events import Request
from host.engine.working import WorkingSet
from host.rows import Batch, BatchState, Terminal, Txn, TxnState
from specs.codes import TRANSIENT
from specs.operation import Operation
from specs.profile import KeyScheme

LIVE_BATCH = (BatchState.OPEN, BatchState.DISPUTED)
_TIME_DIGITS = 10
"""MMDDhhmmss."""


# ---- content


def content_of(request: Request) -> dict[str, str]:
    """What is compared to tell a repeat from another transaction under the same key.

    Shape: name -> value as the dialect reads it (DE 3, 60.1, DE 49 …), plus kind, amount and the card's keyed hash.
    The clear card number never gets in, whatever name the dialect gave it.
    """
    operation = request.operation
    pan = operation.card.pan if operation.card else ""
    found = {name: value for name, value in operation.content if name != "pan" and not (pan and value == pan)}
    found["kind"] = operation.kind.value
    if operation.amount is not None:
        found["amount"] = str(operation.amount)
    if request.pan_hash:
        found["pan"] = request.pan_hash
    return found


def stored_content(request: Request) -> str:
    """`content_of` as the row keeps it: JSON, keys in order, so equal content is equal text."""
    content = content_of(request)
    # As json.dumps(content, sort_keys=True): an object of nothing but texts needs no encoder of its own.
    return "{" + ", ".join([f"{quoted(name)}: {quoted(content[name])}" for name in sorted(content)]) + "}"


def same_content(stored: str, now: Mapping[str, str]) -> bool:
    """Whether all that both sides carry is equal; what is absent on one side is not compared (rules.md, section 1)."""
    then = json.loads(stored or "{}")
    return all(then[name] == now[name] for name in then.keys() & now.keys())


def same_processing(one: str, other: str) -> bool:
    """DE 3 digits 1-2; not compared when one side has none (account types differ from terminal to terminal)."""
    return not one or not other or one[:2] == other[:2]


def same_if_sent(one: str, other: str) -> bool:
    """Equal, or absent on one side."""
    return not one or not other or one.strip() == other.strip()


# ---- the key


@dataclass(frozen=True, slots=True)
class Match:
    """What is stored under the key of an arriving original. same: content. live: its batch is open or disputed."""

    txn: Txn
    same: bool
    live: bool


def find(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Match | None:
    """What is stored under the key of this original, in the scheme's scope of search."""
    matches = [*_FINDERS[request.profile.key_scheme](ws, terminal, request, now)]
    if len(matches) < 2:
        return matches[0] if matches else None
    # The same content first, then the open batch, then the newest: an old namesake never hides the real one.
    return max(matches, key=lambda m: (m.same, m.live, m.txn.id))


def under_wire_batch(ws: WorkingSet, terminal: Terminal, number: str, stan: str) -> list[Txn]:
    """TID, DE 60.2, STAN: within the latest generation of that number, open or closed, of this epoch."""
    found = ws.txns_by_stan(terminal.tid, stan)
    if not found:
        return []
    batch = batch_of_number(ws, terminal, number)
    return [t for t in found if t.epoch == terminal.epoch and t.wire_batch == number and _of_generation(t, batch)]


def batch_of_number(ws: WorkingSet, terminal: Terminal, number: str) -> Batch | None:
    """The latest generation of a wire number in this epoch."""
    batch = ws.batch_numbered(terminal.tid, number)
    return batch if batch is not None and batch.epoch == terminal.epoch else None


def _of_generation(txn: Txn, batch: Batch | None) -> bool:
    """A row of no batch (a tombstone or a refusal for a number not yet opened) counts for the number's next batch; an
    advice carried out of a closed one, or before its number was opened at all, keeps its key (rules.md, section 4)."""
    if batch is None or txn.batch_id in (0, batch.id):
        return True
    return txn.carried and (txn.batch_id > batch.id or batch.generation == 1)


def under_host_batch(ws: WorkingSet, terminal: Terminal, stan: str, now: datetime, hours: int) -> list[Txn]:
    """TID, STAN: in the host's open batch, or in batches closed less than `hours` ago, of this epoch."""
    return [
        t
        for t in ws.txns_by_stan(terminal.tid, stan)
        if t.epoch == terminal.epoch and (is_live(ws, t) or _closed_at(ws, t) > now - timedelta(hours=hours))
    ]


def is_live(ws: WorkingSet, txn: Txn) -> bool:
    """Whether its batch is open or disputed."""
    batch = ws.get(Batch, txn.batch_id)
    return batch is not None and batch.state in LIVE_BATCH


def _closed_at(ws: WorkingSet, txn: Txn) -> datetime:
    """When its batch closed; a row of no batch counts from its own birth."""
    batch = ws.get(Batch, txn.batch_id)
    return datetime.fromisoformat(batch.closed_at if batch is not None and batch.closed_at else txn.created_at)


def key_time(local: str, transmitted: str) -> str:
    """The time in an ISO 87 key: DE 13 + DE 12 when both are there, else DE 7; "" = the message carries none."""
    return local if len(local) == _TIME_DIGITS else transmitted


def time_of(txn: Txn) -> str:
    """`key_time` of a stored transaction."""
    return key_time(txn.local_time, txn.transmitted)


def tombstone_fits(tombstone: Txn, request: Request, now: datetime) -> bool:
    """NAC: TID, STAN, DE 3, DE 4 (+ DE 62, PAN when carried), for `tombstone_hours`; ISO 87: TID, STAN, DE 7 of DE 90
    for `tombstone_days`, as NAC when the reversal had no DE 90 (rules.md, section 3). TID and STAN are the caller's."""
    operation, profile = request.operation, request.profile
    if tombstone.state is not TxnState.TOMBSTONE:
        return False
    by_time = profile.key_scheme is KeyScheme.LOCAL_TIME and tombstone.transmitted != ""
    kept = timedelta(days=profile.tombstone_days) if by_time else timedelta(hours=profile.tombstone_hours)
    if datetime.fromisoformat(tombstone.created_at) <= now - kept:
        return False
    if by_time:
        return tombstone.transmitted in (operation.transmitted, operation.local_date + operation.local_time)
    return (
        tombstone.amount == (operation.amount or 0)
        and same_processing(tombstone.processing_code, operation.processing_code)
        and same_if_sent(tombstone.invoice, operation.invoice)
        and same_if_sent(tombstone.pan_hash, request.pan_hash)
    )


def _find_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Iterable[Match]:
    operation = request.operation
    for txn in under_wire_batch(ws, terminal, operation.batch or "", operation.stan):
        same = txn.state is TxnState.TOMBSTONE or same_content(txn.content, content_of(request))
        yield Match(txn, same, is_live(ws, txn))


def _find_tombstones(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Iterable[Match]:
    """A tombstone that the original fits holds its key, whatever else is under the STAN."""
    for txn in ws.txns_by_stan(terminal.tid, request.operation.stan):
        if txn.epoch == terminal.epoch and tombstone_fits(txn, request, now):
            yield Match(txn, same=True, live=is_live(ws, txn))


def _find_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Iterable[Match]:
    yield from _find_tombstones(ws, terminal, request, now)
    for txn in under_host_batch(ws, terminal, request.operation.stan, now, request.profile.dup_hours):
        if txn.state is not TxnState.TOMBSTONE:
            yield Match(txn, same_content(txn.content, content_of(request)), is_live(ws, txn))


def _find_by_local_time(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Iterable[Match]:
    """A number that wrapped is told by its time: another time is another key, in the open batch too."""
    operation, profile = request.operation, request.profile
    time = key_time(operation.local_date + operation.local_time, operation.transmitted)
    if not time:
        yield from _find_by_host_batch(ws, terminal, request, now)
        return
    yield from _find_tombstones(ws, terminal, request, now)
    for txn in under_local_time(ws, terminal, operation.stan, time, now, profile.dup_days):
        yield Match(txn, same_content(txn.content, content_of(request)), is_live(ws, txn))


def under_local_time(ws: WorkingSet, terminal: Terminal, stan: str, time: str, now: datetime, days: int) -> list[Txn]:
    """TID, STAN and time of the key: originals of the open batch or of the last `days`, of this epoch."""
    since = now - timedelta(days=days)
    return [
        t
        for t in ws.txns_by_stan(terminal.tid, stan)
        if t.epoch == terminal.epoch
        and t.state is not TxnState.TOMBSTONE
        and time_of(t) == time
        and (datetime.fromisoformat(t.created_at) > since or is_live(ws, t))
    ]


_FINDERS: Mapping[KeyScheme, Callable[[WorkingSet, Terminal, Request, datetime], Iterable[Match]]] = {
    KeyScheme.WIRE_BATCH: _find_by_wire_batch,
    KeyScheme.HOST_BATCH: _find_by_host_batch,
    KeyScheme.LOCAL_TIME: _find_by_local_time,
}


# ---- the duplicate table (rules.md, section 2)


class Prior(StrEnum):
    """What is stored under k, as far as a duplicate cares."""

    NOTHING = "nothing"
    PENDING = "pending"
    ANSWERED = "answered"  # approved (live, captured, voided, expired) or declined
    TRANSIENT = "transient"  # declined with 68, 91, 96 or 98
    UNDONE = "undone"  # reversed or tombstoned


class Ruling(StrEnum):
    """What to do with an arriving original."""

    DECIDE = "decide it now"
    JOIN = "same answer, after the commit, on its own connection"
    REPLAY = "replay"
    UNDONE = "12"
    TWICE = "request 94, alarm «STAN twice»"
    TWICE_ADVICE = "advice 12, alarm «STAN twice»"
    CLOSED = "request 22"
    CLOSED_ADVICE = "advice 12"


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """One row; None = does not matter."""

    priors: frozenset[Prior]
    ruling: Ruling
    same: bool | None = None
    live: bool | None = None
    advice: bool | None = None
    scheme: KeyScheme | None = None

    def fits(self, prior: Prior, *, same: bool, live: bool, advice: bool, scheme: KeyScheme) -> bool:
        """Whether this row decides; a column that is None takes any value."""
        wanted = ((self.same, same), (self.live, live), (self.advice, advice), (self.scheme, scheme))
        return prior in self.priors and all(want is None or want == got for want, got in wanted)


_SEEN = frozenset(Prior) - {Prior.NOTHING}

#: A delivery that ended in 30, 97, 03, 89, 99, A0 or 63 has left no row: for k it is «nothing stored».
DUPLICATES: tuple[DuplicateRow, ...] = (
    DuplicateRow(frozenset({Prior.NOTHING}), Ruling.DECIDE),
    DuplicateRow(frozenset({Prior.PENDING}), Ruling.JOIN, same=True),
    DuplicateRow(frozenset({Prior.ANSWERED}), Ruling.REPLAY, same=True),
    DuplicateRow(frozenset({Prior.TRANSIENT}), Ruling.REPLAY, same=True, advice=False),
    DuplicateRow(frozenset({Prior.TRANSIENT}), Ruling.DECIDE, same=True, advice=True),
    DuplicateRow(frozenset({Prior.UNDONE}), Ruling.UNDONE, same=True),
    DuplicateRow(_SEEN, Ruling.TWICE, same=False, live=True, advice=False),
    DuplicateRow(_SEEN, Ruling.TWICE_ADVICE, same=False, live=True, advice=True),
    DuplicateRow(_SEEN, Ruling.CLOSED, same=False, live=False, advice=False, scheme=KeyScheme.WIRE_BATCH),
    DuplicateRow(_SEEN, Ruling.CLOSED_ADVICE, same=False, live=False, advice=True, scheme=KeyScheme.WIRE_BATCH),
    DuplicateRow(_SEEN, Ruling.DECIDE, same=False, live=False, scheme=KeyScheme.HOST_BATCH),
    DuplicateRow(_SEEN, Ruling.DECIDE, same=False, live=False, scheme=KeyScheme.LOCAL_TIME),
)


def prior_of(match: Match | None) -> Prior:
    """What the key met in the books, as the table of duplicates has it."""
    if match is None:
        return Prior.NOTHING
    state = match.txn.state
    if state is TxnState.PENDING:
        return Prior.PENDING
    if state in (TxnState.REVERSED, TxnState.TOMBSTONE):
        return Prior.UNDONE
    declined = state is TxnState.DECLINED
    return Prior.TRANSIENT if declined and match.txn.response_code in TRANSIENT else Prior.ANSWERED


def rule(match: Match | None, operation: Operation, scheme: KeyScheme) -> Ruling:
    """The row of the duplicate table for this arrival."""
    same, live = (match.same, match.live) if match else (False, False)
    return _ruling(prior_of(match), same, live, operation.happened, scheme)


@cache  # as many entries as the table can be asked questions, some hundred
def _ruling(prior: Prior, same: bool, live: bool, advice: bool, scheme: KeyScheme) -> Ruling:
    return next(row.ruling for row in DUPLICATES if row.fits(prior, same=same, live=live, advice=advice, scheme=scheme))
