"""Words for classes, money, moments and faults."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from specs.faults import Fault
from terminal_sim.lab.report import words
from terminal_sim.lab.report.shape import MoneyShape
from terminal_sim.lab.scenario.model import StepSpec

CATALOGUE = {"clean", "late", "CNS", "SNC", "CNSale", "SNF", "DC", "DS", "AMT", "TM", "STUCK"}
"""The tags of failure-catalogue.md, section 2."""
START = "2026-03-02T09:00"


def test_every_class_of_the_catalogue_has_a_letter_of_its_own_and_a_meaning() -> None:
    assert {tag.name for tag in words.TAGS} == CATALOGUE
    assert len({tag.letter for tag in words.TAGS}) == len(CATALOGUE)
    assert all(tag.meaning for tag in words.TAGS)


def test_the_worst_class_comes_first_and_clean_last() -> None:
    assert words.worst_first(["clean", "TM", "CNSale", "late"]) == ["CNSale", "TM", "late", "clean"]
    assert words.worst([]).name == "clean"
    assert words.worst(["late", "STUCK"]).name == "STUCK"
    assert words.by_rank(["clean", "late", "CNSale TM", "CNSale"]) == ["CNSale", "CNSale TM", "late", "clean"]


def test_a_class_that_is_not_in_the_catalogue_is_shown_as_itself_and_as_the_worst() -> None:
    assert words.worst(["DC", "NEW"]).name == "NEW"
    assert words.tag("NEW").letter == "?"


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(26800, "156", "268.00"), (-5, "156", "−0.05"), (100, "392", "100"), (1234, "048", "1.234"), (7, "???", "7")],
)
def test_money(minor: int, currency: str, shown: str) -> None:
    assert words.money(minor, currency) == shown


def test_who_is_out_how_much() -> None:
    cny = partial(words.money, currency="156")
    assert [words.signed(minor, cny) for minor in (26800, -26800, 0)] == ["+268.00", "−268.00", "0"]
    shares: MoneyShape = {"cardholder": -26800, "merchant": 20000, "acquirer": 6800, "issuer": 0}
    said = "the cardholder is out 268.00, the merchant has 200.00 too much, the acquirer has 68.00 too much"
    assert words.losses(shares, "156") == said
    assert words.losses({"cardholder": 0, "merchant": 0, "acquirer": 0, "issuer": 0}, "156") == ""


def test_the_time_of_day_of_a_moment() -> None:
    assert words.clock("2026-03-02T09:00", 300.02) == "09:05:00"
    assert words.clock("2026-03-02T23:30", 3600) == "00:30:00 +1d"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "0.4 s"),
        (4.98, "5 s"),
        (59, "59 s"),
        (60, "1 min"),
        (74, "1 min 14 s"),
        (600, "10 min"),
        (3_661, "1 h 1 min"),
        (46_800, "13 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_a_span_of_time(seconds: float, shown: str) -> None:
    assert words.span(seconds) == shown


def test_a_fault_in_a_line() -> None:
    assert words.fault_text(Fault("wire/H>T/0210#1", "drop"), START) == "wire/H>T/0210#1: drop"
    late = Fault("wire/H>T/0210", "delay", {"seconds": 35}, {"stan": "000002"}, times=0, probability=0.5, seed=7)
    said = "wire/H>T/0210: delay, seconds 35, only stan 000002, chance 0.5, seed 7, every time"
    assert words.fault_text(late, START) == said


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("step:S", "+600", "from step S for 10 min"),
        ("", "+1800", "for 30 min"),
        ("60", "step:S", "from 09:01 until step S"),
        ("18180", "20400", "from 14:03 until 14:40"),
        ("50400", "55805.4", "from 23:00 until day2 00:30:05"),
        ("", "", ""),
    ],
)
def test_a_window_in_words(since: str, until: str, said: str) -> None:
    told = words.schedule([Fault("link/T", "down", since=since, until=until)], START)
    assert told == [f"link/T: down, {said}" if said else "link/T: down"]


def test_a_step_in_words_without_its_pin() -> None:
    cny = partial(words.money, currency="156")
    sale = StepSpec("A", "sale", args={"amount": 26800, "card": "debit1", "pin": "123456"})
    assert words.step_text(sale, cny) == "sale 268.00, debit1"
    assert words.step_text(StepSpec("V", "void", args={"of": "A"}), cny) == "void of A"


def test_counting() -> None:
    assert [words.many(number, "run") for number in (0, 1, 1204)] == ["0 runs", "1 run", "1,204 runs"]
    assert words.short("abcdef", 6) == "abcdef"
    assert words.short("abcdefg", 6) == "abcde…"


def test_the_letters_are_documented() -> None:
    text = (Path(__file__).parents[4] / "docs" / "reports.md").read_text(encoding="utf-8")
    for tag in words.TAGS:
        assert f"| {tag.letter} | {tag.name} | {tag.meaning} |" in text
