"""Which transactions belong together, and what each of them weighs in the acquirer's book. Reads only.

A sale and its adjustments are a chain: the newest live adjustment stands in the place of all before it. Whatever names
another transaction as its original is its child: adjustments, voids and refunds of a sale, increments, completions and
voids of a pre-authorisation. An adjustment's original is the sale, not the adjustment before it.
"""

from __future__ import annotations

from host.engine.working import WorkingSet
from host.rows import Txn, TxnState
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind

LIVE = frozenset({TxnState.CAPTURED, TxnState.AUTHORISED})
"""Approved, and not taken back."""
COMPLETIONS = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE})
_CHAINED = LIVE | {TxnState.VOIDED}
_MONEY = frozenset({"credit", "debit-again"})
"""Purposes of a void's leg that move what was captured; a release or a hold moves nothing in the acquirer's book."""


def root(ws: WorkingSet, txn: Txn) -> Txn:
    """The sale behind an adjustment, the pre-authorisation behind an increment; else the transaction itself."""
    if txn.kind not in (*ADJUSTMENTS, Kind.PRE_AUTH_INCREMENT) or not txn.original_id:
        return txn
    found = ws.txn(txn.original_id)
    assert found is not None, f"{txn.kind} {txn.id}: original {txn.original_id} is not loaded"
    return found


def chain(ws: WorkingSet, sale: Txn) -> list[Txn]:
    """A sale and its live adjustments, oldest first."""
    return [sale, *(t for t in ws.acting_on(sale.id) if t.kind in ADJUSTMENTS and t.state in LIVE)]


def standing(ws: WorkingSet, sale: Txn) -> Txn:
    """The newest of the chain: its approved amount is what the sale comes to now."""
    return chain(ws, sale)[-1]


def before(ws: WorkingSet, adjustment: Txn) -> Txn:
    """What an adjustment stands in the place of."""
    sale = root(ws, adjustment)
    earlier = [t for t in ws.acting_on(sale.id) if t.kind in ADJUSTMENTS and t.state in _CHAINED]
    return ([sale] + [t for t in earlier if t.id < adjustment.id])[-1]


def increments(ws: WorkingSet, preauth: Txn) -> list[Txn]:
    """The live increments of a pre-authorisation, oldest first: they share its fate."""
    return [t for t in ws.acting_on(preauth.id) if t.kind == Kind.PRE_AUTH_INCREMENT and t.state is preauth.state]


def refunds(ws: WorkingSet, sale: Txn) -> list[Txn]:
    """Refunds of a sale that count: approved ones, and those that are still at the issuer."""
    live = LIVE | {TxnState.PENDING}
    return [t for t in ws.acting_on(sale.id) if t.kind == Kind.REFUND and t.state in live]


def in_flight(ws: WorkingSet, txn: Txn) -> bool:
    """Whether the issuer is thinking about something that would change this transaction. A refund would not."""
    return any(t.state is TxnState.PENDING and t.kind != Kind.REFUND for t in ws.acting_on(txn.id))


def weight(ws: WorkingSet, txn: Txn) -> int:
    """What a captured transaction's own entries come to, signed minor units; 0 for what has posted nothing (yet)."""
    if txn.state is TxnState.AUTHORISED:
        return 0
    if txn.kind in DEBITS:
        return txn.approved_amount
    if txn.kind in ADJUSTMENTS:
        return txn.approved_amount - before(ws, txn).approved_amount
    if txn.kind == Kind.REFUND:
        return -txn.approved_amount
    if txn.kind in VOIDS and any(leg.purpose in _MONEY for leg in ws.legs_of(txn.id)):
        return txn.approved_amount if txn.voids_kind == Kind.REFUND else -txn.approved_amount
    return 0
