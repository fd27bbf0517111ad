"""A pre-authorisation that nobody has completed in its time is completed by the host itself: all that it holds."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import also, beside, shown
from host.engine import asks, batches, booking, outcomes, related
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, Event, Expire
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Txn, TxnState
from specs.kinds import Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        preauth = ws.txn(event.txn_id) if isinstance(event, Expire) else None
        live = preauth is not None and preauth.state is TxnState.AUTHORISED and not related.in_flight(ws, preauth)
        if preauth is None or not live:
            return decide(ws, event, ctx)
        draft = Draft(shown(ws), ctx)
        owed = _complete(draft, preauth)
        decision = beside(ws, also(Decision(txn_id=preauth.id), draft, owed))
        ws.apply(decision.puts)
        return decision

    return deviant


def _complete(draft: Draft, preauth: Txn) -> tuple[Ask, ...]:
    """A completion that no terminal has sent, in the open batch, of all that is held."""
    terminal = draft.ws.terminal(preauth.tid)
    assert terminal is not None, preauth.tid
    txn_id = draft.new_id(Txn)
    completion = draft.put(
        replace(
            preauth,
            id=txn_id,
            kind=Kind.COMPLETION_ADVICE,
            state=TxnState.PENDING,
            batch_id=batches.current(draft, terminal, None).id,
            rrn=outcomes.rrn_of(draft.ctx, txn_id),
            amount=preauth.held,
            original_id=preauth.id,
            created_at=draft.now,
            note="completed by its expiry",
            held=0,
            advice=True,
        )
    )
    later = booking.captured_later(booking.profile_of(draft.ctx, preauth.dialect), completion)
    taken = booking.accept(draft, completion, preauth.held)
    return asks.owe(draft, taken, asks.HOLD if later else asks.DEBIT, preauth.held, release=preauth.held)


DEVIATION = Deviation(
    name="hold-captured",
    what="A pre-authorisation that expires is captured: the card pays what was only held.",
    cases=(57,),
    rule="E5",
    wrap=_wrap,
)
