"""The three processes of a measurement, each on the core that it is told, and what the system says of them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from terminal_sim.lab.host_process import HostProcess, python_environment

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
READY_S = 30.0


class BenchError(Exception):
    """The measurement cannot be trusted; the text says why."""


@contextlib.contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core only (None: on any); threads that it makes later too."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def end_on_sigterm() -> None:
    """For a command line: what it has started ends with it."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_bytes(pid: int) -> int:
    """Resident memory of a process, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class EchoProcess:
    """The bare echo (tests.bench.echo)."""

    def __init__(self, folder: Path) -> None:
        self._ready_file = folder / "echo.ready"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.bench.echo", str(self._ready_file)]
        self._process = subprocess.Popen(command, env=python_environment())
        deadline = time.monotonic() + READY_S
        while not self._ready_file.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("the echo did not start")
            time.sleep(0.005)
        self.port = int(self._ready_file.read_text("utf8"))

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


class GeneratorProcess:
    """The load (tests.bench.generator), by its pipe."""

    def __init__(self) -> None:
        with on_core(LOAD_CORE):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.bench.generator"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=python_environment(),
                text=True,
            )

    def ask(self, do: str, name: str, **order: Any) -> dict[str, Any]:
        """One order, to its end. Raises BenchError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, "name": name, **order}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the load generator ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(str(answer["error"]))
        return answer

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Stage:
    """Host and echo on one core, the load on the other. folder: on a real disk; the host's store goes there."""

    def __init__(self, folder: Path, *, options: Sequence[str] = (), wrapper: Sequence[str] = ()) -> None:
        # The clock stands at nine in the morning when it starts, so that no business day turns while we measure.
        fixed = ("--clock", "2026-03-02T09:00", "--log-level", "warning")
        self.host = HostProcess(folder, dialects=("cup",), options=(*fixed, *options), wrapper=wrapper)
        self.echo = EchoProcess(folder)
        self.load: GeneratorProcess | None = None

    def __enter__(self) -> Stage:
        try:
            with on_core(SERVER_CORE):
                self.echo.start()
                self.host.start()
            self.load = GeneratorProcess()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.load is not None:
            self.load.stop()
        self.host.stop()
        self.echo.stop()

    # ---- rounds

    def ask(self, do: str, name: str, **order: Any) -> dict[str, Any]:
        """One order to the load."""
        assert self.load is not None
        return self.load.ask(do, name, **order)

    def dial(self, lines: int, series: str, *, sign_on: bool = True) -> None:
        """As many lines to the host ("host") as to the echo ("echo"); the host's tills sign on."""
        self.ask(
            "dial",
            "host",
            port=self.host.listening.ports["cup"],
            lines=lines,
            plain=False,
            series=series,
            sign_on=sign_on,
        )
        self.ask("dial", "echo", port=self.echo.port, lines=lines, plain=True, series=series)

    def hang_up(self) -> dict[str, Any]:
        """Close all lines; what the tills of the host believe."""
        books = self.ask("books", "host")
        for name in ("host", "echo"):
            self.ask("close", name)
        return books

    def play(self, name: str, rate: float, seconds: float, ahead: int = 0) -> dict[str, Any]:
        """One round with what it cost: CPU of the server per answer in µs, commits, sales a commit."""
        pid = self.pid(name)
        before, cpu = self.counted(name), cpu_s(pid)
        found = self.ask("play", name, rate=rate, seconds=seconds, ahead=ahead or int(rate * seconds) or 20_000)
        used, after = cpu_s(pid) - cpu, self.counted(name)
        found["cpu_us"] = round(used * 1e6 / max(1, found["answered"]), 1)
        found["cpu_share"] = round(used / found["seconds"], 3)
        if name == "host":
            groups = after["groups"] - before["groups"]
            found["groups"] = int(groups)
            found["per_group"] = round(found["answered"] / groups, 1) if groups else 0.0
        if found["wrongs"]:
            raise BenchError(f"{name}: {found['wrongs']} answers are no approvals: {found['wrong']}")
        return found

    def pid(self, name: str) -> int:
        """Of the host or the echo."""
        return self.host.listening.pid if name == "host" else self.echo.pid

    def counted(self, name: str) -> dict[str, float]:
        """/metrics of the host without prefix and suffix; nothing of the echo."""
        if name != "host":
            return {}
        from urllib.request import urlopen

        with urlopen(f"{self.host.api.base}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {name.removeprefix("closeout_").removesuffix("_total"): float(value) for name, _, value in rows}
