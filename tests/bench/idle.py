"""Memory of idle lines: many terminals that have dialled in and say nothing, beside the bare echo.

python -m tests.bench.idle [--lines 10000]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.processes import Stage, end_on_sigterm, rss_bytes

SETTLE_S = 0.5
_OTHER_FILES = 200
"""Of a process besides its lines."""


def measure(stage: Stage, lines: int) -> dict[str, Any]:
    """Bytes of resident memory that one line costs each server; lines: fewer when the system allows no more files."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    lines = min(lines, hard - _OTHER_FILES)
    found: dict[str, Any] = {"lines": lines}
    for name, port in (("host", stage.host.listening.ports["cup"]), ("echo", stage.echo.port)):
        pid = stage.pid(name)
        before = rss_bytes(pid)
        stage.ask("dial", name, port=port, lines=lines, plain=name == "echo", series="IDL", sign_on=False)
        time.sleep(SETTLE_S)
        if name == "host":
            held = stage.counted("host")["connections"]
            assert held == lines, f"the host holds {held:.0f} of {lines} lines"
        found[name] = round((rss_bytes(pid) - before) / lines)
        found[f"{name}_mb"] = round(rss_bytes(pid) / 1e6, 1)
        stage.ask("close", name)
    return found


def table(found: dict[str, Any]) -> str:
    """Markdown."""
    rows = [f"| {found['lines']:,} idle lines | bytes a line | process, MB |", "|---|---|---|"]
    rows += [f"| {name} | {found[name]:,} | {found[f'{name}_mb']} |" for name in ("host", "echo")]
    return "\n".join(rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=10_000)
    given = parser.parse_args()
    end_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="closeout-bench-") as folder, Stage(Path(folder)) as stage:
        print(table(measure(stage, given.lines)))


if __name__ == "__main__":
    main()
