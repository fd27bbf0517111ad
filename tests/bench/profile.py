"""Where the host's time goes under load.

python -m tests.bench.profile                        samples: shares of CPU by part, then the dearest functions
python -m tests.bench.profile --calls                cProfile of every thread: counts, own and cumulative time
python -m tests.bench.profile --connections 1000 --seconds 10 --top 30 [--rate 500]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pstats
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import books
from tests.bench.approvals import line
from tests.bench.processes import Stage, end_on_sigterm

TREE = Path(__file__).resolve().parents[2]
OURS = ("host/", "specs/")
PARTS = (
    ("host/store/loading", "store: reading rows"),
    ("host/store", "store: writing rows, commit"),
    ("host/issuer", "issuer: its decisions and books"),
    ("host/engine", "engine: deciding"),
    ("host/group", "engine: groups"),
    ("host/runner", "engine: groups"),
    ("host/service", "edge: messages and log rows"),
    ("host/exchange", "edge: messages and log rows"),
    ("host/delivery", "edge: messages and log rows"),
    ("host/server", "edge: sockets"),
    ("host/connection", "edge: sockets"),
    ("host/commands", "edge: sockets"),
    ("host/pan_hash", "edge: messages and log rows"),
    ("host/api", "API"),
    ("specs/codec", "specs: codec"),
    ("specs/inspection", "specs: codec"),
    ("specs/families", "specs: families"),
    ("specs/subfields", "specs: families"),
    ("specs/security", "specs: MAC"),
    ("specs/des", "specs: MAC"),
    ("specs/framing", "edge: sockets"),
)
"""Start of a path -> the part of the host that time there belongs to; the innermost of our own frames decides."""


DRIVER = "host/store/sqlite"
"""What it does belongs to whoever calls it: reading rows or writing them."""


def part_of(stack: Sequence[str]) -> str:
    """The part that a stack (innermost first) belongs to."""
    for place in stack:
        if place.startswith(DRIVER) and len(stack) > 1:
            continue
        for start, part in PARTS:
            if place.startswith(start):
                return part
    ours = next((place for place in stack if place.startswith(OURS)), None)
    return ours.partition(":")[0] if ours else "event loop and interpreter"


def _short(place: str) -> str:
    path, _, name = place.rpartition(":")
    path = re.sub(r".*/(site-packages|lib/python3\.\d+)/", "", path.removeprefix(f"{TREE}/"))
    return f"{path.removesuffix('.py')}:{name}"


def samples(rows: Iterable[tuple[str, int, list[str]]], top: int, answers: int) -> str:
    """The tables of a sampled run. Units: µs of CPU an approval, and shares of all CPU."""
    parts: Counter[tuple[str, str]] = Counter()
    own: Counter[tuple[str, str]] = Counter()
    cumulative: Counter[tuple[str, str]] = Counter()
    total = 0
    for thread, us, stack in rows:
        short = [_short(place) for place in stack]
        total += us
        parts[thread, part_of(short)] += us
        own[thread, short[0]] += us
        for place in set(short):
            cumulative[thread, place] += us
    out = []
    for title, counted in (("part", parts), ("own time", own), ("with all it calls", cumulative)):
        out.append(f"\n{'us/approval':>11} {'share':>6}  thread  {title}")
        for (thread, what), us in counted.most_common(top):
            out.append(f"{us / max(1, answers):11.1f} {us / max(1, total):6.1%}  {thread:6.6}  {what}")
    return "\n".join(out)


def calls(folder: Path, top: int, answers: int) -> str:
    """The tables of cProfile: CPU by part, then thread by thread the dearest functions."""
    out = io.StringIO()
    parts: Counter[tuple[str, str]] = Counter()
    for file in sorted(folder.glob("*.pstats")):
        stats = pstats.Stats(str(file), stream=out)
        _add_parts(parts, file.stem, stats)
        out.write(f"\n==== thread {file.stem}\n")
        for order in ("tottime", "cumulative"):
            stats.sort_stats(order).print_stats(top)
    head = [f"{'us/approval':>11} {'share':>6}  thread  part (cProfile: small functions look dearer than they are)"]
    total = sum(parts.values()) or 1
    for (thread, what), us in parts.most_common(top):
        head.append(f"{us / max(1, answers):11.1f} {us / total:6.1%}  {thread:6.6}  {what}")
    return "\n".join(head) + "\n" + out.getvalue().replace(f"{TREE}/", "")


def _add_parts(parts: Counter[tuple[str, str]], thread: str, stats: pstats.Stats) -> None:
    """Own time of our functions, and the whole time of what they call that is not ours, in µs."""
    table: dict[Any, Any] = stats.stats  # type: ignore[attr-defined]
    for (file, _, name), (_, _, own, _, callers) in table.items():
        place = _short(f"{file}:{name}")
        if place.startswith(OURS):
            parts[thread, part_of([place])] += round(own * 1e6)
            continue
        for (calling_file, _, calling), (_, _, _, cumulative) in callers.items():
            caller = _short(f"{calling_file}:{calling}")
            if caller.startswith(OURS):
                parts[thread, part_of([caller])] += round(cumulative * 1e6)


def main() -> None:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=0.0, help="open loop at this rate in place of the closed loop")
    parser.add_argument("--calls", action="store_true", help="cProfile in place of samples")
    parser.add_argument("--top", type=int, default=25)
    parser.add_argument("--folder", type=Path, default=None, help="where the store goes (a real disk)")
    given = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="closeout-bench-", dir=given.folder) as name:
        folder = Path(name)
        out = folder / ("calls" if given.calls else "samples.json")
        how = "calls" if given.calls else "samples"
        wrapper = (sys.executable, "-m", "tests.bench.profiled_host", how, str(out))
        with Stage(folder, wrapper=wrapper) as stage:
            stage.dial(given.connections, "PRF")
            os.kill(stage.host.listening.pid, signal.SIGUSR1)
            found = stage.play("host", given.rate, given.seconds)
            believed = stage.hang_up()
        print(line("host", found))
        if given.calls:
            print(calls(out, given.top, found["answered"]))
        else:
            print(samples(json.loads(out.read_text("utf8")), given.top, found["answered"]))
        print(books.compare(folder / "closeout.db", believed))


if __name__ == "__main__":
    main()
