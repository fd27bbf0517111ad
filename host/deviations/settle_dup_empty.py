"""A repeated 0500 for a closed batch is compared with the next one, which is empty, and its upload is booked again."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.settle_dup_refused import is_repeat
from host.deviations.tools import asks_for, over, shown, sold_offline, told
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import is_live
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, BatchState, Row, Txn
from specs.kinds import Kind
from specs.values import replace

_NO_ITEMS = ("", "{}")


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        batch = ws.open_batch(event.operation.tid) if isinstance(event, Request) else None
        if batch is None or not isinstance(event, Request):
            return decide(ws, event, ctx)
        disputed = batch.state is BatchState.DISPUTED
        if is_repeat(ws, event) and (disputed or batch.running in _NO_ITEMS):
            return decide(ws, told(event, batch=batch.number), ctx)
        if asks_for(event, Kind.UPLOAD, Kind.UPLOAD_END) and disputed and _is_closed_one(ws, batch):
            return _booked_again(decide, ws, _into(batch, event), ctx)
        return decide(ws, event, ctx)

    return deviant


def _is_closed_one(ws: WorkingSet, batch: Batch) -> bool:
    """Whether what is in dispute is the settlement of the batch before it, once more."""
    before = [b for b in ws.batches(batch.tid) if b.id < batch.id]
    return bool(before) and before[-1].claimed == batch.claimed


def _into(batch: Batch, request: Request) -> Request:
    """The upload as one of this batch; its items keep the number that they were sold under."""
    number = request.operation.batch
    if number is None:
        return request
    items = (replace(i, ref=replace(i.ref, batch=i.ref.batch or number)) for i in request.operation.items)
    return told(request, batch=batch.number, items=tuple(items))


def _booked_again(decide: Decide, ws: WorkingSet, request: Request, ctx: Context) -> Decision:
    """What is settled already is not looked for."""

    def is_settled(row: Row) -> bool:
        return isinstance(row, Txn) and row.batch_id != 0 and not is_live(ws, row)

    seen = shown(ws, without=is_settled)
    fresh = sold_offline(request, lambda item: not seen.txns_by_stan(request.operation.tid, item.ref.stan))
    return over(decide, ws, seen, fresh, ctx)


DEVIATION = Deviation(
    name="settle-dup-empty",
    what="A settlement that comes again is compared with the next, empty batch, and what is uploaded is booked again.",
    cases=(28,),
    rule="RH5",
    wrap=_wrap,
)
