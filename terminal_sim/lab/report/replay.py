"""The file that plays a run again: its scenario with the variant, the bugs and the schedule of that run written in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from specs.masking import mask_text
from specs.testcards import load_test_cards

if TYPE_CHECKING:
    from terminal_sim.lab.scenario.model import Scenario, StepSpec, Variant
    from terminal_sim.lab.world.record import Run

Writer = Callable[["Scenario"], str]
"""A scenario as the text of a file that reads back to the same value."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def concrete(run: Run) -> Scenario:
    """The scenario that needs no variant and no options: what was played is what the file says."""
    scenario = run.scenario
    variant = next((found for found in scenario.variants if found.name == run.variant), None)
    if variant is not None:
        scenario = _applied(scenario, variant)
    steps = tuple(_by_name(step) for step in scenario.steps)
    return replace(scenario, steps=steps, faults=run.faults, variants=(), source="")


def file_name(slug: str, variant: str, taken: set[str]) -> str:
    """A name for a file beside the page that no other run has; `taken` learns it."""
    base = _UNSAFE.sub("-", f"{slug}.{variant}" if variant else slug).strip("-.") or "scenario"
    name, number = f"{base}.toml", 2
    while name in taken:
        name, number = f"{base}.{number}.toml", number + 1
    taken.add(name)
    return name


def text_of(run: Run, dumps: Writer) -> str:
    """The file's text, "" where it would hold a card number that is nobody's test card."""
    text = dumps(concrete(run))
    return text if mask_text(text) == text else ""


def _applied(scenario: Scenario, variant: Variant) -> Scenario:
    units = variant.units or tuple(unit.name for unit in scenario.terminals)
    terminals = tuple(
        replace(unit, bugs=_together(unit.bugs, variant.bugs)) if unit.name in units else unit
        for unit in scenario.terminals
    )
    world = _changed(scenario.world, variant.world)
    world = replace(world, bugs=_together(world.bugs, variant.host_bugs))
    operator = _changed(scenario.operator, variant.operator)
    steps = tuple(replace(step, expect={}) for step in scenario.steps)  # what they expect holds for no variant
    return replace(scenario, world=world, terminals=terminals, steps=steps, operator=operator, expect=variant.expect)


def _together(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return first + tuple(name for name in second if name not in first)


def _changed(value: Any, table: Mapping[str, Any]) -> Any:
    return replace(value, **table)


def _by_name(step: StepSpec) -> StepSpec:
    """A card that was given by its number goes by its name, if it has one: no file holds a number in the clear."""
    card = step.args.get("card")
    known = next((found.name for found in load_test_cards().values() if found.pan == card), None)
    return step if known is None else replace(step, args={**step.args, "card": known})
