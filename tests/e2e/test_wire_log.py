"""The message log of a real host keeps within its bound while terminals work, and a command prunes it further."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from host.rows import MessageRow
from host.store.store import open_reader
from terminal_sim.lab.host_process import HostProcess, python_environment
from tests.support.raw_terminal import RawTerminal, echo, sale

pytestmark = pytest.mark.e2e

ROWS = 40
TID = "LOGBOUND"


def rows(host: HostProcess) -> list[MessageRow]:
    reader = open_reader(host.store)
    try:
        return reader.select(MessageRow)
    finally:
        reader.close()


def command(*args: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "host", *args]
    return subprocess.run(line, env=python_environment(), capture_output=True, text=True, check=False, timeout=60)


def test_a_small_log_stays_small_and_says_so(tmp_path: Path) -> None:
    """The one sale of the open batch stays, whatever comes after it."""
    host = HostProcess(tmp_path, dialects=("nac",), environment={"CLOSEOUT_LIMITS__WIRE_LOG_ROWS": str(ROWS)})
    try:
        listening = host.start()
        line = RawTerminal(listening.ports["nac"]).connect()
        answer = line.exchange(sale(TID, "000001", 1_000))
        assert answer[39] == "00"
        for number in range(2, 200):
            line.exchange(echo(TID, f"{number:06d}"))
        deadline = time.monotonic() + 20
        while len(rows(host)) > ROWS + 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        kept = rows(host)
        assert len(kept) == ROWS + 2
        assert [m.kind for m in kept[:2]] == ["sale", "sale"]
        with urllib.request.urlopen(f"{listening.api.base}/metrics", timeout=10) as answered:
            metrics = answered.read().decode()
        hits = next(r for r in metrics.splitlines() if 'limit_hit_total{limit="wire_log_rows"}' in r)
        assert float(hits.split()[-1]) >= 1
        pruned = command("db", "prune", "--rows", "10", "--api", listening.api.base)
        assert (pruned.returncode, pruned.stdout) == (0, f"{ROWS - 10} messages pruned\n"), pruned.stderr
        audited = command("audit", "--api", listening.api.base)
        assert audited.returncode == 0, audited.stdout
        assert "were pruned" in audited.stderr
        sound = command("db", "check", "--store", host.store)
        assert sound.returncode == 0, sound.stdout
    finally:
        host.stop()
