"""An answer that was written counts as one that has arrived: the reversal of its sale is answered, not carried out."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, sender, shown
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.originals import named_by_reversal
from host.engine.related import LIVE
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Terminal
from specs.kinds import FINANCIAL, Kind
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if not _was_answered(ws, event, ctx):
            return decide(ws, event, ctx)
        return over(decide, ws, shown(ws), event, ctx, _only_said)

    return deviant


def _was_answered(ws: WorkingSet, event: Event, ctx: Context) -> bool:
    """Whether the reversal names something that was approved and told: final, as this host sees it."""
    terminal = sender(ws, event)
    if terminal is None or not isinstance(event, Request) or event.operation.kind is not Kind.REVERSAL:
        return False
    txn = named_by_reversal(ws, terminal, event, ctx.now).txn
    return txn is not None and txn.kind in FINANCIAL and txn.state in LIVE


def _only_said(_: WorkingSet, decision: Decision) -> Decision:
    """The answer of the decision; nothing of what it does to the books and at the issuer."""
    puts = tuple(row for row in decision.puts if isinstance(row, Terminal))
    return replace(decision, puts=puts, asks=(), notes=())


DEVIATION = Deviation(
    name="written-is-delivered",
    what="An answer that was written counts as delivered: the reversal of its sale is told 00 and changes nothing.",
    cases=(70,),
    rule="RH2",
    wrap=_wrap,
)
