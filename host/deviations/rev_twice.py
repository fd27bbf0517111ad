"""A repeated reversal undoes again."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import also, sender
from host.engine import asks, ledger
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, Event, Request
from host.engine.identity import is_live
from host.engine.originals import named_by_reversal
from host.engine.outcomes import APPROVED
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Adjustment, Txn, TxnState
from specs.kinds import DEBITS, Kind

_BACK = {asks.DEBIT: asks.CREDIT, asks.HOLD: asks.RELEASE}


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        reversed_before = _reversed(ws, event, ctx)
        decision = decide(ws, event, ctx)
        if reversed_before is None or decision.outcome is None or decision.outcome.code != APPROVED:
            return decision
        draft = Draft(ws, ctx)
        return also(decision, draft, _undo(draft, reversed_before))

    return deviant


def _reversed(ws: WorkingSet, event: Event, ctx: Context) -> Txn | None:
    """What the reversal names, if it was reversed already."""
    terminal = sender(ws, event)
    if terminal is None or not isinstance(event, Request) or event.operation.kind is not Kind.REVERSAL:
        return None
    txn = named_by_reversal(ws, terminal, event, ctx.now).txn
    undone = txn is not None and txn.state is TxnState.REVERSED and txn.kind in DEBITS
    return txn if undone else None


def _undo(draft: Draft, txn: Txn) -> tuple[Ask, ...]:
    """The same undo once more, in the books and at the issuer."""
    purpose = next((leg.purpose for leg in draft.ws.legs_of(txn.id) if leg.purpose in _BACK), "")
    if not purpose or not txn.approved_amount:
        return ()
    if purpose == asks.DEBIT:
        _post(draft, txn, -txn.approved_amount)
    return asks.owe(draft, txn, _BACK[purpose], txn.approved_amount)


def _post(draft: Draft, txn: Txn, amount: int) -> None:
    batch = draft.ws.open_batch(txn.tid)
    if is_live(draft.ws, txn) or batch is None:
        ledger.post(draft, ledger.UNDO, txn, amount, txn.batch_id)
        return
    draft.put(Adjustment(draft.new_id(Adjustment), txn.id, batch.id, amount, "reversal", draft.now))
    ledger.post(draft, ledger.ADJUSTMENT, txn, amount, batch.id)


DEVIATION = Deviation(
    name="rev-twice",
    what="Each repeat of a reversal gives the money back once more.",
    cases=(3,),
    rule="RH1",
    wrap=_wrap,
)
