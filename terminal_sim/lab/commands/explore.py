"""`terminal-sim explore`: every way that a day can go wrong, or random ones beyond two faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from host.deviations import DEVIATIONS
from specs.faults.errors import nearest
from specs.faults.fitting import fitting
from terminal_sim.bugs import BUGS
from terminal_sim.errors import TerminalError
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.explore.gather import Request, explore
from terminal_sim.lab.explore.jobs import Plan, cores
from terminal_sim.lab.explore.progress import Bar
from terminal_sim.lab.explore.real import silent_stage
from terminal_sim.lab.explore.result import Exploration
from terminal_sim.lab.explore.walk import Sampling
from terminal_sim.lab.report.explored import exploration_shape
from terminal_sim.lab.report.summary import summary_exploration
from terminal_sim.lab.report.writing import write_exploration
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.scenario.reading import library, load
from terminal_sim.lab.scenario.writing import dumps

EXIT_FOUND, EXIT_FAULTY, EXIT_INTERRUPTED = 1, 2, 130
"""interface.md section 1; 130 is what a shell calls a program that Ctrl-C ended."""
PROFILES = ("HC", "TC")


@dataclass(frozen=True)
class Options:
    """What was asked for. profile "": the file's. jobs 0: one a core. twice, verify: one in so many is played again
    (walk.Sampling)."""

    name: str
    faults: int = 2
    bugs: tuple[str, ...] = ()
    host_bugs: tuple[str, ...] = ()
    profile: str = ""
    time_limit: float = 0.0
    report: Path | None = None
    jobs: int = 0
    seed: int = 1
    share: bool = True
    twice: int = 1
    verify: int = 20


def run(options: Options) -> int:
    """The exit code: 0 nothing found, 1 something, 2 bad arguments or file, 130 nothing until Ctrl-C."""
    try:
        if options.report is not None:  # told now, and not after minutes of work
            options.report.mkdir(parents=True, exist_ok=True)
        exploration = _explored(options)
        shape = exploration_shape(exploration)
        summary_exploration(shape, Console(soft_wrap=True))
        if options.report is not None:
            typer.echo(f"report: {write_exploration(options.report, shape)}")
    except TerminalError as error:
        typer.echo(str(error), err=True)
        return EXIT_FAULTY
    except OSError as error:
        typer.echo(f"{error.filename}: cannot be written: {error.strerror}", err=True)
        return EXIT_FAULTY
    if not exploration.clean:
        return EXIT_FOUND
    return EXIT_INTERRUPTED if exploration.stopped == "interrupted" else 0


def _explored(options: Options) -> Exploration:
    request = request_of(options)
    what = f"{request.plan.scenario.slug} {request.plan.scenario.world.profile}"
    with Bar(Console(stderr=True), what) as bar:
        return explore(request, bar, dumps)


def request_of(options: Options) -> Request:
    """What to explore. Raises: LabError, ScenarioError."""
    _in_range(options)
    path = library().get(options.name, Path(options.name))
    if not path.exists():
        raise LabError(f"{options.name}: no file, and no scenario of the library; {nearest(options.name, library())}")
    scenario = _with(load(path), options)
    if scenario.waiting:
        raise LabError(f"{options.name}: cannot be played yet, it waits: {scenario.waiting}")
    plan = Plan(scenario, silent_stage, fitting, share=options.share, sampling=Sampling(options.twice, options.verify))
    return Request(plan, options.faults, options.jobs or cores(), options.seed, options.time_limit)


def _in_range(options: Options) -> None:
    """Raises: LabError for a number that says nothing."""
    if not 1 <= options.faults <= 20:
        raise LabError(f"--faults {options.faults}: 1 or 2 for all of them, up to 20 for random runs")
    for name, value, zero in (
        ("--jobs", options.jobs, "one process a core"),
        ("--time-limit", options.time_limit, ""),
        ("--seed", options.seed, ""),
        ("--twice", options.twice, "nothing is repeated"),
    ):
        if not value >= 0:  # not a number is no number of seconds either
            raise LabError(f"{name} {value:g}: 0{f' ({zero})' if zero else ''} or more")


def _with(scenario: Scenario, options: Options) -> Scenario:
    """The scenario under a profile and with planted bugs."""
    _known("--bug", options.bugs, tuple(BUGS))
    _known("--host-bug", options.host_bugs, tuple(DEVIATIONS))
    if options.profile and options.profile not in PROFILES:
        raise LabError(f"--profile {options.profile}: HC or TC")
    world = replace(
        scenario.world,
        profile=options.profile or scenario.world.profile,
        bugs=tuple(dict.fromkeys((*scenario.world.bugs, *options.host_bugs))),
    )
    terminals = tuple(
        replace(terminal, bugs=tuple(dict.fromkeys((*terminal.bugs, *options.bugs)))) for terminal in scenario.terminals
    )
    return replace(scenario, world=world, terminals=terminals, variants=())


def _known(option: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise LabError(f"{option} {name}: unknown; {nearest(name, known)}")
