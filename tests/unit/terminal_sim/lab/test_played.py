"""Scenarios found and played: files, folders, slugs, variants, and what happens when a player fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from specs.faults import Fault
from terminal_sim.errors import ConfigError, NotConnected
from terminal_sim.lab import played as module
from terminal_sim.lab.errors import LabError, ScenarioError, Unplayable
from terminal_sim.lab.played import Played, Turn, found, played, read, schedule, turns
from terminal_sim.lab.scenario.model import Scenario, Variant
from terminal_sim.lab.world.record import Run
from terminal_sim.lab.world.scene import Endless
from tests.support.runs import a_run, a_scenario

TEXT = 'world = {seed=5}\nterminals = [{tid="T0000001"}]\nsteps = [{id="A", do="echo"}]\n'


def clock() -> Callable[[], float]:
    """Two seconds between any two looks at it."""
    ticks = itertools.count(0.0, 2.0)
    return lambda: next(ticks)


def fine(scenario: Scenario, variant: Variant | None) -> Run:
    return a_run(scenario=scenario, variant=variant.name if variant else "")


# ---- finding


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b", "a"):
        (tmp_path / f"{name}.toml").write_text(TEXT, encoding="utf8")
    monkeypatch.setattr(module, "library", lambda: {"rev-lost": tmp_path / "a.toml"})
    return tmp_path


def test_a_folder_is_all_its_files_and_a_slug_one_of_the_library(folder: Path) -> None:
    assert found([str(folder), "rev-lost"]) == [folder / "a.toml", folder / "b.toml", folder / "a.toml"]
    assert found([str(folder / "b.toml")]) == [folder / "b.toml"]


def test_what_is_not_there_names_the_nearest_slug(folder: Path) -> None:
    with pytest.raises(
        ScenarioError, match="rev-last: no file, and no scenario of the library; did you mean 'rev-lost'"
    ):
        found(["rev-last"])
    (folder / "empty").mkdir()
    with pytest.raises(ScenarioError, match=r"no file \*\.toml in it"):
        found([str(folder / "empty")])


def test_a_file_that_is_not_there_is_a_file_that_cannot_be_read(folder: Path) -> None:
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read"):
        read(found([str(folder / "none.toml")]))


def test_a_seed_stands_in_for_that_of_the_files(folder: Path) -> None:
    files = [folder / "a.toml", folder / "b.toml"]
    assert [one.world.seed for one in read(files)] == [5, 5]
    assert [one.world.seed for one in read(files, seed=9)] == [9, 9]


# ---- playing


def test_a_file_is_played_once_and_once_more_for_each_variant() -> None:
    scenario = a_scenario(variants=(Variant("x"), Variant("y")))
    done = list(played(turns([scenario]), fine, clock()))
    assert [(one.name, one.seconds, one.good) for one in done] == [
        ("day", 2.0, True),
        ("day [x]", 2.0, True),
        ("day [y]", 2.0, True),
    ]


def test_a_waiting_file_is_not_played_and_neither_good_nor_bad() -> None:
    (one,) = played(turns([a_scenario(waiting="needs funding")]), fine, clock())
    assert (one.waiting, one.good, one.run) == (True, False, None)


def test_what_cannot_be_played_is_known_before_anything_is_and_the_rest_is_played() -> None:
    asked = []

    def look(scenario: Scenario, variant: Variant | None) -> None:
        asked.append(variant.name if variant else "")
        if variant is not None and variant.name == "x":
            raise Unplayable("--real", "host bug x", "not here")

    variants = (Variant("x"), Variant("y"))
    to_play = turns([a_scenario(variants=variants), a_scenario(waiting="needs funding", variants=variants)], look)
    assert asked == ["", "x", "y"]
    assert [(turn.variant, turn.skipped) for turn in to_play] == [
        (None, ""),
        (variants[0], "host bug x cannot be played: not here"),
        (variants[1], ""),
        (None, ""),
    ]
    done = list(played(to_play, fine, clock()))
    assert [(one.name, one.good, one.waiting, one.unplayed) for one in done] == [
        ("day", True, False, ""),
        ("day [x]", False, False, "host bug x cannot be played: not here"),
        ("day [y]", True, False, ""),
        ("day", False, True, "needs funding"),
    ]


def test_what_only_a_host_that_was_asked_could_tell_is_not_played_either() -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        raise Unplayable("--real", "the host's cutoff (22:00)", "the scenario has 23:00")

    (one,) = played([Turn(a_scenario())], player, clock())
    assert (one.run, one.skipped) == (None, "the host's cutoff (22:00) cannot be played: the scenario has 23:00")


def test_a_mistake_of_ours_ends_one_run_and_not_the_others() -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        assert variant is not None, "our own mistake"
        return fine(scenario, variant)

    broken, good = played(turns([a_scenario(variants=(Variant("x"),))]), player, clock())
    assert broken.broken.startswith("AssertionError: our own mistake\n\nTraceback")
    assert (broken.good, broken.waiting, good.good) == (False, False, True)


def test_a_run_that_does_not_end_is_broken_off() -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        raise Endless("step A: T0000001 is never free")

    (one,) = played(turns([a_scenario()]), player, clock())
    assert one.broken == "the run does not end: step A: T0000001 is never free"


def test_bad_input_that_only_the_player_sees_names_the_file() -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        raise ConfigError("no bug of that name")

    with pytest.raises(LabError, match=r"^day\.toml: no bug of that name$"):
        list(played(turns([a_scenario(source="day.toml")]), player, clock()))


def test_no_host_is_told_as_it_is() -> None:
    def player(scenario: Scenario, variant: Variant | None) -> Run:
        raise NotConnected("127.0.0.1:1: refused")

    with pytest.raises(NotConnected):
        list(played(turns([a_scenario()]), player, clock()))


def test_a_run_with_mismatches_is_not_good() -> None:
    assert not Played(a_scenario(), "", a_run(mismatches=("x",))).good


def test_a_schedule_is_a_line_a_fault() -> None:
    faults = (
        Fault("wire/H>T/0210#1", "delay", {"seconds": 45.0}, {"amount": 100}, times=2),
        Fault("link/T0000001", "down", since="step:S", until="+600"),
    )
    assert schedule(faults) == [
        "fault 1: delay at wire/H>T/0210#1, seconds 45.0, match {'amount': 100}, times 2",
        "fault 2: down at link/T0000001, from step:S, until +600",
    ]
