"""The pages: well-formed, alone, unharmed by whatever a text contains, and complete."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from host.checker.books import Finding
from specs.testcards import load_test_cards
from terminal_sim.lab.report import run_shape, summary, summary_exploration, write, write_exploration
from terminal_sim.lab.report.replay import file_name
from terminal_sim.lab.report.shape import ExplorationShape
from terminal_sim.lab.scenario.model import Scenario
from terminal_sim.lab.world.record import Happened, Lane, Run
from tests.support.played import BUG, TID, a_run, a_scenario, an_exploration

VOID = {"meta", "br", "hr", "col"}
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202e\x00"


def dumps(scenario: Scenario) -> str:
    """A stand-in for the writer of scenario files: what the report needs of it."""
    return f"# {scenario.slug}\nsteps = {[dict(step.args) for step in scenario.steps]}\n"


class Checked(HTMLParser):
    """Reads a page and holds it against what a page must be."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "action", "data", "poster"):
                self.outside.append(f"{tag} {name}={value}")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(page: str) -> Checked:
    """The page, which is well-formed, names every anchor once, and needs nothing from outside."""
    found = Checked()
    found.feed(page)
    found.close()
    assert found.open == []
    assert len(found.ids) == len(set(found.ids))
    assert found.outside == []
    assert found.handlers == []
    style = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert not re.search(r"url\(|@import|https?:", style)
    assert not re.search(r"https?://|//[a-z]", page.replace("<!DOCTYPE", ""))
    return found


def page_of(tmp_path: Path, *runs: Run) -> str:
    return write(tmp_path, runs, dumps=dumps).read_text(encoding="utf-8")


# ---- played runs


def test_the_page_of_a_run_says_what_the_catalogue_asks_for(tmp_path: Path) -> None:
    """failure-catalogue.md, section 4, «Report»."""
    page = page_of(tmp_path, a_run())
    said = " ".join("".join(checked(page).text).split())
    for part in (
        "Case 14",
        f"with {BUG}",
        "the cardholder paid for nothing",
        "The shop sees no slip and keeps the goods",
        "crash/T/journal.before#1: stop, restart 20",
        "approved 00",
        "power-cut",
        "closed-with-exceptions",
        "the reversal is gone without an ack",
        "captured, settled, listed host-only",
        "terminal: no row, no reversal owed",
        "fault 1: stop",
        "+20 s",
        "terminal-sim run",
        a_run().trace_hash[:16],
    ):
        assert part in said, part
    for lane in ("Operator", "Terminal", "Wire", "Host", "Issuer", "Merchant"):
        assert lane in said, lane


def test_a_narrow_page_stacks_its_tables_and_each_sum_says_whose_it_is(tmp_path: Path) -> None:
    """On a phone the heads are gone: a row is a card, and its cells carry the names of their columns."""
    page = page_of(tmp_path, a_run(), a_run())
    assert "content: attr(data-label)" in page
    tables = re.findall(r"<table[^>]*>.*?</table>", page, re.DOTALL)
    assert tables
    assert all('class="stack' in found for found in tables)
    for found in tables:
        named = re.findall(r"<td([^>]*)>", found)
        if "stack ledgers" not in found:  # there the word before the sum has the label
            assert [cell for cell in named if 'class="n' in cell and "data-label" not in cell] == []
    money = next(found for found in tables if "who is out how much" in found)
    for party in ("Cardholder", "Merchant", "Acquirer", "Issuer"):
        assert money.count(f'data-label="{party}"') == len(a_run().purchases) + 1


def test_a_batch_that_the_host_closed_alone_is_explained(tmp_path: Path) -> None:
    """«with exceptions» and nothing on any list: each close by the cutoff looks so."""
    page = page_of(tmp_path, a_run(exceptions=()))
    assert "without an agreement with the terminal on its totals" in page
    agreed = tuple(replace(batch, state="closed") for batch in a_run().settled)
    assert "without an agreement" not in page_of(tmp_path, a_run(settled=agreed))


