"""A terminal that asks at its points: what it does with the answers, and what stands on its flash then."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specs.endpoint import parse
from terminal_sim.asked import AskedFlash, AskedScreen, Points, around
from terminal_sim.errors import ConfigError, FlashError, PaperOut
from terminal_sim.firmware import REFERENCE
from terminal_sim.flash import KILLED, DirFlash
from terminal_sim.lab.host_process import python_environment
from terminal_sim.state import Config, Memory, Slip

MEMORY = Memory(Config("T0000001", "123456789012345", "cup://127.0.0.1:1"))
NEW = replace(MEMORY, stan="000001")


class Player:
    """Somebody who answers by a table of what is said, and keeps it."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.said = answers, list[dict[str, Any]]()
        self.door = socket.create_server(("127.0.0.1", 0))
        self.where = f"127.0.0.1:{self.door.getsockname()[1]}/till"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self.door.accept()
        with connection, connection.makefile("rw") as lines:
            for line in lines:
                said = json.loads(line)
                self.said.append(said)
                key = next(iter(said))
                if key == "unit":
                    continue
                answer = self.answers.get(f"{key}:{said[key]}", self.answers.get(key, ""))
                if answer is not None:
                    lines.write(json.dumps(answer) + "\n")
                    lines.flush()


@contextmanager
def played(tmp_path: Path, **answers: Any) -> Iterator[tuple[AskedFlash, Player]]:
    DirFlash(tmp_path / "box").create(MEMORY)
    player = Player({key.replace("_", ":"): value for key, value in answers.items()})
    with AskedFlash(tmp_path / "box", Points(player.where)) as flash:
        assert isinstance(flash, AskedFlash)
        yield flash, player
        flash.points.socket.close()


def test_it_asks_around_a_write(tmp_path: Path) -> None:
    with played(tmp_path) as (flash, player):
        flash.save("journal", NEW)
        assert player.said == [
            {"unit": "till"},
            {"at": "journal", "when": "before"},
            {"store": "journal"},
            {"at": "journal", "when": "after"},
        ]
        assert flash.load() == NEW


def test_a_full_disk_and_a_lost_write_leave_what_was(tmp_path: Path) -> None:
    with played(tmp_path, store_stan="disk-full", store_journal="lost-write") as (flash, _):
        with pytest.raises(FlashError, match="no room for stan"):
            flash.save("stan", NEW)
        flash.save("journal", NEW)
        assert flash.load() == MEMORY


SAVE = """
import sys
from dataclasses import replace
from pathlib import Path
from terminal_sim.asked import AskedFlash, Points
with AskedFlash(Path(sys.argv[1]), Points(sys.argv[2])) as flash:
    flash.save("journal", replace(flash.load(), stan="000001"))
"""


@pytest.mark.parametrize(
    ("answers", "left"), [({"at": "cut"}, MEMORY), ({"store": "torn-write"}, MEMORY), ({"at:x": ""}, NEW)]
)
def test_a_cut_ends_the_process_and_leaves_a_whole_flash(tmp_path: Path, answers: dict[str, str], left: Memory) -> None:
    DirFlash(tmp_path / "box").create(MEMORY)
    player = Player(answers)
    ended = subprocess.run(
        [sys.executable, "-c", SAVE, str(tmp_path / "box"), player.where], env=python_environment(), check=False
    )
    assert ended.returncode == (0 if left is NEW else KILLED)
    assert DirFlash(tmp_path / "box").load() == left


class Paper:
    """A screen that keeps what it shows."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def show(self, text: str) -> None:
        self.shown.append(text)

    def print(self, slip: Slip) -> None:
        self.shown.append(slip.title)


def test_no_paper_when_they_say_so(tmp_path: Path) -> None:
    with played(tmp_path, at="paper-out") as (flash, player):
        paper = Paper()
        screen = AskedScreen(flash.points, flash.asked, paper)
        flash.power.at("print", "before")
        with pytest.raises(PaperOut):
            screen.print(Slip("SALE", ("text",)))
        player.answers["at"] = ""
        flash.power.at("print", "before")
        screen.print(Slip("SALE", ("text",)))
        screen.show("approved")
        assert paper.shown == ["SALE", "approved"]
        assert player.said[-2:] == [{"slip": "SALE"}, {"show": "approved"}]


def test_the_deadline_is_theirs(tmp_path: Path) -> None:
    """However far it lies ahead by the clock that they show, it is over when they say so."""
    host = socket.create_server(("127.0.0.1", 0))
    endpoint = parse(f"nac://127.0.0.1:{host.getsockname()[1]}")
    times = {"seconds": 12.5, "wait": "overdue", "now": "2026-03-02T09:00:00+00:00"}
    with host, played(tmp_path, **times) as (flash, player):
        line, clock, _ = around(flash, endpoint, MEMORY.config, REFERENCE, Paper())
        assert (clock.monotonic(), clock.now()) == (12.5, "2026-03-02T09:00:00+00:00")
        line.open()
        assert line.receive(clock.monotonic() + 1_000_000) is None
        assert {"wait": 1_000_012.5} in player.said
        player.answers["wait"] = None
        there, _ = host.accept()
        with there:
            there.sendall(bytes.fromhex("0003") + b"abc")
            assert line.receive(99.0) == b"abc"
        line.close()


@pytest.mark.parametrize("where", ["", "nowhere", "127.0.0.1:1/till", "127.0.0.1:99999/till"])
def test_nobody_there_is_told_in_a_line(where: str) -> None:
    with pytest.raises(ConfigError, match="CLOSEOUT_POINTS"):
        Points(where)
