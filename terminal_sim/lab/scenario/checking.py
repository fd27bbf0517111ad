"""What one table of a scenario cannot say alone: names that must be there, and only once; values that go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from specs import dialect as dialects
from specs.errors import DialectError
from specs.faults.model import ANY_TERMINAL, HOST, ISSUER
from specs.profile import profile_of
from terminal_sim.lab.scenario import tables
from terminal_sim.lab.scenario.model import Expect, Scenario, StepSpec, Table, TerminalSpec
from terminal_sim.lab.scenario.names import nearest
from terminal_sim.lab.scenario.places import Spot

_RESERVED = (HOST, ISSUER, ANY_TERMINAL)
"""What points call others than a terminal."""


def checked(scenario: Scenario, rows: Sequence[int], spot: Spot) -> None:
    """rows: of each step its place in the file's list. Raises: ScenarioError."""
    _world(scenario, spot)
    _steps(scenario, [spot.at("steps", row) for row in rows], spot.at("steps"))
    _operator(scenario.operator.on_unknown, scenario.operator.rekey_on, scenario, spot.at("operator"))
    _expect(scenario.expect, scenario, spot.at("expect"))
    _variants(scenario, spot.at("variants"))


# ---- the world and its units


def check_terminals(terminals: Sequence[TerminalSpec], spot: Spot) -> None:
    """Before the steps, which name them. Raises: ScenarioError."""
    if not terminals:
        raise spot.error("there is none: one at least")
    for nth, one in enumerate(terminals):
        if one.name in _RESERVED:
            why = f"{one.name!r} means something else in a point: H the host, I the issuer, T any"
            raise spot.at(nth, "unit").error(why)
    for nth, name in _twice(one.name for one in terminals):
        why = f"a second {name!r}: give units that share a TID a «unit» each"
        raise spot.at(nth, "unit" if terminals[nth].unit else "tid").error(why)


def _world(scenario: Scenario, spot: Spot) -> None:
    spoken = {scenario.world.dialect, *(one.dialect for one in scenario.terminals if one.dialect)}
    _switches(scenario.world.switches, spoken, spot.at("world", tables.SWITCHES))
    for nth, variant in enumerate(scenario.variants):
        turned = variant.world.get(tables.SWITCHES, {})
        assert isinstance(turned, Mapping)
        own = {str(variant.world["dialect"])} if "dialect" in variant.world else spoken
        _switches(turned, own, spot.at("variants", nth, "world", tables.SWITCHES))


def _switches(switches: Table, spoken: Iterable[str], spot: Spot) -> None:
    """Whether the dialects can be so: their own rules say it."""
    for name in sorted(spoken):
        own = dialects.load(name).profile
        for switch, value in switches.items():
            try:
                profile_of(name, {**own, switch: value})
            except DialectError as error:
                raise spot.at(switch).error(error.why) from None


# ---- steps


def _steps(scenario: Scenario, places: Sequence[Spot], spot: Spot) -> None:
    if not scenario.steps and not scenario.waiting:
        raise spot.error("there is none: one at least, or say why it is «waiting»")
    for nth, name in _twice(step.id for step in scenario.steps):
        raise places[nth].at("id").error(f"a second step {name!r}")
    place_of = {step.id: nth for nth, step in enumerate(scenario.steps)}
    for nth, step in enumerate(scenario.steps):
        if "of" in step.args:
            _of(str(step.args["of"]), nth, scenario, place_of, places[nth].at("of"))
        _together(step, places[nth])
    _intents(scenario, places)


def _of(named: str, nth: int, scenario: Scenario, place_of: Mapping[str, int], spot: Spot) -> None:
    step, earlier = scenario.steps[nth], [one.id for one in scenario.steps[:nth]]
    if named == step.id:
        raise spot.error(f"{named!r} is this step itself")
    if named not in place_of:
        raise spot.error(f"no step {named!r}; {nearest(named, earlier)}")
    if place_of[named] > nth:
        raise spot.error(f"step {named!r} comes later (line {scenario.steps[place_of[named]].line})")
    wanted, is_one = tables.DEED[step.do].of, scenario.steps[place_of[named]].do
    if wanted and is_one not in wanted:
        raise spot.error(f"step {named!r} is a «{is_one}»; a «{step.do}» needs one of: {', '.join(wanted)}")


