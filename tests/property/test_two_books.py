"""Any day with any faults: the terminal's and the host's books agree in the end, and every invariant holds on the way.

First every single fault of short days, one run each; then schedules drawn at random, shrunk when they fail; last what
such a search has found. A schedule is a list of steps, each an order with its faults. Which kinds of fault a random run
may use is drawn first, so that some runs meet few kinds often. A failure prints its schedule as a call of `run`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from hypothesis import given, note, settings
from hypothesis import strategies as st

from host.issuer.link import FaultKind
from terminal_sim.flash import STEPS, WHENS
from terminal_sim.moves import Echo, End, Settle, SignOff, SignOn
from tests.support.shopping import Collect, GiveBack, Reserve, Retotal, SellOffline
from tests.support.shopping_days import DIALECTS, RARE, deeds, signed_on
from tests.support.two_books import (
    HOST_FAULTS,
    HOST_POINTS,
    WIRE_FAULTS,
    Act,
    ForceClose,
    HostFault,
    Meddle,
    Sell,
    Step,
    TwoBooks,
    Void,
    run,
    singles,
)

STEPS_MAX = 12
FLASH_STEPS = tuple(step for step in STEPS if step not in ("send", "recv", "print"))


def _host_faults(whats: Sequence[str]) -> st.SearchStrategy[HostFault]:
    whens = st.sampled_from(("before", "after"))
    return st.builds(HostFault, st.sampled_from(HOST_POINTS), whens, st.integers(1, 4), st.sampled_from(whats))


TROUBLES: dict[str, st.SearchStrategy[Any]] = {
    "wire": st.lists(st.sampled_from(WIRE_FAULTS), min_size=1, max_size=5).map(tuple),
    "cut": st.tuples(st.sampled_from(STEPS), st.sampled_from(WHENS), st.integers(1, 3)),
    "refuse": st.sampled_from(FLASH_STEPS),
    "host": _host_faults(HOST_FAULTS),
    "issuer": st.tuples(
        st.sampled_from([kind.value for kind in FaultKind]),
        st.sampled_from(("any", "ask", "undo")),
        st.sampled_from((1, 2, -1)),
        st.sampled_from((3.0, 25.0, 45.0)),
    ),
}
"""By the field of Step that it is."""


@st.composite
def _schedules(draw: st.DrawFn, dialect: str) -> list[Step]:
    """Deeds of every kind that the dialect has. Which faults a run may meet is drawn first; somebody may also put the
    books apart by hand, the back office may close the batch, and days may pass."""
    kinds = draw(st.lists(st.sampled_from([*TROUBLES, *RARE]), unique=True, max_size=3))
    able = [kind for kind in kinds if kind in TROUBLES]
    one = deeds(dialect, [kind for kind in kinds if kind in RARE])
    steps = signed_on(dialect)
    for _ in range(draw(st.integers(1, STEPS_MAX))):
        step = Step(draw(one))
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


EVERY_SORT = (
    *(Sell(100), Retotal(0, 130), GiveBack(0, 50), Reserve(500), Collect(0, 90), SellOffline(40), Void(1), Settle()),
)
DAYS: dict[str, tuple[int, tuple[Act, ...]]] = {
    "plain": (0, (Sell(100), Sell(7_000, "partial"), Void(0), Settle())),
    "dispute": (-1, (Sell(100), Sell(200, "foreign1"), Void(0), Meddle("phantom"), Settle())),
    "every sort": (0, EVERY_SORT),
    "closed by the host": (-3, (Sell(100), ForceClose(), Sell(7_000, "partial"), Settle())),
}
"""Name -> (the first deed that is spoiled, the deeds)."""
DAYS_PLAYED = tuple(DAYS) if os.environ.get("CI") else ("plain",)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", DAYS)
def test_a_day_without_faults_leaves_equal_books(name: str, dialect: str) -> None:
    """Also with a row that the host never saw, and after a close by the host."""
    run(dialect, [*signed_on(dialect), *(Step(deed) for deed in DAYS[name][1])])


@pytest.mark.timeout(1_800)  # every sort of deed on a PostgreSQL server: a quarter of an hour
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", DAYS_PLAYED)
def test_no_single_fault_of_a_day_parts_the_books(name: str, dialect: str) -> None:
    """Every message, flash step and commit of the day, with every fault that fits there."""
    since, deeds = DAYS[name]
    day = signed_on(dialect) + [Step(deed) for deed in deeds]
    wrong = {}
    for steps in singles(dialect, day, since=since % len(day) if since else 0):
        try:
            run(dialect, steps, watch=False)
        except AssertionError as error:
            wrong[repr(steps)] = str(error).partition("\n")[0]
    assert not wrong, "\n".join(f"run({dialect!r}, {steps})  # {why}" for steps, why in [*wrong.items()][:SHOWN_MAX])


SHOWN_MAX = 5


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_whatever_fails_both_books_agree_in_the_end(dialect: str) -> None:
    @settings(max_examples=EXAMPLES)
    @given(_schedules(dialect))
    def play(steps: list[Step]) -> None:
        note(f"run({dialect!r}, {steps!r})")
        run(dialect, steps)

    play()


EXAMPLES = int(os.environ.get("TWO_BOOKS_EXAMPLES", "0")) or (150 if os.environ.get("CI") else 50)
"""Schedules a dialect; TWO_BOOKS_EXAMPLES=5000 for a long search by hand."""


# ---- what was found once


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_leg_of_a_commit_that_nobody_knows_of_does_not_block_its_terminal(dialect: str) -> None:
    """The store had written the sale and its leg, but said it had not: the leg was never sent, had no deadline in the
    writer's memory, and every settlement waited for it."""
    fault = HostFault("commit", "after", 1, "unknown")
    run(dialect, [*signed_on(dialect), Step(Sell(100)), Step(Sell(100), host=fault)])


