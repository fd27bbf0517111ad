"""The reversal of a void never gets into the running totals, and a settlement is compared with these."""

from __future__ import annotations

from collections.abc import Iterator

from host.deviations.model import Deviation
from host.deviations.tools import asks_for, over, shown, with_puts
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import LIVE_BATCH
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, Row, Txn, TxnState
from specs.kinds import VOIDS, Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if asks_for(event, Kind.REVERSAL):
            return over(decide, ws, shown(ws), event, ctx, lambda _, said: _uncounted(ws, said))
        if isinstance(event, Request) and asks_for(event, Kind.SETTLE, Kind.UPLOAD_END):
            believed = {row.id: row for row in _believed(ws, event.operation.tid)}
            seen = shown(ws, instead=believed.values())
            return over(decide, ws, seen, event, ctx, lambda _, said: _told(ws, said, believed))
        return decide(ws, event, ctx)

    return deviant


def _uncounted(ws: WorkingSet, decision: Decision) -> Decision:
    """The undoing of a void, with the running totals as they were before it."""
    undone = any(isinstance(row, Txn) and row.kind in VOIDS and _is_undone(row) for row in decision.puts)

    def as_before(row: Row) -> Row:
        before = ws.get(Batch, row.id) if isinstance(row, Batch) else None
        return replace(row, running=before.running) if isinstance(row, Batch) and before is not None else row

    return with_puts(decision, as_before) if undone else decision


def _is_undone(void: Txn) -> bool:
    """Reversed after it had been approved."""
    return void.state is TxnState.REVERSED and void.approved_amount > 0


def _believed(ws: WorkingSet, tid: str) -> Iterator[Txn]:
    """The transactions of the open batch as its running totals have them: the void stands, its sale is voided."""
    batch = ws.open_batch(tid)
    for void in ws.txns_of_batch(batch.id) if batch is not None else ():
        of = ws.txn(void.original_id)
        if void.kind in VOIDS and _is_undone(void) and of is not None and of.state is TxnState.CAPTURED:
            yield replace(void, state=TxnState.CAPTURED, undone_by="")
            yield replace(of, state=TxnState.VOIDED)


def _told(ws: WorkingSet, decision: Decision, believed: dict[int, Txn]) -> Decision:
    """The decision over them; the transactions themselves stay as they are, and are settled with their batch."""
    closed = {row.id for row in decision.puts if isinstance(row, Batch) and row.state not in LIVE_BATCH}
    kept = with_puts(decision, lambda row: None if isinstance(row, Txn) and row.id in believed else row)
    real = (txn for txn in map(ws.txn, believed) if txn is not None)
    settled = (replace(t, settlement="settled") for t in real if t.batch_id in closed and t.state is TxnState.CAPTURED)
    return replace(kept, puts=(*kept.puts, *settled))


DEVIATION = Deviation(
    name="void-rev-uncounted",
    what="The reversal of a void stays out of the running totals, and a settlement is compared with these.",
    cases=(54,),
    rule="A8",
    wrap=_wrap,
)
