"""How a batch ends: by an agreement, after a dispute, or by the host alone (rules.md, sections 6, 7 and 9; RT7, A7).

Profile TC: what was approved is captured here, or let go, since the terminal that lost its journal lost its money.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from host.engine import capturing
from host.engine.batches import LIVE, dated_behind, follow, has_items, items, next_number
from host.engine.booking import profile_of
from host.engine.dialogue import FACTS, Facts, facts_of
from host.engine.draft import Draft
from host.engine.items import (
    counts_reversed,
    differences,
    digest,
    disputed_sides,
    figures,
    is_booked,
    is_pending,
    standing_of,
    totals_of,
    upload_whole,
)
from host.rows import Adjustment, Batch, BatchState, ExceptionItem, Terminal, TxnState
from specs.families import family
from specs.operation import FINANCIAL, Verdict
from specs.profile import Profile
from specs.totals import Totals
from specs.values import replace

RESET = "terminal reset"
"""`Batch.forced` of what a re-flashed terminal left open (rules.md, section 4)."""
HOST_ONLY = "host-only"
AMOUNT = "AMT"
_IN_DOUBT = frozenset({HOST_ONLY, AMOUNT})
"""Reasons for which a captured item is funded with the host's amount and flagged, or kept in suspense, as `host_only`
says: a mismatch does not stop funding (failure-catalogue, section 2, capture profiles)."""
BOTH = "both"


def own_totals(draft: Draft, batch: Batch, profile: Profile) -> Totals:
    """The totals of H's books as they stand, counted the dialect's way."""
    return family(profile.family).count(items(draft, batch, reversed_too=profile.reversed == BOTH))


def profile_of_batch(draft: Draft, batch: Batch) -> Profile | None:
    """The switches of the dialect that its terminal speaks; None before the terminal has said anything."""
    terminal = draft.ws.terminal(batch.tid)
    return profile_of(draft.ctx, terminal.dialect) if terminal is not None and terminal.dialect else None


def holds_anything(draft: Draft, batch: Batch) -> bool:
    """Whether a close would settle something: an item, what was carried in, an adjustment, a reversal that is shown."""
    profile = profile_of_batch(draft, batch)
    shown = profile is not None and profile.reversed == BOTH
    return (
        has_items(draft, batch)
        or any(is_booked(t) or (shown and counts_reversed(t)) for t in draft.ws.txns_of_batch(batch.id))
        or any(a.batch_id == batch.id for a in draft.ws.all(Adjustment))
    )


def close(
    draft: Draft,
    batch: Batch,
    verdict: Verdict | None,
    exceptions: Iterable[ExceptionItem] = (),
    *,
    forced: str = "",
    day: str = "",
) -> Batch:
    """Close a batch and open the next one; gives back the closed one.

    `batch` comes with claimed, answered and sides as they shall be stored. CLOSED only when agreed and free of
    exceptions. TC: what is not on the list as the host's alone is captured, the rest let go. Each captured item becomes
    settled, those under exception as `_settlement` says. Business date: that of its first 0500 when it was disputed,
    else `day` (a cutoff's: the one that ends), else today's at the host (rules.md, section 7).

    All of it is one commit, before the answer leaves. A crash just before: the batch is open or disputed, the terminal
    frozen, and its next 0500 is compared anew. A crash just after: the terminal asks again and gets what is stored
    here (RH5). In neither is anything settled twice or lost. The caller has waited for what was in flight.
    """
    assert batch.state in LIVE, f"batch {batch.id} is {batch.state}"
    pending = [t.id for t in draft.ws.txns_of_batch(batch.id) if is_pending(t)]
    assert not pending, f"batch {batch.id} has requests in flight: its close waits for them"
    spent = bool(batch.claimed) or has_items(draft, batch)
    found = [draft.put(e) for e in exceptions]
    reasons = _reasons(draft, found)
    _capture(draft, batch, reasons)
    now = draft.ws.get(Batch, batch.id)
    txns = draft.ws.txns_of_batch(batch.id)
    done = draft.put(
        replace(
            batch,
            state=BatchState.CLOSED if _clean(verdict, found, forced) else BatchState.CLOSED_WITH_EXCEPTIONS,
            running=now.running if now is not None else batch.running,
            closed_at=draft.now,
            business_date=batch.business_date or day or draft.ctx.business_day,
            verdict=str(verdict or ""),
            digest=digest(txns),
            forced=forced,
        )
    )
    follow(draft, done, next_number(batch.number) if spent else batch.number)
    for txn in txns:
        reason = reasons.get(txn.id, "")
        if txn.state is TxnState.CAPTURED and txn.kind in FINANCIAL:
            draft.put(replace(txn, settlement=_settlement(draft, reason)))
    return done


def _clean(verdict: Verdict | None, found: list[ExceptionItem], forced: str) -> bool:
    return verdict is Verdict.AGREED and not found and not forced


def _reasons(draft: Draft, found: Iterable[ExceptionItem]) -> dict[int, str]:
    """Transaction id -> why it is on the list; of an adjusted sale, what stands in its place too."""
    reasons = {}
    for exception in found:
        txn = draft.ws.txn(exception.txn_id)
        if txn is not None:
            reasons[txn.id] = reasons[standing_of(draft, txn).id] = exception.reason
    return reasons


def _capture(draft: Draft, batch: Batch, reasons: Mapping[int, str]) -> None:
    """TC: what both ends have is captured; an adjusted sale goes the way of what stands in its place. Carried advices
    are of another batch of the terminal's, and are never in question here."""
    for txn in draft.ws.txns_of_batch(batch.id):
        if txn.kind not in FINANCIAL or txn.state is not TxnState.AUTHORISED:
            continue
        alone = reasons.get(standing_of(draft, txn).id) == HOST_ONLY
        (capturing.let_go if alone else capturing.capture)(draft, txn)


def _settlement(draft: Draft, reason: str) -> str:
    suspended = reason in _IN_DOUBT and draft.ctx.settings.host_only == "suspense"
    return "exception" if suspended else "settled"


# --- without the terminal ---------------------------------------------------------------------------------------------


def close_for_reset(draft: Draft, terminal: Terminal) -> Batch | None:
    """A re-flashed terminal: what was open is closed as it stands, with exceptions; an empty batch just stays.

    The open batch is then one of the old epoch without items: the next message gives it its number.
    """
    batch = draft.ws.open_batch(terminal.tid)
    if batch is None or not (batch.claimed or holds_anything(draft, batch)):
        return None
    return forced_close(draft, batch, RESET)


def forced_close(draft: Draft, batch: Batch, reason: str, *, day: str = "") -> Batch:
    """The host closes without the terminal: always with exceptions, from its books and what is staged (section 7).

    A dispute ends as «still not agreed», so that a trailer that comes later meets the final code; without any 0500 the
    terminal's first one is compared with the books then. HC: no item is listed that an upload did not get to. TC: only
    what was uploaded is captured; all else is the host's alone, and so not captured (section 9). ISO 87 has no upload:
    there a 0500 that did not agree captures H's books, and none lets go of them.
    """
    profile = profile_of_batch(draft, batch)
    facts = facts_of(profile) if profile is not None else _facts_by_sides(batch)
    claim = totals_of(batch.claimed)
    if claim is not None and not facts.uploads:
        assert profile is not None, "the facts without uploads are a profile's"
        found = figures(draft, batch, own_totals(draft, batch, profile), claim, facts.report)
    else:
        lost = profile is not None and profile.capture == "TC"
        whole = lost or (claim is not None and upload_whole(draft, batch))
        found = differences(draft, batch, facts, whole=whole)
    done = close(draft, batch, Verdict.STILL_DIFFERS if batch.claimed else None, found, forced=reason, day=day)
    if facts.by_day and reason != RESET:
        dated_behind(draft, done)
    return done


def _facts_by_sides(batch: Batch) -> Facts:
    """Of a terminal that is not known any more: a dispute shows its family; without one the wider rule lists less."""
    return FACTS["cup" if disputed_sides(batch) is not None or not batch.claimed else "nac"]
