"""`terminal-sim explore`: what is wrong is told at once, in one line, and not after minutes of work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from terminal_sim.lab.commands import explore
from terminal_sim.lab.commands.explore import Options


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
    ],
)
def test_bad_arguments_are_one_line(options: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert explore.run(Options(**({"name": "standard-day"} | options))) == 2
    assert capsys.readouterr().err == f"{said}\n"


def test_a_report_that_cannot_be_written_is_told_before_anything_is_explored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explore, "_explored", lambda _options: pytest.fail("explored"))
    (tmp_path / "file").write_text("")
    assert explore.run(Options("standard-day", report=tmp_path / "file" / "out")) == 2
    assert "cannot be written" in capsys.readouterr().err
