"""The sale that a refund gives back from: named, or chosen by the host (rules.md, section 1, rule R). Reads only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from host.engine.events import Request
from host.engine.references import given, is_time_of, mid_of, newest, on_date, ref_of, rrn_of
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.kinds import ADJUSTMENTS, DEBITS
from specs.operation import Operation
from specs.profile import KeyScheme

REFUND_DAYS = 400
"""How far back a refund looks for a sale of the same card; one that names its sale by RRN looks back without end."""


class RefundOf(NamedTuple):
    """The sale that a refund gives back from. by_rule: the message names none, rule R of the dialect's profile decided
    (`refund.unreferenced`): "card" gives a sale or None, "refuse" and "accept" None."""

    txn: Txn | None
    by_rule: bool


def named_by_refund(
    ws: WorkingSet, terminal: Terminal, request: Request, now: datetime, left: Callable[[Txn], int]
) -> RefundOf:
    """The sale that a refund gives back from, on any terminal of the merchant (rules.md, section 1, row and rule R).

    left: how much of a sale has not been refunded yet, minor units. A sale that the message names is handed over
    whatever its state and rest; one that the host chooses (rule R) is captured and has enough left. A reference that
    names nothing is 25 and not a case for rule R, except in ISO 87, where terminals make a DE 37 of their own. Rule R
    gives the newest sale when none has enough left: the caller finds that out as it does for a named one (64).
    """
    reference = _REFUND[request.profile.key_scheme](ws, terminal, request)
    if reference is not None:
        return reference
    return _rule_r(ws, terminal, request, now, left)


def _refund_by_wire_batch(ws: WorkingSet, terminal: Terminal, request: Request) -> RefundOf | None:
    """DE 37 + MID; else DE 61 (with date) + MID."""
    operation, ref = request.operation, ref_of(request)
    if rrn_of(operation):
        return _named(_by_rrn_and_mid(ws, terminal, operation))
    mid = mid_of(terminal, operation)
    return _named(
        t
        for t in ws.all(Txn)
        if given(ref.stan)
        and given(ref.date)
        and (t.mid, t.stan, t.wire_batch) == (mid, ref.stan, ref.batch)
        and _refundable(t)
        and on_date(t, ref.date)
    )


def _refund_by_rrn(ws: WorkingSet, terminal: Terminal, request: Request) -> RefundOf | None:
    """DE 37 + MID; none: rule R."""
    return _named(_by_rrn_and_mid(ws, terminal, request.operation)) if rrn_of(request.operation) else None


def _refund_by_de90(ws: WorkingSet, terminal: Terminal, request: Request) -> RefundOf | None:
    """DE 90 or DE 37, with MID; none: rule R. A DE 90 names its own terminal's sale first."""
    operation, ref = request.operation, ref_of(request)
    if given(ref.stan):
        mid = mid_of(terminal, operation)
        found = [t for t in ws.all(Txn) if (t.mid, t.stan) == (mid, ref.stan) and _refundable(t)]
        fitting = [t for t in found if is_time_of(t, ref.transmitted)]
        return _named([t for t in fitting if t.tid == terminal.tid] or fitting)
    found = _by_rrn_and_mid(ws, terminal, operation) if rrn_of(operation) else []
    return _named(found) if found else None


def _by_rrn_and_mid(ws: WorkingSet, terminal: Terminal, operation: Operation) -> list[Txn]:
    mid = mid_of(terminal, operation)
    return [t for t in ws.txns_by_rrn(rrn_of(operation)) if t.mid == mid and _refundable(t)]


def _named(found: Iterable[Txn]) -> RefundOf:
    return RefundOf(newest(found), by_rule=False)


def _rule_r(
    ws: WorkingSet, terminal: Terminal, request: Request, now: datetime, left: Callable[[Txn], int]
) -> RefundOf:
    """The newest captured sale of the same merchant and card with enough left; none 25, too little left 64."""
    operation = request.operation
    if request.profile.refund_unreferenced != "card" or not request.pan_hash:
        return RefundOf(None, by_rule=True)
    since = now - timedelta(days=REFUND_DAYS)
    sales = [
        t
        for t in ws.txns_of_card(mid_of(terminal, operation), request.pan_hash)
        if t.kind in DEBITS and t.state is TxnState.CAPTURED and datetime.fromisoformat(t.created_at) > since
    ]
    enough = newest(t for t in sales if left(t) >= (operation.amount or 0))
    return RefundOf(enough or newest(sales), by_rule=True)


_REFUND: Mapping[KeyScheme, Callable[[WorkingSet, Terminal, Request], RefundOf | None]] = {
    KeyScheme.WIRE_BATCH: _refund_by_wire_batch,
    KeyScheme.HOST_BATCH: _refund_by_rrn,
    KeyScheme.LOCAL_TIME: _refund_by_de90,
}


def _refundable(txn: Txn) -> bool:
    """Whether a refund can mean this row at all."""
    return txn.kind in DEBITS | ADJUSTMENTS and txn.state is not TxnState.TOMBSTONE
