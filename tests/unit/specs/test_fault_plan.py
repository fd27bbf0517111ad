"""The plan of a run: which fault strikes when, windows, counters, and going back."""

from __future__ import annotations

import math

import pytest

from specs.faults import Facts, Fault, FaultError
from specs.faults.plan import Plan, Window, chance

SALE = Facts("T0000001", "0200", "sale", "000005", 26800)
VOID = Facts("T0000001", "0200", "void", "000006", 26800)
OUT = "wire/T0000001>H/0200"
BACK = "wire/H>T0000001/0210"


def strikes(plan: Plan, point: str, times: int, facts: Facts = SALE, now: float = 0.0) -> list[bool]:
    return [plan.passed(point, facts, now)[1] is not None for _ in range(times)]


def test_points_are_counted_from_one_whether_there_are_faults_or_not() -> None:
    plan = Plan([])
    assert [plan.passed(OUT, SALE, 0.0) for _ in range(2)] == [(OUT + "#1", None), (OUT + "#2", None)]
    assert plan.passed(BACK, SALE, 0.0) == (BACK + "#1", None)


def test_the_nth_passing_only() -> None:
    plan = Plan([Fault(OUT + "#2", "drop")])
    assert strikes(plan, OUT, 4) == [False, True, False, False]
    assert plan.fired == (1,)


def test_any_terminal_is_counted_together() -> None:
    plan = Plan([Fault("wire/T>H/0200#3", "drop")])
    assert strikes(plan, OUT, 2) == [False, False]
    assert strikes(plan, "wire/T0000002>H/0200", 2) == [True, False]
    assert plan.passed(OUT, SALE, 0.0)[0] == OUT + "#3"  # the point itself counts for itself


def test_a_point_without_mti_is_any_message_that_way() -> None:
    plan = Plan([Fault("wire/H>T", "drop", times=2)])
    assert strikes(plan, OUT, 1) == [False]
    assert strikes(plan, BACK, 1) == [True]
    assert strikes(plan, "wire/H>T0000009/0410", 2) == [True, False]


def test_times_and_endless() -> None:
    assert strikes(Plan([Fault(OUT, "drop")]), OUT, 3) == [True, False, False]
    assert strikes(Plan([Fault(OUT, "drop", times=2)]), OUT, 3) == [True, True, False]
    assert strikes(Plan([Fault(OUT, "drop", times=0)]), OUT, 3) == [True, True, True]


def test_the_first_fault_strikes_and_the_others_have_seen_it() -> None:
    plan = Plan([Fault(OUT, "drop"), Fault(OUT, "reset")])
    assert [hit.action for _ in range(2) if (hit := plan.passed(OUT, SALE, 0.0)[1])] == ["drop", "reset"]
    assert (plan.seen, plan.fired) == ((2, 2), (1, 1))


@pytest.mark.parametrize(
    "match",
    [{"kind": "sale"}, {"stan": "000005"}, {"kind": "sale", "amount": 26800}, {"tid": "T0000001", "stan": "000005"}],
)
def test_matching(match: dict[str, str | int]) -> None:
    plan = Plan([Fault(OUT, "drop", match=match)])
    assert strikes(plan, OUT, 1, VOID) == [False]
    assert strikes(plan, OUT, 1) == [True]


def test_the_nth_that_matches_is_not_the_nth_that_passes() -> None:
    plan = Plan([Fault(OUT, "drop", match={"kind": "sale", "nth": 2})])
    assert [plan.passed(OUT, facts, 0.0)[1] is not None for facts in (SALE, VOID, SALE, SALE)] == [
        *(False, False, True, False)
    ]


def test_the_phase_is_matched() -> None:
    plan = Plan([Fault(BACK, "drop", phase="before-commit")])
    assert strikes(plan, BACK, 1, Facts(phase="after-commit")) == [False]
    assert strikes(plan, BACK, 1, Facts(phase="before-commit")) == [True]


def test_chance_comes_from_the_seed_alone() -> None:
    def run(seed: int) -> list[bool]:
        return strikes(Plan([Fault(OUT, "drop", times=0, probability=0.5, seed=seed)]), OUT, 200)

    assert run(7) == run(7)
    assert run(7) != run(8)
    assert 70 < sum(run(7)) < 130
    assert not any(strikes(Plan([Fault(OUT, "drop", times=0, probability=0.0)]), OUT, 50))


def test_chance_is_even() -> None:
    drawn = [chance(3, asked) for asked in range(10_000)]
    assert min(drawn) >= 0.0
    assert max(drawn) < 1.0
    for tenth in range(10):  # 1000 +- 5 standard deviations of 30
        assert 850 < sum(tenth / 10 <= value < (tenth + 1) / 10 for value in drawn) < 1150


# ---- windows


