"""Faults from tables and back, what is refused, and what fits at which point."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.faults import Facts, Fault, FaultError
from specs.faults.actions import ACTIONS
from specs.faults.checking import action_at, params_of
from specs.faults.fitting import fitting
from specs.faults.plan import Plan
from specs.faults.reading import fault_from, to_table

CATALOGUE = """
faults = [
  {at="wire/H>T0000001/0210#1", action="drop"},
  {at="link/T0000001", action="down", from="step:S", until="+10m"},
]
"""


def test_the_example_of_the_catalogue() -> None:
    drop, down = (fault_from(table) for table in tomllib.loads(CATALOGUE)["faults"])
    assert drop == Fault("wire/H>T0000001/0210#1", "drop")
    assert down == Fault("link/T0000001", "down", since="step:S", until="+600")


def test_all_keys() -> None:
    table: dict[str, object] = {
        "at": "wire/H>T",
        "action": "delay",
        "seconds": "2m",
        "times": 0,
        "probability": 0.25,
        "seed": 9,
        "from": 60,
        "until": "7200",
        "match": {"tid": "T0000001", "mti": "0200", "kind": "sale", "stan": "000005", "amount": 100, "nth": 2},
    }
    fault = fault_from(table, line=12)
    assert fault.params == {"seconds": 120.0}
    assert (fault.since, fault.until, fault.times, fault.line) == ("60", "7200", 0, 12)
    assert fault.match == table["match"]


def test_a_time_of_day_is_read_by_the_caller() -> None:
    fault = fault_from({"at": "link/T", "action": "down", "from": "09:05"}, moment=lambda text: {"09:05": 300.0}[text])
    assert fault.since == "300"


@pytest.mark.parametrize(
    ("table", "key", "why"),
    [
        ({"action": "drop"}, "at", "is missing"),
        ({"at": "wire/T>H"}, "action", "is missing"),
        ({"at": "wire/T>H", "action": "dely"}, "action", "did you mean 'delay'?"),
        ({"at": "wire/T>H", "action": "answer", "rc": "05"}, "action", "cannot happen at wire/T>H"),
        ({"at": "crash/T/stan.after", "action": "paper-out"}, "action", "what can: nothing, stop"),
        ({"at": "wire/T>H", "action": "delay"}, "seconds", "delay needs it"),
        ({"at": "wire/T>H", "action": "delay", "seconds": -1}, "seconds", "expected seconds"),
        ({"at": "wire/T>H", "action": "delay", "seconds": True}, "seconds", "expected seconds"),
        ({"at": "wire/T>H", "action": "delay", "secnds": 1}, "secnds", "did you mean 'seconds'?"),
        ({"at": "wire/T>H", "action": "drop", "seconds": 1}, "seconds", "drop knows no 'seconds'"),
        ({"at": "wire/T>H", "action": "corrupt", "byte": 0, "field": 4}, "field", "only one of byte and field"),
        ({"at": "wire/T>H", "action": "corrupt", "byte": 9000}, "byte", "from 0 to 8191"),
        ({"at": "wire/T>H", "action": "corrupt", "field": 129}, "field", "2 to 128"),
        ({"at": "wire/T>H", "action": "split", "sizes": "1,x"}, "sizes", "with commas"),
        ({"at": "wire/T>H", "action": "drip", "rate": 0}, "rate", "above 0"),
        ({"at": "wire/H>T", "action": "answer", "rc": "5"}, "rc", "a response code"),
        ({"at": "wire/H>T", "action": "cross", "tid": "T0000012"}, "tid", "did you mean 'T0000002'?"),
        ({"at": "wire/T0000003>H", "action": "drop"}, "at", "there is no terminal 'T0000003'"),
        ({"at": "wire/T>H", "action": "drop", "phase": "after-commit"}, "phase", "only a rule of the host has one"),
        ({"at": "store/T/journal", "action": "torn-write", "phase": "before-commit"}, "phase", "the point says it"),
        ({"at": "wire/T>H", "action": "drop", "times": -1}, "times", "a whole number"),
        ({"at": "wire/T>H", "action": "drop", "probability": 2}, "probability", "a number from 0 to 1"),
        ({"at": "wire/T>H", "action": "drop", "match": {"kind": "sail"}}, "match.kind", "did you mean 'sale'?"),
        ({"at": "wire/T>H", "action": "drop", "match": {"mti": "20"}}, "match.mti", "no MTI"),
        ({"at": "wire/T>H", "action": "drop", "match": {"nth": 0}}, "match.nth", "from 1"),
        ({"at": "wire/T>H", "action": "drop", "match": "sale"}, "match", "expected a table"),
        ({"at": "link/T", "action": "down", "from": "step:X"}, "from", "there is no step 'X'"),
        (
            {"at": "wire/T>H", "action": "drop", "match": {"step": "Z"}},
            "match.step",
            "there is no step 'Z'; known: A, S",
        ),
        ({"at": "link/T", "action": "down", "from": 600, "until": "60"}, "until", "'60' is not after «from» (600)"),
        ({"at": "link/T", "action": "down", "from": 60, "until": 60}, "until", "60 is not after «from» (60)"),
        ({"at": "op/end-of-day", "action": "forget"}, "at", "is missing: write op/TID/end-of-day or op/T/end-of-day"),
        ({"at": "op/T", "action": "rekey"}, "at", "expected op/TID/MOMENT"),
        ({"at": "store/journal", "action": "torn-write"}, "at", "expected store/TID|H/FILE"),
        ({"at": "op/T/end-of-day", "action": "forget", "days": 0}, "days", "a whole number from 1 to 366"),
        ({"at": "link/T", "action": "down", "from": "+10m"}, "from", "expected seconds, step:ID"),
        ({"at": "link/T", "action": "down", "until": "soon"}, "until", "or as +10m"),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, object], key: str, why: str) -> None:
    with pytest.raises(FaultError) as caught:
        fault_from(table, "faults[2]", terminals=["T0000001", "T0000002"], steps=["A", "S"])
    assert (caught.value.where, caught.value.key) == ("faults[2]", key)
    assert why in caught.value.why
    assert str(caught.value) == f"faults[2].{key}: {caught.value.why}"
    assert "\n" not in str(caught.value)


# ---- what fits

POINTS = (
    *("wire/T0000001>H/0200#2", "wire/H>T0000001/0210#1", "wire/H>T0000001/0510#1", "wire/H>I/0200#1"),
    *("wire/I>H/0430#1", "conn/T0000001#3", "crash/T0000001/print.before#1", "crash/H/commit.after#4"),
    *("store/T0000001/journal#1", "store/H/commit#1", "op/T0000001/after-unknown#1", "op/T0000001/query#1"),
    *("op/T0000001/end-of-day#1", "op/T0000001/after-declined#1", "clock/T0000001", "cal/H"),
)


@pytest.mark.parametrize("point", POINTS)
def test_what_fits_is_what_a_plan_takes_and_strikes(point: str) -> None:
    made = fitting(point)
    assert made
    assert made == fitting(point)
    assert {f.action for f in fitting(point, few=True)} <= {f.action for f in made}
    for fault in made:
        action_at(fault.at, fault.action)
        assert fault_from(to_table(fault)) == fault
        needed = {param.name for param in ACTIONS[fault.action].params}
        assert needed <= set(params_of(fault)) | {"field"}
        plan = Plan([fault])
        text, _, number = point.partition("#")
        hits = [plan.passed(text, Facts(), 0.0)[1] for _ in range(int(number or 1))]
        assert hits[-1] == fault
        assert hits[:-1] == [None] * (len(hits) - 1)


def test_the_catalogue_s_own_choices_fit() -> None:
    """Delay beyond the timeout, reorder 1 and 3, truncate half."""
    made = fitting("wire/T0000001>H/0200#1")
    assert [dict(f.params) for f in made if f.action == "delay"] == [{"seconds": 45.0}]
    assert [dict(f.params) for f in fitting("wire/H>T0000001/0510#1") if f.action == "delay"] == [{"seconds": 75.0}]
    assert sorted(f.params["frames"] for f in made if f.action == "reorder") == [1, 3]
    assert [params_of(f)["n"] for f in made if f.action == "truncate"] == [0]
    assert {f.action for f in fitting("crash/T0000001/print.before#1")} == {"stop", "paper-out"}
    assert [f.until for f in fitting("wire/H>T0000001/0210#1") if f.action == "down"] == ["+600"]
    assert "down" not in {f.action for f in made}, "a request that is lost with all after it has told nobody anything"
    assert fitting("link/T0000001") == ()


def test_what_no_rule_can_repair_is_not_tried() -> None:
    tried = {(point, f.action) for point in POINTS for f in fitting(point)}
    assert not {action for _, action in tried} & {"cross", "clear-rev", "force-settle", "swap", "prompt"}
    assert ("wire/H>T0000001/0210#1", "answer") not in tried
    assert ("wire/H>T0000001/0510#1", "answer") in tried


faults = st.builds(
    Fault,
    at=st.sampled_from(["wire/H>T", "wire/H>T0000001/0210#3"]),
    action=st.just("drip"),
    params=st.fixed_dictionaries({}, optional={"rate": st.floats(0.5, 1000)}),
    match=st.fixed_dictionaries({}, optional={"kind": st.sampled_from(["sale", "void"]), "amount": st.integers(0, 9)}),
    times=st.integers(0, 5),
    probability=st.floats(0, 1),
    seed=st.integers(0, 2**63 - 1),
    since=st.sampled_from(["", "60", "step:A", "1.5"]),
    until=st.sampled_from(["", "600", "step:B", "+600"]),
)


@given(faults)
def test_a_table_reads_as_the_fault_that_it_was_made_of(fault: Fault) -> None:
    assert fault_from(to_table(fault)) == fault
