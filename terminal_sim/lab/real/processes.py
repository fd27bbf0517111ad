"""What processes begin from, kept ready over several runs: one spawner a unit, so that two tills work at a time, and
one for hosts."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from terminal_sim.lab.errors import LabError
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.real.forked_host import ForkedHost, Forks
from terminal_sim.lab.spawner import Spawner

ORDER_S = 600.0
"""Of the machine's time: a restart of the host and an upload of a full journal are in it."""
Runner = Callable[[list[str], dict[str, str]], tuple[int, str, str]]


class Processes:
    """See the module. Spawners are given to units as they come, and serve again in the next run. halt: set by who does
    not want to wait for the end of a run."""

    def __init__(self, halt: threading.Event | None = None) -> None:
        self.halt = halt or threading.Event()
        self._stack = contextlib.ExitStack()
        self._spawners: dict[str, Spawner] = {}
        self._forks: Forks | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End them."""
        self._stack.close()
        self._spawners.clear()
        self._forks = None

    def host(self, folder: Path, dialects: Sequence[str], options: Sequence[str]) -> HostProcess:
        """A host that is not started yet."""
        if not Forks.available():
            return HostProcess(folder, dialects=dialects, options=options)
        if self._forks is None:
            self._forks = self._stack.enter_context(Forks())
        return ForkedHost(self._forks, folder, dialects=dialects, options=options)

    def runner(self, unit: str) -> Runner:
        """What starts the processes of a unit."""
        if not Spawner.available():
            return _fresh
        if unit not in self._spawners:
            self._spawners[unit] = self._stack.enter_context(Spawner(python_environment()))
        spawner = self._spawners[unit]
        return lambda words, environment: spawner.run(words, environment, ORDER_S)

    def init(self, unit: str, folder: Path, words: Sequence[str]) -> None:
        """A new terminal. Raises: LabError with what `terminal-sim init` says."""
        code, out, err = self.runner(unit)(["init", str(folder), *words], {})
        if code != 0:
            raise LabError(f"terminal-sim init: {(err or out).strip()}")


def _fresh(words: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Where there is no fork: an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "terminal_sim", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ORDER_S,
        env=python_environment() | environment,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