def test_every_link_on_the_page_leads_somewhere_on_it(tmp_path: Path) -> None:
    found = checked(page_of(tmp_path, a_run(), a_run(mismatches=("x",))))
    inside = [link for link in found.links if link.startswith("#")]
    assert len(inside) > 10
    assert {link[1:] for link in inside} <= set(found.ids)


def test_links_to_files_lead_to_files_beside_the_page(tmp_path: Path) -> None:
    found = checked(page_of(tmp_path, a_run(), a_run(), a_run(variant="")))
    files = [link for link in found.links if not link.startswith("#")]
    assert len(set(files)) == 3
    assert all((tmp_path / link).is_file() for link in files)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_any_number_of_runs_fits_on_a_page(tmp_path: Path, count: int) -> None:
    checked(page_of(tmp_path, *[a_run()] * count))
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["schema"] == "closeout.report/1"
    assert len(report["runs"]) == count


def test_of_many_runs_those_stand_open_that_did_not_end_as_expected(tmp_path: Path) -> None:
    page = page_of(tmp_path, a_run(), a_run(), a_run(), a_run(mismatches=("x",)))
    assert page.count('<details open class="run">') == 1
    assert page.count('<details class="run">') == 3


def test_hostile_text_stays_text_wherever_it_comes_from(tmp_path: Path) -> None:
    run = a_run()
    scenario = a_scenario(title=HOSTILE, notice=HOSTILE, slug=f"../{HOSTILE}", variants=())
    step = replace(run.scenario.steps[0], id=HOSTILE, args={"card": HOSTILE})
    spoilt = replace(
        run,
        scenario=replace(scenario, steps=(step, *scenario.steps[1:])),
        variant=HOSTILE,
        trace=(*run.trace, *(Happened(50_000, -1, lane, TID, HOSTILE, HOSTILE, True) for lane in Lane)),
        findings=(Finding(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),),
        mismatches=(HOSTILE,),
        exceptions=(HOSTILE,),
        classes=(HOSTILE,),
    )
    page = page_of(tmp_path, spoilt)
    found = checked(page)
    assert found.tags.count("script") == 1
    assert "img" not in found.tags
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "alert(1)" in "".join(found.text)


def test_a_slug_never_names_a_file_outside_the_folder() -> None:
    taken: set[str] = set()
    names = [
        file_name(slug, variant, taken) for slug, variant in (("../../etc/x", ""), ("a", "b"), ("a", "b"), ("", ""))
    ]
    assert names == ["etc-x.toml", "a.b.toml", "a.b.2.toml", "scenario.toml"]


def test_no_test_cards_number_is_in_any_file(tmp_path: Path) -> None:
    """A step that names a card by its number is written with the card's name; a stranger's number is not written."""
    runs = []
    for card in load_test_cards().values():
        scenario = a_scenario()
        step = replace(scenario.steps[0], args={"amount": 100, "card": card.pan})
        shown = Happened(1.0, 0, Lane.SCREEN, TID, f"card {card.pan}")
        runs.append(a_run(scenario=replace(scenario, steps=(step, *scenario.steps[1:])), trace=(shown,)))
    write(tmp_path / "runs", runs, dumps=dumps)
    write_exploration(tmp_path / "explored", an_exploration([run_shape(run) for run in runs]))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        content = path.read_text(encoding="utf-8")
        assert not [card.name for card in load_test_cards().values() if card.pan in content], path.name


def test_a_card_that_has_no_name_keeps_its_scenario_from_being_written(tmp_path: Path) -> None:
    scenario = a_scenario()
    step = replace(scenario.steps[0], args={"amount": 100, "card": "4929000000006"})
    page = page_of(tmp_path, a_run(scenario=replace(scenario, steps=(step,))))
    assert list((tmp_path / "scenarios").iterdir()) == []
    assert "4929000000006" not in page


# ---- explorations


