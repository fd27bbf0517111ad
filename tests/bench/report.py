"""`make bench`: every figure of docs/speed.md in one table, each beside the bare echo's of the same run.

    python -m tests.bench.report [--lines 1,100,1000] [--seconds 3] [--rounds 3] [--json FILE] [--doc PAGE]

Absolute figures differ between machines, and on one machine from minute to minute; the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import books, codec, disk, explorer, idle, startup
from tests.bench.approvals import held, line, search
from tests.bench.processes import CORES, Stage, end_on_sigterm

Figures = dict[str, Any]
MARK = "make bench"
BEGIN, END = f"<!-- {MARK} -->", "<!-- end -->"
PLACES = {True: "host and echo on one, the load on another", False: "all on one, so the load takes from the host"}


def say(text: str) -> None:
    """For whoever waits: on stderr, so that stdout is the table."""
    print(text, file=sys.stderr, flush=True)


def middle(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over rounds of the same kind."""
    found: Figures = {}
    for name in ("per_second", "cpu_us", "cpu_share", "per_group"):
        if name in rounds[0]:
            found[name] = round(statistics.median(each[name] for each in rounds), 3)
    for name in ("due_us", "trip_us", "lag_us"):
        found[name] = [statistics.median(values) for values in zip(*(each[name] for each in rounds), strict=True)]
    return found


def profile(folder: Path, lines: int, seconds: float, rounds: int) -> Figures:
    """One number of lines, on a store of its own: the rate that is held, then rounds of echo and host by turns."""
    folder.mkdir()
    with Stage(folder) as stage:
        stage.dial(lines, "BNC")
        best, seen = search(stage, seconds, say=say)
        rates = {"held": best["rate"], "half": round(best["rate"] / 2), "max": 0}
        played: dict[str, list[Figures]] = {}
        for _ in range(rounds):
            for name, rate in rates.items():
                for server in ("echo", "host"):
                    found = stage.play(server, rate, seconds)
                    say(line(server, found))
                    played.setdefault(f"{server} {name}", []).append(found)
        believed = stage.hang_up()
    compared = books.compare(folder / "closeout.db", believed)
    say(compared)
    return {
        "lines": lines,
        "rate": best["rate"],
        "search": seen,
        "rounds": played,
        "middle": {name: middle(found) for name, found in played.items()},
        "held_rounds": sum(held(found) for found in played["host held"]),
        "of_rounds": rounds,
        "books": compared,
    }


def about(folder: Path) -> Figures:
    """The machine and the versions, as far as they matter."""
    sync = disk.fdatasync_us(folder)
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "uvloop": version("uvloop"),
        "cores": len(CORES),
        "load": round(os.getloadavg()[0], 2),
        "filesystem": disk.filesystem(folder),
        "fdatasync_us": [sync.percentile(50), sync.percentile(99)],
    }


# ---- the table


def _ratio(host: float, echo: float) -> str:
    return f"{host / echo:.2f}" if echo and host / echo < 10 else f"{host / echo:.0f}" if echo else ""


def _row(what: str, host: str, echo: str = "", ratio: str = "") -> str:
    return f"| {what} | {host} | {echo} | {ratio} |"


def _ms(us: float) -> str:
    return f"{us / 1e3:.1f}"


def profile_rows(found: Figures) -> Iterable[str]:
    """The rows of one number of lines."""
    of, lines = found["middle"], f"{found['lines']:,} line{'s' if found['lines'] > 1 else ''}"
    host, echo = of["host max"], of["echo max"]
    yield _row(
        f"{lines}: closed loop, answers/s",
        f"{host['per_second']:,.0f}",
        f"{echo['per_second']:,.0f}",
        _ratio(host["per_second"], echo["per_second"]),
    )
    yield _row(
        f"{lines}: CPU of the server an answer there, µs",
        f"{host['cpu_us']:,.0f}",
        f"{echo['cpu_us']:,.1f}",
        _ratio(host["cpu_us"], echo["cpu_us"]),
    )
    share = f"held in {found['held_rounds']} of {found['of_rounds']} rounds"
    yield _row(f"{lines}: **rate tried, approvals/s** (open loop)", f"**{found['rate']:,.0f}** ({share})")
    for name, title in (("held", "at that rate"), ("half", "at half of it")):
        host, echo = of[f"host {name}"], of[f"echo {name}"]
        for at, percent in ((0, "p50"), (1, "p99")):
            ours, theirs = host["due_us"][at], echo["due_us"][at]
            yield _row(f"{lines}: {percent} {title}, ms", _ms(ours), _ms(theirs), _ratio(ours, theirs))
    host = of["host max"]
    yield _row(
        f"{lines}: approvals a second of its CPU (closed loop)",
        f"{1e6 / host['cpu_us']:,.0f}",
        f"{1e6 / of['echo max']['cpu_us']:,.0f}",
        _ratio(of["echo max"]["cpu_us"], host["cpu_us"]),
    )
    got = [f"{each['cpu_share']:.0%}" for each in (of["host max"], of["echo max"])]
    yield _row(f"{lines}: share of its core that the server got (closed loop)", *got)
    host = of["host held"]
    yield _row(f"{lines}: sales a commit at that rate", f"{host['per_group']:.1f}")


