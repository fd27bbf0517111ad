"""`terminal-sim run`: scenarios played, in the world or against a host, and held against what their files expect."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import typer

from host.commands.logs import configure
from terminal_sim.errors import NotConnected, TerminalError
from terminal_sim.lab import junit
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.interrupt import Interrupted, interruptible
from terminal_sim.lab.logs import critical_only
from terminal_sim.lab.played import Look, Played, Player, Turn, found, played, read, turns
from terminal_sim.lab.report import writing
from terminal_sim.lab.report.shape import SkippedShape
from terminal_sim.lab.scenario.expecting import nothing_expected
from terminal_sim.lab.scenario.kinds import COUNT_MAX
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.scenario.reading import library
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.world import World

EXIT_MISMATCH = 1
EXIT_FAULTY = 2
EXIT_NOT_CONNECTED = 4
"""interface.md section 1."""
EXIT_INTERRUPTED = 130
"""What a shell says of a process that Ctrl-C has ended."""
NAME_WIDTH = 44


@dataclass(frozen=True)
class Options:
    """What was asked for. names: files, folders, slugs. connect, api "": none was given."""

    names: Sequence[str]
    everything: bool = False
    real: bool = False
    connect: str = ""
    api: str = ""
    junit: Path | None = None
    report: Path | None = None
    seed: int | None = None


def run(options: Options) -> int:
    """The exit code: 0 all as expected, 1 something is not, 2 bad arguments or file, 4 no host answers, 130 Ctrl-C."""
    configure(sys.stderr, "error")
    critical_only()  # the host of the world would tell its log of every fault that it meets
    done: list[Played] = []
    halt = threading.Event()
    try:
        scenarios = read(found(_names(options)), seed=_seed(options))
        to_play = turns(scenarios, _look(options))
        _refuse_if_none(to_play)
        _prepare(options)
        with interruptible(halt) as interrupted:
            for one in _until(halt, played(to_play, _player(options, halt), time.perf_counter)):
                done.append(one)
                _tell(one)
        stopped = "interrupted" if interrupted.is_set() else ""
        _write(options, done, stopped)
    except NotConnected as error:
        return _fail(str(error), EXIT_NOT_CONNECTED)
    except TerminalError as error:
        return _fail(str(error), EXIT_FAULTY)
    except OSError as error:
        return _fail(f"{error.filename}: cannot be written: {error.strerror}", EXIT_FAULTY)
    typer.echo(_sum(done, stopped))
    if stopped:
        return EXIT_INTERRUPTED
    if none := _none_played(done):
        return _fail(none, EXIT_FAULTY)
    return 0 if all(one.good or one.unplayed for one in done) else EXIT_MISMATCH


def _until(halt: threading.Event, runs: Iterator[Played]) -> Iterator[Played]:
    """What is played until Ctrl-C; a run in which it was pressed counts only when it came to its end."""
    try:
        for one in runs:
            if one.broken and halt.is_set():
                return
            yield one
            if halt.is_set():
                return
    except Interrupted:
        return
    except TerminalError:
        if not halt.is_set():
            raise


def _fail(text: str, code: int) -> int:
    typer.echo(text, err=True)
    return code


def _names(options: Options) -> list[str]:
    if options.everything:
        return [*options.names, *map(str, library().values())]
    if not options.names:
        raise LabError("no scenario: give files, folders, slugs of `terminal-sim scenarios`, or --all")
    return list(options.names)


def _seed(options: Options) -> int | None:
    """As a file's: the same numbers are good for both. Raises: LabError."""
    if options.seed is not None and not 0 <= options.seed <= COUNT_MAX:
        raise LabError(f"--seed {options.seed}: must be from 0 to {COUNT_MAX}")
    return options.seed


def _prepare(options: Options) -> None:
    """Make room for what will be written: what cannot be is told now, and not after all has been played."""
    for option, path, prepare in (
        ("--junit", options.junit, junit.prepare),
        ("--report", options.report, writing.prepare),
    ):
        if path is None:
            continue
        try:
            prepare(path)
        except OSError as error:
            raise LabError(f"{option} {path}: cannot be written: {error.strerror}") from None


