"""The explorer: complete schedules a second on one core, forked and shared prefixes counted, and where the time goes.

    python -m tests.bench.explorer [--seconds 60] [--doc PAGE]

The standard day under HC, from its first single fault on, for some seconds: the real codec, engine and ledger.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from terminal_sim.lab.host_process import python_environment
from tests.bench.processes import SERVER_CORE, on_core

Figures = dict[str, Any]
MARK = "explorer"
GOAL = 150
"""Complete schedules a second on one core."""
SECONDS = 60
"""It grows quicker with what it has seen: the first seconds say less than the whole (docs/explorer.md)."""
DAYS = ("standard-day",)


def measure(seconds: int = SECONDS, days: tuple[str, ...] = DAYS) -> list[Figures]:
    """One row a day: counts, seconds by the clock and of CPU, and the seconds of each part of the work."""
    with on_core(SERVER_CORE):
        return [_explored(day, seconds) for day in days]


def _explored(day: str, seconds: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="closeout-explore-") as folder:
        command = [sys.executable, "-m", "terminal_sim", "explore", day, "--jobs", "1", "--twice", "0"]
        command += ["--time-limit", str(seconds), "--report", folder]
        before = _cpu()
        subprocess.run(command, env=python_environment(), capture_output=True, check=True, timeout=seconds + 300)
        cpu = _cpu() - before
        made = json.loads((Path(folder) / "exploration.json").read_text("utf8"))
    return {"day": day, "cpu": cpu, "seconds": made["seconds"], "counts": made["counts"], "spent": made["spent"]}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def table(found: list[Figures]) -> str:
    """The table, in Markdown."""
    head = "schedules/s by the clock | schedules/s of CPU | legs played | world | keys | checker | snapshots"
    rows = [f"| one core (goal: {GOAL} a second) | schedules | {head} |", "|" + "---|" * 9]
    for each in found:
        counts, spent = each["counts"], each["spent"]
        whole = sum(spent.values())
        shares = " | ".join(
            f"{100 * spent[name] / whole:.0f} %" for name in ("world", "hashing", "checker", "snapshot")
        )
        done = counts["schedules"]
        rates = f"{done / each['seconds']:,.0f} | {done / each['cpu']:,.0f}"
        rows.append(f"| {each['day']} | {done:,} | {rates} | {counts['legs']:,} | {shares} |")
    return "\n".join(rows)


def main() -> None:
    """Measure, print, and put it into a page if one is named."""
    from tests.bench.report import put_into

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--doc", type=Path, default=None, help="a page that has the marks: the table goes between")
    given = parser.parse_args()
    text = table(measure(given.seconds))
    print(text)
    if given.doc is not None:
        given.doc.write_text(put_into(given.doc.read_text("utf8"), text, MARK), "utf8")


if __name__ == "__main__":
    main()
