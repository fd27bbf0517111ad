"""Save, then speak: a system-call trace of the host shows the log on disk before each answer leaves.

kill -9 cannot show this, since the page cache survives it. Without strace the test is skipped on a user's machine and
fails where CI is set.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from terminal_sim.lab.host_process import HostProcess
from tests.support import strace
from tests.support.raw_terminal import RawTerminal, reversal, sale

SALES = 6
CLIENTS = 3

_EXAMPLE = """\
70 read(9<TCP:[127.0.0.1:4001->127.0.0.1:5000]>, "..."..., 65536) = 85
71 pwrite64(7</tmp/x/closeout.db-wal>, "..."..., 4096, 0) = 4096
71 fdatasync(7</tmp/x/closeout.db-wal> <unfinished ...>
70 read(9<TCP:[127.0.0.1:4001->127.0.0.1:5000]>, 0x7f, 65536) = -1 EAGAIN (Resource temporarily unavailable)
71 <... fdatasync resumed>) = 0
70 write(9<TCP:[127.0.0.1:4001->127.0.0.1:5000]>, "..."..., 67) = 67
"""


def _answers(text: str) -> list[strace.Answer]:
    return strace.answers(strace.calls(text.splitlines()), 4001, "-wal")


def test_the_reader_of_traces_accepts_a_sync_between_request_and_answer() -> None:
    assert [answer.durable for answer in _answers(_EXAMPLE)] == [True]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda rows: [row for row in rows if "fdatasync" not in row],
        lambda rows: [row.replace("closeout.db-wal", "closeout.db") for row in rows],
        lambda rows: [rows[0], rows[5], *rows[1:5]],
        lambda rows: [*rows[:4], rows[5], rows[4]],
        lambda rows: [*rows[:4], rows[4].replace("= 0", "= -1 EIO (Input/output error)"), rows[5]],
        lambda rows: [*rows[1:5], rows[0], rows[5]],
        lambda rows: [*rows, rows[0], rows[5]],
    ],
    ids=[
        "no sync",
        "sync of another file",
        "sync later",
        "sync ends later",
        "sync fails",
        "sync earlier",
        "one for two",
    ],
)
def test_the_reader_of_traces_finds_an_answer_that_is_not_on_disk(spoil: object) -> None:
    assert callable(spoil)
    rows = spoil(_EXAMPLE.splitlines())
    assert [answer.durable for answer in _answers("\n".join(rows))][-1] is False


@pytest.mark.e2e
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_each_answer_leaves_after_the_log_is_on_disk(tmp_path: Path, loop: str) -> None:
    if shutil.which("strace") is None:
        if os.environ.get("CI"):
            pytest.fail("strace is missing, and CI must not skip this test")
        pytest.skip("strace is not installed")
    trace = tmp_path / "trace.txt"
    wrapper = ("strace", "-f", "-yy", "-s", "8", "-e", f"trace={','.join(strace.CALLS)}", "-o", str(trace))
    host = HostProcess(tmp_path, dialects=("nac",), options=("--loop", loop, "--log-level", "warning"), wrapper=wrapper)
    try:
        port = host.start().ports["nac"]
        tills = [threading.Thread(target=_sell, args=(port, f"SYNC000{n}")) for n in range(CLIENTS)]
        for till in tills:
            till.start()
        for till in tills:
            till.join(60)
        assert host.api.get("/transactions", limit=1000)["items"][0]["state"] == "captured"
        assert len(host.api.items("/transactions")) == CLIENTS * SALES
    finally:
        host.stop()
    found = strace.answers(strace.calls(trace.read_text("utf-8", "replace").splitlines()), port, "-wal")
    assert len(found) == CLIENTS * (SALES + 1), "one send for each answer"
    assert [answer for answer in found if not answer.durable] == []


def _sell(port: int, tid: str) -> None:
    with RawTerminal(port, answer_s=30.0) as line:
        for number in range(1, SALES + 1):
            assert line.exchange(sale(tid, f"{number:06d}", 100 * number))[39] == "00"
        assert line.exchange(reversal(tid, f"{SALES:06d}", 100 * SALES))[39] == "00"