def test_a_line_is_down_from_a_step_for_a_time() -> None:
    """The example of the catalogue: from="step:S", until="+10m"."""
    plan = Plan([Fault("link/T0000001", "down", since="step:S", until="+600")])
    assert not plan.is_down("T0000001", 100.0)
    assert plan.next_change(100.0) is None
    plan.step_began("A", 100.0)
    plan.step_began("S", 200.0)
    assert plan.is_down("T0000001", 200.0)
    assert not plan.is_down("T0000002", 200.0)
    assert plan.next_change(200.0) == 800.0
    assert plan.is_down("T0000001", 799.9)
    assert not plan.is_down("T0000001", 800.0)
    plan.step_began("S", 900.0)  # keyed again: the window was that of the first time
    assert not plan.is_down("T0000001", 901.0)
    assert plan.windows(900.0) == (Window(0, 200.0, 800.0),)


def test_nothing_at_a_line_leaves_it_up() -> None:
    plan = Plan([Fault("link/T0000001", "nothing")])
    assert not plan.is_down("T0000001", 1.0)


def test_a_window_between_two_moments() -> None:
    plan = Plan([Fault("link/T", "down", since="60", until="120")])
    assert [plan.next_change(at) for at in (0.0, 60.0, 120.0)] == [60.0, 120.0, None]
    assert [plan.is_down("T0000002", at) for at in (59.0, 60.0, 119.0, 120.0)] == [False, True, True, False]
    assert plan.fired == (1,)


def test_a_window_that_nobody_met_has_not_fired() -> None:
    plan = Plan([Fault("link/T0000001", "down", since="60", until="120")])
    plan.is_down("T0000001", 10.0)
    plan.is_down("T0000002", 70.0)
    assert plan.fired == (0,)


def test_a_line_without_times_is_down_for_good() -> None:
    plan = Plan([Fault("link/T0000001", "down")])
    assert plan.is_down("T0000001", 0.0)
    assert plan.is_down("T0000001", 1e9)


def test_a_window_from_one_step_to_another() -> None:
    plan = Plan([Fault("link/T0000001", "down", since="step:A", until="step:B")])
    plan.step_began("A", 10.0)
    assert plan.is_down("T0000001", 1e6)
    plan.step_began("B", 50.0)
    assert plan.is_down("T0000001", 49.0)
    assert not plan.is_down("T0000001", 50.0)


def test_a_fault_of_frames_may_have_a_window_too() -> None:
    plan = Plan([Fault(OUT, "drop", times=0, since="10", until="20")])
    assert [strikes(plan, OUT, 1, now=at)[0] for at in (9.0, 10.0, 19.0, 20.0)] == [False, True, True, False]


def test_an_outage_begins_where_it_strikes_and_holds_for_every_message() -> None:
    plan = Plan([Fault("wire/H>I/0200#2", "outage", until="+300")])
    assert strikes(plan, "wire/H>I/0200", 1, now=100.0) == [False]
    assert not plan.is_down("I", 100.0)
    assert strikes(plan, "wire/H>I/0200", 1, now=150.0) == [True]
    assert plan.is_down("I", 151.0)
    assert strikes(plan, "wire/H>I/0420", 1, now=200.0) == [True]
    assert strikes(plan, "wire/I>H/0430", 1, now=449.0) == [True]
    assert strikes(plan, "wire/H>I/0420", 1, now=450.0) == [False]
    assert not plan.is_down("I", 450.0)
    assert plan.fired == (3,)


@pytest.mark.parametrize("turned", [False, True])
def test_what_strikes_every_time_leaves_one_passing_to_a_fault_that_names_it(turned: bool) -> None:
    faults = [Fault("wire/H>T0000001", "split", times=0), Fault(f"{BACK}#2", "drop")]
    plan = Plan(faults[::-1] if turned else faults)
    struck = [plan.passed(BACK, SALE, 0.0)[1] for _ in range(3)]
    assert [fault.action if fault else "" for fault in struck] == ["split", "drop", "split"]
    assert sorted(plan.fired) == [1, 2]


def test_a_line_goes_down_at_a_frame_for_a_time() -> None:
    plan = Plan([Fault(f"{BACK}#2", "down", until="+600")])
    assert strikes(plan, BACK, 1, now=100.0) == [False]
    assert not plan.is_down("T0000001", 100.0)
    assert plan.ahead(100.0) != ()
    assert strikes(plan, BACK, 1, now=200.0) == [True]
    assert [plan.is_down("T0000001", at) for at in (200.0, 799.9, 800.0)] == [True, True, False]
    assert not plan.is_down("T0000002", 300.0)
    assert not plan.is_down("I", 300.0)
    assert strikes(plan, BACK, 1, now=300.0) == [False], "once; the frame is lost because the line is down"
    assert plan.fired == (1,)
    assert plan.ahead(799.0) != ()
    assert plan.ahead(800.0) == ()
    assert [(window.since, window.until) for window in plan.windows(300.0)] == [(200.0, 800.0)]


