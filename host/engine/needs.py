"""What part of the books an event needs: natural keys only, so the store loads a group with a few queries. Pure."""

from __future__ import annotations

from host.engine.effects import EFFECTS
from host.engine.events import CloseBatch, Event, Expire, IssuerAnswer, LegOverdue, Record, Request
from host.engine.provisioning import TELLING_STANS_MAX
from host.engine.working import Needs
from specs.kinds import ADJUSTMENTS, RESERVATIONS, VOIDS
from specs.operation import Kind, OriginalRef
from specs.profile import KeyScheme

#: A sign-on may find a re-flashed terminal, whose open batch is then closed with all its items.
_WHOLE_BATCH = frozenset({Kind.SETTLE, Kind.UPLOAD, Kind.UPLOAD_END, Kind.TC_UPLOAD, Kind.SIGN_ON})
#: The first original or settlement after a sign-on that may be that of a re-flashed terminal closes it too.
_TELLING_STANS = frozenset(f"{number:06d}" for number in range(2, TELLING_STANS_MAX + 1))
_COMPLETIONS = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE})
#: Of the terminal itself, by RRN or invoice.
_NAMES_OWN = (
    VOIDS
    | ADJUSTMENTS
    | {Kind.REFUND, Kind.REVERSAL, Kind.PRE_AUTH_VOID, Kind.SCRIPT_RESULT, Kind.TC_UPLOAD, Kind.UPLOAD}
    | {Kind.OFFLINE_SALE}
)
#: Of any terminal of the merchant, by card. An offline sale may be the completion of a pre-authorisation (NAC).
_NAMES_BY_CARD = (RESERVATIONS - {Kind.PRE_AUTH}) | _COMPLETIONS | {Kind.REFUND, Kind.OFFLINE_SALE}


def needs(event: Event) -> Needs:
    """The keys of everything that deciding this event may read."""
    match event:
        case Request():
            return _of_request(event)
        case IssuerAnswer() | LegOverdue():
            return Needs(txn_ids={event.txn_id}, leg_ids={event.leg_id})
        case CloseBatch():
            return Needs(tids={event.tid}, batch_ids={event.batch_id}, items_of_tids={event.tid})
        case Expire():
            return Needs(tids={event.tid}, txn_ids={event.txn_id})
        case Record():
            return Needs()


def _of_request(request: Request) -> Needs:
    operation = request.operation
    tid, kind = operation.tid, operation.kind
    found = Needs(tids={tid})
    if operation.mid:
        found.mids.add(operation.mid)
    _add(found, tid, stan=operation.stan, batch=operation.batch or "")
    if kind in _WHOLE_BATCH or (operation.stan in _TELLING_STANS and kind in EFFECTS):
        found.items_of_tids.add(tid)
    if operation.day:
        found.days.add((tid, operation.day))
    if operation.original is not None:
        _add_ref(found, tid, operation.original)
    if kind in _NAMES_OWN:
        _add(found, tid, rrn=operation.rrn, invoice=operation.invoice)
    if kind in _NAMES_OWN or kind in _NAMES_BY_CARD:
        found.kin_of_tids.add(tid)
    if kind in _NAMES_BY_CARD and operation.mid:
        _of_merchant(found, request)
    for item in operation.items:
        _add_ref(found, tid, item.ref)
    return found


def _of_merchant(found: Needs, request: Request) -> None:
    """What any terminal of the merchant did. A message without DE 42 finds only what its own terminal did."""
    operation = request.operation
    mid, ref = operation.mid, operation.original or OriginalRef()
    if request.pan_hash:
        found.merchant_cards.add((mid, request.pan_hash))
    if rrn := (ref.rrn or operation.rrn).strip():
        found.merchant_rrns.add((mid, rrn))
    if operation.kind is Kind.REFUND and request.profile.key_scheme is not KeyScheme.HOST_BATCH and ref.stan.strip("0"):
        found.merchant_stans.add((mid, ref.stan))


def _add_ref(found: Needs, tid: str, ref: OriginalRef) -> None:
    _add(found, tid, stan=ref.stan, batch=ref.batch, rrn=ref.rrn, invoice=ref.invoice)


def _add(found: Needs, tid: str, *, stan: str = "", batch: str = "", rrn: str = "", invoice: str = "") -> None:
    if stan:
        found.stans.add((tid, stan))
    if batch:
        found.numbers.add((tid, batch))
    if rrn := rrn.strip():
        found.rrns.add((tid, rrn))
    if invoice := invoice.strip():
        found.invoices.add((tid, invoice))
