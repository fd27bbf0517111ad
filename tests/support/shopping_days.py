"""Shopping days as hypothesis draws them: which deeds, how often, and what goes wrong on some days.

python -m tests.support.shopping_days cup HC 7 3     # the digests of the first three days of seed 7
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import HealthCheck, Phase, given, seed, settings
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
NOT_IN = {
    "cup": ("sale with tip", "cash back"),
    "nac": ("sign-off", "download", "host asks"),
    "iso87": ("download", "host asks"),
}
"""What a dialect has no message for."""
RARE: dict[str, st.SearchStrategy[Act]] = {
    "long": st.builds(Wait, st.sampled_from([50_000.0, 100_000.0, 2_700_000.0])),
    "close": st.just(ForceClose()),
    "meddle": st.builds(Meddle, st.sampled_from(["phantom", "missing", "clear-reversal"])),
}
"""What only some days have, drawn first, so that the others stay plain. long: past midnight; past the end of holds."""
RARELY = 6
LOST = ("drop-request", "drop-answer", "late-answer", "duplicate")
LOST_ONE_IN = 5


@st.composite
def deeds(draw: st.DrawFn, dialect: str, rare: Iterable[str] = ()) -> Act:
    """One deed of a dialect, or of these rare ones."""
    kinds = [name for name, (weight, _) in KINDS.items() if name not in NOT_IN[dialect] for _ in range(weight)]
    kinds += [name for name in rare for _ in range(RARELY)]
    kind = draw(st.sampled_from(kinds))
    deed = draw(RARE[kind] if kind in RARE else KINDS[kind][1])
    if dialect != "cup" and isinstance(deed, Sell | Reserve | Inquire):
        return replace(deed, pin="")  # only CUP hands out the key that a PIN is encrypted with
    return deed


@st.composite
def days(draw: st.DrawFn, dialect: str) -> list[Step]:
    """One day. CUP begins signed on. Some days have a long wait, a close by the host, meddled books, lost messages."""
    rare = draw(st.lists(st.sampled_from([*RARE, "lost"]), unique=True, max_size=2))
    one = deeds(dialect, [name for name in rare if name in RARE])
    steps = signed_on(dialect)
    for _ in range(draw(st.integers(1, DEEDS_MAX))):
        step = Step(draw(one))
        if "lost" in rare and draw(st.integers(1, LOST_ONE_IN)) == LOST_ONE_IN:
            step = replace(step, wire=("deliver",) * draw(st.integers(0, 2)) + (draw(st.sampled_from(LOST)),))
        steps.append(step)
    return steps


def signed_on(dialect: str) -> list[Step]:
    """What a day begins with."""
    return [Step(SignOn())] if dialect == "cup" else []


def digests(dialect: str, capture: str, number: int, count: int) -> list[str]:
    """The digests of the first days of a seed, in the order in which they are drawn."""
    found: list[str] = []

    @seed(number)
    # No profile of conftest.py is loaded in a process of its own: a slow machine must not end the days there.
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(days(dialect))
    def play(steps: list[Step]) -> None:
        found.append(digest(shop(dialect, capture, steps, watch=False)))

    play()
    return found


def main(args: Sequence[str]) -> None:
    """See the module."""
    dialect, capture, number, count = args
    print("\n".join(digests(dialect, capture, int(number), int(count))))


if __name__ == "__main__":
    main(sys.argv[1:])
