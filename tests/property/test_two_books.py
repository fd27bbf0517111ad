"""Any day with any faults: the terminal's and the host's books agree in the end, and every invariant holds on the way.

A schedule is a list of steps, each an order with its faults. Which kinds of fault a run may use is drawn first, so that
some runs meet few kinds often. A failure prints its schedule; `run(dialect, steps)` plays it again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.issuer.link import FaultKind
from terminal_sim.flash import STEPS, WHENS
from terminal_sim.moves import Echo, Settle, SignOff, SignOn
from tests.support.two_books import (
    HOST_FAULTS,
    HOST_POINTS,
    WIRE_FAULTS,
    ForceClose,
    HostFault,
    Inquire,
    Meddle,
    Sell,
    Step,
    Void,
    Wait,
    run,
)

CARDS = ("credit1", "foreign1", "partial", "nofunds")
AMOUNTS = (100, 7_000)
"""One that the card with 50.00 has, one that it has in part."""
STEPS_MAX = 12
FLASH_STEPS = tuple(step for step in STEPS if step not in ("send", "recv", "print"))

_sales = st.builds(Sell, st.sampled_from(AMOUNTS), st.sampled_from(CARDS))
_voids = st.builds(Void, st.integers(0, 2))
_settles = st.just(Settle())
_waits = st.builds(Wait, st.sampled_from([5.0, 25.0, 100_000.0]))
_common = (_sales, _sales, _voids, _settles, st.just(Echo()), _waits)
DEEDS = {
    "cup": st.one_of(*_common, st.just(SignOn()), st.just(SignOff()), st.builds(Inquire, st.sampled_from(CARDS))),
    "nac": st.one_of(*_common),
}
TROUBLES: dict[str, st.SearchStrategy[Any]] = {
    "wire": st.lists(st.sampled_from(WIRE_FAULTS), min_size=1, max_size=5).map(tuple),
    "cut": st.tuples(st.sampled_from(STEPS), st.sampled_from(WHENS), st.integers(1, 3)),
    "refuse": st.sampled_from(FLASH_STEPS),
    "host": st.builds(
        HostFault,
        st.sampled_from(HOST_POINTS),
        st.sampled_from(("before", "after")),
        st.integers(1, 4),
        st.sampled_from(HOST_FAULTS),
    ),
    "issuer": st.tuples(
        st.sampled_from([kind.value for kind in FaultKind]),
        st.sampled_from(("any", "ask", "undo")),
        st.sampled_from((1, 2, -1)),
        st.sampled_from((3.0, 25.0, 45.0)),
    ),
}
"""By the field of Step that it is."""
MEDDLING = st.builds(Meddle, st.sampled_from(("clear-reversal", "phantom")))


@st.composite
def _schedules(draw: st.DrawFn, dialect: str) -> list[Step]:
    """CUP begins signed on, since all else is refused. meddle: somebody may also put the books apart by hand. close:
    the back office may close the batch."""
    kinds = draw(st.lists(st.sampled_from([*TROUBLES, "meddle", "close"]), unique=True, max_size=3))
    deeds = DEEDS[dialect]
    deeds = deeds | MEDDLING if "meddle" in kinds else deeds
    deeds = deeds | st.just(ForceClose()) if "close" in kinds else deeds
    able = [kind for kind in kinds if kind in TROUBLES]
    steps = [Step(SignOn())] if dialect == "cup" else []
    for _ in range(draw(st.integers(1, STEPS_MAX))):
        step = Step(draw(deeds))
        goes_wrong = draw(st.booleans())
        if able and goes_wrong:
            kind = draw(st.sampled_from(able))
            step = replace(step, **{kind: draw(TROUBLES[kind])})
        steps.append(step)
    return steps


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The host's log of thousands of failures is no news here."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.mark.parametrize("dialect", ["cup", "nac"])
def test_whatever_fails_both_books_agree_in_the_end(dialect: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(_schedules(dialect))
    def play(steps: list[Step]) -> None:
        note(f"run({dialect!r}, {steps!r})")
        run(dialect, steps)

    play()


EXAMPLES = int(os.environ.get("TWO_BOOKS_EXAMPLES", "0")) or (150 if os.environ.get("CI") else 50)
"""Schedules a dialect: some 10 s of them, 30 s under CI. TWO_BOOKS_EXAMPLES=5000 for a long search by hand."""