def _together(step: StepSpec, spot: Spot) -> None:
    """Arguments that need or exclude each other."""
    deed = tables.DEED[step.do]
    given = [name for name in deed.one_of if name in step.args]
    if len(given) > 1:
        raise spot.at(given[-1]).error(f"give one of {_or(deed.one_of)}")
    for group in (deed.one_of, deed.any_of):
        if group and not any(name in step.args for name in group):
            raise spot.error(f"a «{step.do}» needs {_or(group)}")
    parts = sum(_whole(step.args.get(name)) for name in ("tip", "cash"))
    if parts and parts >= _whole(step.args.get("amount")):
        raise spot.at("tip" if "tip" in step.args else "cash").error("«tip» and «cash» are parts of «amount», so less")


def _or(words: Iterable[str]) -> str:
    return " or ".join(f"«{word}»" for word in words)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _intents(scenario: Scenario, places: Sequence[Spot]) -> None:
    bought = {step.intent for step in scenario.steps if step.do in tables.STARTING}
    for nth, step in enumerate(scenario.steps):
        if step.intent and step.intent not in bought:
            words = ", ".join(sorted(tables.STARTING))
            raise places[nth].at("intent").error(f"nobody buys {step.intent!r}: no step of it is one of {words}")


# ---- the end


def _operator(on_unknown: str, rekey_on: str, scenario: Scenario, spot: Spot) -> None:
    if on_unknown == "rekey-on" and not rekey_on:
        raise spot.at("on_unknown").error("«rekey-on» needs «rekey_on»: the unit at which it is keyed again")
    units = [one.name for one in scenario.terminals]
    if rekey_on and rekey_on not in units:
        raise spot.at("rekey_on").error(f"no terminal {rekey_on!r}; {nearest(rekey_on, units)}")


def _expect(expect: Expect, scenario: Scenario, spot: Spot) -> None:
    if expect.classes and "clean" in expect.classes and len(expect.classes) > 1:
        raise spot.at("class").error("«clean» stands alone: nothing is wrong then")
    bought = sorted({step.intent or step.id for step in scenario.steps if step.do in tables.STARTING})
    for name in expect.purchases:
        if name not in bought:
            hint = nearest(name, bought) if bought else "there is none in the file"
            raise spot.at("purchases", name).error(f"no purchase {name!r}; {hint}")
    ids = [step.id for step in scenario.steps]
    for name in expect.steps:
        if name not in ids:
            raise spot.at("steps", name).error(f"no step {name!r}; {nearest(name, ids)}")
    tids = [one.tid for one in scenario.terminals]
    for nth, batch in enumerate(expect.settled or ()):
        if batch.tid not in tids:
            raise spot.at("settled", nth, "tid").error(f"no terminal {batch.tid!r}; {nearest(batch.tid, tids)}")


def _variants(scenario: Scenario, spot: Spot) -> None:
    for nth, name in _twice(variant.name for variant in scenario.variants):
        raise spot.at(nth, "name").error(f"a second variant {name!r}")
    units = [one.name for one in scenario.terminals]
    for nth, variant in enumerate(scenario.variants):
        for place, unit in enumerate(variant.units):
            if unit not in units:
                raise spot.at(nth, "units", place).error(f"no terminal {unit!r}; {nearest(unit, units)}")
        habits = replace(scenario.operator, **variant.operator)  # type: ignore[arg-type]
        _operator(habits.on_unknown, habits.rekey_on, scenario, spot.at(nth, "operator"))
        _expect(variant.expect, scenario, spot.at(nth, "expect"))


def _twice(names: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    seen = set()
    for nth, name in enumerate(names):
        if name in seen:
            yield nth, name
        seen.add(name)
