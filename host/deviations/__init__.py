"""Deviations of the host from the reference rules: mistakes that real hosts make, to see that they are found.

For the world and the tests only. Nothing that serves a terminal imports this package (an import contract says so).

    bugs = ["dup-posts"]
    Runner(store, clock, settings, link, decide=with_bugs(decide, bugs), needs=needs_with(needs, bugs))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from host.deviations import (
    batch_follow_empty,
    closed_sale_moved,
    closes_partial,
    drops_carried,
    dup_posts,
    forget_keys,
    gives_up,
    hold_captured,
    hold_stranded,
    late_captured,
    late_into_closed,
    no_inflight,
    one_at_a_time,
    orphan_approved,
    over_completion,
    overwrites_key,
    posts_unknown,
    recaptures_reversed,
    refund_unlimited,
    replay_any_totals,
    rev_twice,
    settle_dup_empty,
    settle_dup_refused,
    site_b_alone,
    splits_day,
    stale_refused,
    today_by_terminal,
    transient_cached,
    twin_replay,
    upload_dedupe_stan,
    upload_overwrites,
    void_by_batch_ref,
    void_rev_release,
    void_rev_uncounted,
    written_is_delivered,
)
from host.deviations.model import Deviation as Deviation
from host.deviations.model import NeedsOf
from host.engine.context import Context
from host.engine.events import Decision, Event, Request
from host.engine.working import WorkingSet
from host.errors import HostError
from host.group import Decide
from specs.profile import Profile
from specs.values import replace

_FILES = (
    rev_twice,
    orphan_approved,
    dup_posts,
    no_inflight,
    forget_keys,
    gives_up,
    late_captured,
    transient_cached,
    settle_dup_refused,
    settle_dup_empty,
    closed_sale_moved,
    batch_follow_empty,
    replay_any_totals,
    upload_overwrites,
    closes_partial,
    upload_dedupe_stan,
    posts_unknown,
    recaptures_reversed,
    stale_refused,
    splits_day,
    drops_carried,
    late_into_closed,
    twin_replay,
    overwrites_key,
    today_by_terminal,
    void_by_batch_ref,
    void_rev_uncounted,
    void_rev_release,
    refund_unlimited,
    hold_stranded,
    hold_captured,
    over_completion,
    site_b_alone,
    written_is_delivered,
    one_at_a_time,
)
DEVIATIONS: Mapping[str, Deviation] = {file.DEVIATION.name: file.DEVIATION for file in _FILES}
"""Every deviation by its name."""
WAITING: Mapping[str, str] = {"round-per-batch": "case 65: fees of a batch are counted when there is funding"}
"""Names of the catalogue that cannot be built yet, and why."""


class UnknownDeviation(HostError):
    """A name that no deviation has; the text says the nearest one that there is, or why it has to wait."""


def named(names: Iterable[str]) -> tuple[Deviation, ...]:
    """The deviations of these names, in their order. Raises: UnknownDeviation."""
    return tuple(_named(name) for name in names)


def _named(name: str) -> Deviation:
    if name in DEVIATIONS:
        return DEVIATIONS[name]
    if name in WAITING:
        raise UnknownDeviation(f"host deviation {name!r} has to wait: {WAITING[name]}")
    near = get_close_matches(name, DEVIATIONS, n=1, cutoff=0.0)
    raise UnknownDeviation(f"no host deviation {name!r}; the nearest is {near[0]!r}")


def with_bugs(decide: Decide, names: Iterable[str], since: int | None = None) -> Decide:
    """`decide` with these deviations around it, the first one innermost; without names it is `decide` itself.

    since: the id of the last transaction when this host process began (`Store.last_ids()`): what a restart forgets is
    older. None: what is there at the first decision, which is right for a process that is not resumed from a snapshot.
    """
    chosen = named(names)
    for deviation in chosen:
        if deviation.wrap is not None:
            decide = deviation.wrap(decide)
        if deviation.wrap_from is not None:
            decide = deviation.wrap_from(decide, since)
    return _switched(decide, chosen) if any(d.profile for d in chosen) else decide


def needs_with(needs: NeedsOf, names: Iterable[str]) -> NeedsOf:
    """`needs` for a host with these deviations: some look further than the rules do."""
    for deviation in named(names):
        if deviation.needs is not None:
            needs = deviation.needs(needs)
    return needs


def profile_with(profile: Profile, names: Iterable[str]) -> Profile:
    """The switches of a dialect as these deviations have them. `with_bugs` sees to it by itself."""
    return _profile(profile, named(names))


def _profile(profile: Profile, chosen: Iterable[Deviation]) -> Profile:
    for deviation in chosen:
        if deviation.profile is not None:
            profile = deviation.profile(profile)
    return profile


def _switched(decide: Decide, chosen: tuple[Deviation, ...]) -> Decide:
    def deviant(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
        if isinstance(event, Request):
            event = replace(event, profile=_profile(event.profile, chosen))
        return decide(ws, event, ctx)

    return deviant
