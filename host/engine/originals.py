"""Which original a message names, per key scheme: one function for each row of the table in rules.md, section 1.

Reads only, and judges nothing but the rows that the table itself excludes: what has become of the named transaction
(25, 12, 64 of section 8) is for the caller. CUP names by batch and STAN (DE 61), NAC by RRN (DE 37) or invoice (DE 62),
ISO 87 by DE 90; a pre-authorisation is found by merchant, card and approval code, on any terminal of the merchant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from host.engine.events import Request
from host.engine.identity import is_live, same_if_sent, under_wire_batch
from host.engine.named_refund import RefundOf as RefundOf
from host.engine.named_refund import named_by_refund as named_by_refund
from host.engine.named_reversal import Named as Named
from host.engine.named_reversal import NamedKey as NamedKey
from host.engine.named_reversal import amount_fits as amount_fits
from host.engine.named_reversal import batch_id_of_number as batch_id_of_number
from host.engine.named_reversal import key_named_by_reversal as key_named_by_reversal
from host.engine.named_reversal import named_by_reversal as named_by_reversal
from host.engine.references import (
    STANDS,
    best,
    by_de90,
    by_invoice,
    given,
    invoice_of,
    is_time_of,
    known,
    mid_of,
    newest,
    on_date,
    own,
    ref_of,
    rrn_of,
)
from host.engine.related import standing
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.kinds import DEBITS, RESERVATIONS, Kind
from specs.profile import KeyScheme

Find = Callable[[WorkingSet, Terminal, Request], "Txn | None"]


# ---- void: «void» row of the table


def named_by_void(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """The original that a void names, whatever has become of it; None = 25. Its own TID only.

    Of a sale, a completion, an offline sale, in NAC and ISO 87 of a refund too. CUP and an RRN may name the sale or its
    adjustment (related.py leads from one to the other); an invoice names the sale.
    """
    return _VOID[request.profile.key_scheme](ws, terminal, request)


def _void_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """DE 61 batch + STAN, TID; DE 37 must agree when sent."""
    ref, rrn = ref_of(request), rrn_of(request.operation)
    found = under_wire_batch(ws, terminal, ref.batch, ref.stan) if given(ref.stan) else []
    return newest(t for t in known(found) if same_if_sent(t.rrn, rrn))


def _void_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """TID, DE 37; else DE 62 + DE 4 (0 allowed) in the open batch. DE 3 says whether a sale or a refund is meant."""
    operation = request.operation
    rrn = rrn_of(operation)
    if rrn:
        return newest(own(terminal, known(ws.txns_by_rrn(rrn))))
    wanted = {Kind.REFUND} if operation.processing_code[:2] == _VOID_OF_REFUND else DEBITS
    named = [t for t in by_invoice(ws, terminal, operation) if t.kind in wanted and is_live(ws, t)]
    fitting = [t for t in named if operation.amount in (None, 0, standing(ws, t).approved_amount)]
    return newest([t for t in fitting if standing(ws, t).state in STANDS] or fitting)


def _void_by_de90(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """DE 90, TID; its MTI is 02x0 or 02x1."""
    return newest(by_de90(ws, terminal, request, "02"))


_VOID_OF_REFUND = "22"
_VOID: Mapping[KeyScheme, Find] = {
    KeyScheme.WIRE_BATCH: _void_by_wire_batch,
    KeyScheme.HOST_BATCH: _void_by_host_batch,
    KeyScheme.LOCAL_TIME: _void_by_de90,
}


# ---- tip, adjustment


def named_by_adjust(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Txn | None:
    """The sale (or its last adjustment) that a tip or an adjustment names; None = 25. Its own TID only.

    CUP: DE 61 batch + STAN. NAC: DE 37, else DE 62, first in the open batch. ISO 87: DE 90 (MTI 02x0).
    """
    return _ADJUST[request.profile.key_scheme](ws, terminal, request)


def _adjust_by_host_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    rrn = rrn_of(request.operation)
    if rrn:
        return newest(own(terminal, known(ws.txns_by_rrn(rrn))))
    named = [t for t in by_invoice(ws, terminal, request.operation) if t.kind in DEBITS]
    named = [t for t in named if is_live(ws, t)] or named  # invoice numbers serve again
    return newest([t for t in named if t.state in STANDS] or named)


_ADJUST: Mapping[KeyScheme, Find] = {
    KeyScheme.WIRE_BATCH: _void_by_wire_batch,
    KeyScheme.HOST_BATCH: _adjust_by_host_batch,
    KeyScheme.LOCAL_TIME: _void_by_de90,
}


# ---- completion, increment and void of a pre-authorisation


def named_by_completion(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Txn | None:
    """The pre-authorisation that a completion names, of any batch and any terminal of the merchant; None = 25.

    MID, PAN, DE 38 and, in CUP, the date of DE 61 (0000 = any); ISO 87: DE 90 (MTI 01xx) before that. A live one comes
    before a completed, voided or expired one, then the newest. Without DE 38 nothing is named. DE 90 may name one of
    its increments instead.
    """
    return _preauth_by_de90(ws, terminal, request) or _preauth_by_card(ws, terminal, request, with_code=True)


def named_by_preauth_void(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Txn | None:
    """The pre-authorisation that its void names; None = 25. CUP: as completion. NAC: DE 37, else DE 62; then, and in
    ISO 87 where DE 90 names none, as completion."""
    scheme, operation = request.profile.key_scheme, request.operation
    rrn = rrn_of(operation)
    if scheme is KeyScheme.HOST_BATCH and rrn:
        mid = mid_of(terminal, operation)
        return best(t for t in ws.txns_by_rrn(rrn) if t.mid == mid and t.kind == Kind.PRE_AUTH)
    if scheme is KeyScheme.HOST_BATCH and invoice_of(operation):
        named = best(t for t in by_invoice(ws, terminal, operation) if t.kind == Kind.PRE_AUTH)
        if named is not None:
            return named
    return named_by_completion(ws, terminal, request, now)


def named_by_increment(ws: WorkingSet, terminal: Terminal, request: Request, now: datetime) -> Txn | None:
    """The live pre-authorisation that grows: MID, PAN, DE 38 if sent, the newest; ISO 87: DE 90 before that. None = 25.

    One named by DE 90 is given back whatever has become of it.
    """
    named = _preauth_by_de90(ws, terminal, request)
    if named is not None:
        return named
    found = _preauth_by_card(ws, terminal, request, with_code=False)
    return found if found is not None and found.state is TxnState.AUTHORISED else None


def _preauth_by_de90(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    if request.profile.key_scheme is not KeyScheme.LOCAL_TIME:
        return None
    return best(t for t in by_de90(ws, terminal, request, "01") if t.kind in RESERVATIONS - {Kind.PRE_AUTH_VOID})


def _preauth_by_card(ws: WorkingSet, terminal: Terminal, request: Request, *, with_code: bool) -> Txn | None:
    operation, ref = request.operation, ref_of(request)
    auth_code = (ref.auth_code or operation.auth_code).strip()
    if not request.pan_hash or (with_code and not auth_code):
        return None
    return best(
        t
        for t in ws.txns_of_card(mid_of(terminal, operation), request.pan_hash)
        if t.kind == Kind.PRE_AUTH and t.auth_code and same_if_sent(t.auth_code, auth_code) and on_date(t, ref.date)
    )


# ---- script result and the like: evidence of an earlier transaction


def named_by_evidence(ws: WorkingSet, terminal: Terminal, request: Request) -> Txn | None:
    """The transaction that a script result or a TC is about; None = unknown. Its own TID, of this epoch.

    By the original that it names (batch and STAN, RRN, invoice, DE 90), else by its own STAN and batch; newest first.
    """
    operation, ref = request.operation, ref_of(request)
    scheme = request.profile.key_scheme
    stan = ref.stan if given(ref.stan) else operation.stan
    batch = ref.batch if given(ref.batch) else operation.batch or ""
    if scheme is KeyScheme.WIRE_BATCH:
        return newest(known(under_wire_batch(ws, terminal, batch, stan)))
    by_stan = own(terminal, known(ws.txns_by_stan(terminal.tid, stan)))
    if scheme is KeyScheme.LOCAL_TIME:
        return newest(t for t in by_stan if is_time_of(t, ref.transmitted))
    rrn = rrn_of(operation)
    by_rrn = own(terminal, known(ws.txns_by_rrn(rrn))) if rrn else []
    return newest(by_rrn or by_stan or by_invoice(ws, terminal, operation))
