"""A terminal driven as a shopkeeper's script would: `terminal-sim ACTION DIR …`, one process a key press.

Each call is a terminal that is switched on and off again; all that lives between two calls is its flash.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specs.journal import TerminalBook, parse
from terminal_sim.flash import DirFlash
from terminal_sim.lab.errors import LabError
from terminal_sim.lab.host_process import python_environment
from terminal_sim.lab.spawner import Spawner
from terminal_sim.state import Memory

CALL_S = 90.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How one call ended. code: its exit code (interface.md, section 1)."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object that `--json` prints. Raises LabError with all that was said when there is none."""
        try:
            found = json.loads(self.out)
        except ValueError:
            raise LabError(f"no JSON on standard output: {self}") from None
        assert isinstance(found, dict)
        return found

    def __str__(self) -> str:
        return f"terminal-sim {' '.join(self.arguments)}: exit {self.code}\n{self.out}{self.err}"


@dataclass(frozen=True, slots=True)
class Till:
    """One terminal in one folder."""

    folder: Path
    tid: str
    mid: str = "898100012345678"
    spawner: Spawner | None = None
    """What starts the processes; None: a fresh interpreter for each call, as from a shell."""

    def install(self, connect: str, api: str = "", *, timeout_s: float = 2.0, merchant: str = "CORNER SHOP") -> Till:
        """Put a new terminal into the folder. timeout_s: how long it waits for an answer (30 s in a shop)."""
        who = ("--tid", self.tid, "--mid", self.mid, "--merchant", merchant)
        ran = self.run("init", "--connect", connect, "--api", api, "--timeout", timeout_s, *who)
        if ran.code != 0:
            raise LabError(str(ran))
        return self

    def run(self, action: str, *arguments: object, crash_at: str = "") -> Ran:
        """One call. crash_at: the power fails at this flash step (CLOSEOUT_CRASH_AT)."""
        words = (action, str(self.folder), *map(str, arguments))
        extra = {"CLOSEOUT_CRASH_AT": crash_at} if crash_at else {}
        if self.spawner is not None:
            return Ran(words, *self.spawner.run(words, extra, CALL_S))
        try:
            done = subprocess.run(
                [sys.executable, "-m", "terminal_sim", *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CALL_S,
                env=python_environment() | extra,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"terminal-sim {' '.join(words)}: no end within {CALL_S:g} s") from None
        return Ran(words, done.returncode, done.stdout, done.stderr)

    def sale(self, amount: int, card: str = "credit1") -> Ran:
        """A sale; what it came to is in `.json`."""
        return self.run("sale", amount, "--card", card, "--json")

    def void(self, stan: str) -> Ran:
        """Cancel the sale with this STAN."""
        return self.run("void", "--stan", stan, "--json")

    def settle(self) -> Ran:
        """Close the batch; exit 1 when it closed with exceptions."""
        return self.run("settle", "--json")

    # ---- its book

    def journal(self) -> str:
        """The terminal's own book, JSON lines."""
        ran = self.run("journal", "--json")
        if ran.code != 0:
            raise LabError(str(ran))
        return ran.out

    def book(self) -> TerminalBook:
        """The same, read."""
        return parse(self.journal().splitlines())

    def memory(self) -> Memory:
        """What is on its flash, for tests that look under the lid."""
        return DirFlash(self.folder).load()

    def change_flash(self, memory: Memory) -> None:
        """Put another memory on its flash, for tests that spoil it on purpose."""
        with DirFlash(self.folder) as flash:
            flash.save("journal", memory)
