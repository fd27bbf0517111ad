"""An exploration's own values in the machine form of its report."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from specs.faults import Fault
from terminal_sim.lab.explore.result import Cell, Counts, Exploration, Found, Planted, Signature
from terminal_sim.lab.report import exploration_shape, write_exploration
from terminal_sim.lab.report.shape import CountsShape, ExplorationShape
from tests.support.played import BUG, CUT, a_run, a_scenario

DROP = Fault("wire/T0000001>H/0500#1", "drop")


def an_exploration(**changes: object) -> Exploration:
    found = Found(
        signature=Signature(("CNSale", "TM"), ("A5",), ("crash/T/journal.before stop",)),
        schedule=(CUT, DROP),
        scenario=a_scenario(faults=(CUT,)),
        count=88,
        run=a_run(),
        text="# case 14\n",
        tries=23,
    )
    broken = Found(Signature(("clean",), (), ()), (DROP,), a_scenario(faults=(DROP,)), problem="not deterministic")
    values: dict[str, object] = {
        "scenario": a_scenario(),
        "faults_max": 2,
        "counts": Counts(schedules=16056, singles=170, doubles=15885),
        "seconds": 74.5,
        "bugs": (BUG,),
        "findings": (found, broken),
        "cells": (Cell("crash/T/journal.before", "stop", 93, ("TM", "CNSale"), {"CNSale TM": 88, "clean": 5}),),
        "classes": {"clean": 15968, "CNSale TM": 88},
        "points": ("wire/T>H/0200",),
        "never_reached": ("crash/H/stage.after",),
        "planted": (Planted(BUG, True, 16056),),
    }
    return Exploration(**{**values, **changes})  # type: ignore[arg-type]


def test_the_shape_has_every_key_and_is_plain_json() -> None:
    shape = exploration_shape(an_exploration())
    assert set(shape) == set(ExplorationShape.__annotations__)
    assert json.loads(json.dumps(shape)) == shape


def test_no_count_of_the_explorer_is_left_out() -> None:
    assert [field.name for field in fields(Counts)] == list(CountsShape.__annotations__)


def test_a_finding_is_told_by_its_smallest_schedule_and_as_it_was_found() -> None:
    found, broken = exploration_shape(an_exploration())["findings"]
    assert (found["id"], found["count"], found["faults"], found["steps"], found["tries"]) == ("F1", 88, 1, 3, 23)
    assert found["schedule"] == ["crash/T/journal.before#1: stop, restart 20"]
    assert found["first"] == [*found["schedule"], "wire/T0000001>H/0500#1: drop"]
    assert (broken["id"], broken["problem"], broken["run"]) == ("F2", "not deterministic", None)


def test_the_kinds_of_points_are_those_reached_and_those_of_the_fields() -> None:
    assert exploration_shape(an_exploration())["kinds"] == ["wire/T>H/0200", "crash/T/journal.before"]


def test_the_page_of_it(tmp_path: Path) -> None:
    page = write_exploration(tmp_path, exploration_shape(an_exploration())).read_text(encoding="utf-8")
    assert "2 findings: 89 of 16,056 schedules" in page
    assert "not deterministic" in page
    assert (tmp_path / "findings" / "F1.toml").read_text(encoding="utf-8") == "# case 14\n"
    assert not (tmp_path / "findings" / "F2.toml").exists()
