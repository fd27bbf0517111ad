"""Profile TC at the close of a batch: what was only held is captured, or its hold is let go (rules.md, section 9).

Called once for each authorised item, and for what an adjustment has replaced, in any order, with the batch still open.
What the issuer then owes to hear goes out with the decision that closes the batch; nobody waits for it.
"""

from __future__ import annotations

from host.engine import asks, batches, booking, related
from host.engine.asks import CREDIT, DEBIT, RELEASE
from host.engine.draft import Draft
from host.rows import Txn, TxnState
from specs.operation import FINANCIAL, Kind
from specs.values import replace


def capture(draft: Draft, txn: Txn) -> None:
    """The item is captured: its entries, and the debit in place of the hold (a refund: the credit), forced.

    All in the commit that closes the batch. A crash before it: nothing was captured, the terminal settles again. After:
    the leg is found owing and goes out until acked.
    """
    held = _authorised(draft, txn)
    after = draft.put(replace(held, state=TxnState.CAPTURED, held=0))
    booking.post(draft, after, related.weight(draft.ws, after))
    batches.change(draft, held, after)
    if after.replaced_by:
        return  # its money is in the leg of what stands in its place
    if after.kind == Kind.REFUND:
        draft.asks += asks.owe(draft, after, CREDIT, after.approved_amount)
    else:
        draft.asks += asks.owe(draft, after, DEBIT, after.approved_amount, release=held.held)


def let_go(draft: Draft, txn: Txn) -> None:
    """The item is not captured, its hold is released: the terminal's loss, and an exception of its batch."""
    held = _authorised(draft, txn)
    after = draft.put(replace(held, state=TxnState.EXPIRED, undone_by="expiry", held=0, settlement="exception"))
    batches.change(draft, held, after)
    draft.asks += asks.owe(draft, after, RELEASE, held.held)


def _authorised(draft: Draft, txn: Txn) -> Txn:
    """The row as this decision has left it."""
    now = draft.ws.txn(txn.id)
    assert now is not None, f"transaction {txn.id} is not loaded"
    assert now.kind in FINANCIAL, f"a {now.kind} is not captured"
    assert now.state is TxnState.AUTHORISED, f"transaction {now.id} is {now.state}"
    return now
