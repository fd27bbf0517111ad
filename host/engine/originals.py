"""Which original a void or a reversal names, per key scheme (rules.md, section 1). Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from host.engine.events import Request
from host.engine.identity import (
    batch_of_number,
    is_live,
    same_if_sent,
    same_processing,
    tombstone_fits,
    under_host_batch,
    under_wire_batch,
)
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.operation import Kind, OriginalRef
from specs.profile import KeyScheme

# ---- void: «void» row of the table


def named_by_void(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """The original that a void names, whatever has become of it; None = 25. Its own TID only."""
    return _VOID[request.profile.key_scheme](ws, terminal, request)


def _void_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """DE 61 batch + STAN, TID; DE 37 must agree when sent."""
    ref = request.operation.original or OriginalRef()
    rrn = ref.rrn or request.operation.rrn
    found = under_wire_batch(ws, terminal, ref.batch, ref.stan) if ref.stan.strip("0") else []
    return _newest(t for t in _known(found) if same_if_sent(t.rrn, rrn))


def _void_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """TID, DE 37; else DE 62 + DE 4 (0 allowed) in the open batch."""
    operation = request.operation
    ref = operation.original or OriginalRef()
    rrn = (ref.rrn or operation.rrn).strip()
    own = [t for t in _known(ws.all(Txn)) if t.tid == terminal.tid and t.epoch == terminal.epoch]
    if rrn:
        return _newest(t for t in own if t.rrn == rrn)
    invoice = (ref.invoice or operation.invoice).strip()
    sales = [t for t in own if invoice and t.invoice.strip() == invoice and t.kind == Kind.SALE and is_live(ws, t)]
    fitting = [t for t in sales if not operation.amount or t.approved_amount == operation.amount]
    captured = [t for t in fitting if t.state is TxnState.CAPTURED]
    return _newest(captured or fitting)


_VOID: Mapping[KeyScheme, Callable[[WorkingSet, Terminal, Request], Txn | None]] = {
    KeyScheme.WIRE_BATCH: _void_by_wire_batch,
    KeyScheme.HOST_BATCH: _void_by_host_batch,
}


# ---- reversal: «reversal» row of the table


@dataclass(frozen=True, slots=True)
class Named:
    """What a reversal names: at most one of the three. other: k exists, but not with this amount or type."""

    txn: Txn | None = None
    tombstone: Txn | None = None
    other: Txn | None = None


def named_by_reversal(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """The transaction, the earlier tombstone, or the near miss that a reversal names; all None = unseen."""
    return _REVERSAL[request.profile.key_scheme](ws, terminal, request, now)


def _reversal_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """DE 11 + 60.2 + TID; DE 61 is ignored (one firmware writes its own number there)."""
    operation = request.operation
    found = under_wire_batch(ws, terminal, operation.batch or "", operation.stan)
    # A tombstone holds k whatever the content, so it and a transaction never stand side by side.
    tombstone = _newest(t for t in found if t.state is TxnState.TOMBSTONE)
    txn = _newest(_known(found))
    if txn is None or amount_fits(txn, operation.amount):
        return Named(txn=txn, tombstone=None if txn else tombstone)
    return Named(other=txn)


def _reversal_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Named:
    """TID, STAN, DE 3, DE 4 (+ DE 62, DE 37, PAN when sent), newest first, `reversal_days` back; a miss: TID, DE 62,
    DE 3, DE 4 in the open batch (an 0400 with its own STAN)."""
    operation, profile = request.operation, request.profile
    since = now - timedelta(days=profile.reversal_days)
    by_stan = [t for t in ws.txns_by_stan(terminal.tid, operation.stan) if t.epoch == terminal.epoch]
    known = [t for t in _known(by_stan) if datetime.fromisoformat(t.created_at) > since]
    exact = _newest(t for t in known if _nac_fits(t, request))
    if exact:
        return Named(txn=exact)
    # Before the invoice is tried: a repeated 0400 for a sale that never came must not hit the sale that was made in
    # its place under the same invoice number.
    tombstone = _newest(t for t in by_stan if tombstone_fits(t, request, now, profile.tombstone_hours))
    if tombstone:
        return Named(tombstone=tombstone)
    invoice = operation.invoice.strip()
    by_invoice = (
        t
        for t in _known(ws.all(Txn))
        if invoice and (t.tid, t.epoch, t.invoice.strip()) == (terminal.tid, terminal.epoch, invoice) and is_live(ws, t)
    )
    by_own_stan = _newest(t for t in by_invoice if t.stan != operation.stan and _nac_fits(t, request))
    if by_own_stan:
        return Named(txn=by_own_stan)
    return Named(other=_newest(_known(under_host_batch(ws, terminal, operation.stan, now, profile.dup_hours))))


_REVERSAL: Mapping[KeyScheme, Callable[[WorkingSet, Terminal, Request, datetime], Named]] = {
    KeyScheme.WIRE_BATCH: _reversal_by_wire_batch,
    KeyScheme.HOST_BATCH: _reversal_by_host_batch,
}


def amount_fits(txn: Txn, amount: int | None) -> bool:
    """The requested or the approved amount (RC 10) of the original; a void may have been sent with 0 (NAC)."""
    fitting = {txn.amount, txn.approved_amount or txn.amount} | ({0} if txn.kind == Kind.VOID else set())
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


def _known(txns: Iterable[Txn]) -> list[Txn]:
    """Originals; a tombstone is none."""
    return [t for t in txns if t.state is not TxnState.TOMBSTONE]


def _newest(txns: Iterable[Txn]) -> Txn | None:
    return max(txns, key=lambda t: t.id, default=None)


def batch_id_of_number(ws: WorkingSet, terminal: Terminal, request: Request) -> int:
    """The batch a tombstone is kept as long as: the latest generation of 60.2 (CUP), else the open one; 0 = none."""
    if request.profile.key_scheme is KeyScheme.WIRE_BATCH:
        batch = batch_of_number(ws, terminal, request.operation.batch or "")
    else:
        batch = ws.open_batch(terminal.tid)
    return batch.id if batch else 0
