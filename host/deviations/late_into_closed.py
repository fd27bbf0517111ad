"""An advice of a batch that is closed is booked in that batch all the same, as though it had come in time."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, with_puts
from host.engine.context import Context
from host.engine.events import Decision, Event
from host.engine.identity import LIVE_BATCH, is_live
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, Posting, Row, Txn
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        return over(decide, ws, shown(ws), event, ctx, _put_back)

    return deviant


def _put_back(seen: WorkingSet, decision: Decision) -> Decision:
    """What would be carried into the open batch, in the closed one that it was sold in; settled once it is approved."""
    rows = [row for row in decision.puts if isinstance(row, Txn)]
    homes = {txn.id: home for txn in rows if txn.carried and (home := _sold_in(seen, txn)) is not None}

    def moved(row: Row) -> Row:
        if isinstance(row, Posting) and row.txn_id in homes:
            return replace(row, batch_id=homes[row.txn_id].id)
        if not isinstance(row, Txn):
            return row
        if row.id in homes:
            row = replace(row, batch_id=homes[row.id].id, carried=False)
        late = row.settlement == "open" and seen.get(Batch, row.batch_id) is not None and not is_live(seen, row)
        return replace(row, settlement="settled") if late else row

    return with_puts(decision, moved)


def _sold_in(seen: WorkingSet, txn: Txn) -> Batch | None:
    """The closed batch that it names (CUP); where no number is on the wire, the one that was closed last."""
    closed = [b for b in seen.batches(txn.tid) if b.state not in LIVE_BATCH and b.epoch == txn.epoch]
    named = [b for b in closed if not txn.wire_batch or b.number == txn.wire_batch]
    return named[-1] if named else None


DEVIATION = Deviation(
    name="late-into-closed",
    what="A stored sale that comes after the close is put into the closed batch.",
    cases=(44,),
    rule="A7",
    wrap=_wrap,
)
