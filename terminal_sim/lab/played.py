"""Scenarios found by file, folder or slug, and played one after the other, each with its variants."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specs.errors import SpecError
from specs.faults import Fault
from specs.faults.errors import nearest
from specs.faults.reading import to_table
from terminal_sim.errors import NotConnected, TerminalError
from terminal_sim.lab.errors import LabError, ScenarioError, Unplayable
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.scenario.reading import SUFFIX, library, load
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.scene import Endless

Player = Callable[[Scenario, Variant | None], Run]
"""Plays one scenario, in the world or against a host."""
Look = Callable[[Scenario, Variant | None], None]
"""Looks at it before anything is started. Raises: Unplayable."""
Seconds = Callable[[], float]


@dataclass(frozen=True)
class Played:
    """One run of a file: its verdict, how long it took, or why there is none.

    run None: the file is waiting, or `skipped` says why this player cannot play it, or `broken` what went wrong in the
    player itself, its first line in short.
    """

    scenario: Scenario
    variant: str = ""
    run: Run | None = None
    seconds: float = 0.0
    broken: str = ""
    skipped: str = ""

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.scenario.slug} [{self.variant}]" if self.variant else self.scenario.slug

    @property
    def waiting(self) -> bool:
        """Whether it cannot be played yet, so that it is neither good nor bad."""
        return self.run is None and not self.broken and not self.skipped

    @property
    def unplayed(self) -> str:
        """Why it was not played, "" = it was."""
        return self.scenario.waiting if self.waiting else self.skipped

    @property
    def good(self) -> bool:
        """Whether it was played and ended as its file expects."""
        return self.run is not None and not self.run.mismatches


def found(names: Iterable[str]) -> list[Path]:
    """The files that are meant: a file, a folder of files, or a slug of the library. Raises: ScenarioError."""
    files: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(path.glob(f"*{SUFFIX}"))
            if not inside:
                raise ScenarioError(name, 0, "", f"no file *{SUFFIX} in it")
            files += inside
        elif path.exists() or name.endswith(SUFFIX):
            files.append(path)
        elif name in library():
            files.append(library()[name])
        else:
            raise ScenarioError(name, 0, "", f"no file, and no scenario of the library; {nearest(name, library())}")
    return files


def read(files: Iterable[Path], *, seed: int | None = None) -> list[Scenario]:
    """All of them, before anything is played. seed: in place of their own. Raises: ScenarioError of the first one."""
    scenarios = [load(path) for path in files]
    if seed is None:
        return scenarios
    return [replace(scenario, world=replace(scenario.world, seed=seed)) for scenario in scenarios]


@dataclass(frozen=True)
class Turn:
    """A file as it stands, or with one of its variants. skipped: why the player cannot play it, "" = it can."""

    scenario: Scenario
    variant: Variant | None = None
    skipped: str = ""


def turns(scenarios: Iterable[Scenario], look: Look | None = None) -> list[Turn]:
    """All that there is to play, looked at. look: None when the player can play everything."""
    return [
        Turn(scenario, variant, _skipped(scenario, variant, look))
        for scenario in scenarios
        for variant in (None, *(() if scenario.waiting else scenario.variants))
    ]


def _skipped(scenario: Scenario, variant: Variant | None, look: Look | None) -> str:
    if look is None or scenario.waiting:
        return ""
    try:
        look(scenario, variant)
    except Unplayable as error:
        return error.short
    return ""


def played(to_play: Iterable[Turn], player: Player, seconds: Seconds) -> Iterator[Played]:
    """Each turn as it ends. seconds: of a clock. Raises: what `player` raises for bad input."""
    for turn in to_play:
        if turn.scenario.waiting:
            yield Played(turn.scenario)
        elif turn.skipped:
            yield Played(turn.scenario, turn.variant.name if turn.variant else "", skipped=turn.skipped)
        else:
            yield _one(turn.scenario, turn.variant, player, seconds)


def _one(scenario: Scenario, variant: Variant | None, player: Player, seconds: Seconds) -> Played:
    name = variant.name if variant else ""
    began = seconds()
    try:
        run = player(scenario, variant)
    except Endless as error:
        return Played(scenario, name, None, seconds() - began, f"the run does not end: {error}")
    except NotConnected:
        raise
    except Unplayable as error:  # what only a host that was asked could tell
        return Played(scenario, name, skipped=error.short)
    except (TerminalError, SpecError) as error:
        where = scenario.source or scenario.slug
        raise error if isinstance(error, ScenarioError) else LabError(f"{where}: {error}") from error
    except Exception as error:  # a mistake of ours must not hide the other runs of a library
        told = f"{type(error).__name__}: {error}".partition("\n")[0]
        return Played(scenario, name, None, seconds() - began, f"{told}\n\n{traceback.format_exc()}")
    return Played(scenario, name, run, seconds() - began)


def schedule(faults: Sequence[Fault]) -> list[str]:
    """What went wrong on purpose, a line a fault."""
    return [f"fault {nth}: {told(fault)}" for nth, fault in enumerate(faults, start=1)]


def told(fault: Fault) -> str:
    """A fault in one line: drop at wire/H>T/0210#1, times 2."""
    table = to_table(fault)
    rest = [f"{key} {value}" for key, value in table.items() if key not in ("at", "action")]
    return ", ".join([f"{fault.action} at {fault.at}", *rest])
