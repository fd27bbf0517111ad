"""Shopping days drawn at random, in every dialect and under both capture profiles: the books of both ends are equal.

A day is a schedule of deeds from every order that a terminal takes, with what people at the host may do meanwhile. It
is drawn by hypothesis, shrunk when it fails, and printed as a call of `shop` that plays it again.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from hypothesis import Phase, event, given, note, seed, settings
from hypothesis import strategies as st

from terminal_sim.moves import Download, Echo, SendStored, Settle, SignOff, SignOn
from tests.support.shopping import (
    Collect,
    GiveBack,
    Increase,
    Release,
    Reserve,
    Retotal,
    SellOffline,
    Tip,
    call_of,
    digest,
    shop,
)
from tests.support.two_books import Act, ForceClose, HostAsks, Inquire, Meddle, Sell, Step, Void, Wait

DIALECTS = ("cup", "nac", "iso87")
CAPTURES = ("HC", "TC")
DEEDS_MAX = 25
CARDS = ("credit1", "credit1", "debit1", "foreign1", "foreign2", "partial", "nofunds", "expired", "stolen")
PLASTIC = ("swipe", "chip", "tap", "fallback", "manual")
AMOUNTS = (1, 100, 2_500, 7_000, 99_999)
"""The card with 50.00 has some of them, and one in part."""
PINS = ("", "", "123456", "111111")

_amounts = st.sampled_from(AMOUNTS)
_cards = st.sampled_from(CARDS)
_plastic = st.sampled_from(PLASTIC)
_pins = st.sampled_from(PINS)
_nths = st.integers(0, 5)

_plain = st.builds(Sell, _amounts)
_completions = st.builds(Collect, _nths, st.sampled_from([60, 100, 100, 115, 116]), st.booleans())
KINDS: dict[str, tuple[int, st.SearchStrategy[Act]]] = {
    "sale": (6, _plain),
    "any card": (6, st.builds(Sell, _amounts, _cards, _plastic, _pins)),
    "code": (1, st.builds(Sell, _amounts, st.just("qr1"), st.sampled_from(["qr", "manual"]))),
    "sale with tip": (1, st.builds(Sell, st.just(1_100), _cards, tip=st.just(100))),
    "cash back": (2, st.builds(Sell, st.just(5_500), _cards, cash=st.just(5_000))),
    "void": (5, st.builds(Void, _nths)),
    "refund": (
        5,
        st.builds(GiveBack, _nths, st.sampled_from([30, 100, 100, 130]), st.sampled_from(["stan", "rrn", "card"])),
    ),
    "reserve": (3, st.builds(Reserve, _amounts)),
    "reserve, any card": (2, st.builds(Reserve, _amounts, _cards, _plastic, _pins)),
    "increase": (2, st.builds(Increase, _nths, _amounts)),
    "release": (2, st.builds(Release, _nths)),
    "completion": (5, _completions),
    "offline": (3, st.builds(SellOffline, _amounts)),
    "offline, any card": (2, st.builds(SellOffline, _amounts, _cards, _plastic, st.sampled_from(["", "123456"]))),
    "adjust": (3, st.builds(Retotal, _nths, st.sampled_from([50, 100, 130]))),
    "tip": (3, st.builds(Tip, _nths, st.sampled_from([10, 100, 101]))),
    "send stored": (2, st.just(SendStored())),
    "settle": (4, st.just(Settle())),
    "echo": (1, st.just(Echo())),
    "wait": (2, st.builds(Wait, st.sampled_from([5.0, 3_600.0]))),
    "balance": (1, st.builds(Inquire, _cards, _pins)),
    "sign-on": (2, st.just(SignOn())),
    "sign-off": (1, st.just(SignOff())),
    "download": (1, st.builds(Download, st.sampled_from(["parameters", "ca-keys", "ic-parameters", "status"]))),
    "host asks": (1, st.builds(HostAsks, st.sampled_from("12345"))),
}
"""Name -> (how often in a hundred or so, the deed)."""
NOT_IN = {"cup": ("sale with tip", "cash back"), "nac": ("sign-off", "download", "host asks"), "iso87": ("download", "host asks")}
"""What a dialect has no message for."""
RARE: dict[str, st.SearchStrategy[Act]] = {
    "long": st.builds(Wait, st.sampled_from([50_000.0, 100_000.0, 2_700_000.0])),
    "close": st.just(ForceClose()),
    "meddle": st.builds(Meddle, st.sampled_from(["phantom", "missing"])),
}
"""What only some days have, drawn first, so that the others stay plain. long: past midnight; past the end of holds."""
RARELY = 6
LOST = ("drop-request", "drop-answer", "late-answer", "duplicate")


@st.composite
def days(draw: st.DrawFn, dialect: str) -> list[Step]:
    """One day. Some days have a long wait, a close by the host, meddled books or lost messages in them."""
    rare = draw(st.lists(st.sampled_from([*RARE, "lost"]), unique=True, max_size=2))
    kinds = [name for name, (weight, _) in KINDS.items() if name not in NOT_IN[dialect] for _ in range(weight)]
    kinds += [name for name in rare if name in RARE for _ in range(RARELY)]
    steps = [Step(SignOn())] if dialect == "cup" else []
    for _ in range(draw(st.integers(1, DEEDS_MAX))):
        kind = draw(st.sampled_from(kinds))
        step = Step(_able(dialect, draw(RARE[kind] if kind in RARE else KINDS[kind][1])))
        if "lost" in rare and draw(st.integers(0, 4)) == 4:
            step = replace(step, wire=("deliver",) * draw(st.integers(0, 2)) + (draw(st.sampled_from(LOST)),))
        steps.append(step)
    return steps


def _able(dialect: str, deed: Act) -> Act:
    """Only CUP hands out the key that a PIN is encrypted with."""
    return replace(deed, pin="") if dialect != "cup" and isinstance(deed, Sell | Reserve | Inquire) else deed
