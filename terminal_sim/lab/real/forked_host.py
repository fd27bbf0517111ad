"""Host processes that begin as forks of one with the host's program already loaded, as terminals do.

    python -m terminal_sim.lab.real.forked_host       one order a line on stdin, its process id on stdout (JSON)

A scenario has a host of its own, and most of a host's start is loading its program. A fork shares the loaded code and
nothing else. Where the system has no pidfd (other than Linux) each host is a new interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from terminal_sim.lab.errors import LabError
from terminal_sim.lab.forked import GROWING, become
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.interrupt import leave_to_parent

_BEFORE_SERVE = 3
"""Words of HostProcess.command before `serve`: interpreter, -m, host."""


class Forks:
    """The process with the host's program in it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "terminal_sim.lab.real.forked_host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=python_environment(),
            start_new_session=True,  # Ctrl-C is for whoever plays; a host would end by it in the middle of a run
        )

    @staticmethod
    def available() -> bool:
        """Whether this system has what it takes."""
        return hasattr(os, "fork") and hasattr(os, "pidfd_open")

    def start(self, words: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str]) -> int:
        """One `acquirer-host WORDS` in that folder; its process id. Raises: LabError."""
        order = {"words": list(words), "folder": str(folder), "log": str(log), "environment": dict(environment)}
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
            return int(json.loads(stdout.readline()))
        except (OSError, ValueError):
            raise LabError("the process that makes hosts has ended") from None

    def close(self) -> None:
        """No more hosts; one that still runs ends too."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ForkedHost(HostProcess):
    """A HostProcess whose start is a fork."""

    def __init__(self, forks: Forks, folder: Path, **more: Any) -> None:
        super().__init__(folder, **more)
        self._forks = forks

    def launch(self) -> None:
        """See HostProcess."""
        assert not self.running, "one process at a time"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        words = self.command()[_BEFORE_SERVE:]
        pid = self._forks.start(words, self.folder, self.log, self.environment)
        self._process = cast(Any, _Grandchild(pid))


class _Grandchild:
    """As much of Popen as HostProcess needs, of a process that is not our child: its exit code nobody tells us."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self.returncode = -1

    def poll(self) -> int | None:
        """None while it lives."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises: TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("acquirer-host", timeout or 0.0)
            os.close(self._handle)
            self.returncode = -1
        return self.returncode


# ---- the other end: a process of its own


def serve() -> None:
    """Take orders until stdin ends, then end the hosts that are still there: whoever ordered them is gone.

    Single-threaded, so that a fork is a whole copy.
    """
    leave_to_parent()
    from host import cli
    from host.commands import serve as command
    from specs.dialect import load
    from specs.families import NAMES

    assert command
    for name in NAMES:
        load(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    hosts: list[int] = []
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            words, log = ["acquirer-host", *order["words"]], order["log"]
            become(cli.main, words, order["environment"], log, log, flags=GROWING, folder=order["folder"])
        hosts = [*filter(_lives, hosts), *_handle(child)]
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    for host in hosts:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(host, signal.SIGKILL)


def _handle(child: int) -> list[int]:
    """None when it has ended already."""
    try:
        return [os.pidfd_open(child)]
    except ProcessLookupError:
        return []


def _lives(handle: int) -> bool:
    """Whether its process does; the handle of one that has ended is closed."""
    if not select.select([handle], [], [], 0)[0]:
        return True
    os.close(handle)
    return False


if __name__ == "__main__":
    serve()
