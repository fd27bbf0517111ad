"""`recover`: send what is owed and sell nothing; with --every the idle timer of a terminal that is a folder (RT3)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terminal_sim.commands.reading import query
from terminal_sim.commands.shared import AsJson, Folder, boot, echo_json, faulty, one_line, powered

if TYPE_CHECKING:
    from terminal_sim.recovery import Debt

CLEAR, OWED, NO_CONNECTION = 0, 3, 4
"""interface.md section 1."""
DAY_S = 86_400.0
MONTH_S = 31 * DAY_S


def recover(
    folder: Folder,
    stan: Annotated[str, typer.Argument(metavar="[STAN]", help="Only say what to do about it, as `query` does.")] = "",
    every: Annotated[float, typer.Option(metavar="S", help="Look again every S seconds, doubled up to 900.")] = 0,
    for_s: Annotated[float, typer.Option("--for", metavar="S", help="--every: end after S seconds; a day.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Boot and send what is owed: 0 nothing is owed any more, 3 something still is, 4 no connection."""
    if not (0 <= every <= MONTH_S and 0 <= for_s <= MONTH_S):
        faulty("recover: --every and --for take seconds, up to a month")
    if for_s and not every:
        faulty("recover: --for goes with --every")
    if stan:
        if every:
            faulty("recover: STAN or --every, one of the two")
        query(folder, stan, as_json)  # which ends the process
    with one_line():
        raise typer.Exit(_watch(folder, every, for_s or DAY_S, as_json) if every else _recovered(folder, as_json))


# --- once -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """One round. done: what was owed before it and is not any more. unreachable: something was to go, nothing left."""

    done: tuple[Debt, ...]
    owed: tuple[Debt, ...]
    unreachable: bool

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        return CLEAR if not self.owed else NO_CONNECTION if self.unreachable else OWED


def _recovered(folder: Path, as_json: bool) -> int:
    """A round, told; its exit code. Raises: FlashError."""
    done = _round(folder, as_json)
    if as_json:
        echo_json(
            {name: [_plain(debt) for debt in debts] for name, debts in (("done", done.done), ("owed", done.owed))}
        )
        return done.exit_code
    for debt in done.done:
        typer.echo(f"done: {debt}")
    for debt in done.owed:
        typer.echo(f"still owed: {debt}")
    if not done.owed:
        typer.echo("nothing is owed")
    return done.exit_code


def _plain(debt: Debt) -> dict[str, str]:
    from terminal_sim.recovery import What

    return {"what": str(debt.what), "batch" if debt.what is What.SETTLEMENT else "stan": debt.number}


def _round(folder: Path, as_json: bool) -> Round:
    """Every step that has something to do, until one comes to nothing; the folder is held meanwhile."""
    from terminal_sim import recovery
    from terminal_sim.moves import End
    from terminal_sim.wire import wire_for

    with powered(folder) as flash:
        memory = flash.load()
        wire, before = wire_for(memory.config.connect), recovery.owed(memory)
        ends, spoke = [End.OK], False
        for step in recovery.STEPS:
            event = step(memory, wire)
            if event is None:
                continue
            result, left = boot(flash, memory, event, as_json)
            ends.append(result.end)
            spoke, memory = spoke or left, flash.load()
            if result.end is not End.OK and (step is recovery.sign_on or not recovery.must_sign_on(memory, wire)):
                break
        owed = recovery.owed(memory)
    unreachable = not spoke and ends[-1] is not End.REFUSED_LOCALLY
    return Round(tuple(debt for debt in before if debt not in owed), owed, unreachable)


# --- by the clock -----------------------------------------------------------------------------------------------------


def _watch(folder: Path, every: float, for_s: float, as_json: bool) -> int:
    """Look, wait, look again until the time is over or a signal ends it, which is no more than a power cut."""
    from terminal_sim.clock import SystemClock, idle, jittered
    from terminal_sim.recovery import JITTER, next_wait

    clock = SystemClock()
    until = clock.monotonic() + for_s
    wait = every
    with _until_a_signal():
        while True:
            code = _look(folder, as_json)
            left = until - clock.monotonic()
            if left <= 0:
                return code
            idle(min(left, jittered(wait, JITTER)))
            wait = next_wait(wait, every, clear=code == CLEAR)
    return OWED if _owes(folder) else CLEAR


def _look(folder: Path, as_json: bool) -> int:
    """A round where something is owed. The folder is not taken to see that: a sale never meets a timer at rest."""
    from terminal_sim.errors import FlashBusy

    if not _owes(folder):
        return CLEAR
    try:
        return _recovered(folder, as_json)
    except FlashBusy:  # somebody is selling, so the till is not idle; their order takes along what is owed
        return OWED


def _owes(folder: Path) -> bool:
    from terminal_sim.flash import DirFlash
    from terminal_sim.recovery import owed

    return bool(owed(DirFlash(folder).load()))


@contextmanager
def _until_a_signal() -> Iterator[None]:
    """SIGINT and SIGTERM end what stands inside, wherever it is: the line is closed, the folder given back."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
