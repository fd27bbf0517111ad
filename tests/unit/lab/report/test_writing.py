"""A report of runs that were really played: its files play them again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from terminal_sim.lab.report import write
from terminal_sim.lab.scenario import reading
from terminal_sim.lab.world.world import World

PLAYED = (
    ("resp-lost-rev-ok", ""),
    ("pwr-reply-before-journal", "rev-clear-first"),
    ("split-coalesced", "one-read-framing"),
    ("resp-lost-rev-lost", ""),
)


@pytest.mark.parametrize(("slug", "variant"), PLAYED)
def test_the_file_beside_the_page_plays_the_same_run_again(tmp_path: Path, slug: str, variant: str) -> None:
    """Byte for byte: the trace hash is that of every event and every byte in order."""
    scenario = reading.load(reading.library()[slug])
    chosen = next((found for found in scenario.variants if found.name == variant), None)
    run = World(scenario, chosen).run()
    page = write(tmp_path, [run])
    (told,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["runs"]
    again = World(reading.load(tmp_path / told["replay"]["file"])).run()
    assert again.trace_hash == run.trace_hash == told["trace_hash"]
    assert (again.classes, again.mismatches) == (run.classes, run.mismatches)
    assert told["ok"] == (run.mismatches == ())
    assert "fault 1: " in page.read_text(encoding="utf-8")


def test_two_reports_of_one_run_are_equal_to_the_byte(tmp_path: Path) -> None:
    run = World(reading.load(reading.library()["resp-lost-rev-ok"])).run()
    for name in ("a", "b"):
        write(tmp_path / name, [run])
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
