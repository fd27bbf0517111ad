"""Each planted bug of the catalogue (section 4) is found: its smallest schedule, played with the bug and without.

The schedules stand in found/. `make explore-bugs` (tests/explore/hunting.py) makes them: it explores the days again.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from terminal_sim.lab.explore.classify import FINE, Allowing
from terminal_sim.lab.explore.stage import Verdict
from terminal_sim.lab.scenario import reading
from terminal_sim.lab.world.world import World
from tests.explore.hunting import PAGE, TERMINAL, Bug, bugs, figures, page

PLANTED = {
    "rev-clear-first": 14,
    "rev-drop-n": 2,
    "rev-only-00": 8,
    "row-kept": 15,
    "admin-clear": 21,
    "mark-after-send": 29,
    "flag-without-rc": 37,
    "restart-upload": 36,
    "print-then-clear": 41,
    "stan-late": 49,
    "local-force-settle": 45,
    "daycut-carry": 51,
    "late-accept": 5,
    "one-read-framing": 72,
    "replay-any-totals": 31,
    "transient-cached": 25,
    "void-rev-release": 55,
    "round-per-batch": 65,
}
"""failure-catalogue.md, section 4: the planted bugs with the cases that it names."""
BUGS = bugs()
HUNTED = [bug for bug in BUGS if not bug.waiting]
UPLOADED = {"flag-without-rc", "restart-upload"}
"""Their day has a batch that does not agree, bug or not."""


def test_all_of_the_catalogue_are_hunted_but_for_what_waits_for_funding() -> None:
    assert {bug.name: bug.case for bug in BUGS} == PLANTED
    assert {bug.name: bug.waiting for bug in BUGS if bug.waiting} == {"round-per-batch": "needs funding: fees"}
    assert figures().keys() == {bug.name for bug in HUNTED}


@pytest.mark.parametrize("bug", HUNTED, ids=lambda bug: bug.name)
def test_one_fault_shows_it(bug: Bug) -> None:
    """The file has the bug and what it is crossed with, one fault at most, and ends just as it says: not well."""
    found = reading.load(bug.file)
    assert found == replace(bug.on(found, planted=True), variants=found.variants)
    run = World(found).run()
    assert run.mismatches == ()
    assert not run.unfired
    assert len(found.faults) <= 1
    assert found.expect.classes is not None
    assert found.expect.findings is not None
    assert Verdict.of(run) == (found.expect.classes, found.expect.findings)
    assert run.findings or not FINE.issuperset(run.classes)


@pytest.mark.parametrize("bug", HUNTED, ids=lambda bug: bug.name)
def test_without_the_bug_the_same_schedule_shows_nothing(bug: Bug) -> None:
    found = reading.load(bug.file)
    without = bug.on(found, planted=False)
    assert bug.name not in (*without.world.bugs, *(name for unit in without.terminals for name in unit.bugs))
    run = World(without).run()
    assert run.findings == ()
    assert FINE.issuperset(run.classes) or (bug.name in UPLOADED and run.classes == ("TM",))


@pytest.mark.parametrize("day", sorted({(b.day, b.profile, b.dialect, b.with_host) for b in HUNTED}))
def test_the_days_end_as_they_say(day: tuple[str, str, str, tuple[str, ...]]) -> None:
    """Without a fault and without a bug nothing is wrong on them but what their files say."""
    bug = next(b for b in HUNTED if (b.day, b.profile, b.dialect, b.with_host) == day)
    scenario = bug.the_day(planted=False)
    run = World(scenario).run()
    assert Allowing.on(scenario)(Verdict.of(run), ())
    assert run.classes == scenario.expect.classes


def test_the_page_is_of_these_files() -> None:
    assert PAGE.read_text("utf8") == page(), "make explore-bugs"
    rows = [line.split("|")[1] for line in page().partition("<!-- found -->")[2].splitlines() if line.startswith("| `")]
    for bug in BUGS:
        where = TERMINAL if bug.where == TERMINAL else "host"
        assert f" `{bug.name}` ({where}) " in rows
