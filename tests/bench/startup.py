"""How long a start takes, beside the bare echo's: from the exec to the ready file, and `acquirer-host --help`.

python -m tests.bench.startup [--runs 5]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from terminal_sim.lab.host_process import HostProcess, python_environment
from tests.bench.processes import EchoProcess, end_on_sigterm


def timed(act: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def host_start(folder: Path, *, again: bool) -> float:
    """Until the ready file of a host with three listeners is there; again: on a store that exists."""
    host = HostProcess(folder, options=("--log-level", "warning"))
    try:
        if again:
            host.start()
            host.terminate()
        return timed(host.start)
    finally:
        host.stop()


def echo_start(folder: Path) -> float:
    """Until the bare echo listens: an interpreter, uvloop, a socket."""
    echo = EchoProcess(folder)
    try:
        return timed(echo.start)
    finally:
        echo.stop()


def command(*words: str) -> float:
    """A command of ours from start to end."""
    line = [sys.executable, "-m", *words]
    return timed(lambda: subprocess.run(line, env=python_environment(), stdout=subprocess.DEVNULL, check=True))


def measure(folder: Path, runs: int) -> dict[str, list[float]]:
    """Seconds by what was started, the kinds taken in turns."""
    found: dict[str, list[float]] = {}
    for number in range(runs):
        for name, start in (
            ("host, new store", lambda where: host_start(where, again=False)),
            ("host, its store again", lambda where: host_start(where, again=True)),
            ("bare echo", echo_start),
            ("acquirer-host --help", lambda _: command("host", "--help")),
        ):
            where = folder / f"{number}-{len(found)}-{name.replace(' ', '')}"
            where.mkdir()
            found.setdefault(name, []).append(round(start(where), 3))
    return found


def table(found: dict[str, list[float]]) -> str:
    """Markdown: least and median."""
    rows = ["| start | least, s | median, s | runs |", "|---|---|---|---|"]
    for name, times in found.items():
        rows.append(f"| {name} | {min(times):.2f} | {statistics.median(times):.2f} | {len(times)} |")
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="closeout-bench-") as folder:
        print(table(measure(Path(folder), given.runs)))


if __name__ == "__main__":
    main()
