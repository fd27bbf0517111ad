"""A folder with a report: one page to read, one JSON for machines, one scenario file a run to play it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, cast

from terminal_sim.lab.report import shape as shapes
from terminal_sim.lab.report.exploration_page import exploration_page
from terminal_sim.lab.report.machine import masked, run_shape
from terminal_sim.lab.report.page import report_page
from terminal_sim.lab.report.replay import Writer, file_name, text_of

if TYPE_CHECKING:
    from terminal_sim.lab.world.record import Run

PAGE, REPORT, EXPLORATION = "index.html", "report.json", "exploration.json"
SCENARIOS, FINDINGS = "scenarios", "findings"


def prepare(folder: Path) -> None:
    """Make the folder of a report of played runs, and see whether files can be put there. Raises: OSError."""
    for inside in (folder, folder / SCENARIOS):
        inside.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=inside):
            pass


def write(
    folder: Path,
    runs: Sequence[Run],
    *,
    skipped: Sequence[shapes.SkippedShape] = (),
    stopped: str = "",
    dumps: Writer | None = None,
) -> Path:
    """Write the report of played runs into a folder, made when it is not there; the page's path.

    skipped: what was not to be played. stopped: why these are not all, "" = they are. dumps: how a scenario
    becomes a file; None = terminal_sim.lab.scenario.writing.dumps. Raises: OSError.
    """
    dumps = dumps or _dumps()
    prepare(folder)
    taken: set[str] = set()
    found = [_with_file(folder, run, dumps, taken) for run in runs]
    report: shapes.ReportShape = {
        "schema": shapes.REPORT_SCHEMA,
        "stopped": stopped,
        "runs": found,
        "skipped": list(skipped),
    }
    _json(folder / REPORT, report)
    return _text(folder / PAGE, report_page(report))


def write_exploration(folder: Path, exploration: Mapping[str, object]) -> Path:
    """Write the explorer's report (shape.ExplorationShape) into a folder; the page's path. Raises: OSError."""
    found = cast(shapes.ExplorationShape, masked(dict(exploration)))
    (folder / FINDINGS).mkdir(parents=True, exist_ok=True)
    for finding in found["findings"]:
        name = f"{FINDINGS}/{file_name(finding['id'], '', set())}"
        if finding["toml"]:
            _text(folder / name, finding["toml"])
        if finding["toml"] and finding["run"] is not None:
            finding["run"]["replay"] = _replay(name)
    _json(folder / EXPLORATION, found)
    return _text(folder / PAGE, exploration_page(found))


def _dumps() -> Writer:
    from terminal_sim.lab.scenario import writing  # type: ignore[import-untyped,attr-defined,unused-ignore]

    return cast(Writer, writing.dumps)


def _with_file(folder: Path, run: Run, dumps: Writer, taken: set[str]) -> shapes.RunShape:
    found = run_shape(run)
    if text := text_of(run, dumps):
        name = file_name(run.scenario.slug, run.variant, taken)
        _text(folder / SCENARIOS / name, text)
        found["replay"] = _replay(f"{SCENARIOS}/{name}")
    return found


def _replay(file: str) -> shapes.ReplayShape:
    """The command as it is typed in the report's folder, wherever that has been carried."""
    return {"file": file, "command": f"terminal-sim run {shlex.quote(file)}"}


def _json(path: Path, value: object) -> None:
    _text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def _text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="\n")
    return path
