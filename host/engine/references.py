"""How messages refer to earlier ones, in parts: what is a reference at all, and the simple look-ups that share it.

The rows of the table in rules.md, section 1, are put together from these in originals.py. Reads only.
"""

from __future__ import annotations

from collections.abc import Iterable

from host.engine.events import Request
from host.engine.working import WorkingSet
from host.rows import Terminal, Txn, TxnState
from specs.operation import Operation, OriginalRef

STANDS = frozenset({TxnState.CAPTURED, TxnState.AUTHORISED})
"""The states of an item that is not undone: captured, under profile TC authorised before it."""
_BEST = {TxnState.AUTHORISED: 2, TxnState.CAPTURED: 1}


def ref_of(request: Request) -> OriginalRef:
    """What the message says of its original; empty when it says nothing."""
    return request.operation.original or OriginalRef()


def rrn_of(operation: Operation) -> str:
    """DE 37, of the original where the dialect has it there."""
    return ((operation.original.rrn if operation.original else "") or operation.rrn).strip()


def invoice_of(operation: Operation) -> str:
    """DE 62 of NAC, of the original where it is named apart."""
    return ((operation.original.invoice if operation.original else "") or operation.invoice).strip()


def mid_of(terminal: Terminal, operation: Operation) -> str:
    """Whom the message speaks for: a message without DE 42 its terminal's own merchant."""
    return operation.mid or terminal.mid


def given(value: str) -> bool:
    """A reference that is there: blanks and zeros are none."""
    return value.strip("0 ") != ""


def own(terminal: Terminal, txns: Iterable[Txn]) -> list[Txn]:
    """Of this terminal and its present epoch."""
    return [t for t in txns if (t.tid, t.epoch) == (terminal.tid, terminal.epoch)]


def by_invoice(ws: WorkingSet, terminal: Terminal, operation: Operation) -> list[Txn]:
    """Originals of this terminal under the invoice number of the message; blanks name nothing."""
    invoice = invoice_of(operation)
    return own(terminal, known(ws.txns_by_invoice(terminal.tid, invoice))) if invoice else []


def by_de90(ws: WorkingSet, terminal: Terminal, request: Request, mti_class: str) -> list[Txn]:
    """Originals under STAN and DE 7 of DE 90; a zero STAN names nothing. mti_class: "01" or "02"."""
    ref = ref_of(request)
    if not given(ref.stan) or (ref.mti and ref.mti[:2] != mti_class):
        return []
    return [t for t in own(terminal, known(ws.txns_by_stan(terminal.tid, ref.stan))) if is_time_of(t, ref.transmitted)]


def is_time_of(txn: Txn, transmitted: str) -> bool:
    """DE 7 of DE 90; zeros name any. A terminal that sends no DE 7 writes the local time there."""
    return not given(transmitted) or transmitted in (txn.transmitted, txn.local_time)


def known(txns: Iterable[Txn]) -> list[Txn]:
    """Originals; a tombstone is none."""
    return [t for t in txns if t.state is not TxnState.TOMBSTONE]


def best(txns: Iterable[Txn]) -> Txn | None:
    """Of pre-authorisations the live one, then a completed one, then any; the newest of them."""
    return max(txns, key=lambda t: (_BEST.get(t.state, 0), t.id), default=None)


def newest(txns: Iterable[Txn]) -> Txn | None:
    """The one that came last; None of none."""
    return max(txns, key=lambda t: t.id, default=None)


def on_date(txn: Txn, date: str) -> bool:
    """Whether a transaction was answered on this MMDD, as its answer said; "" and 0000 = any."""
    return not given(date) or date in (txn.answered_at[:4], txn.created_at[5:10].replace("-", ""))
