"""What part of the books an event needs: natural keys only, so the store loads a group with a few queries. Pure."""

from __future__ import annotations

from host.engine.events import CloseBatch, Event, IssuerAnswer, LegOverdue, Record, Request
from host.engine.working import Needs
from specs.operation import Kind, OriginalRef

#: A sign-on may find a re-flashed terminal, whose open batch is then closed with all its items.
_WHOLE_BATCH = frozenset({Kind.SETTLE, Kind.UPLOAD, Kind.UPLOAD_END, Kind.SIGN_ON})
_NAMES_AN_ORIGINAL = frozenset({Kind.VOID, Kind.REFUND, Kind.REVERSAL})


def needs(event: Event) -> Needs:
    """The keys of everything that deciding this event may read."""
    match event:
        case Request():
            return _of_request(event)
        case IssuerAnswer() | LegOverdue():
            return Needs(txn_ids={event.txn_id}, leg_ids={event.leg_id})
        case CloseBatch():
            return Needs(tids={event.tid}, batch_ids={event.batch_id}, items_of_tids={event.tid})
        case Record():
            return Needs()


def _of_request(request: Request) -> Needs:
    operation = request.operation
    tid = operation.tid
    found = Needs(tids={tid})
    if operation.mid:
        found.mids.add(operation.mid)
    _add(found, tid, OriginalRef(stan=operation.stan, batch=operation.batch or ""))
    if operation.kind in _WHOLE_BATCH:
        found.items_of_tids.add(tid)
    if operation.kind in _NAMES_AN_ORIGINAL:
        _add(found, tid, operation.original or OriginalRef())
        _add(found, tid, OriginalRef(rrn=operation.rrn, invoice=operation.invoice))
    for item in operation.items:
        _add(found, tid, item.ref)
    return found


def _add(found: Needs, tid: str, ref: OriginalRef) -> None:
    for keys, value in (
        (found.stans, ref.stan),
        (found.numbers, ref.batch),
        (found.rrns, ref.rrn.strip()),
        (found.invoices, ref.invoice.strip()),
    ):
        if value:
            keys.add((tid, value))
