"""Limits of a real host on both loops: each one hit from outside, seen in /metrics, and felt by nobody else.

(A terminal that does not read its answers: tests/unit/host/test_server.py, since the kernel's buffers take megabytes.)
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from specs.codec import decode_payload
from specs.framing import FrameReader
from specs.message import Message
from terminal_sim.lab.host_process import HostProcess
from tests.support.raw_terminal import NAC, RawTerminal, echo, sale, wire

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of open files are set from outside by prlimit: Linux"),
]

LIMITS = {
    "FRAME_BYTES": "500",
    "FRAME_S": "1",
    "IDLE_S": "5",
    "CLOSING_S": "2",
    "CONNECTIONS": "40",
    "CONNECTIONS_PER_ADDRESS": "30",
    "IN_FLIGHT_PER_CONNECTION": "4",
}
LOOPS = ("uvloop", "asyncio")


@pytest.fixture(scope="module", params=LOOPS)
def narrow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    """A host with small limits."""
    with HostProcess(
        tmp_path_factory.mktemp("narrow"),
        dialects=("nac",),
        options=("--loop", str(request.param)),
        environment={f"CLOSEOUT_LIMITS__{name}": value for name, value in LIMITS.items()},
    ) as host:
        yield host


@pytest.fixture
def beside(narrow: HostProcess) -> Iterator[None]:
    """A terminal whose line is served before and after."""
    with terminal(narrow) as neighbour:
        assert neighbour.exchange(echo("NEIGHBOR", "000001"))[39] == "00"
        yield
        assert neighbour.exchange(echo("NEIGHBOR", "000002"))[39] == "00"


def terminal(host: HostProcess) -> RawTerminal:
    return RawTerminal(host.listening.ports["nac"])


def dial(host: HostProcess, address: str = "127.0.0.1") -> socket.socket:
    """A line; one that is turned away may be dead before the dialling has returned."""
    line = socket.socket()
    line.settimeout(10)
    line.bind((address, 0))
    with contextlib.suppress(ConnectionResetError):
        line.connect(("127.0.0.1", host.listening.ports["nac"]))
    return line


def alive(line: socket.socket) -> bool:
    """Whether the host answers on it; one that was turned away is reset sooner or later."""
    try:
        line.sendall(wire(echo("12345678", "000001")))
        return bool(line.recv(1000))
    except OSError:
        return False


def ends(line: socket.socket) -> bool:
    """Whether the host ends the line within ten seconds."""
    line.settimeout(10)
    try:
        while line.recv(65_536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def hits(host: HostProcess, limit: str) -> float:
    """closeout_limit_hit_total of that limit."""
    start = f'closeout_limit_hit_total{{limit="{limit}"}} '
    (line,) = [line for line in host.api.call("GET", "/metrics").text.splitlines() if line.startswith(start)]
    return float(line.removeprefix(start))


def until(true: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "limit", "note"),
    [
        (b"\x01\xf5", "frame_bytes", "a frame of 501 bytes is larger than 500"),
        (b"\x00\x40abc", "frame_s", "did not come within 1 s"),
        (b"", "idle_s", ""),
    ],
)
def test_a_line_beyond_its_limit_ends_with_a_note(narrow: HostProcess, sent: bytes, limit: str, note: str) -> None:
    before = hits(narrow, limit)
    with dial(narrow) as line:
        line.sendall(sent)
        assert ends(line)
    assert hits(narrow, limit) > before
    if note:
        until(lambda: note in narrow.api.call("GET", "/api/v1/messages?limit=1000").text)


def test_lines_beyond_the_limits_in_all_and_per_address_are_turned_away(narrow: HostProcess, beside: None) -> None:
    """40 in all, 30 of one address; the neighbour is one of them."""
    with contextlib.ExitStack() as stack:
        mine = [stack.enter_context(dial(narrow)) for _ in range(29)]
        assert all(alive(line) for line in mine)
        assert not alive(stack.enter_context(dial(narrow)))
        others = [stack.enter_context(dial(narrow, "127.0.0.2")) for _ in range(10)]
        assert all(alive(line) for line in others)
        assert not alive(stack.enter_context(dial(narrow, "127.0.0.2")))
        assert hits(narrow, "connections_per_address") == 1
        assert hits(narrow, "connections") == 1
    until(lambda: "closeout_connections 1.0" in narrow.api.call("GET", "/metrics").text)
    with dial(narrow) as again:
        assert alive(again)


def test_a_pipe_of_requests_is_answered_whole_a_few_at_a_time(narrow: HostProcess, beside: None) -> None:
    """200 sales in one write, four in flight: none lost, none answered twice."""
    count = 200
    with dial(narrow) as line:
        tid = "PIPELINE"
        line.sendall(b"".join(wire(sale(tid, f"{n:06d}", 100 + n)) for n in range(1, count + 1)))
        reader = FrameReader(NAC.frame)
        answers: list[Message] = []
        while len(answers) < count:
            data = line.recv(65_536)
            assert data, "the line has ended"
            answers += [decode_payload(payload, NAC) for payload in reader.feed(data)]
    assert sorted(answer[11] for answer in answers) == [f"{n:06d}" for n in range(1, count + 1)]
    assert {answer[39] for answer in answers} == {"00"}
    assert hits(narrow, "in_flight_per_connection") >= 1


# ---- file descriptors


@pytest.mark.parametrize("loop", LOOPS)
def test_a_host_with_few_open_files_takes_fewer_lines_and_says_so(tmp_path: Path, loop: str) -> None:
    """128 of them: the reserve is kept for the store and the API, which answer while every place is taken."""
    few = "import os, resource as r, sys; r.setrlimit(r.RLIMIT_NOFILE, (128,) * 2); os.execv(sys.argv[1], sys.argv[1:])"
    wrapper = (sys.executable, "-c", few)
    with HostProcess(tmp_path, dialects=("nac",), options=("--loop", loop), wrapper=wrapper) as host:
        assert "fewer connections than configured" in host.log.read_text("utf8")
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(dial(host)) for _ in range(40)]
            served = [line for line in lines if alive(line)]
            assert len(served) == 128 - 96
            assert host.api.call("GET", "/readyz").status == 200
            served[0].sendall(wire(sale("12345678", "000001", 10_00)))
            assert decode_payload(FrameReader(NAC.frame).feed(served[0].recv(1000))[0], NAC)[39] == "00"
            assert hits(host, "connections") == 8


@pytest.mark.parametrize("loop", LOOPS)
def test_when_no_descriptor_is_left_lines_go_on_and_it_heals_by_itself(tmp_path: Path, loop: str) -> None:
    """The limit is pulled down to what the running host has open, as if something else in it had eaten the rest."""
    with HostProcess(tmp_path, dialects=("nac",), options=("--loop", loop)) as host, contextlib.ExitStack() as stack:
        pid = host.listening.pid
        old = stack.enter_context(terminal(host))
        assert old.exchange(sale("12345678", "000001", 10_00))[39] == "00"
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        turned_away = 0
        for _ in range(40):  # what is free below the highest goes first
            turned_away += not alive(stack.enter_context(dial(host)))
        assert turned_away > 0
        cpu = cpu_seconds(pid)
        ready = host.api.call("GET", "/readyz")
        assert ready.status == 503
        assert "no file descriptors" in ready.text
        assert old.exchange(sale("12345678", "000002", 20_00))[39] == "00"
        time.sleep(1.5)
        assert not alive(stack.enter_context(dial(host)))
        assert old.exchange(sale("12345678", "000003", 30_00))[39] == "00"
        assert cpu_seconds(pid) - cpu < 1.0, "accepting spins"
        assert hits(host, "descriptors") >= 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        until(lambda: host.api.call("GET", "/readyz").status == 200)
        with dial(host) as again:
            assert alive(again)
        assert old.exchange(sale("12345678", "000004", 40_00))[39] == "00"
        assert host.log.read_text("utf8").count("Traceback") == 0


def cpu_seconds(pid: int) -> float:
    """User and system time of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
