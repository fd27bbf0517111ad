"""A real host in a process of its own: `python -m host serve` on free ports, with a store of its own.

It is ended by its process id and by nothing else. What it logs stands in `host.log` beside its store.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import host
from terminal_sim.lab.api import Api
from terminal_sim.lab.errors import LabError

READY_S = 60.0
"""A start takes two seconds on an idle machine; a shared one may have other things to do."""
END_S = 30.0
_POLL_S = 0.02
_TREE = Path(host.__file__).resolve().parent.parent


def python_environment() -> dict[str, str]:
    """The environment of a child that must find the same packages as we do, from whatever folder it runs in."""
    path = os.pathsep.join([str(_TREE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class Listening:
    """What the ready file says."""

    pid: int
    ports: Mapping[str, int]
    api: Api

    def url(self, dialect: str) -> str:
        """What a terminal dials."""
        return f"{dialect}://127.0.0.1:{self.ports[dialect]}"


class HostProcess:
    """One host on one store; it can be ended, killed and started again on the same store and ports.

    folder: where store, ready file and log go. dialects: one listener each, on a free port at first; names, or files of
    dialects that are called as their file.
    options: further arguments of `serve`. wrapper: a command that runs the host (strace …). environment: what is added
    to ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dialects: Sequence[str] = ("cup", "nac", "iso87"),
        options: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self.dialects = tuple(dialects)
        self.options = tuple(options)
        self.wrapper = tuple(wrapper)
        self.environment = dict(environment or {})
        self.store = f"sqlite:///{folder / 'closeout.db'}"
        self.log = folder / "host.log"
        self._ready_file = folder / "ready.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._listening: Listening | None = None

    # ---- what it is

    @property
    def listening(self) -> Listening:
        """Ports and API of the last start. Raises LabError before one."""
        if self._listening is None:
            raise LabError("the host has not been started")
        return self._listening

    @property
    def api(self) -> Api:
        """Its API. Raises LabError before the first start."""
        return self.listening.api

    def url(self, dialect: str) -> str:
        """What a terminal of this dialect dials. Raises LabError before the first start."""
        return self.listening.url(dialect)

    @property
    def running(self) -> bool:
        """Whether the process lives; a wrapper counts for it."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log, for the text of an error."""
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""

    # ---- start and end

    def start(self, *, wait_s: float = READY_S) -> Listening:
        """Start and wait until everything listens; a second start takes the ports of the first.

        Raises LabError with the end of the log when it ends or is not ready in time.
        """
        self.launch()
        return self.await_ready(wait_s=wait_s)

    def launch(self) -> None:
        """Start, and do not wait for anything."""
        assert not self.running, "one process at a time"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=python_environment() | dict(self.environment),
            )

    def await_ready(self, *, wait_s: float = READY_S) -> Listening:
        """Wait until everything listens. Raises LabError as `start`."""
        assert self._process is not None
        deadline = time.monotonic() + wait_s
        while not self._ready_file.exists():
            if not self.running:
                raise LabError(
                    f"the host ended with {self._process.returncode} before it was ready:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise LabError(f"the host was not ready within {wait_s:g} s:\n{self.log_tail()}")
            time.sleep(_POLL_S)
        self._listening = read_ready(self._ready_file)
        return self._listening

    def command(self) -> list[str]:
        """The command line of the next start."""
        before = self._listening
        ports = {name: before.ports[Path(name).stem] if before else 0 for name in self.dialects}
        api = before.api.base.removeprefix("http://") if before else "127.0.0.1:0"
        listen = [part for name in self.dialects for part in ("--listen", f"{name}://127.0.0.1:{ports[name]}")]
        serve = [sys.executable, "-m", "host", "serve", *listen, "--api", api, "--store", self.store]
        return [*self.wrapper, *serve, "--ready-file", str(self._ready_file), *self.options]

    def terminate(self, *, wait_s: float = END_S) -> int:
        """SIGTERM, then its exit code. Raises LabError when it does not end in time."""
        if self.running:
            self._signal(signal.SIGTERM)
        return self.wait(wait_s=wait_s)

    def kill(self) -> None:
        """kill -9, and wait until the process is gone."""
        if self.running:
            self._signal(signal.SIGKILL)
        self.wait()

    def wait(self, *, wait_s: float = END_S) -> int:
        """Its exit code once it has ended."""
        assert self._process is not None
        try:
            return self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"the host did not end within {wait_s:g} s:\n{self.log_tail()}") from None

    def ends_within(self, wait_s: float) -> bool:
        """Whether it ends by itself in that time, or has."""
        assert self._process is not None
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """End it in whatever state it is; for the end of a test or demo."""
        if self._process is None:
            return
        try:
            self.terminate()
        except LabError:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        # Under a wrapper our child is the wrapper; the ready file names the host itself.
        assert self._process is not None
        pid = self._listening.pid if self.wrapper and self._listening else self._process.pid
        os.kill(pid, number)

    def __enter__(self) -> HostProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def read_ready(path: Path) -> Listening:
    """The ready file of `serve`. Raises LabError when it is not what interface.md, section 2 says."""
    try:
        found = json.loads(path.read_text("utf-8"))
        ports = {str(entry["dialect"]): int(entry["port"]) for entry in found["listen"]}
        return Listening(int(found["pid"]), ports, Api(str(found["api"])))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabError(f"{path}: {error}") from None
