"""The machine under the host fails for real: what a terminal saw, what an operator saw, and how it ended.

Full disk, locked store, syncs that are slow or fail, a host that stands still, a clock that jumps, no more files. In
each: no approval goes out that is not on disk, the answer is 96 or silence, the host serves again without help, and in
the end the terminal's book and the host's are equal. docs/machine-faults.md has the table.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from host.rows import Alarm
from host.store.store import open_reader
from terminal_sim.lab.host_process import HostProcess, python_environment
from terminal_sim.moves import End, Result, Sale
from tests.support import machine
from tests.support.machine import Shim, small_disk
from tests.support.mixed_load import Shopper, Verdict, Watch
from tests.support.raw_terminal import RawTerminal, echo, sale, wire
from tests.support.tcp_till import TcpTill
from tests.support.two_books import card

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("morning")]

SOON_S = 30.0
"""Until a host that can work again must have said so."""
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands in front of the C library of a host."""
    return machine.compiled(tmp_path_factory.mktemp("machine"))


@contextmanager
def _host(folder: Path, shim: Shim | None = None, store: Path | None = None, *options: str) -> Iterator[HostProcess]:
    environment = shim.environment if shim else {}
    (folder / "closeout.toml").write_text("[limits]\nissuer_timeout_s = 3\n")
    options = ("--log-level", "warning", "--config", str(folder / "closeout.toml"), *options)
    host = HostProcess(folder, options=options, environment=environment)
    if store is not None:
        host.store = f"sqlite:///{store}"
    try:
        host.start()
        yield host
    finally:
        host.stop()


@contextmanager
def _selling(
    host: HostProcess, *, waits_s: float = 10.0, deeds: tuple[str, ...] = ("sale",)
) -> Iterator[list[Shopper]]:
    """Two terminals of each dialect at work; they go home at the end."""
    watch = Watch()
    shoppers = [
        Shopper(
            *(host.url(dialect), f"{dialect[:3].upper()}MACH{at}"),
            seed=at,
            watch=watch,
            deeds=deeds,
            waits_s=waits_s,
            pause_s=0.02,
        )
        for dialect in ("cup", "nac", "iso87")
        for at in range(2)
    ]
    for shopper in shoppers:
        shopper.start()
    try:
        yield shoppers
    finally:
        watch.stop()
        for shopper in shoppers:
            shopper.join(60)


def _till(host: HostProcess, dialect: str = "nac", tid: str = "HANDHELD") -> TcpTill:
    return TcpTill(host.url(dialect), tid, mid="898100000000001").sign_on()


def _sell(till: TcpTill, amount: int = 1_000, *, waits_s: float = 10.0) -> Result:
    return till.press(Sale(amount, card("credit1")), waits_s=waits_s)


def _until(what: Callable[[], object], why: str, wait_s: float = SOON_S) -> None:
    deadline = time.monotonic() + wait_s
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.02)


def _more(shoppers: list[Shopper], sold: list[int], by: int = 0) -> bool:
    """Whether each has sold more than that since."""
    return all(shopper.ends["approved"] > before + by for shopper, before in zip(shoppers, sold, strict=True))


def _ready(host: HostProcess) -> tuple[int, str]:
    """Status and text of /readyz."""
    said = host.api.call("GET", "/readyz")
    return said.status, said.text


def _metric(host: HostProcess, name: str) -> float:
    lines = host.api.call("GET", "/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}_total ")))


def _write(host: HostProcess) -> int:
    """The status of an API call that must be written."""
    return host.api.call("PUT", "/api/v1/terminals/BYTHEAPI", {"mid": "898100000000002"}).status


def _alarms(host: HostProcess) -> list[str]:
    """What the host tells people about itself, after the event."""
    reader = open_reader(host.store)
    try:
        return [alarm.text for alarm in reader.select(Alarm, {"code": "store-trouble"})]
    finally:
        reader.close()


def _all_right(host: HostProcess, *shoppers: Shopper, till: TcpTill | None = None, audit: bool = False) -> None:
    """Every terminal closes its day; both sets of books are equal. audit: the command says so too."""
    if till is not None:
        shoppers = (*shoppers, Shopper.of(till))
    assert [text for shopper in shoppers for text in shopper.trouble] == []
    for shopper in shoppers:
        shopper.close_day()
    assert Verdict(host).over(shoppers) == []
    assert host.terminate() == 0
    if audit:
        command = [sys.executable, "-m", "host", "audit", "--store", host.store]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=python_environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr


