"""`terminal-sim run` and `scenarios` as a user has them; the library's own runs are tested with the library."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import structlog
from typer.testing import CliRunner, Result

from terminal_sim.cli import app
from terminal_sim.errors import NotConnected
from terminal_sim.lab.commands import run as module
from terminal_sim.lab.commands import scenarios as listing
from terminal_sim.lab.errors import LabError, Unplayable
from terminal_sim.lab.interrupt import Interrupted
from terminal_sim.lab.played import Player
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.record import Run
from tests.support.runs import a_run, a_scenario

SALE = """\
# Nothing is noticed.
case = 1
title = "a sale"
terminals = [{tid="T0000001"}]
steps = [
  {id="A", at="09:05", do="sale", amount=26800, intent="p1", expect={end="approved"}},
  {id="S", at="22:00", do="settle"},
]
expect = {class="clean", settled=[{tid="T0000001", batch=1, count=1, amount=26800}], exceptions=[]}
"""
UNFIRED = SALE + 'faults = [{at="wire/T>H/0400#9", action="drop"}]\n'

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """The command sets the log of its process up, on a stream that is closed behind it."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def sim(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


@pytest.fixture
def day(tmp_path: Path) -> Path:
    path = tmp_path / "day.toml"
    path.write_text(SALE, encoding="utf8")
    return path


def test_a_sale_and_its_settlement_in_the_world(day: Path) -> None:
    result = sim("run", day)
    assert result.exit_code == 0, result.output
    first, last = result.stdout.splitlines()
    assert first.startswith("ok   day ")
    assert "clean" in first
    assert last.startswith("1 run in ")
    assert last.endswith(": 1 as expected")


def test_what_is_not_as_expected_is_said_and_is_exit_1(day: Path, tmp_path: Path) -> None:
    day.write_text(UNFIRED.replace("count=1", "count=2"), encoding="utf8")
    report = tmp_path / "out.xml"
    result = sim("run", day, "--junit", report)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:3] == [
        "       fault 1 (drop at wire/T>H/0400#9, line 10) never fired",
        "       batch 000001 of T0000001 is closed with 1 item, net 26800; expected 2 items, net 26800",
    ]
    assert result.stdout.endswith("0 as expected, 1 NOT\n")
    assert ET.parse(report).getroot().get("failures") == "1"


