"""Terminal processes that begin as forks of one process with the terminal's program already loaded.

    python -m terminal_sim.lab.spawner        one order a line on stdin, one answer a line on stdout (JSON)

A day has dozens of key presses, each a process of its own whose power can be cut; loading the program anew for each
would take longer than the day. A fork shares the loaded code and nothing else: its memory is a copy, its terminal is
what stands on the flash. Where there is no fork (Windows) a key press starts a new interpreter instead.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import TracebackType

import terminal_sim
from terminal_sim.errors import TerminalError
from terminal_sim.lab.forked import become
from terminal_sim.lab.interrupt import leave_to_parent


class SpawnerError(TerminalError):
    """The spawner ended, or a terminal did not end in time."""


class Spawner:
    """Our end: hands over the words of a command line, gives back (exit code, stdout, stderr). One call at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="closeout-till-")
        self._lock = Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "terminal_sim.lab.spawner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,  # so that a terminal that hangs can be ended together with its spawner, by group id
        )

    @staticmethod
    def available() -> bool:
        """False on Windows, which has no fork."""
        return hasattr(os, "fork")

    def run(self, words: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> tuple[int, str, str]:
        """One `terminal-sim WORDS`, to its end. environment: what is added to the usual one. Raises SpawnerError."""
        with self._lock:
            out, err = (Path(self._folder.name) / name for name in ("out", "err"))
            order = {"words": list(words), "environment": dict(environment), "out": str(out), "err": str(err)}
            stdin, stdout = self._process.stdin, self._process.stdout
            assert stdin is not None
            assert stdout is not None
            try:
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()
            except OSError:
                raise SpawnerError("the process that makes terminals has ended") from None
            ready, _, _ = select.select([stdout], [], [], timeout_s)
            answer = stdout.readline() if ready else b""
            if not answer:
                self._end()
                why = "the process that makes terminals has ended" if ready else f"no end within {timeout_s:g} s"
                raise SpawnerError(f"terminal-sim {' '.join(words)}: {why}")
            code = int(json.loads(answer))
            return code, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")

    def close(self) -> None:
        """End the process and take its folder away."""
        with self._lock:
            self._end()
            self._folder.cleanup()

    def _end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Spawner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# ---- the other end: a process of its own


def serve() -> None:
    """Take orders until stdin ends. Single-threaded, so that a fork is a whole copy."""
    leave_to_parent()
    for module in pkgutil.walk_packages(terminal_sim.__path__, "terminal_sim."):
        if not module.name.startswith(("terminal_sim.lab", "terminal_sim.__main__")):
            import_module(module.name)  # loaded here once, used by the forks
    command = _warm_up()
    gc.freeze()  # what is loaded stays, and a fork need not copy it to look at it
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            become(command, ["terminal-sim", *order["words"]], order["environment"], order["out"], order["err"])
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _warm_up() -> Callable[[], object]:
    """The command line, read and built, after one call that comes to nothing: it loads parts of itself only when it
    reads arguments. The dialects and their families too."""
    from typer.main import get_command

    from specs.families import NAMES
    from terminal_sim import cli
    from terminal_sim.wire import wire_for

    command = get_command(cli.app)
    sys.argv = ["terminal-sim", "journal", os.path.join(os.devnull, "none")]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        command()
    for name in NAMES:
        wire_for(f"{name}://127.0.0.1:1")
    return command


if __name__ == "__main__":
    serve()
