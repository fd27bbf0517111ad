"""Every case of the library, played in the world: it ends as its file says, and so does each of its variants."""

from __future__ import annotations

import pytest

from terminal_sim.lab.scenario import reading
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.world import World

_FILES = [reading.load(path) for path in reading.library().values()]
RUNS = [(one, variant) for one in _FILES if not one.waiting for variant in (None, *one.variants)]


def _name(value: Scenario | Variant | None) -> str:
    return value.slug if isinstance(value, Scenario) else value.name if value is not None else "rules-kept"


@pytest.mark.parametrize(("scenario", "variant"), RUNS, ids=_name)
def test_it_ends_as_its_file_says(scenario: Scenario, variant: Variant | None) -> None:
    run = World(scenario, variant).run()
    assert run.mismatches == ()
    assert not run.unfired, "a fault that never struck"
