"""From what was found to the smallest that still shows it, over the toy: the smallest is known by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from specs.faults import Fault
from terminal_sim.lab.explore.shrink import Shrinker, fewer_faults, shorter_times, smaller_amounts
from terminal_sim.lab.explore.stage import Verdict, whole
from tests.explore.toy import ANSWER, CLOSE, JOURNAL, REQUEST, REVERSAL, TID, ToyStage, day

LOST = Verdict(("CNSale",), ("E5",))
DAY = day("sale", "sale", "settle", "sale", "settle")


def test_fewer_faults_and_steps() -> None:
    """Two faults of four matter, and one step of five: what is left stands at the first sale there is."""
    stage = ToyStage(DAY, frozenset({"forgets-second"}))
    faults = (
        *(Fault(f"{CLOSE}#1", "drop"), Fault(f"{ANSWER}#3", "drop"), Fault(f"{REVERSAL}#1", "drop")),
        Fault(f"{CLOSE}#2", "drop"),
    )
    small = Shrinker(stage, LOST).shrink(DAY, faults)
    assert small is not None
    assert [(fault.at, fault.action) for fault in small.scenario.faults] == [
        (f"{ANSWER}#1", "drop"),
        (f"{REVERSAL}#1", "drop"),
    ]
    assert [step.do for step in small.scenario.steps] == ["sale"]
    assert [step.args for step in small.scenario.steps] == [{"amount": 1}]
    assert small.run is not None
    assert Verdict.of(small.run) == LOST
    assert small.run.trace_hash == whole(stage, small.scenario.faults, small.scenario).trace_hash


def test_what_was_stopped_says_that_it_may_not_be_the_smallest() -> None:
    stage = ToyStage(DAY, frozenset({"forgets-second"}))
    faults = (Fault(f"{ANSWER}#3", "drop"), Fault(f"{REVERSAL}#1", "drop"))
    cut = Shrinker(stage, LOST, stop=lambda: True).shrink(DAY, faults)
    assert cut is not None
    assert (cut.cut, cut.scenario.steps) == ("interrupted", DAY.steps)
    short = Shrinker(stage, LOST, tries_max=2).shrink(DAY, faults)
    assert short is not None
    assert short.cut == "2 runs were not enough"
    small = Shrinker(stage, LOST).shrink(DAY, faults)
    assert small is not None
    assert small.cut == ""


def test_it_is_one_minimal() -> None:
    """No single change that is tried keeps the finding."""
    stage = ToyStage(DAY, frozenset({"gives-up"}))
    window = Fault(f"link/{TID}", "down", since="step:S1", until="step:S4")
    small = Shrinker(stage, LOST).shrink(DAY, (Fault(f"{JOURNAL}#1", "stop"), window))
    assert small is not None
    for smaller in (fewer_faults, shorter_times, smaller_amounts):
        for candidate in smaller(small.scenario):
            run = whole(stage, candidate.faults, candidate)
            assert Verdict.of(run) != LOST or not all(run.fired), candidate.faults


def test_a_window_gives_way_to_messages() -> None:
    """A link that is down for one step does no more than a lost request: that says more."""
    stage = ToyStage(day("sale", "sale"), frozenset({"double-post"}))
    twice = Verdict(("DC",))
    faults = (Fault(f"link/{TID}", "down", since="step:S1", until="+600"), Fault(f"{REQUEST}#1", "dup"))
    small = Shrinker(stage, twice).shrink(stage.scenario, faults)
    assert small is not None
    assert [(fault.at, fault.action) for fault in small.scenario.faults] == [(f"{REQUEST}#1", "dup")]


def test_what_does_not_show_it_is_refused() -> None:
    assert Shrinker(ToyStage(DAY), LOST).shrink(DAY, (Fault(f"{ANSWER}#1", "drop"),)) is None


@pytest.mark.parametrize("until", ["+600", "+5000"])
def test_shorter_times(until: str) -> None:
    """Each is tried, the shortest first, and never a longer one."""
    scenario = replace(DAY, faults=(Fault(f"link/{TID}", "down", since="step:S0", until=until),))
    tried = [float(candidate.faults[0].until) for candidate in shorter_times(scenario)]
    assert tried == sorted(tried)
    assert tried
    assert all(seconds < float(until) for seconds in tried)
