"""A close does not wait for what is at the issuer: the sale that comes back afterwards is one of the next batch."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import also, over, shown
from host.engine import asks, booking, outcomes
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import CloseBatch, Decision, Event, IssuerAnswer, LegOverdue, Request
from host.engine.identity import is_live
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, Leg, Row, Txn, TxnState
from specs.codes import Refusal
from specs.kinds import DEBITS, Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, CloseBatch) or (isinstance(event, Request) and event.operation.kind is Kind.SETTLE):
            return _closed_at_once(decide, ws, event, ctx)
        moved = _moved(ws, event)
        return _answered(decide, ws, event, ctx, moved) if moved is not None else decide(ws, event, ctx)

    return deviant


def _closed_at_once(decide: Decide, ws: WorkingSet, event: CloseBatch | Request, ctx: Context) -> Decision:
    tid = event.tid if isinstance(event, CloseBatch) else event.operation.tid
    thinking = {leg.txn_id for leg in ws.unfinished_legs(tid)}

    def is_waiting(row: Row) -> bool:
        return (isinstance(row, Txn) and row.id in thinking) or (isinstance(row, Leg) and row.txn_id in thinking)

    decision = over(decide, ws, shown(ws, without=is_waiting), event, ctx)
    draft, follower = Draft(ws, ctx), ws.open_batch(tid)
    for txn in (ws.txn(i) for i in sorted(thinking)):
        if txn is not None and follower is not None and _is_left_behind(ws, txn):
            _move(draft, txn, follower)
    return also(decision, draft)


def _is_left_behind(ws: WorkingSet, txn: Txn) -> bool:
    """A sale at the issuer whose batch has just closed."""
    return txn.kind in DEBITS and txn.state is TxnState.PENDING and not txn.replaced_by and not is_live(ws, txn)


def _move(draft: Draft, txn: Txn, follower: Batch) -> None:
    """The sale as one of the batch that follows; its row in the closed one only waits for the issuer."""
    moved = draft.put(replace(txn, id=draft.new_id(Txn), batch_id=follower.id))
    draft.put(replace(txn, replaced_by=moved.id))


def _moved(ws: WorkingSet, event: Event) -> Txn | None:
    """The row in the later batch of what the issuer speaks of."""
    waiting = ws.txn(event.txn_id) if isinstance(event, IssuerAnswer | LegOverdue) else None
    if waiting is None or waiting.state is not TxnState.PENDING or not waiting.replaced_by:
        return None
    moved = ws.txn(waiting.replaced_by)
    return moved if moved is not None and moved.state is TxnState.PENDING else None


def _answered(decide: Decide, ws: WorkingSet, event: Event, ctx: Context, moved: Txn) -> Decision:
    """A no ends both rows. A yes: the issuer undoes what it did for the waiting row, and is owed the moved one's."""
    draft = Draft(ws, ctx)
    if not isinstance(event, IssuerAnswer) or not event.approved:
        decision = decide(ws, event, ctx)
        waiting = ws.txn(decision.txn_id)
        code = waiting.response_code if waiting is not None else ""
        draft.put(replace(moved, state=TxnState.DECLINED, response_code=code, answered_at=ctx.host_time))
        return also(decision, draft)
    leg, waiting = ws.get(Leg, event.leg_id), ws.txn(event.txn_id)
    assert leg is not None, event.leg_id
    assert waiting is not None, event.txn_id
    undo = asks.undo(draft, leg, asks.APPROVED)
    booking.decline(draft, waiting, Refusal.ORIGINAL_REVERSED)
    code = outcomes.PARTIAL if event.approved_amount < moved.amount else outcomes.APPROVED
    taken = booking.accept(draft, moved, event.approved_amount, code=code)
    owed = asks.owe(draft, taken, leg.purpose, event.approved_amount)
    profile, terminal = booking.profile_of(ctx, taken.dialect), ws.terminal(taken.tid)
    outcome = outcomes.of_txn(ctx, ws.txn(taken.id) or taken, profile.key_scheme)
    signs = terminal is not None and profile.mac and terminal.signed_on
    key, mac = (terminal.key_in_use, profile.mac) if terminal is not None and signs else ("", "")
    said = Decision(outcome=outcome, txn_id=waiting.id, sign_key=key, mac=mac)
    return also(said, draft, (undo, *owed))


DEVIATION = Deviation(
    name="splits-day",
    what="A close does not wait for a sale at the issuer: the terminal has it in this batch, the host in the next.",
    cases=(43,),
    rule="RH6",
    wrap=_wrap,
)
