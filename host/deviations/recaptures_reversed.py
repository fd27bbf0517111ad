"""A reversed item that is uploaded all the same is captured again."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import also
from host.engine import asks, batches, ledger
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, Event, Request
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
        owed = [ask for txn in _uploaded(ws, event) for ask in _captured_again(draft, txn)]
        return also(decide(ws, event, ctx), draft, owed, before=True)

    return deviant


def _uploaded(ws: WorkingSet, request: Request) -> list[Txn]:
    """Items of the open batch that were reversed and are uploaded as though they were not."""
    tid, batch = request.operation.tid, ws.open_batch(request.operation.tid)
    if batch is None:
        return []
    named = (t for item in request.operation.items for t in ws.txns_by_stan(tid, item.ref.stan))
    return [t for t in named if t.state is TxnState.REVERSED and t.kind in DEBITS and t.batch_id == batch.id]


def _captured_again(draft: Draft, txn: Txn) -> tuple[Ask, ...]:
    amount = txn.approved_amount
    if not amount:
        return ()
    after = draft.put(replace(txn, state=TxnState.CAPTURED, undone_by="", settlement="open"))
    ledger.post(draft, ledger.CAPTURE, after, amount, after.batch_id)
    batches.change(draft, txn, after)
    return asks.owe(draft, after, asks.DEBIT_AGAIN, amount)


DEVIATION = Deviation(
    name="recaptures-reversed",
    what="A reversed sale that is uploaded is captured again, after its card was released.",
    cases=(39,),
    rule="RH8",
    wrap=_wrap,
)
