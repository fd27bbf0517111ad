"""Approvals a second, beside the bare echo of the same frames.

    python -m tests.bench.approvals --connections 100                 find the highest rate that is held
    python -m tests.bench.approvals --connections 100 --rate 2500     one rate, open loop
    python -m tests.bench.approvals --connections 100 --max           closed loop: as fast as it goes

Printed as they come: one line a round. At the end the books are compared and audited. Nothing is asserted about speed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import books
from tests.bench.processes import Stage, end_on_sigterm

P99_MAX_US = 100_000
"""A rate is held when 99 of 100 answers come within this of when they were due."""
STEP = 0.93
STEPS_MAX = 14
LAG_MAX_US = 5_000
Say = Callable[[str], None]


def held(found: dict[str, Any]) -> bool:
    """Nothing lost, no backlog that grows, p99 within bounds."""
    growing = found["backlog"] > max(5.0, found["rate"] * P99_MAX_US / 1e6)
    return not found["lost"] and not growing and found["due_us"][1] <= P99_MAX_US


def line(name: str, found: dict[str, Any]) -> str:
    """One round, for people."""
    due, trip = found["due_us"], found["trip_us"]
    offered = f"{found['rate']:8.0f}/s" if found["rate"] else "     max  "
    cost = f"cpu {found['cpu_us']:6.1f} us/answer ({found['cpu_share']:4.0%} of a core)"
    group = f", {found['groups']} commits of {found['per_group']}" if name == "host" else ""
    times = f"p50 {due[0] / 1e3:.2f} p99 {due[1] / 1e3:.2f} ms (round trip {trip[0] / 1e3:.2f} / {trip[1] / 1e3:.2f})"
    late = f"  THE LOAD IS LATE: p99 {found['lag_us'][1] / 1e3:.1f} ms" if found["lag_us"][1] > LAG_MAX_US else ""
    lost = f"  LOST {found['lost']}" if found["lost"] else ""
    return f"{name:4} {offered} -> {found['per_second']:8.0f}/s  {times}  {cost}{group}{late}{lost}"


def search(stage: Stage, seconds: float, *, say: Say = print) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(the round at the highest rate that was held, all rounds): down from the closed loop's rate, step by step.

    When none is held in STEPS_MAX rounds, the last one: a machine on which others work can be that bad.
    """
    found = stage.play("host", 0, min(seconds, 3.0))
    say(line("host", found))
    rounds, rate = [found], found["per_second"]
    for _ in range(STEPS_MAX):
        found = stage.play("host", max(1, round(rate)), seconds)
        rounds.append(found)
        say(line("host", found))
        if held(found):
            break
        rate = min(rate * STEP, found["per_second"])
    return found, rounds


def main() -> None:
    """Read the arguments, measure, compare the books."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--rate", type=float, default=0.0, help="one rate, answers a second, in place of the search")
    parser.add_argument("--max", action="store_true", help="closed loop only")
    parser.add_argument("--rounds", type=int, default=1, help="how often --rate or --max is played")
    parser.add_argument("--no-echo", action="store_true", help="leave the bare echo out")
    parser.add_argument("--folder", type=Path, default=None, help="where the store goes (a real disk)")
    parser.add_argument("--json", type=Path, default=None, help="write all rounds there")
    given = parser.parse_args()
    end_on_sigterm()
    rounds: list[tuple[str, dict[str, Any]]] = []

    def say(name: str, found: dict[str, Any]) -> dict[str, Any]:
        rounds.append((name, found))
        print(line(name, found), flush=True)
        return found

    with tempfile.TemporaryDirectory(prefix="closeout-bench-", dir=given.folder) as folder:
        with Stage(Path(folder)) as stage:
            stage.dial(given.connections, "BNC")
            if given.max or given.rate:
                for _ in range(given.rounds):
                    if not given.no_echo:
                        say("echo", stage.play("echo", given.rate, given.seconds))
                    say("host", stage.play("host", given.rate, given.seconds))
            else:
                best, seen = search(stage, given.seconds, say=lambda text: print(text, flush=True))
                rounds += [("host", found) for found in seen]
                if not given.no_echo:
                    say("echo", stage.play("echo", best["rate"], given.seconds))
                    say("echo", stage.play("echo", 0, min(given.seconds, 3.0)))
                word = "held" if held(best) else "NOT held, nor any above"
                print(f"{word}: {best['rate']:.0f} approvals/s over {given.connections} lines")
            believed = stage.hang_up()
        print(books.compare(Path(folder) / "closeout.db", believed))
    print(f"load average {os.getloadavg()[0]:.2f}; the host on one core, the load on another")
    if given.json is not None:
        given.json.write_text(json.dumps([{"server": name, **found} for name, found in rounds], indent=1), "utf8")


if __name__ == "__main__":
    main()
