"""What a reversal names, and the key that its tombstone is kept under (rules.md, sections 1 and 3). Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from host.engine.events import Request
from host.engine.identity import (
    batch_of_number,
    is_live,
    key_time,
    same_if_sent,
    same_processing,
    tombstone_fits,
    under_host_batch,
    under_wire_batch,
)
from host.engine.references import by_invoice, given, is_time_of, known, newest, own, ref_of
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.kinds import ADJUSTMENTS, VOIDS
from specs.profile import KeyScheme, Profile


@dataclass(frozen=True, slots=True)
class Named:
    """What a reversal names: at most one of the three. other: k exists, but not with this amount or type. by_invoice:
    txn has another STAN than the one that the reversal says, under which nothing has come yet."""

    txn: Txn | None = None
    tombstone: Txn | None = None
    other: Txn | None = None
    by_invoice: bool = False


@dataclass(frozen=True, slots=True)
class NamedKey:
    """The key as a reversal names it: what its tombstone is kept under (rules.md, section 3).

    transmitted: DE 7 of DE 90 (ISO 87), "" where no DE 90 says it.
    """

    stan: str
    transmitted: str = ""


def key_named_by_reversal(request: Request) -> NamedKey:
    """CUP, NAC: DE 11. ISO 87: STAN and DE 7 of DE 90; without it DE 11."""
    ref = ref_of(request)
    if request.profile.key_scheme is KeyScheme.LOCAL_TIME and given(ref.stan):
        return NamedKey(ref.stan, ref.transmitted if given(ref.transmitted) else "")
    return NamedKey(request.operation.stan)


def named_by_reversal(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """The transaction, the earlier tombstone, or the near miss that a reversal names; all None = unseen."""
    return _REVERSAL[request.profile.key_scheme](ws, terminal, request, now)


def _reversal_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """DE 11 + 60.2 + TID; DE 61 is ignored (one firmware writes its own number there)."""
    operation = request.operation
    found = under_wire_batch(ws, terminal, operation.batch or "", operation.stan)
    # A tombstone holds k whatever the content, so it and a transaction never stand side by side.
    tombstone = newest(t for t in found if t.state is TxnState.TOMBSTONE)
    txn = newest(known(found))
    if txn is None or amount_fits(txn, operation.amount):
        return Named(txn=txn, tombstone=None if txn else tombstone)
    return Named(other=txn)


def _reversal_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """TID, STAN, DE 3, DE 4 (+ DE 62, DE 37, PAN when sent), newest first, `reversal_days` back; a miss: TID, DE 62,
    DE 3, DE 4 in the open batch (an 0400 with its own STAN)."""
    operation, profile = request.operation, request.profile
    by_stan = own(terminal, ws.txns_by_stan(terminal.tid, operation.stan))
    exact = newest(t for t in _recent(known(by_stan), now, profile) if _nac_fits(t, request))
    if exact:
        return Named(txn=exact)
    # Before the invoice is tried: a repeated 0400 for a sale that never came must not hit the sale that was made in
    # its place under the same invoice number.
    tombstone = newest(t for t in by_stan if tombstone_fits(t, request, now))
    if tombstone:
        return Named(tombstone=tombstone)
    # An adjustment has the DE 3, the invoice and the amount of the void of its sale, and no terminal reverses one: the
    # reversal of a void that never came must not take it for the void.
    invoiced = (t for t in by_invoice(ws, terminal, operation) if is_live(ws, t) and t.kind not in ADJUSTMENTS)
    by_own_stan = newest(t for t in invoiced if t.stan != operation.stan and _nac_fits(t, request))
    if by_own_stan:
        return Named(txn=by_own_stan, by_invoice=True)
    return Named(other=newest(known(under_host_batch(ws, terminal, operation.stan, now, profile.dup_hours))))


def _reversal_by_de90(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """DE 90 (STAN, DE 7) + TID; DE 90 absent or zeros: DE 11 (+ DE 12 and 13 when both are sent)."""
    operation, key = request.operation, key_named_by_reversal(request)
    by_stan = own(terminal, ws.txns_by_stan(terminal.tid, key.stan))
    if given(ref_of(request).stan):
        fitting = [t for t in by_stan if is_time_of(t, key.transmitted)]
    else:
        time = key_time(operation.local_date + operation.local_time, "")
        fitting = [t for t in by_stan if t.state is TxnState.TOMBSTONE or same_if_sent(t.local_time, time)]
    recent = _recent(known(fitting), now, request.profile)
    named = newest(t for t in recent if amount_fits(t, operation.amount))
    if named is not None:
        return Named(txn=named)
    tombstone = newest(t for t in fitting if t.state is TxnState.TOMBSTONE and _same_tombstone(t, request, now))
    if tombstone is not None:
        return Named(tombstone=tombstone)
    return Named(other=newest(recent))


def _same_tombstone(tombstone: Txn, request: Request, now: datetime) -> bool:
    """A repeated reversal meets the tombstone that it made: by DE 7 of its DE 90, else as an original would."""
    key = key_named_by_reversal(request)
    if not (tombstone.transmitted and key.transmitted):
        return tombstone_fits(tombstone, request, now)
    since = now - timedelta(days=request.profile.tombstone_days)
    return tombstone.transmitted == key.transmitted and datetime.fromisoformat(tombstone.created_at) > since


_REVERSAL: Mapping[KeyScheme, Callable[[WorkingSet, Terminal, Request, datetime], Named]] = {
    KeyScheme.WIRE_BATCH: _reversal_by_wire_batch,
    KeyScheme.HOST_BATCH: _reversal_by_host_batch,
    KeyScheme.LOCAL_TIME: _reversal_by_de90,
}


def amount_fits(txn: Txn, amount: int | None) -> bool:
    """The requested or the approved amount (RC 10) of the original; a void may have been sent with 0 (NAC)."""
    fitting = {txn.amount, txn.approved_amount or txn.amount} | ({0} if txn.kind in VOIDS else set())
    return amount is None or amount in fitting


def _nac_fits(txn: Txn, request: Request) -> bool:
    operation = request.operation
    return (
        same_processing(txn.processing_code, operation.processing_code)
        and amount_fits(txn, operation.amount)
        and same_if_sent(txn.invoice, operation.invoice)
        and same_if_sent(txn.rrn, operation.rrn)
        and same_if_sent(txn.pan_hash, request.pan_hash)
    )


def batch_id_of_number(ws: WorkingSet, terminal: Terminal, request: Request) -> int:
    """The batch a tombstone is kept as long as: the latest generation of 60.2 (CUP), else the open one; 0 = none."""
    if request.profile.key_scheme is KeyScheme.WIRE_BATCH:
        batch = batch_of_number(ws, terminal, request.operation.batch or "")
    else:
        batch = ws.open_batch(terminal.tid)
    return batch.id if batch else 0


def _recent(txns: Iterable[Txn], now: datetime, profile: Profile) -> list[Txn]:
    since = now - timedelta(days=profile.reversal_days)
    return [t for t in txns if datetime.fromisoformat(t.created_at) > since]
