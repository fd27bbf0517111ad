"""`terminal-sim explore`: what is wrong is told at once, in one line, and not after minutes of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from terminal_sim.lab.commands import explore
from terminal_sim.lab.commands.explore import Options
from terminal_sim.lab.explore.jobs import cores
from terminal_sim.lab.explore.result import Counts, Exploration, Found, Signature
from tests.support.played import a_scenario


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"name": "standard-dya"},
            "standard-dya: no file, and no scenario of the library; did you mean 'standard-day'?",
        ),
        ({"bugs": ("rev-dropn",)}, "--bug rev-dropn: unknown; did you mean 'rev-drop-n'?"),
        ({"host_bugs": ("dup-post",)}, "--host-bug dup-post: unknown; did you mean 'dup-posts'?"),
        ({"profile": "XC"}, "--profile XC: HC or TC"),
        ({"faults": 0}, "--faults 0: 1 or 2 for all of them, up to 20 for random runs"),
        ({"jobs": -1}, "--jobs -1: 0 (one process a core) or more"),
        ({"time_limit": -5.0}, "--time-limit -5: 0 or more"),
        ({"time_limit": float("nan")}, "--time-limit nan: 0 or more"),
        ({"seed": -1}, "--seed -1: 0 or more"),
        ({"twice": -1}, "--twice -1: 0 (nothing is repeated) or more"),
    ],
)
def test_bad_arguments_are_one_line(options: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explore.run(Options(**({"name": "standard-day"} | options))) == 2
    assert capsys.readouterr().err == f"{said}\n"


def test_a_scenario_that_waits_is_not_explored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "later.toml"
    path.write_text('waiting = "payouts"\nterminals = [{tid="T0000001"}]\nsteps = []\n')
    assert explore.run(Options(str(path))) == 2
    assert capsys.readouterr().err == f"{path}: cannot be played yet, it waits: payouts\n"


def test_no_jobs_means_one_a_core() -> None:
    assert explore.request_of(Options("standard-day", jobs=0)).jobs == cores()


@pytest.mark.parametrize(
    ("stopped", "found", "code"),
    [
        *(("", False, 0), ("time limit", False, 0), ("time limit", True, 1), ("interrupted", False, 130)),
        *(("interrupted", True, 1), ("", True, 1)),
    ],
)
def test_the_exit_code_tells_an_exploration_that_was_interrupted(
    stopped: str, found: bool, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = (Found(Signature(("DC",), (), ()), (), a_scenario()),) if found else ()
    told = Exploration(a_scenario(), 2, Counts(schedules=3), 1.0, stopped=stopped, findings=findings)
    monkeypatch.setattr(explore, "_explored", lambda _options: told)
    assert explore.run(Options("standard-day")) == code


def test_a_report_that_cannot_be_written_is_told_before_anything_is_explored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explore, "_explored", lambda _options: pytest.fail("explored"))
    (tmp_path / "file").write_text("")
    assert explore.run(Options("standard-day", report=tmp_path / "file" / "out")) == 2
    assert "cannot be written" in capsys.readouterr().err
