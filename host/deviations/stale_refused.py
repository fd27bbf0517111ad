"""Profile TC: a hold lives two days at this issuer, and what is shown to it after them is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from host.deviations.model import Deviation
from host.deviations.tools import also, asks_for
from host.engine import capturing
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn, TxnState
from specs.kinds import DEBITS, Kind

_LIVES = timedelta(days=2)


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not isinstance(event, Request) or not asks_for(event, Kind.SETTLE):
            return decide(ws, event, ctx)
        draft = Draft(ws, ctx)
        for txn in list(_run_out(ws, event.operation.tid, ctx)):
            capturing.let_go(draft, txn)
        return also(decide(ws, event, ctx), draft, before=True)

    return deviant


def _run_out(ws: WorkingSet, tid: str, ctx: Context) -> Iterator[Txn]:
    """Sales of the open batch that were only held, too long ago."""
    batch = ws.open_batch(tid)
    for txn in ws.txns_of_batch(batch.id) if batch is not None else ():
        held = txn.kind in DEBITS and txn.state is TxnState.AUTHORISED and not txn.replaced_by
        if held and datetime.fromisoformat(txn.created_at) + _LIVES <= ctx.now:
            yield txn


DEVIATION = Deviation(
    name="stale-refused",
    what="A sale that is settled more than two days after it was made is refused: its hold has run out (TC).",
    cases=(42,),
    rule="E5",
    wrap=_wrap,
)
