"""`terminal-sim scenarios`: the library, one line each."""

from __future__ import annotations

import typer

from terminal_sim.lab.errors import ScenarioError
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.scenario.reading import library, load

EXIT_FAULTY = 2
SLUG_WIDTH, TITLE_WIDTH = 32, 52


def scenarios() -> int:
    """The exit code: 2 when a file of the library cannot be read."""
    code, found = 0, list[Scenario]()
    for path in library().values():
        try:
            found.append(load(path))
        except ScenarioError as error:
            typer.echo(str(error), err=True)
            code = EXIT_FAULTY
    for scenario in sorted(found, key=lambda one: (one.case, one.slug)):
        typer.echo(line(scenario))
    return code


def line(scenario: Scenario) -> str:
    """Slug, case, title, and whether it can be played."""
    case = str(scenario.case) if scenario.case else "-"
    return f"{scenario.slug:{SLUG_WIDTH}} {case:>3}  {scenario.title:{TITLE_WIDTH}}  {_state(scenario)}".rstrip()


def _state(scenario: Scenario) -> str:
    if scenario.waiting:
        return f"waiting: {scenario.waiting}"
    names = [variant.name for variant in scenario.variants]
    return f"playable, also: {', '.join(names)}" if names else "playable"
