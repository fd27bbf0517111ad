"""How deviations are chosen and put around a host; that none is there unless it is asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import host
from host.deviations import DEVIATIONS, WAITING, UnknownDeviation, needs_with, profile_with, with_bugs
from host.engine.decide import decide
from host.engine.needs import needs
from tests.support.engine import NAC

HOST = Path(host.__file__).parent


def test_without_a_name_nothing_stands_around_the_host() -> None:
    """No cost on the normal path: it is the same function."""
    assert with_bugs(decide, []) is decide
    assert needs_with(needs, []) is needs
    assert profile_with(NAC, []) is NAC


@pytest.mark.parametrize(
    ("name", "nearest"), [("void-rev-releas", "void-rev-release"), ("replay-totals", "replay-any-totals")]
)
def test_an_unknown_name_is_told_the_nearest_one(name: str, nearest: str) -> None:
    for choose in (lambda n: with_bugs(decide, n), lambda n: needs_with(needs, n), lambda n: profile_with(NAC, n)):
        with pytest.raises(UnknownDeviation, match=f"'{nearest}'"):
            choose([name])


def test_what_has_to_wait_says_why() -> None:
    with pytest.raises(UnknownDeviation, match="funding"):
        with_bugs(decide, ["round-per-batch"])
    assert not WAITING.keys() & DEVIATIONS.keys()


@pytest.mark.parametrize("name", sorted(DEVIATIONS))
def test_each_says_what_it_breaks_and_stands_in_a_file_of_its_own(name: str) -> None:
    deviation = DEVIATIONS[name]
    assert (HOST / "deviations" / f"{name.replace('-', '_')}.py").exists()
    assert deviation.what.endswith(".")
    assert deviation.cases
    assert deviation.rule
    assert deviation.applied


def test_the_page_has_a_row_for_each_and_for_nothing_else() -> None:
    page = (HOST.parent / "docs" / "planted-bugs.md").read_text("utf-8").partition("## Of the host")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| `")
    ]
    stated = {row[0].strip("`"): (row[2], row[3], row[4]) for row in rows}
    assert stated == {d.name: (", ".join(map(str, d.cases)), d.rule, d.applied) for d in DEVIATIONS.values()}
    assert len(rows) == len(stated)
    assert all(f"`{name}`" in page for name in WAITING)


def test_no_module_that_serves_imports_them() -> None:
    """Beside the import contract, from the source text."""
    for path in HOST.rglob("*.py"):
        if path.parent.name != "deviations":
            named = {
                node.module if isinstance(node, ast.ImportFrom) else name.name
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Import | ast.ImportFrom)
                for name in node.names
            }
            assert not {n for n in named if n and n.startswith("host.deviations")}, path


def test_a_host_process_does_not_load_them() -> None:
    ask = "import sys, host.cli, host.service, host.runner; print(any('deviations' in m for m in sys.modules))"
    ran = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
