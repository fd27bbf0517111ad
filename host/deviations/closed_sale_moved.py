"""An online sale under the number of a closed batch is booked in the next one, and nobody is told."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import is_closed_number, over, shown, told, with_puts
from host.engine.context import Context
from host.engine.effects import EFFECTS
from host.engine.events import Decision, Event, Request
from host.engine.identity import under_wire_batch
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, Row, Txn
from specs.kinds import Kind
from specs.profile import KeyScheme
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        home = _home(ws, event) if isinstance(event, Request) else None
        if home is None or not isinstance(event, Request):
            return decide(ws, event, ctx)
        sent = event.operation.batch or ""
        moved = [replace(txn, wire_batch=home.number) for txn in _moved(ws, event)]

        def as_sent(row: Row) -> Row:
            if not isinstance(row, Txn) or row.wire_batch != home.number or row.stan != event.operation.stan:
                return row
            return replace(row, wire_batch=sent)

        there = told(event, batch=home.number)
        return over(decide, ws, shown(ws, instead=moved), there, ctx, lambda _, said: with_puts(said, as_sent))

    return deviant


def _home(ws: WorkingSet, request: Request) -> Batch | None:
    """The batch that a request under a closed number is booked in; for its repeat and its reversal, where it is."""
    operation, terminal = request.operation, ws.terminal(request.operation.tid)
    if terminal is None or request.profile.key_scheme is not KeyScheme.WIRE_BATCH or operation.happened:
        return None
    if operation.kind not in (*EFFECTS, Kind.REVERSAL) or not is_closed_number(ws, request):
        return None
    moved = _moved(ws, request)
    if moved:
        return ws.get(Batch, moved[-1].batch_id)
    known = under_wire_batch(ws, terminal, operation.batch or "", operation.stan)
    return ws.open_batch(terminal.tid) if operation.kind is not Kind.REVERSAL and not known else None


def _moved(ws: WorkingSet, request: Request) -> list[Txn]:
    """What was moved before, under this number and STAN."""
    operation = request.operation
    found = [t for t in ws.txns_by_stan(operation.tid, operation.stan) if t.wire_batch == operation.batch]
    homes = ((t, ws.get(Batch, t.batch_id)) for t in found if not t.carried)
    return [t for t, home in homes if home is not None and home.number != t.wire_batch]


DEVIATION = Deviation(
    name="closed-sale-moved",
    what="A sale under a closed batch number (CUP) is booked in the next batch, without a word.",
    cases=(29,),
    rule="RH6",
    wrap=_wrap,
)
