"""Another sale comes under a number that is in use: it takes the place of the one that is there."""

from __future__ import annotations

from host.deviations.dup_posts import unseen
from host.deviations.model import Deviation
from host.deviations.tools import also, match_of
from host.engine import batches, ledger, related
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Decision, Event
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn, TxnState
from specs.kinds import DEBITS
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        match = match_of(ws, event, ctx)
        if match is None or match.same or not match.live or not _is_over(ws, match.txn):
            return decide(ws, event, ctx)
        decision = unseen(decide, ws, event, ctx, ctx.ids.peek(Txn.__name__))
        draft = Draft(ws, ctx)
        if match.txn.kind in DEBITS and match.txn.state in related.LIVE:
            _forget(draft, match.txn)
        return also(decision, draft)

    return deviant


def _is_over(ws: WorkingSet, txn: Txn) -> bool:
    """The issuer has spoken, and nothing else hangs on it."""
    return txn.state is not TxnState.PENDING and not ws.acting_on(txn.id)


def _forget(draft: Draft, txn: Txn) -> None:
    """Out of the host's books as though it had been reversed; its issuer never hears of that."""
    weight = related.weight(draft.ws, txn)
    after = draft.put(replace(txn, state=TxnState.REVERSED, undone_by="overwritten", held=0, settlement="none"))
    if weight:
        ledger.post(draft, ledger.UNDO, after, -weight, after.batch_id)
    batches.change(draft, txn, after)


DEVIATION = Deviation(
    name="overwrites-key",
    what="A sale with other content under a STAN in use takes the place of the earlier one.",
    cases=(49,),
    rule="RH1",
    wrap=_wrap,
)
