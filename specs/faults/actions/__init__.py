"""What can be done at a point: one small file an action, beside the one that does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from specs.faults.actions import (
    answer,
    bad_mac,
    clear_rev,
    coalesce,
    corrupt,
    cross,
    cutoff_now,
    delay,
    disk_full,
    down,
    drip,
    drop,
    dup,
    fin,
    force_settle,
    forget,
    half_open,
    holiday,
    late,
    lose_after_issuer,
    lost_write,
    nothing,
    outage,
    paper_out,
    prompt,
    query,
    refuse,
    rekey,
    rekey_on,
    reorder,
    reset,
    silence,
    skew,
    split,
    stop,
    swap,
    torn_write,
    truncate,
    wrong_length,
)
from specs.faults.model import Action

_FILES = (
    *(nothing, drop, delay, dup, reorder, corrupt, truncate, wrong_length, split, coalesce, drip),
    *(bad_mac, answer, cross, prompt, reset, fin, half_open, refuse, down),
    *(stop, paper_out, torn_write, lost_write, disk_full, silence, late, outage, lose_after_issuer),
    *(rekey, rekey_on, query, clear_rev, force_settle, swap, forget, skew, cutoff_now, holiday),
)
ACTIONS: Mapping[str, Action] = MappingProxyType({file.ACTION.name: file.ACTION for file in _FILES})
"""By the catalogue's name, in the order in which people are told of them."""
assert len(ACTIONS) == len(_FILES), "two actions of one name"
