"""Any scenario that can be written is read as the same: values drawn at random, each part by what the tables allow."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from specs.faults import Fault
from terminal_sim.lab.scenario import names, tables
from terminal_sim.lab.scenario.kinds import Key
from terminal_sim.lab.scenario.model import (
    Expect,
    OperatorSpec,
    Scenario,
    SettledSpec,
    StepSpec,
    TerminalSpec,
    Variant,
    WorldSpec,
)
from terminal_sim.lab.scenario.reading import loads
from terminal_sim.lab.scenario.schema import schema
from terminal_sim.lab.scenario.writing import document, dumps
from tests.support.json_schema import fits

SCHEMA = schema()
UNITS = ("T0000001", "left", "right")
TERMINALS = (TerminalSpec("T0000001"), TerminalSpec("T0000002", "left"), TerminalSpec("T0000002", "right"))
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_NOTICE = st.lists(st.text("abc#=[]\"'«», ", min_size=1, max_size=60), max_size=8).map(
    lambda w: " ".join(" ".join(w).split())
)
_SECONDS = st.integers(0, 10_000).map(float) | st.floats(0, 10_000)
_SERIAL = st.integers(0, 999_999).map(lambda n: f"{n:06}")
_DAY_TIME = st.sampled_from(["", "23:00", "00:00:30"])


def _word(words: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.sampled_from(words)


def _words(words: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(_word(words), max_size=3).map(tuple)


def _with_usual(switches: dict[str, Any]) -> dict[str, Any]:
    """A variant keeps the switches of its file."""
    return _USUAL | switches


_SETTINGS = st.fixed_dictionaries(
    {},
    optional={"timeout_s": _SECONDS, "settle_empty": st.booleans(), "merchant_name": _TEXT, "tip_percent": st.just(5)},
)
_SWITCHES: dict[str, st.SearchStrategy[Any]] = {
    "duplicates": _word(("replay", "refuse")),
    "dup_hours": st.integers(1, 99),
    "de60_batch": st.booleans(),
}
_USUAL = {"reversal_unseen": "00"}
_WORLD: dict[str, st.SearchStrategy[Any]] = {
    "dialect": _word(names.dialects()),
    "profile": _word(("HC", "TC")),
    "start": _word(("2026-03-02T09:00", "2028-02-29T00:00:01")),
    "cutoff": _DAY_TIME,
    "timeout": _SECONDS,
    "seed": st.integers(0, 1000),
    "unknown_cards": _word(("accept", "refuse")),
}
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "amount": st.integers(100_000, 10**12 - 1),
    "seconds": _SECONDS,
    "switch": st.booleans(),
    "text": _TEXT,
    "serial": _SERIAL,
    "card": _word((*names.cards(), "6223164991230014")),
}
_STEP_END = st.fixed_dictionaries(
    {},
    optional={
        "end": _word(names.ends()) | st.lists(_word(names.ends()), min_size=2, max_size=3).map(tuple),
        "code": _word(("00", "A0")),
    },
)


def _argument(key: Key) -> st.SearchStrategy[Any]:
    if key.name in ("tip", "cash"):
        return st.integers(1, 40_000)
    return _word(key.words) if key.kind == "word" else _VALUES[key.kind]


@st.composite
def _steps(draw: st.DrawFn) -> tuple[StepSpec, ...]:
    found = [StepSpec("first", "sale", -1.0, "left", "p1", {"amount": 100_000})]
    at = 0.0
    for nth in range(draw(st.integers(0, 4))):
        deed = draw(st.sampled_from(list(tables.DEED.values())))
        about = [step for step in found if not deed.of or step.do in deed.of]
        by = draw(st.sampled_from(deed.one_of or ("",)))
        args: dict[str, Any] = {}
        for key in deed.args:
            other = key.name in deed.one_of and key.name != by
            wanted = key.needed or key.name in (by, *deed.any_of) or draw(st.booleans())
            if not wanted or other:
                continue
            if key.name != "of":
                args[key.name] = draw(_argument(key))
            elif about:
                args["of"] = draw(st.sampled_from(about)).id
        if not about and (by == "of" or any(key.name == "of" and key.needed for key in deed.args)):
            continue
        timed = draw(st.booleans())
        at += draw(_SECONDS) if timed else 0.0
        unit = "" if deed.at == tables.NOBODY_WORKS else draw(_word(UNITS))
        intent = draw(_word(("", "p1"))) if deed.intent else ""
        found.append(StepSpec(f"s{nth}", deed.name, at if timed else -1.0, unit, intent, args, draw(_STEP_END)))
    return tuple(found)


_FAULTS = st.lists(
    st.builds(
        Fault,
        at=_word(("wire/H>T/0210", "wire/left>H#2", "wire/T0000001>H/0400#1")),
        action=st.just("delay"),
        params=st.fixed_dictionaries({"seconds": st.integers(0, 600).map(float)}),
        match=st.fixed_dictionaries({}, optional={"amount": st.integers(0, 999), "kind": st.just("sale")}),
        times=st.integers(0, 5),
        probability=_word(("1", "0.5", "0")).map(float),
        seed=st.integers(0, 9),
    )
    | st.builds(
        Fault,
        at=st.just("link/right"),
        action=st.just("down"),
        since=_word(("", "step:first", "3600")),
        until=_word(("", "+600", "7200")),
    ),
    max_size=3,
).map(tuple)
_EXPECT = st.builds(
    Expect,
    classes=st.none() | _word(names.classes()).map(lambda word: (word,)) | st.just(("CNSale", "TM")),
    settled=st.none()
    | st.lists(
        st.builds(SettledSpec, st.just("T0000002"), _SERIAL, st.integers(0, 9), st.integers(-999, 999)), max_size=2
    ).map(tuple),
    exceptions=st.none() | _words(names.reasons()).map(lambda words: tuple(sorted(words))),
    findings=st.none() | _words(names.findings()).map(lambda words: tuple(sorted(set(words)))),
    purchases=st.fixed_dictionaries(
        {}, optional={"p1": st.fixed_dictionaries({"debited": st.integers(0, 3)}, optional={"settled": st.just(1)})}
    ),
    shown=st.lists(_TEXT, max_size=2).map(tuple),
    not_shown=st.lists(_TEXT, max_size=2).map(tuple),
    steps=st.fixed_dictionaries({}, optional={"first": _STEP_END}),
)
_VARIANTS = st.lists(
    st.builds(
        Variant,
        name=st.just("v"),
        bugs=_words(names.bugs()),
        host_bugs=_words(names.host_bugs()),
        units=_words(UNITS),
        world=st.fixed_dictionaries(
            {}, optional=_WORLD | {tables.SWITCHES: st.fixed_dictionaries({}, optional=_SWITCHES).map(_with_usual)}
        ),
        operator=st.fixed_dictionaries({}, optional={"rekey_on": st.just("left")})
        | st.fixed_dictionaries({"on_unknown": _word(names.habits()), "rekey_on": st.just("left")}),
        expect=_EXPECT,
    ),
    max_size=1,
).map(tuple)
_SCENARIOS = st.builds(
    Scenario,
    slug=st.just("day"),
    world=st.builds(
        WorldSpec,
        **_WORLD,
        holidays=st.lists(st.just("2026-04-06"), max_size=2).map(tuple),
        switches=st.just(_USUAL),
        bugs=_words(names.host_bugs()),
    ),
    terminals=st.tuples(
        st.builds(
            TerminalSpec,
            tid=st.just("T0000001"),
            bugs=_words(names.bugs()),
            stan=_SERIAL,
            auto_settle=_DAY_TIME,
            config=_SETTINGS,
        ),
        *(st.just(one) for one in TERMINALS[1:]),
    ),
    steps=_steps(),
    faults=_FAULTS,
    operator=st.builds(OperatorSpec, _word(names.habits()), st.integers(1, 9), st.just("left"))
    | st.builds(OperatorSpec, st.just("rekey"), st.integers(1, 9)),
    expect=_EXPECT,
    variants=_VARIANTS,
    notice=_NOTICE,
    title=_TEXT,
    case=st.integers(0, 99),
    waiting=_TEXT,
)


def without_lines(scenario: Scenario) -> Scenario:
    """Lines are of a file, not of what it says."""
    steps = tuple(replace(step, line=0) for step in scenario.steps)
    return replace(scenario, steps=steps, faults=tuple(replace(fault, line=0) for fault in scenario.faults))


@settings(max_examples=60, deadline=None)
@given(_SCENARIOS)
def test_what_is_written_is_read_as_the_same_and_fits_the_schema(scenario: Scenario) -> None:
    text = dumps(scenario)
    assert without_lines(loads(text, "day")) == scenario
    assert fits(tomllib.loads(text), SCHEMA)


def test_what_is_as_usual_is_left_out() -> None:
    day = Scenario("day", WorldSpec(), TERMINALS[:1], (StepSpec("A", "echo", 300.0, "T0000001"),), notice="Nothing.")
    assert dumps(day) == (
        "# Nothing.\n"
        "\n"
        "terminals = [\n"
        '  {tid = "T0000001"},\n'
        "]\n"
        "steps = [\n"
        '  {id = "A", at = "day1 09:05", do = "echo", tid = "T0000001"},\n'
        "]\n"
    )


def test_the_table_of_a_file_has_the_keys_of_the_reader_in_their_order() -> None:
    day = Scenario("day", WorldSpec(profile="TC"), TERMINALS[:1], (), title="t", case=3, waiting="w")
    assert list(document(day)) == ["case", "title", "waiting", "world", "terminals", "steps"]


def test_a_window_is_written_by_the_clock_and_read_as_the_same() -> None:
    windows = (
        Fault("link/T0000001", "down", since="18180", until="20400"),
        Fault("link/T0000001", "down", since="18180.5", until="55800"),
        Fault("link/T0000001", "down", since="step:A", until="+600"),
    )
    steps = (StepSpec("A", "sale", -1.0, "T0000001", "p1", {"amount": 100}),)
    day = Scenario("day", WorldSpec(), TERMINALS[:1], steps, windows)
    told = [(fault["from"], fault["until"]) for fault in document(day)["faults"]]
    assert told == [("day1 14:03", "day1 14:40"), ("18180.5", "day2 00:30"), ("step:A", "+600")]
    assert without_lines(loads(dumps(day), "day")).faults == windows
