"""What an upload says of an item that the host knows takes the place of what the host has booked."""

from __future__ import annotations

from collections.abc import Iterator

from host.deviations.model import Deviation
from host.deviations.tools import also
from host.engine import batches, ledger
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn, TxnState
from specs.kinds import DEBITS, Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or event.operation.kind is not Kind.UPLOAD:
            return decide(ws, event, ctx)
        draft = Draft(ws, ctx)
        for txn, amount in list(_otherwise(ws, event)):
            _overwrite(draft, txn, amount)
        return also(decide(ws, event, ctx), draft, before=True)

    return deviant


def _otherwise(ws: WorkingSet, request: Request) -> Iterator[tuple[Txn, int]]:
    """Captured items of the open batch that are uploaded with another amount, and that amount."""
    tid, batch = request.operation.tid, ws.open_batch(request.operation.tid)
    for item in request.operation.items:
        for txn in ws.txns_by_stan(tid, item.ref.stan):
            captured = txn.kind in DEBITS and txn.state is TxnState.CAPTURED and not txn.replaced_by
            here = batch is not None and txn.batch_id == batch.id
            if captured and here and 0 < item.amount != txn.approved_amount:
                yield txn, item.amount


def _overwrite(draft: Draft, txn: Txn, amount: int) -> None:
    """In the acquirer's book alone: the card pays what it was asked for."""
    after = draft.put(replace(txn, approved_amount=amount))
    ledger.post(draft, ledger.ADJUST, after, amount - txn.approved_amount, after.batch_id)
    batches.change(draft, txn, after)


DEVIATION = Deviation(
    name="upload-overwrites",
    what="The amount of an uploaded item takes the place of the amount that the host has booked.",
    cases=(33,),
    rule="RH8",
    wrap=_wrap,
)