def test_a_bad_file_is_one_line_on_stderr_and_nothing_is_played(day: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(SALE.replace('do="settle"', 'do="setle"'), encoding="utf8")
    result = sim("run", day, bad)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"{bad}:7: steps[2].do: 'setle' is unknown; did you mean 'settle'?\n"


def test_where_nothing_is_expected_the_end_is_not_praised(day: Path, tmp_path: Path) -> None:
    day.write_text(SALE.partition("expect = ")[0].replace(', expect={end="approved"}', ""), encoding="utf8")
    result = sim("run", day, "--report", tmp_path / "out")
    assert result.exit_code == 0
    assert " end clean: nothing was expected " in result.stdout
    assert "0 as expected, 1 of which nothing was expected" in result.stdout
    assert "Nothing was expected; the end is clean" in (tmp_path / "out" / "index.html").read_text("utf8")


def test_what_is_for_real_hardware_is_refused_in_the_world(day: Path) -> None:
    day.write_text(SALE + 'faults = [{at="wire/H>T", action="prompt", text="cut"}]\n', encoding="utf8")
    result = sim("run", day)
    why = "faults[1] (line 10): prompt is for real hardware: a rule of the host (POST /api/v1/faults)"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{day}: {why}\n")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "no scenario: give files, folders, slugs of `terminal-sim scenarios`, or --all"),
        (("DAY", "--connect", "cup://127.0.0.1:1"), "--connect cup://127.0.0.1:1: goes with --real"),
        (("DAY", "--api", "http://127.0.0.1:1"), "--api http://127.0.0.1:1: goes with --real"),
        (("DAY", "--seed", "x"), "Invalid value for '--seed'"),
        (("DAY", "--seed=-1"), "--seed -1: must be from 0 to 1000000\n"),
        (("DAY", "--seed", "1000001"), "--seed 1000001: must be from 0 to 1000000\n"),
    ],
)
def test_bad_arguments_are_exit_2(day: Path, args: tuple[str, ...], says: str) -> None:
    result = sim("run", *(day if arg == "DAY" else arg for arg in args))
    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--junit", "day.toml/out.xml"),
        ("--junit", "folder"),
        ("--report", "day.toml"),
        ("--report", "day.toml/page"),
        ("--report", "half"),
        pytest.param("--report", "/proc/x", marks=LINUX),
        pytest.param("--junit", "/proc/x.xml", marks=LINUX),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_played(day: Path, option: str, path: str) -> None:
    (day.parent / "folder").mkdir()
    (day.parent / "half").mkdir()
    (day.parent / "half" / "scenarios").write_text("a file", encoding="utf8")
    result = sim("run", day, option, day.parent / path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{option} {day.parent / path}: cannot be written: ")
    assert result.stderr.count("\n") == 1


def test_folders_are_made_and_files_that_are_there_are_replaced(day: Path, tmp_path: Path) -> None:
    verdicts, page = tmp_path / "a" / "b" / "out.xml", tmp_path / "c" / "page"
    for _ in range(2):
        assert sim("run", day, "--junit", verdicts, "--report", page).exit_code == 0
        assert ET.parse(verdicts).getroot().get("tests") == "1"
        assert sorted(path.name for path in page.iterdir()) == ["index.html", "report.json", "scenarios"]


def test_the_seed_is_that_of_the_command_line(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def player(scenario: Scenario, variant: Variant | None) -> Run:
        seen.append(scenario.world.seed)
        return a_run(scenario=scenario)

    monkeypatch.setattr(module, "_in_the_world", player)
    assert sim("run", day, "--seed", "11").exit_code == 0
    assert seen == [11]


def test_a_page_is_written_of_all_that_was_played(day: Path, tmp_path: Path) -> None:
    result = sim("run", day, "--report", tmp_path / "page")
    assert result.exit_code == 0, result.output
    assert "report: " in result.stdout
    assert "a sale" in next((tmp_path / "page").glob("*.html")).read_text(encoding="utf8")


def test_a_real_run_asks_the_host_that_is_named(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(scenario: Scenario, variant: Variant | None) -> Run:
        raise NotConnected("127.0.0.1:1: connection refused")

    asked = []

    def against(options: module.Options, halt: threading.Event) -> Player:
        asked.append((options.connect, options.api))
        return refused

    monkeypatch.setattr(module, "_against_a_host", against)
    result = sim("run", day, "--real", "--connect", "cup://127.0.0.1:1", "--api", "http://127.0.0.1:2")
    assert (result.exit_code, result.stderr) == (4, "127.0.0.1:1: connection refused\n")
    assert asked == [("cup://127.0.0.1:1", "http://127.0.0.1:2")]


def test_the_whole_library_is_played_with_all(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = day.with_name("later.toml")
    waits.write_text('waiting = "needs funding"\nterminals = [{tid="T0000001"}]\nsteps = []\n', encoding="utf8")
    monkeypatch.setattr(module, "library", lambda: {"day": day, "later": waits})
    monkeypatch.setattr(module, "_in_the_world", lambda scenario, variant: a_run(scenario=scenario))
    result = sim("run", "--all")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()[:2]] == [["ok", "day"], ["wait", "later"]]
    assert result.stdout.endswith(": 1 as expected, 1 waiting\n")


def test_the_host_of_the_world_writes_no_log_between_the_lines() -> None:
    result = sim("run", "store-full")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert {line.split()[0] for line in result.stdout.splitlines()[:-1]} == {"ok"}


# ---- what cannot be played for real


VARIANTS = """
variants = [
  {name="x", host_bugs=["rev-twice"], expect={class="clean"}},
  {name="y", bugs=["no-rev"], expect={class="clean"}},
]
"""


def _for_real(monkeypatch: pytest.MonkeyPatch, player: Player) -> None:
    monkeypatch.setattr(module, "_against_a_host", lambda options, halt: player)


def test_what_cannot_be_played_for_real_is_a_line_of_its_own_and_the_rest_is_played(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _for_real(monkeypatch, lambda scenario, variant: a_run(scenario=scenario, variant=variant.name if variant else ""))
    day.write_text(SALE + VARIANTS, encoding="utf8")
    store = day.with_name("store.toml")
    store.write_text(SALE + 'faults = [{at="store/H/commit#1", action="disk-full"}]\n', encoding="utf8")
    verdicts, page = tmp_path / "out.xml", tmp_path / "page"
    result = sim("run", store, day, "--real", "--junit", verdicts, "--report", page)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    why = "host bug rev-twice cannot be played: a host that serves terminals keeps the rules: play it in the world"
    assert [line.split()[:2] for line in lines[:3]] == [["skip", "store"], ["ok", "day"], ["skip", "day"]]
    assert lines[2].split(maxsplit=3)[2:] == ["[x]", why]
    assert lines[-1].endswith(": 2 as expected, 2 not played for real")
    root = ET.parse(verdicts).getroot()
    assert (root.get("tests"), root.get("skipped"), root.get("failures")) == ("4", "2", "0")
    told = json.loads((page / "report.json").read_text(encoding="utf8"))
    assert [(one["slug"], one["variant"]) for one in told["skipped"]] == [("store", ""), ("day", "x")]
    assert told["skipped"][1]["why"] == why
    assert "Not played: 2 runs" in (page / "index.html").read_text(encoding="utf8")


def test_nothing_left_to_play_for_real_is_exit_2_with_the_reasons(day: Path, tmp_path: Path) -> None:
    day.write_text(SALE + 'faults = [{at="cal/H", action="cutoff-now"}]\n' + VARIANTS, encoding="utf8")
    result = sim("run", day, "--real", "--report", tmp_path / "page")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"{day}: --real: cutoff-now at cal/H cannot be played: a host has no calendar by hand",
        f"{day}: --real: host bug rev-twice cannot be played: a host that serves terminals keeps the rules: "
        "play it in the world",
    ]
    assert not (tmp_path / "page").exists()


def test_a_host_that_can_play_nothing_is_exit_2_too(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        raise Unplayable("--real", "the host's cutoff (22:00)", "the scenario has 23:00")

    _for_real(monkeypatch, player)
    result = sim("run", day, "--real")
    assert result.exit_code == 2
    assert result.stdout.endswith("0 as expected, 1 not played for real\n")
    assert result.stderr == f"{day}: --real: the host's cutoff (22:00) cannot be played: the scenario has 23:00\n"


# ---- Ctrl-C


def test_after_ctrl_c_what_was_played_is_summed_up_and_written(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        if scenario.slug == "second":
            os.kill(os.getpid(), signal.SIGINT)
        return a_run(scenario=scenario)

    monkeypatch.setattr(module, "_in_the_world", player)
    for name in ("second", "third"):
        day.with_name(f"{name}.toml").write_text(SALE, encoding="utf8")
    names = [day, *(day.with_name(f"{name}.toml") for name in ("second", "third"))]
    verdicts, page = tmp_path / "out.xml", tmp_path / "page"
    result = sim("run", *names, "--junit", verdicts, "--report", page)
    assert result.exit_code == 130, result.output
    assert [line.split()[:2] for line in result.stdout.splitlines()[:2]] == [["ok", "day"], ["ok", "second"]]
    assert result.stdout.endswith(": 2 as expected, interrupted\n")
    suite = ET.parse(verdicts).getroot()[0]
    assert [one.get("name") for one in suite.iter("testcase")] == ["day", "second"]
    assert suite.find("properties/property[@name='stopped'][@value='interrupted']") is not None
    assert json.loads((page / "report.json").read_text(encoding="utf8"))["stopped"] == "interrupted"
    assert "Stopped early (interrupted)" in (page / "index.html").read_text(encoding="utf8")


def _breaks(scenario: Scenario) -> Run:
    raise LabError("the host does not answer any more")


def _stops(scenario: Scenario) -> Run:
    raise Interrupted


def _fails(scenario: Scenario) -> Run:
    raise ValueError


@pytest.mark.parametrize("ends", [_breaks, _stops, _fails])
def test_a_run_that_ctrl_c_has_cut_short_does_not_count(
    day: Path, monkeypatch: pytest.MonkeyPatch, ends: Callable[[Scenario], Run]
) -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        os.kill(os.getpid(), signal.SIGINT)
        return ends(scenario)

    monkeypatch.setattr(module, "_in_the_world", player)
    result = sim("run", day)
    assert (result.exit_code, result.stderr) == (130, "")
    assert result.stdout == "0 runs in 0.0 s: 0 as expected, interrupted\n"


def test_a_second_ctrl_c_ends_at_once(day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return a_run(scenario=scenario)

    monkeypatch.setattr(module, "_in_the_world", player)
    result = sim("run", day, "--junit", tmp_path / "out.xml")
    assert (result.exit_code, result.stdout) == (130, "")
    assert not (tmp_path / "out.xml").exists()


# ---- the list


def test_a_line_of_the_library_says_slug_case_title_and_state() -> None:
    playable = a_scenario(variants=(Variant("x"), Variant("y")))
    assert listing.line(playable).split() == ["day", "1", "a", "sale", "playable,", "also:", "x,", "y"]
    assert listing.line(a_scenario(case=0)).split() == ["day", "-", "a", "sale", "playable"]
    assert listing.line(a_scenario(waiting="needs funding")).endswith("waiting: needs funding")


def test_the_library_is_told_in_the_order_of_the_catalogue(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = day.with_name("a-later.toml")
    later.write_text(SALE.replace("case = 1", "case = 2"), encoding="utf8")
    monkeypatch.setattr(listing, "library", lambda: {"a-later": later, "day": day})
    result = sim("scenarios")
    assert result.exit_code == 0
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [["day", "1"], ["a-later", "2"]]
    later.write_text("steps = 1\n", encoding="utf8")
    result = sim("scenarios")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{later}:")