def stopped(why: str) -> ExplorationShape:
    """Nothing found until somebody stopped it."""
    return {**an_exploration([]), "stopped": why, "firsts": 398}


def test_the_explorers_page(tmp_path: Path) -> None:
    shape = an_exploration([run_shape(a_run()), run_shape(a_run(variant=""))])
    page = write_exploration(tmp_path, shape).read_text(encoding="utf-8")
    found = checked(page)
    said = " ".join("".join(found.text).split())
    for part in (
        "2 findings: 176 of 16,056 schedules did not end as the rules say.",
        "216 a second",
        "crash/T/rev-clear.after",
        "CNSale: the cardholder paid for nothing",
        "88 schedules with this signature",
        "Planted bugs: 1 found, 1 missed",
        "Points never reached: 2",
        "paper-out",
        "terminal-sim run",
    ):
        assert part in said, part
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert (tmp_path / "findings" / "F1.toml").read_text(encoding="utf-8") == "# case 14\n"
    assert json.loads((tmp_path / "exploration.json").read_text(encoding="utf-8"))["schema"] == "closeout.exploration/1"


def test_a_field_of_the_matrix_can_be_read_without_colour_and_opens_what_is_behind_it(tmp_path: Path) -> None:
    page = write_exploration(tmp_path, an_exploration([run_shape(a_run())])).read_text(encoding="utf-8")
    fields = re.findall(r'<button type="button" popovertarget="(\w+)"[^>]*class="cell (\w+)">(.)(<sup>2</sup>)?', page)
    letters = {(tone, letter, bool(second)) for _, tone, letter, second in fields}
    assert letters == {
        ("clean", "·", False),
        ("late", "L", False),
        ("bad", "P", False),
        ("bad", "P", True),
        ("bad", "D", True),
        ("bad", "X", False),
    }
    assert {target for target, *_ in fields} <= set(checked(page).ids)


def test_an_exploration_that_found_nothing_says_so(tmp_path: Path) -> None:
    shape = an_exploration([])
    page = write_exploration(tmp_path, {**shape, "bugs": [], "cells": []}).read_text(encoding="utf-8")
    assert "No findings in 16,056 schedules." in page


def test_an_exploration_that_was_stopped_does_not_claim_more_than_it_played(tmp_path: Path) -> None:
    page = write_exploration(tmp_path, stopped("time limit")).read_text(encoding="utf-8")
    assert "Stopped by the time limit: 170 of 398 first faults; what was not played is not known." in page
    assert 'class="verdict noted"' in page
    assert "Planted bugs: 1 found, 1 not found yet" in page
    assert "missed" not in page
    assert "Points not reached yet: 2" in page
    assert "Actions not fired yet: 2" in page


def test_a_finding_that_was_not_made_smaller_says_so(tmp_path: Path) -> None:
    shape = an_exploration([run_shape(a_run())])
    rough = {**shape["findings"][0], "rough": "not made smaller: interrupted"}
    page = write_exploration(tmp_path, {**shape, "findings": [rough]}).read_text(encoding="utf-8")
    assert "As it was found (not made smaller: interrupted): 1 fault, 2 steps" in page
    assert "The smallest" not in page
    told = json.loads((tmp_path / "exploration.json").read_text(encoding="utf-8"))
    assert told["findings"][0]["rough"] == "not made smaller: interrupted"


def test_hostile_text_in_an_exploration_stays_text(tmp_path: Path) -> None:
    shape = an_exploration([run_shape(a_run())])
    cell = {**shape["cells"][0], "kind": HOSTILE, "action": HOSTILE, "counts": {HOSTILE: 3}}
    finding = {**shape["findings"][0], "kinds": [f"{HOSTILE} {HOSTILE}"], "first": [HOSTILE], "run": None}
    spoilt = {**shape, "title": HOSTILE, "kinds": [HOSTILE], "actions": [HOSTILE], "cells": [cell]}
    spoilt |= {"findings": [finding], "unreached": [HOSTILE], "setting": HOSTILE}
    found = checked(write_exploration(tmp_path, spoilt).read_text(encoding="utf-8"))
    assert found.tags.count("script") == 1
    assert "img" not in found.tags


