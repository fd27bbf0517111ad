"""What the end-to-end tests share: real hosts in their own processes, ended by process id."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.lab.spawner import Spawner
from terminal_sim.lab.till import Till
from tests.support.mixed_load import morning_zone

HostCommand = Callable[..., "subprocess.CompletedProcess[str]"]
MakeTill = Callable[[HostProcess, str, str], Till]


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """One host for a module whose tests each use terminals of their own."""
    with HostProcess(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture
def morning(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No day turns while a test runs: a cutoff closes batches too."""
    monkeypatch.setenv("TZ", morning_zone())
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def acquirer_host(tmp_path: Path) -> HostCommand:
    """acquirer_host("unsettled", "--api", …): one call of the host's command line, to its end."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "host", *map(str, arguments)]
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
            env=python_environment(),
        )

    return run


@pytest.fixture(scope="session")
def spawner() -> Iterator[Spawner | None]:
    """What starts terminals quickly; None where there is no fork."""
    with Spawner(python_environment()) if Spawner.available() else nullcontext() as running:
        yield running


@pytest.fixture
def make_till(tmp_path: Path, spawner: Spawner | None) -> MakeTill:
    """make_till(host, dialect, tid): a new terminal that dials this host."""

    def make(host: HostProcess, dialect: str, tid: str) -> Till:
        return Till(tmp_path / tid, tid, spawner=spawner).install(host.url(dialect), host.api.base)

    return make
