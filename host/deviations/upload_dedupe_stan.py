"""An upload knows its items by the number of the message that brought them: sent again under another, they are new."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import beside, over, shown, sold_offline, with_puts
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Row, StagedItem, Txn
from specs.kinds import DEBITS, Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or event.operation.kind is not Kind.UPLOAD:
            return decide(ws, event, ctx)
        operation, batch = event.operation, ws.open_batch(event.operation.tid)
        mark = f"@{operation.stan}/"
        staged = ws.staged(batch.id) if batch is not None else []
        before = {_stan(s) for s in staged}
        here = {_stan(s) for s in staged if mark in s.item_key}
        twice = {item.ref.stan for item in operation.items if item.ref.stan in before - here}

        def is_hidden(row: Row) -> bool:
            if isinstance(row, StagedItem):
                return mark not in row.item_key
            return isinstance(row, Txn) and row.tid == operation.tid and row.stan in twice and row.kind in DEBITS

        def marked(row: Row) -> Row:
            if not isinstance(row, StagedItem) or "@" in row.item_key:
                return row
            return replace(row, item_key=row.item_key.replace("/", mark))

        seen = shown(ws, without=is_hidden)
        fresh = sold_offline(event, lambda item: item.ref.stan in twice) if twice else event
        return over(decide, ws, seen, fresh, ctx, lambda _, decision: beside(ws, with_puts(decision, marked)))

    return deviant


def _stan(item: StagedItem) -> str:
    return item.item_key.rpartition("/")[2]


DEVIATION = Deviation(
    name="upload-dedupe-stan",
    what="An item that is uploaded again under a new STAN of the 0320 is booked once more.",
    cases=(36,),
    rule="RH8",
    wrap=_wrap,
)
