"""What the end-to-end tests share: real hosts in their own processes, ended by process id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from terminal_sim.lab.host_process import HostProcess
from terminal_sim.lab.till import Till

MakeTill = Callable[[HostProcess, str, str], Till]


@pytest.fixture(scope="module")
def shared_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """One host for a module whose tests each use terminals of their own."""
    with HostProcess(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture
def make_till(tmp_path: Path) -> MakeTill:
    """make_till(host, dialect, tid): a new terminal that dials this host."""

    def make(host: HostProcess, dialect: str, tid: str) -> Till:
        return Till(tmp_path / tid, tid).install(host.url(dialect), host.api.base)

    return make