@pytest.mark.parametrize("dialect", ["cup", "nac"])  # ISO 87 uploads nothing
def test_an_upload_met_by_a_host_in_trouble_is_sent_again(dialect: str) -> None:
    """96 on a 0330 says nothing about the record: as refused it was never seen by the host and on nobody's list."""
    day = [*signed_on(dialect), Step(Sell(100)), Step(Meddle("phantom"))]
    fault = HostFault("commit", "before", 2, "full")
    world = run(dialect, [*day, Step(Settle(), host=fault)])
    rows = world.memory.archive[0].rows
    assert [(row.uploaded, row.rejected) for row in rows] == [(True, "")] * 2


def test_a_host_that_stays_in_trouble_ends_the_upload_until_later() -> None:
    """Three sends, then the settlement is pending, with every record still to be sent."""
    world = TwoBooks("nac")
    for step in (Step(Sell(100)), Step(Meddle("phantom"))):
        world.play(step)
    world.host.room = 1
    said = world.play(Step(Settle()))
    assert said is not None
    assert (said.end, said.code) == (End.PENDING, "96")
    assert [(row.uploaded, row.rejected) for row in world.memory.rows] == [(False, "")] * 2


def test_a_settlement_refused_for_its_session_asks_for_a_sign_on() -> None:
    """The sign-off arrived, its answer did not: the host says A0 to the 0500, and the terminal must not go on so."""
    world = TwoBooks("cup")
    for step in (Step(SignOn()), Step(Sell(100)), Step(SignOff(), wire=("drop-answer",))):
        world.play(step)
    said = world.play(Step(Settle()))
    assert said is not None
    assert (said.end, said.code) == (End.PENDING, "A0")
    again = world.play(Step(Settle()))
    assert again is not None
    assert again.end is End.REFUSED_LOCALLY
    world.heal()
    world.settled()


def test_two_batches_settled_under_later_numbers_keep_their_own_rows() -> None:
    """NAC, twice closed by the host: the journal's rows of both stand under numbers that were never archived."""
    sale, close = Step(Sell(100)), Step(ForceClose())
    run("nac", [sale, close, sale, Step(Settle()), sale, close, sale])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_batch_of_a_reversed_sale_alone_that_the_host_has_closed(dialect: str) -> None:
    """ISO 87 counts a sale and its reversal: they want a settlement of their own, before what is sold next."""
    run(dialect, [*signed_on(dialect), Step(Sell(100), wire=("drop-answer",)), Step(Echo()), Step(ForceClose())])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_stored_sales_and_late_reversals_past_a_close_do_not_spoil_the_next_day(dialect: str) -> None:
    """FC 2 and 44: a stored sale, a sale whose reversal comes after the close, and one sold without knowing of it."""
    late = Step(Sell(300), cut=("send", "after", 1))
    day = [*signed_on(dialect), Step(Sell(100)), late, Step(SellOffline(200)), Step(ForceClose()), Step(Sell(400))]
    world = run(dialect, day)
    assert sorted(txn.amount for txn in world.host.books().txns if txn.carried) == [200]


def test_a_schedule_plays_the_same_twice() -> None:
    """Messages, books and flash follow from the schedule alone."""
    steps = [
        Step(SignOn()),
        Step(Sell(100), wire=("late-answer",)),
        Step(Sell(7_000, "partial"), wire=("deliver", "duplicate"), issuer=("late", "ask", 1, 3.0)),
        Step(Void(0), cut=("journal", "before", 1)),
        Step(Settle(), host=HostFault("commit", "after", 1)),
    ]
    one, two = run("cup", steps), run("cup", steps)
    assert one.host.books() == two.host.books()
    assert one.memory == two.memory
