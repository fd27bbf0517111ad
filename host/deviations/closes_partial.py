"""The end of an upload closes the batch, whatever has come; what is missing is dropped, and on no list."""

from __future__ import annotations

from host.deviations.model import Deviation
from host.deviations.tools import over, shown, with_puts
from host.engine.closing import HOST_ONLY
from host.engine.context import Context
from host.engine.dialogue import code_for
from host.engine.events import Decision, Event, Request
from host.engine.items import upload_due
from host.engine.settle import ROUNDS_MAX
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Batch, BatchState, ExceptionItem, Row
from specs.kinds import Kind
from specs.operation import Verdict
from specs.profile import Profile
from specs.values import replace


def _wrap(decide: Decide) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        batch = _cut_short(ws, event)
        if batch is None or not isinstance(event, Request):
            return decide(ws, event, ctx)
        profile = event.profile
        told_already = replace(batch, upload_rounds=ROUNDS_MAX, verdict=str(Verdict.DIFFERS))
        ctx = replace(ctx, settings=replace(ctx.settings, host_only="suspense"))
        seen = shown(ws, instead=[told_already])
        return over(decide, ws, seen, event, ctx, lambda _, decision: _dropped(decision, batch, profile))

    return deviant


def _cut_short(ws: WorkingSet, event: Event) -> Batch | None:
    """The batch in dispute whose upload ends now, with fewer items than the terminal counts."""
    if not isinstance(event, Request):
        return None
    operation, batch = event.operation, ws.open_batch(event.operation.tid)
    ends = operation.kind is Kind.UPLOAD_END or (operation.kind is Kind.SETTLE and operation.final)
    if not ends or batch is None or batch.state is not BatchState.DISPUTED:
        return None
    due = operation.count if operation.count is not None else upload_due(batch)
    staged = [s for s in ws.staged(batch.id) if not s.evidence]
    return batch if len(staged) < due else None


def _dropped(decision: Decision, batch: Batch, profile: Profile) -> Decision:
    """Without its missing items on the list; agreed, if nothing else is on it."""

    def is_missing(row: Row) -> bool:
        return isinstance(row, ExceptionItem) and row.reason == HOST_ONLY

    clean = not any(isinstance(row, ExceptionItem) and not is_missing(row) for row in decision.puts)

    def as_agreed(row: Row) -> Row | None:
        if is_missing(row):
            return None
        if not isinstance(row, Batch) or row.id != batch.id:
            return row
        row = replace(row, upload_rounds=batch.upload_rounds)
        return replace(row, state=BatchState.CLOSED, verdict=str(Verdict.AGREED)) if clean else row

    changed, outcome = with_puts(decision, as_agreed), decision.outcome
    if not clean or outcome is None or outcome.verdict is None:
        return changed
    return replace(changed, outcome=replace(outcome, verdict=Verdict.AGREED, code=code_for(profile, Verdict.AGREED)))


DEVIATION = Deviation(
    name="closes-partial",
    what="An upload that ends too early closes its batch, and what has not come is dropped without a word.",
    cases=(35,),
    rule="RH8",
    wrap=_wrap,
)
