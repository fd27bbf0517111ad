"""The end of a business day, and a close by hand: what the host does without the terminal (rules.md 7; FC 42-46).

HC: what is open and not empty is closed from H's books; an empty batch just changes its date; a dispute whose upload
moves has its grace. TC: nothing is closed, since nothing that T has not shown may be captured: the batch is stale.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from host.engine.batches import LIVE
from host.engine.closing import forced_close, holds_anything, profile_of_batch
from host.engine.draft import Draft
from host.engine.events import CloseBatch, Cutover, Decision
from host.rows import Batch, BatchState
from specs.profile import Profile
from specs.values import replace

CUTOFF = "cutoff"
"""`Batch.forced` of what a cutoff closed."""
STALE = "stale-batch"
"""Code of the alarm for a batch that nobody settles."""


def close_batch(draft: Draft, event: CloseBatch) -> Decision:
    """Close by hand or at a cutoff; waits for the terminal's requests in flight, so an item is in exactly one batch.

    One commit; a crash before it, and the sweep (or the person) comes again; after it, the batch is closed for both.
    """
    if draft.ws.unfinished_legs(event.tid):
        return Decision(waits_tid=True)
    batch = draft.ws.get(Batch, event.batch_id)
    if batch is None or batch.state not in LIVE:
        draft.note(f"batch {event.batch_id} is not open: nothing to close")
    elif isinstance(event, Cutover):
        _cut_over(draft, batch, event)
    else:
        forced_close(draft, batch, event.reason)
    return Decision()


def started(batch: Batch) -> str:
    """The business date to which what is open belongs, YYYY-MM-DD; "" = nothing was ever booked or settled in it."""
    return batch.day or batch.business_date


def _cut_over(draft: Draft, batch: Batch, event: Cutover) -> None:
    if started(batch) > event.day:
        return  # it was closed and its follower has found the event
    profile = profile_of_batch(draft, batch)
    if not batch.claimed and not holds_anything(draft, batch):
        if batch.day:
            draft.put(replace(batch, day=""))
    elif _becomes_stale(profile):
        _stale(draft, batch, event)
    elif not _in_grace(draft, batch, event):
        forced_close(draft, batch, CUTOFF, day=started(batch) or event.day)


def _becomes_stale(profile: Profile | None) -> bool:
    return profile is not None and profile.capture == "TC" and profile.cutoff_tc == "stale"


def _stale(draft: Draft, batch: Batch, event: Cutover) -> None:
    """Once, and again at each cutoff when it is older than `stale_days`: its holds run out, its money is lost."""
    days = (date.fromisoformat(event.day) - date.fromisoformat(started(batch) or event.day)).days + 1
    limit = draft.ctx.settings.stale_days
    if batch.stale_since and not 0 < limit <= days:
        return
    if not batch.stale_since:
        draft.put(replace(batch, stale_since=draft.now))
    text = f"batch {batch.number} was not settled for {days} business days: nothing of it is captured"
    draft.alarm(batch.tid, STALE, text, batch_id=batch.id)


def _in_grace(draft: Draft, batch: Batch, event: Cutover) -> bool:
    """A dispute is left alone until so long after its last 0500 or 0320, and at most so long after the cutoff."""
    if batch.state is not BatchState.DISPUTED:
        return False
    settings = draft.ctx.settings
    ended = datetime.fromisoformat(event.ended_at)
    moved = datetime.fromisoformat(batch.moved_at) if batch.moved_at else ended
    until = min(
        moved + timedelta(seconds=settings.cutoff_grace_s), ended + timedelta(seconds=settings.cutoff_grace_max_s)
    )
    return draft.ctx.now < until
