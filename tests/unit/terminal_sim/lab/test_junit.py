"""JUnit XML as CI servers read it: counts, one case a run, the mismatches, and texts that XML cannot hold."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from specs.faults import Fault
from terminal_sim.lab.junit import document, write
from terminal_sim.lab.played import Played
from tests.support.runs import a_run, a_scenario

GOOD = Played(a_scenario(notice="Nothing is noticed.", source="day.toml"), "", a_run(), 0.25)
BAD = Played(
    a_scenario(),
    "rev-drop-n",
    a_run(
        mismatches=("classes CNS; expected clean", "fault 1 (drop at wire/H>T/0210) never fired"),
        faults=(Fault("wire/H>T/0210", "drop"),),
        fired=(0,),
    ),
    0.5,
)
WAITS = Played(a_scenario(waiting="needs funding"))
SKIPPED = Played(a_scenario(), "rev-twice", skipped="host bug rev-twice cannot be played: a host keeps the rules")
BROKEN = Played(a_scenario(), "", None, 1.0, "KeyError: 'x'\n\nTraceback\n  ...")


def test_the_counts_are_those_of_the_runs() -> None:
    suites = ET.fromstring(document([GOOD, BAD, WAITS, SKIPPED, BROKEN]))
    (suite,) = suites
    for element in (suites, suite):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
        assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "2", "time": "1.750"}


def test_a_good_run_is_a_case_with_its_properties_and_nothing_else() -> None:
    (case,) = ET.fromstring(document([GOOD]))[0]
    assert (case.get("classname"), case.get("name"), case.get("time")) == ("scenarios", "day", "0.250")
    assert [child.tag for child in case] == ["properties"]
    assert {one.get("name"): one.get("value") for one in case[0]} == {
        "case": "1",
        "title": "a sale",
        "notice": "Nothing is noticed.",
        "file": "day.toml",
        "seed": "7",
        "classes": "clean",
        "messages": "6",
        "trace_hash": "ab12",
    }


def test_a_bad_run_names_its_variant_its_mismatches_and_its_schedule() -> None:
    (case,) = ET.fromstring(document([BAD]))[0]
    assert case.get("name") == "day [rev-drop-n]"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "classes CNS; expected clean; fault 1 (drop at wire/H>T/0210) never fired"
    assert failure.text == (
        "classes CNS; expected clean\nfault 1 (drop at wire/H>T/0210) never fired\n\nfault 1: drop at wire/H>T/0210"
    )


def test_a_waiting_file_is_skipped_and_a_broken_run_an_error() -> None:
    waits, left_out, broken = ET.fromstring(document([WAITS, SKIPPED, BROKEN]))[0]
    why = left_out.find("skipped")
    assert why is not None
    assert (left_out.get("name"), why.get("message")) == ("day [rev-twice]", SKIPPED.skipped)
    skipped, error = waits.find("skipped"), broken.find("error")
    assert skipped is not None
    assert skipped.get("message") == "needs funding"
    assert error is not None
    assert error.get("message") == "KeyError: 'x'"


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    run = a_run(mismatches=("no screen showed «\x1b[0m & <b> \ud800»",))
    write(tmp_path / "new" / "out.xml", [Played(a_scenario(), "", run)])
    (case,) = ET.parse(tmp_path / "new" / "out.xml").getroot()[0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "no screen showed «\ufffd[0m & <b> \ufffd»"
