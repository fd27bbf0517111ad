"""A 0500 under a number that the host does not expect is compared with nothing: not agreed, for ever."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import shown, told
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.identity import batch_of_number
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, Row, Terminal, Txn
from specs.kinds import Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        batch = _unexpected(ws, event)
        if batch is None or not isinstance(event, Request):
            return decide(ws, event, ctx)

        def is_item(row: Row) -> bool:
            return isinstance(row, Txn) and row.batch_id == batch.id

        seen = shown(ws, without=is_item, instead=[replace(batch, running="{}")])
        decision = decide(seen, told(event, final=False), ctx)
        puts = tuple(row for row in decision.puts if isinstance(row, Terminal))  # the batch that it means is not there
        ws.apply(puts)
        return replace(decision, puts=puts)

    return deviant


def _unexpected(ws: WorkingSet, event: Event) -> Batch | None:
    """The open batch, which has another number than this 0500; None when its number is known."""
    if not isinstance(event, Request) or event.operation.kind is not Kind.SETTLE or event.operation.batch is None:
        return None
    terminal = ws.terminal(event.operation.tid)
    if terminal is None or batch_of_number(ws, terminal, event.operation.batch) is not None:
        return None
    return ws.open_batch(terminal.tid)


DEVIATION = Deviation(
    name="batch-follow-empty",
    what="A batch number that the host does not expect means an empty batch: each settlement of it is «not agreed».",
    cases=(30,),
    rule="RH5",
    wrap=_wrap,
)
