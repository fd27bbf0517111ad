"""Every case of the library, played in the world: it ends as its file says, and so does each of its variants."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from terminal_sim.lab.scenario import reading
from terminal_sim.lab.scenario.expecting import mismatches
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import World

_FILES = {one.slug: one for one in map(reading.load, reading.library().values()) if not one.waiting}
RUNS = [(one, variant) for one in _FILES.values() for variant in (None, *one.variants)]
BUGS = [(one, variant) for one, variant in RUNS if variant is not None]
HARMLESS = {("local-force-settle", "local-force-settle-HC")}
"""Bugs that the reference host makes good: it closes from its own books, in time."""


def _name(value: Scenario | Variant | None) -> str:
    return value.slug if isinstance(value, Scenario) else value.name if value is not None else "rules-kept"


@cache
def _rules_kept(slug: str) -> Run:
    return World(_FILES[slug]).run()


@pytest.mark.parametrize(("scenario", "variant"), RUNS, ids=_name)
def test_it_ends_as_its_file_says(scenario: Scenario, variant: Variant | None) -> None:
    run = _rules_kept(scenario.slug) if variant is None else World(scenario, variant).run()
    assert run.mismatches == ()
    assert not run.unfired, "a fault that never struck"


@pytest.mark.parametrize(("scenario", "variant"), BUGS, ids=_name)
def test_the_end_with_a_bug_is_another_one(scenario: Scenario, variant: Variant) -> None:
    without = mismatches(_rules_kept(scenario.slug), variant.expect)
    assert bool(without) is ((scenario.slug, variant.name) not in HARMLESS)


@pytest.mark.parametrize(("scenario", "variant"), BUGS, ids=_name)
def test_its_end_comes_of_its_bugs_and_not_of_its_world(scenario: Scenario, variant: Variant) -> None:
    """The same switches and habits without the bugs, or without one of them, end in another way."""
    for less in _with_one_bug_less(variant):
        end = World(scenario, less).run()
        assert bool(mismatches(end, variant.expect)) is ((scenario.slug, variant.name) not in HARMLESS), less


def _with_one_bug_less(variant: Variant) -> list[Variant]:
    terminal = [replace(variant, bugs=tuple(one for one in variant.bugs if one != bug)) for bug in variant.bugs]
    host = [
        replace(variant, host_bugs=tuple(one for one in variant.host_bugs if one != bug)) for bug in variant.host_bugs
    ]
    return terminal + host