def test_what_was_never_met_is_named_in_full_on_the_page_and_in_its_json(tmp_path: Path) -> None:
    names = {"unreached": [f"crash/T/p{n}" for n in range(40)], "unfired": [f"act-{n}" for n in range(40)]}
    page = write_exploration(tmp_path, {**an_exploration([]), **names}).read_text(encoding="utf-8")
    told = json.loads((tmp_path / "exploration.json").read_text(encoding="utf-8"))
    for key, listed in names.items():
        assert told[key] == listed
        assert all(f"<code>{name}</code>" in page for name in listed)


# ---- on the terminal


def lines_of(console: Console) -> list[str]:
    return console.export_text().splitlines()


def test_the_summary_of_runs_is_exact() -> None:
    console = Console(record=True, width=200, file=StringIO())
    good = a_run(variant="", classes=("clean",), findings=())
    runs = [run_shape(run) for run in (good, a_run(), a_run(mismatches=("class: expected clean",), fired=(0,)))]
    summary(runs, console)
    found = lines_of(console)
    assert found[0] == "3 runs: 2 as expected, 1 not · 42 frames"
    assert found[1] == "classes: CNSale 2, TM 2, clean 1"
    assert found[2].startswith(f"✗ pwr-reply-before-journal with {BUG}: Not as expected: CNSale + TM")
    assert "    class: expected clean" in found
    assert "    never struck: crash/T/journal.before#1: stop, restart 20" in found


def test_the_summary_of_an_exploration_is_exact() -> None:
    console = Console(record=True, width=200, file=StringIO())
    summary_exploration(an_exploration([run_shape(a_run())]), console)
    assert lines_of(console) == [
        "standard-day: cup, profile HC, operator query-then-rekey, with rev-clear-first",
        "16,056 schedules (170 singles, 15,885 doubles) in 1 min 14 s, 216 a second",
        "classes: CNSale 8, CNSale TM 88, late 60, clean 15,900",
        "1 finding in 88 schedules",
        "  F1 CNSale + TM (A5, E1), 88 ×: crash/T/journal.before#1: stop, restart 20",
        "planted bugs: 1 of 2 found",
        "  missed: late-accept",
        "points never reached: crash/H/stage.after, wire/H>I/0420",
        "actions never fired: paper-out, holiday",
    ]


def test_a_summary_that_counts_the_rest_says_where_all_of_it_stands() -> None:
    console = Console(record=True, width=200, file=StringIO())
    summary_exploration(
        {**an_exploration([]), "unreached": [f"p{n}" for n in range(11)], "unfired": ["holiday"]}, console
    )
    assert lines_of(console)[-2:] == [
        "points never reached: p0, p1, p2, p3, p4, p5 and 5 more: all of them in the report (--report DIR)",
        "actions never fired: holiday",
    ]


def test_the_summary_of_what_was_stopped_claims_no_more_than_was_played() -> None:
    console = Console(record=True, width=200, file=StringIO())
    summary_exploration(stopped("interrupted"), console)
    found = lines_of(console)
    assert found[2] == "stopped by Ctrl-C: 170 of 398 first faults; what follows is what was found until then"
    assert found[4:] == [
        "no findings until then",
        "planted bugs: 1 of 2 found",
        "  not found yet: late-accept",
        "points not reached yet: crash/H/stage.after, wire/H>I/0420",
        "actions not fired yet: paper-out, holiday",
    ]


def test_the_summary_marks_a_finding_that_was_not_made_smaller() -> None:
    console = Console(record=True, width=200, file=StringIO())
    shape = an_exploration([run_shape(a_run())])
    shape["findings"][0]["rough"] = "not made smaller: interrupted"
    summary_exploration(shape, console)
    assert any(line.endswith("stop, restart 20 (not made smaller: interrupted)") for line in lines_of(console))