def _serve(folder: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """A host that is expected to end by itself."""
    command = [sys.executable, "-m", "host", "serve", "--listen", "nac://127.0.0.1:0", "--api", "127.0.0.1:0"]
    return subprocess.run(
        [*command, *map(str, options)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=folder,
        env=python_environment(),
    )


# ---- the disk


def test_a_full_disk_in_the_middle_of_traffic(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, _host(tmp_path, None, disk.folder / "closeout.db") as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        with _selling(host, waits_s=3.0) as shoppers:
            _until(lambda: all(s.ends["approved"] > 2 for s in shoppers), "no sale before the disk is full")
            disk.fill()
            _until(
                lambda: all(s.ends["declined 96"] + s.ends["not-sent"] > 2 for s in shoppers), "no 96 on a full disk"
            )
            status, text = _ready(host)
            assert status == 503
            assert "full" in text
            refused = _sell(till)
            assert (refused.end, refused.code) == (End.DECLINED, "96")
            assert host.api.items("/transactions", tid=till.tid)[0]["state"] == "captured", "reading works"
            assert host.api.call("GET", "/healthz").status == 200
            assert _write(host) == 503, "an order to the API that cannot be written is refused"
            disk.free()
            sold = [s.ends["approved"] for s in shoppers]
            _until(lambda: _more(shoppers, sold, 2), "no recovery")
            _until(lambda: _ready(host)[0] == 200, "not ready again")
            _until(lambda: "full" in "".join(_alarms(host)), "no alarm says what was")
        assert _sell(till).end is End.APPROVED
        _all_right(host, *shoppers, till=till, audit=True)


def test_a_disk_that_is_full_at_the_start(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.fill()
        done = _serve(tmp_path, "--store", f"sqlite:///{disk.folder}/closeout.db")
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "No space left" in done.stderr
        disk.free()
        with _host(tmp_path, None, disk.folder / "closeout.db") as host:
            assert _sell(_till(host)).end is End.APPROVED, "what the failed start left is no obstacle"


def test_a_read_only_store_at_the_start(tmp_path: Path) -> None:
    store = tmp_path / "disk" / "closeout.db"
    with small_disk(tmp_path / "disk", 4):
        with _host(tmp_path, None, store):
            pass
        subprocess.run(["mount", "-o", "remount,ro", str(store.parent)], check=True, timeout=20)
        done = _serve(tmp_path, "--store", f"sqlite:///{store}")
        assert done.returncode == 2, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "ead-only file system" in done.stderr


def test_a_ready_file_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        disk.fill()
        done = _serve(tmp_path, "--store", f"sqlite:///{tmp_path}/closeout.db", "--ready-file", disk.folder / "ready")
        assert done.returncode == 2, done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert "--ready-file" in last
        assert "No space left" in last
        assert sorted(path.name for path in disk.folder.iterdir()) == [disk.BALLAST], "a piece of a ready file is left"


def test_a_log_on_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """Neither the host's own log nor its standard error is a reason to refuse a sale."""
    with small_disk(tmp_path / "disk", 2) as disk:
        disk.fill()
        log = disk.folder / "log"
        with _host(tmp_path, None, None, "--log-level", "debug", "--log-file", str(log)) as host:
            till = _till(host)
            assert _sell(till).end is End.APPROVED
            with RawTerminal(host.listening.ports["nac"]) as line:
                line.send(b"\x00\x04junk")  # worth a warning in the log
            assert _sell(till).end is End.APPROVED
            _all_right(host, till=till)


def test_a_disk_that_refuses_writes(tmp_path: Path, library: Path) -> None:
    """EIO in the middle of a write of the log: nothing of it can count, so the answer is 96."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        shim.fail_writes(errno.EIO)
        said = _sell(till, waits_s=2.0)
        assert said.end in (End.DECLINED, End.UNKNOWN)
        assert said.code in ("96", "")
        assert shim.failed > 0
        assert _ready(host)[0] == 503
        shim.heal()
        _until(lambda: _ready(host)[0] == 200, "nobody sells, and it does not find out that it could")
        assert len(_alarms(host)) == 1
        assert _sell(till).end is End.APPROVED
        _all_right(host, till=till)


# ---- a store that another program has locked


def test_a_store_that_another_program_has_locked(tmp_path: Path) -> None:
    """Each of twenty terminals has its 96 before its own timeout; when the lock is gone, all sell again."""
    with _host(tmp_path) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        port = host.listening.ports["nac"]
        other = sqlite3.connect(tmp_path / "closeout.db", isolation_level=None)
        lines = [RawTerminal(port, answer_s=30.0).connect() for _ in range(20)]
        try:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            for at, line in enumerate(lines):
                line.send(_raw_sale(at))
            codes = [line.receive()[39] for line in lines]
            took = time.monotonic() - begun
            status, text = _ready(host)
        finally:
            other.rollback()
            other.close()
            for line in lines:
                line.close()
        assert codes == ["96"] * 20
        assert took < 15.0, f"twenty terminals waited {took:.1f} s"
        assert (status, "locked" in text) == (503, True)
        assert _sell(till).end is End.APPROVED
        assert _ready(host)[0] == 200
        assert {t["tid"] for t in host.api.items("/transactions") if t["state"] == "captured"} == {till.tid}
        _all_right(host, till=till)


def _raw_sale(at: int) -> bytes:
    return wire(sale(f"LOCKED{at:02d}", "000001", 100))


# ---- syncs


def test_slow_syncs(tmp_path: Path, library: Path) -> None:
    """An answer waits for its syncs, never overtakes them; what comes meanwhile goes into one group."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        till = _till(host)
        shim.slow_syncs(0.15)
        begun, syncs = time.monotonic(), shim.syncs
        assert _sell(till).end is End.APPROVED
        took, asked = time.monotonic() - begun, shim.syncs - syncs
        assert asked >= 2, "one sync for the leg, one for the outcome"
        assert took >= 0.15 * 2, f"the answer came after {took:.2f} s, {asked} syncs of 0.15 s"
        events, groups = _metric(host, "closeout_events"), _metric(host, "closeout_groups")
        with _selling(host, waits_s=20.0) as shoppers:
            _until(lambda: all(s.ends["approved"] > 2 for s in shoppers), "slow must not be dead", 30.0)
        grown = (_metric(host, "closeout_events") - events) / (_metric(host, "closeout_groups") - groups)
        assert grown > 1.5, f"{grown:.2f} events a group"
        assert _ready(host)[0] == 200
        shim.heal()
        _all_right(host, *shoppers, till=till)


@pytest.mark.parametrize("then", ["heals", "dies"])
def test_syncs_that_fail(tmp_path: Path, library: Path, then: str) -> None:
    """Nobody knows whether the rows are on disk: the terminal hears nothing and reverses. Whether the host goes on or
    dies first, and so finds in its log what it had said nothing about: both books are equal."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        shim.fail_syncs(errno.EIO)
        doubtful = _sell(till, waits_s=1.0)
        assert doubtful.end is End.UNKNOWN
        assert till.memory.pending is not None, "it owes a reversal"
        assert shim.failed > 0
        status, text = _ready(host)
        assert status == 503
        assert "I/O" in text
        if then == "dies":
            host.kill()
        shim.heal()
        if then == "dies":
            host.start()
        again = _sell(till, 2_000)
        assert again.end is End.APPROVED, again
        assert till.memory.pending is None, "its reversal went first"
        reversals = [message[39] for message in till.messages("0410")]
        assert reversals
        assert set(reversals) <= {"00", "25", "12"}
        assert _ready(host)[0] == 200
        _all_right(host, till=till)


def test_one_sync_that_fails_is_tried_again(tmp_path: Path, library: Path) -> None:
    """The group is decided anew on what is on disk: the sale is approved, once. Where it is the issuer's commit, the
    issuer stays silent, and its terminal reverses."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        with _selling(host, waits_s=2.0) as shoppers:
            for _ in range(5):
                sold = [s.ends["approved"] for s in shoppers]
                shim.fail_syncs(errno.EIO, 1)
                _until(lambda: _more(shoppers, sold), "no more sales")  # noqa: B023
            assert shim.failed == 5
        shim.heal()
        _all_right(host, *shoppers)


# ---- time


def test_a_host_that_stands_still_longer_than_the_terminal_waits(tmp_path: Path) -> None:
    with _host(tmp_path) as host:
        tills = [_till(host, dialect, f"STOP{at:04d}") for at, dialect in enumerate(("cup", "nac", "iso87"))]
        assert [_sell(till).end for till in tills] == [End.APPROVED] * 3
        pid = host.listening.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            assert [_sell(till, 5_000, waits_s=0.4).end for till in tills] == [End.UNKNOWN] * 3
            assert all(till.memory.pending for till in tills)
        finally:
            os.kill(pid, signal.SIGCONT)
        # The late answers find lines that their terminals have dropped; the reversals go first, then the new sales.
        assert [_sell(till, 7_000).end for till in tills] == [End.APPROVED] * 3
        assert not any(till.memory.pending for till in tills)
        books = open_reader(host.store).load_books()
        assert sorted(t.state for t in books.txns if t.amount == 5_000) == ["reversed"] * 3
        _all_right(host, *map(Shopper.of, tills))


def test_a_clock_that_jumps(tmp_path: Path, library: Path) -> None:
    """Forward by an hour under load: nothing times out but what the hour itself ends. Back by two: the host's clock
    waits, and never goes back in its records; numbers stay unique, and the settlement agrees."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        with _selling(host, deeds=("sale", "void", "pre-auth", "completion")) as shoppers:
            for seconds in (3_600.0, -7_200.0, 600.0):
                sold = [s.ends["approved"] for s in shoppers]
                shim.jump(seconds)
                _until(lambda: _more(shoppers, sold, 3), "no more sales")  # noqa: B023
                assert _sell(till).end is End.APPROVED
        lost = [s.ends["unknown"] + s.ends["not-sent"] for s in shoppers]
        assert lost == [0] * len(shoppers), "a jump of the wall clock fires no deadline"
        assert _metric(host, "closeout_closed_idle") == _metric(host, "closeout_closed_slow") == 0
        shown = [datetime.fromisoformat(m["at"]) for m in host.api.items("/messages")]
        assert shown == sorted(shown) or shown == sorted(shown, reverse=True), "the records go back in time"
        host.terminate()
        # Two hours back while nobody looked: the next process starts behind what it finds in the store.
        shim.jump(-7_200.0)
        last = max(shown)
        host.start()
        assert _sell(till).end is End.APPROVED
        newest = max(m["id"] for m in host.api.items("/messages"))
        at = next(m["at"] for m in host.api.items("/messages") if m["id"] == newest)
        assert datetime.fromisoformat(at) >= last, "the records go back in time over a restart"
        rrns = [t["rrn"] for t in host.api.items("/transactions") if t["rrn"]]
        assert len(rrns) == len(set(rrns))
        _all_right(host, *shoppers, till=till)


def test_a_clock_that_leaps_past_the_cutoff(tmp_path: Path, library: Path) -> None:
    """The host closes the batch under the day that ends (rules.md, section 7); set back again, the day stays turned."""
    shim = Shim(library, tmp_path)
    with _host(tmp_path, shim) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        before = host.api.get("/clock")
        shim.jump(18 * 3_600.0)  # from six or seven in the morning to after midnight, past 23:00
        _until(lambda: host.api.items("/batches")[0]["state"] == "closed-with-exceptions", "the cutoff was missed")
        (closed,) = (b for b in host.api.items("/batches") if b["state"] == "closed-with-exceptions")
        assert closed["business_date"] == before["business_date"]
        shim.jump(-18 * 3_600.0)
        after = host.api.get("/clock")
        assert datetime.fromisoformat(after["now"]) > datetime.fromisoformat(before["now"])
        assert after["business_date"] > before["business_date"]
        assert _sell(till).end is End.APPROVED
        assert len(host.api.items("/batches", state="closed-with-exceptions")) == 1


# ---- files


def test_no_more_file_descriptors(tmp_path: Path) -> None:
    """Lines that stand are served, new ones wait or are closed; with room again they come in."""
    with _host(tmp_path) as host:
        till = _till(host)
        assert _sell(till).end is End.APPROVED
        pid, port = host.listening.pid, host.listening.ports["nac"]
        machine.limit_files(pid, 0)
        try:
            late = [RawTerminal(port, answer_s=1.0) for _ in range(5)]
            heard = [_heard(line) for line in late]
            assert set(heard) == {"nothing"}
            for amount in (1_100, 1_200, 1_300):
                assert _sell(till, amount).end is End.APPROVED, "the old line is served, the store commits"
            assert _cpu_s(pid, 1.0) < 0.5, "it spins"
            status, text = _ready(host)
            assert (status, "descriptors" in text) == (503, True)
        finally:
            machine.limit_files(pid, None)
            for line in late:
                line.close()
        fresh = RawTerminal(port, answer_s=5.0)
        _until(lambda: _heard(fresh) == "00", "no new line after there is room again")
        fresh.close()
        _until(lambda: _ready(host)[0] == 200, "not ready again")
        _all_right(host, till=till)


def _heard(line: RawTerminal) -> str:
    """Connect and ask whether the host is there; the code, or "nothing" when the line is closed or silent."""
    try:
        return str(line.connect().exchange(echo("FILES001", "000001"))[39])
    except (OSError, EOFError):
        return "nothing"


def _cpu_s(pid: int, seconds: float) -> float:
    """What a process uses of the processor in this time."""

    def used() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = used()
    time.sleep(seconds)
    return used() - before
