"""After the load: do the host's books hold exactly what the tills were told?"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from terminal_sim.lab.host_process import python_environment
from tests.bench.processes import BenchError


def compare(store: Path, believed: Mapping[str, int]) -> str:
    """One line when count and sum agree and `audit` finds nothing; the host must have ended. Raises BenchError."""
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as books:
        row = books.execute(
            "SELECT count(*), coalesce(sum(approved_amount), 0) FROM txn WHERE state = 'captured' AND kind = 'sale'"
        ).fetchone()
        others = books.execute("SELECT count(*) FROM txn WHERE state <> 'captured' OR kind <> 'sale'").fetchone()[0]
    if (row[0], row[1], others) != (believed["approved"], believed["sum"], 0):
        raise BenchError(
            f"the tills saw {believed['approved']} approvals of {believed['sum']} in all;"
            f" the host has {row[0]} of {row[1]} and {others} other transactions"
        )
    command = [sys.executable, "-m", "host", "audit", "--store", f"sqlite:///{store}"]
    done = subprocess.run(command, env=python_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"audit ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return f"{row[0]} approvals, {row[1]} in minor units: the same at tills and host; audit clean"