# ---- going back, and what is ahead


def test_a_restored_plan_says_what_it_said_before() -> None:
    faults = [
        Fault(OUT + "#3", "drop"),
        Fault("wire/T>H", "reset", times=0, probability=0.5, seed=2),
        Fault("link/T0000001", "down", since="step:A", until="+60"),
    ]

    def rest(plan: Plan) -> list[object]:
        said: list[object] = [plan.passed(point, SALE, 5.0) for point in (OUT, BACK, OUT, OUT) * 3]
        plan.step_began("A", 7.0)
        return [*said, plan.is_down("T0000001", 8.0), plan.fired, plan.seen, plan.next_change(8.0)]

    plan = Plan(faults)
    for point in (OUT, BACK, OUT):
        plan.passed(point, SALE, 1.0)
    kept = plan.snapshot()
    first = rest(plan)
    plan.restore(kept)
    assert rest(plan) == first
    fresh = Plan(faults)
    fresh.restore(kept)
    assert rest(fresh) == first


@pytest.mark.parametrize("at", [OUT + "#3", "wire/T>H/0200#3", "wire/T0000001>H#3"])
def test_a_fault_that_is_added_after_a_prefix_counts_the_prefix(at: str) -> None:
    plan = Plan([Fault(BACK, "drop")])
    for point in (OUT, BACK, OUT):
        plan.passed(point, SALE, 1.0)
    more = Plan([Fault(BACK, "drop"), Fault(at, "reset")])
    more.restore(plan.snapshot())
    assert more.fired == (1, 0)
    assert strikes(more, OUT, 2) == [True, False]


def test_a_window_that_is_added_after_its_step_knows_when_it_began() -> None:
    plan = Plan([])
    plan.step_began("S", 200.0)
    more = Plan([Fault("link/T", "down", since="step:S", until="+600")])
    more.restore(plan.snapshot())
    assert more.is_down("T0000001", 700.0)
    assert not more.is_down("T0000001", 800.0)


def test_what_is_ahead_forgets_what_is_over() -> None:
    plan, none = Plan([Fault(OUT + "#2", "drop")]), Plan([])
    before = plan.ahead(0.0)
    plan.passed(OUT, SALE, 0.0)
    assert plan.ahead(0.0) != before
    plan.passed(OUT, SALE, 0.0)
    assert plan.ahead(0.0) == none.ahead(0.0) == ()
    window = Plan([Fault("link/T", "down", since="10", until="20")])
    assert window.ahead(15.0) != ()
    assert window.ahead(20.0) == ()


@pytest.mark.parametrize(
    ("fault", "key", "why"),
    [
        (Fault("wire/T>H/0200", "dorp"), "action", "did you mean 'drop'?"),
        (Fault("wier/T>H/0200", "drop"), "at", "did you mean 'wire'?"),
        (Fault("wire/T>H/0200", "refuse"), "action", "cannot happen at wire/T>H/0200"),
        (Fault("link/T", "down", since="step:Z"), "from", "there is no step 'Z'"),
        (Fault("link/T", "down", until="step:AA"), "until", "did you mean 'A'?"),
        (Fault("link/T", "down", since="soon"), "from", "neither seconds nor step:ID"),
        (Fault("link/T", "down", until="+nan"), "until", "neither seconds nor step:ID"),
        (Fault(OUT, "drop", match={"knd": "sale"}), "match.knd", "did you mean 'kind'?"),
    ],
)
def test_a_plan_of_what_cannot_be(fault: Fault, key: str, why: str) -> None:
    with pytest.raises(FaultError) as caught:
        Plan([Fault(OUT, "drop"), fault], steps=["A", "B"])
    assert (caught.value.where, caught.value.key) == ("faults[1]", key)
    assert why in caught.value.why


def test_the_unknown_time_is_no_time() -> None:
    assert Plan([Fault("link/T", "down", since="step:A")]).windows(math.inf) == ()


def test_an_outage_that_goes_on_leaves_a_passing_to_the_fault_that_names_it() -> None:
    """Else a second fault behind an outage could never strike, and would be told as one that never fired."""
    plan = Plan([Fault("wire/H>I/0200#1", "outage", until="+300"), Fault("wire/H>I/0200#2", "late", {"seconds": 25.0})])
    struck = [plan.passed("wire/H>I/0200", Facts(), now)[1] for now in (0.0, 10.0, 20.0)]
    assert [fault.action if fault else "" for fault in struck] == ["outage", "late", "outage"]
    assert plan.fired == (2, 1)