def table(found: Figures) -> str:
    """The whole table, in Markdown."""
    rows = [_row("", "host", "bare echo", "host : echo"), "|---|---|---|---|"]
    for each in found["profiles"]:
        rows += profile_rows(each)
    memory, start = found["idle"], {name: min(times) for name, times in found["start"].items()}
    median = {name: statistics.median(times) for name, times in found["start"].items()}
    rows.append(
        _row(
            f"memory of an idle line of {memory['lines']:,}, bytes",
            f"{memory['host']:,}",
            f"{memory['echo']:,}",
            _ratio(memory["host"], memory["echo"]),
        )
    )
    for name in ("host, new store", "host, its store again"):
        rows.append(
            _row(
                f"start until ready, {name.partition(', ')[2]}, s: least (median)",
                f"{start[name]:.2f} ({median[name]:.2f})",
                f"{start['bare echo']:.2f} ({median['bare echo']:.2f})",
                _ratio(start[name], start["bare echo"]),
            )
        )
    help_ = "acquirer-host --help"
    rows.append(_row(f"`{help_}`, s: least (median)", f"{start[help_]:.2f} ({median[help_]:.2f})"))
    rows += ["", *ground(found["about"])]
    rows += [f"{each['lines']:,}: {each['books']}." for each in found["profiles"]]
    return "\n".join(rows)


def ground(about: Figures) -> Iterable[str]:
    """What was measured on."""
    sync = about["fdatasync_us"]
    yield f"Python {about['python']}, SQLite {about['sqlite']}, uvloop {about['uvloop']}."
    yield f"{about['cores']} cores: {PLACES[about['cores'] > 1]}; load average before: {about['load']}."
    times = f"{sync[0] / 1e3:.2f} ms, p99 {sync[1] / 1e3:.2f}"
    yield f"Store on {about['filesystem']}: a page and its fdatasync take {times}."


def put_into(page: str, text: str, mark: str = MARK) -> str:
    """The page with this text between its marks, of which the first names the table. Raises ValueError without them."""
    begin = f"<!-- {mark} -->"
    before, _, rest = page.partition(begin)
    if END not in rest:
        raise ValueError(f"the page has no {begin} and {END}")
    return f"{before}{begin}\n{text}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Measure everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", default="1,100,1000", help="numbers of connections, with commas")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=None, help="where the stores go (a real disk)")
    parser.add_argument("--doc", type=Path, default=None, help="a page that has the two marks: the table goes between")
    parser.add_argument("--json", type=Path, default=None, help="write all that was measured there")
    given = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="closeout-bench-", dir=given.folder) as name:
        folder = Path(name)
        found: Figures = {"about": about(folder)}
        if found["about"]["filesystem"] in ("tmpfs", "ramfs"):
            say(f"{folder} is in memory: name a folder on a disk with --folder, or these figures say nothing")
        found["start"] = startup.measure(folder, given.starts)
        say(startup.table(found["start"]))
        found["codec"] = codec.measure()
        say(codec.table(found["codec"]))
        found["explorer"] = explorer.measure()
        say(explorer.table(found["explorer"]))
        (folder / "idle").mkdir()
        with Stage(folder / "idle") as stage:
            found["idle"] = idle.measure(stage, given.idle)
        say(idle.table(found["idle"]))
        numbers = [int(part) for part in given.lines.split(",")]
        found["profiles"] = [profile(folder / f"lines{n}", n, given.seconds, given.rounds) for n in numbers]
    tables = {
        MARK: table(found),
        codec.MARK: codec.table(found["codec"]),
        explorer.MARK: explorer.table(found["explorer"]),
    }
    print("\n\n".join(tables.values()))
    if given.doc is not None:
        page = given.doc.read_text("utf8")
        for mark, text in tables.items():
            page = put_into(page, text, mark)
        given.doc.write_text(page, "utf8")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1), "utf8")


if __name__ == "__main__":
    main()
