"""An advice that meets issuer trouble is told «later», and that is its answer for ever."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import match_of, over, replayed, shown, with_puts
from host.engine.context import Context
from host.engine.events import Decision, Event, IssuerAnswer, LegOverdue, Request
from host.engine.identity import Prior, prior_of
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Row, Txn, TxnState
from specs.codes import Refusal
from specs.kinds import Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, Request):
            match = match_of(ws, event, ctx)
            if match and match.same and event.operation.happened and prior_of(match) is Prior.TRANSIENT:
                return replayed(ws, event, match.txn, ctx)
            return decide(ws, event, ctx)
        txn = _left_alone(ws, event)
        if txn is None:
            return decide(ws, event, ctx)
        seen = shown(ws, instead=[replace(txn, kind=Kind.SALE, advice=False)])  # of a request nothing has happened yet

        def as_it_was(row: Row) -> Row:
            if not isinstance(row, Txn) or row.id != txn.id:
                return row
            return replace(row, kind=txn.kind, advice=txn.advice)

        return over(decide, ws, seen, event, ctx, lambda _, decision: with_puts(decision, as_it_was))

    return deviant


def _left_alone(ws: WorkingSet, event: Event) -> Txn | None:
    """The pending advice for which the issuer is away."""
    down = isinstance(event, IssuerAnswer) and event.refusal == Refusal.ISSUER_DOWN
    txn = ws.txn(event.txn_id) if down or isinstance(event, LegOverdue) else None  # type: ignore[union-attr]
    if txn is None or txn.state is not TxnState.PENDING:
        return None
    return txn if txn.advice or txn.kind == Kind.OFFLINE_SALE else None


DEVIATION = Deviation(
    name="transient-cached",
    what="An advice that comes while the issuer is away is told «later» (91), and each repeat is told the same.",
    cases=(25,),
    rule="RH2",
    wrap=_wrap,
)