def _look(options: Options) -> Look | None:
    if not options.real:
        return None
    look: Look = import_module("terminal_sim.lab.real").look(options.connect, options.api)
    return look


def _refuse_if_none(to_play: Sequence[Turn]) -> None:
    """Raises: LabError with every reason when nothing is left to play."""
    if any(turn.skipped for turn in to_play) and all(turn.skipped or turn.scenario.waiting for turn in to_play):
        raise LabError(_reasons((turn.scenario, turn.skipped) for turn in to_play))


def _none_played(done: Sequence[Played]) -> str:
    """Every reason, when a host that was asked could play nothing; else ""."""
    if not done or not all(one.unplayed for one in done):
        return ""
    return _reasons((one.scenario, one.skipped) for one in done)


def _reasons(skipped: Iterable[tuple[Scenario, str]]) -> str:
    """A line for each file and reason."""
    lines = [f"{scenario.source or scenario.slug}: --real: {why}" for scenario, why in skipped if why]
    return "\n".join(dict.fromkeys(lines))


def _player(options: Options, halt: threading.Event) -> Player:
    if options.real:
        return _against_a_host(options, halt)
    for name, value in (("--connect", options.connect), ("--api", options.api)):
        if value:
            raise LabError(f"{name} {value}: goes with --real; without it no host is asked")
    return _in_the_world


def _against_a_host(options: Options, halt: threading.Event) -> Player:
    try:
        player: Player = import_module("terminal_sim.lab.real").player(options.connect, options.api, halt)
    except ModuleNotFoundError:
        raise LabError("--real: not built yet") from None
    return player


def _in_the_world(scenario: Scenario, variant: Variant | None) -> Run:
    return World(scenario, variant).run()


def _write(options: Options, done: Sequence[Played], stopped: str) -> None:
    if options.junit is not None:
        junit.write(options.junit, done, stopped)
    if options.report is not None:
        runs = [one.run for one in done if one.run is not None]
        skipped = [_as_skipped(one) for one in done if one.unplayed]
        page = writing.write(options.report, runs, skipped=skipped, stopped=stopped)
        typer.echo(f"report: {page}")


def _as_skipped(one: Played) -> SkippedShape:
    scenario = one.scenario
    return {
        "slug": scenario.slug,
        "title": scenario.title or scenario.slug,
        "case": scenario.case,
        "variant": one.variant,
        "why": one.unplayed,
    }


# ---- on the screen


def _tell(one: Played) -> None:
    if one.waiting:
        typer.echo(f"wait {one.name:{NAME_WIDTH}} {one.scenario.waiting}")
        return
    if one.skipped:
        typer.echo(f"skip {one.name:{NAME_WIDTH}} {one.skipped}")
        return
    if one.run is None:
        short = one.broken.partition("\n")[0]
        typer.echo(f"NOT  {one.name:{NAME_WIDTH}} broken off: {short}")
        typer.echo(one.broken.rstrip(), err=True)
        return
    word = "ok " if one.good else "NOT"
    end = ", ".join(one.run.classes)
    end = f"end {end}: nothing was expected" if one.good and nothing_expected(one.run) else end
    typer.echo(f"{word}  {one.name:{NAME_WIDTH}} {end:24} {one.seconds:6.2f} s")
    for sentence in one.run.mismatches:
        typer.echo(f"       {sentence}")


def _sum(done: Sequence[Played], stopped: str) -> str:
    runs = [one for one in done if not one.unplayed]
    good = sum(one.good for one in runs)
    free = sum(one.good and one.run is not None and nothing_expected(one.run) for one in runs)
    told = [f"{_many(len(runs), 'run')} in {sum(one.seconds for one in runs):.1f} s: {good - free} as expected"]
    if free:
        told.append(f"{free} of which nothing was expected")
    if good < len(runs):
        told.append(f"{len(runs) - good} NOT")
    for count, word in (
        (sum(bool(one.skipped) for one in done), "not played for real"),
        (sum(one.waiting for one in done), "waiting"),
    ):
        told += [f"{count} {word}"] if count else []
    return ", ".join([*told, stopped] if stopped else told)


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
