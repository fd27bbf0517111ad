"""The verdict: each thing that a file may expect, met and missed; the runs are made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from host.checker.books import Finding
from specs.faults import Fault
from terminal_sim.lab.scenario.expecting import mismatches
from terminal_sim.lab.scenario.model import Expect, SettledSpec
from terminal_sim.lab.world.record import Happened, Lane, Settled, StepEnd
from tests.support.runs import SALE, SETTLE, TID, a_purchase, a_run, a_scenario

CLOSED = SettledSpec(TID, "000001", 1, 26800)
A5 = Finding("A5", "T0000001", "the reversal of STAN 000002 is gone")


def test_a_run_that_is_as_expected_in_everything_has_no_mismatch() -> None:
    expect = Expect(
        classes=("clean",),
        settled=(CLOSED,),
        exceptions=(),
        findings=(),
        purchases={"p1": {"debited": 1, "settled": 1, "delivered": 1}},
        shown=("APPROVED",),
        steps={"S": {"end": ("agreed", "not-agreed")}, "A": {"end": "approved", "code": "00"}},
    )
    assert mismatches(a_run(), expect) == ()
    assert mismatches(a_run(), Expect()) == ()


@pytest.mark.parametrize(
    ("run", "expect", "says"),
    [
        ({"classes": ("CNSale", "TM")}, {"classes": ("clean",)}, "classes CNSale, TM; expected clean"),
        ({}, {"classes": ("TM", "CNSale")}, "classes clean; expected TM, CNSale"),
        ({"exceptions": ("AMT", "AMT")}, {"exceptions": ("AMT",)}, "exceptions AMT, AMT; expected AMT"),
        ({"exceptions": ("carried",)}, {"exceptions": ()}, "exceptions carried; expected none"),
        ({"findings": (A5,)}, {}, "finding A5 T0000001: the reversal of STAN 000002 is gone"),
        ({"findings": (A5,)}, {"findings": ("A1", "A5")}, "A1 holds; expected to be broken"),
        ({}, {"steps": {"A": {"end": "declined"}}}, "step A ended approved (00); expected declined"),
        ({}, {"steps": {"A": {"code": "51"}}}, "step A ended approved (00); expected any end (51)"),
        (
            {},
            {"steps": {"S": {"end": ("unknown", "pending"), "code": "00"}}},
            "step S ended agreed; expected unknown or pending (00)",
        ),
        ({"steps": ()}, {"steps": {"A": {"end": "approved"}}}, "step A never ended; expected approved"),
        ({}, {"shown": ("APPROVED", "journal full")}, "no screen showed «journal full»"),
        ({}, {"purchases": {"p1": {"debited": 0}}}, "purchase p1: debited 26800; expected 0 x 26800"),
        (
            {"purchases": (a_purchase(settled=53600),)},
            {"purchases": {"p1": {"debited": 1, "settled": 1}}},
            "purchase p1: settled 53600; expected 1 x 26800",
        ),
        ({}, {"purchases": {"p1": {"delivered": 2}}}, "purchase p1: delivered 1; expected 2"),
        (
            {"purchases": (a_purchase(delivered=None),)},
            {"purchases": {"p1": {"delivered": 0}}},
            "purchase p1: delivered nobody knows; expected 0",
        ),
        (
            {"purchases": ()},
            {"purchases": {"p1": {"debited": 1, "settled": 0}}},
            "purchase p1 was never tried; expected debited 1, settled 0",
        ),
    ],
)
def test_each_thing_that_is_not_as_expected_is_one_sentence(
    run: dict[str, Any], expect: dict[str, Any], says: str
) -> None:
    assert mismatches(a_run(**run), Expect(**expect)) == (says,)


def test_a_broken_invariant_that_is_named_is_as_expected() -> None:
    assert mismatches(a_run(findings=(A5, A5)), Expect(findings=("A5",))) == ()


# ---- batches


def batch(number: str, count: int, amount: int) -> Settled:
    return Settled(TID, number, count, amount, "closed", "2026-03-02")


@pytest.mark.parametrize(
    ("closed", "expected", "says"),
    [
        ((), (CLOSED,), ["batch 000001 of T0000001 is not closed; expected 1 item, net 26800"]),
        (
            (batch("000001", 2, 300),),
            (CLOSED,),
            ["batch 000001 of T0000001 is closed with 2 items, net 300; expected 1 item, net 26800"],
        ),
        (
            (batch("000001", 1, 26800), batch("000002", 1, -5)),
            (CLOSED,),
            ["batch 000002 of T0000001 is closed with 1 item, net -5; nothing is expected of it"],
        ),
        ((batch("000001", 1, 26800), batch("000002", 0, 0)), (CLOSED,), []),
        ((), (SettledSpec(TID, "000001", 0, 0),), []),  # an empty batch leaves no row
        ((batch("000001", 1, 5), batch("000001", 1, 26800)), (CLOSED, SettledSpec(TID, "000001", 1, 5)), []),
        (
            (batch("000001", 1, 26800), batch("000001", 1, 26800)),
            (CLOSED,),
            ["batch 000001 of T0000001 is closed with 1 item, net 26800; nothing is expected of it"],
        ),
    ],
)
def test_batches_are_all_those_that_are_listed(
    closed: tuple[Settled, ...], expected: tuple[SettledSpec, ...], says: list[str]
) -> None:
    assert list(mismatches(a_run(settled=closed), Expect(settled=expected))) == says


# ---- faults, steps, variants


def test_a_fault_that_never_struck_is_always_a_mismatch() -> None:
    faults = (Fault("wire/H>T/0210#1", "drop"), Fault("wire/H>T/0410#1", "delay", {"seconds": 5.0}, line=12))
    run = a_run(faults=faults, fired=(1, 0))
    assert mismatches(run, Expect()) == ("fault 2 (delay at wire/H>T/0410#1, line 12) never fired",)
    assert mismatches(replace(run, fired=(2, 1)), Expect()) == ()


def test_what_steps_expect_holds_for_the_file_and_not_for_its_variants() -> None:
    scenario = a_scenario(steps=(replace(SALE, expect={"end": "unknown"}), SETTLE))
    assert mismatches(a_run(scenario=scenario), Expect()) == ("step A ended approved (00); expected unknown",)
    assert mismatches(a_run(scenario=scenario, variant="rev-drop-n"), Expect()) == ()
    own = Expect(steps={"A": {"end": "declined"}})
    assert mismatches(a_run(scenario=scenario, variant="rev-drop-n"), own) == (
        "step A ended approved (00); expected declined",
    )


def test_only_screens_show() -> None:
    seen = (Happened(1.0, 0, Lane.HOST, "H", "journal full"), Happened(2.0, 0, Lane.SCREEN, TID, "DECLINED 51"))
    assert mismatches(a_run(trace=seen), Expect(shown=("51", "journal full"))) == ("no screen showed «journal full»",)
    assert mismatches(a_run(trace=seen), Expect(not_shown=("51", "journal full"))) == ("a screen showed «51»",)


def test_several_mismatches_come_in_one_order() -> None:
    run = a_run(steps=(StepEnd("A", "declined", "51"),), classes=("CNS",), exceptions=("carried",))
    expect = Expect(classes=("clean",), exceptions=(), steps={"A": {"end": "approved"}})
    assert [sentence.partition(" ")[0] for sentence in mismatches(run, expect)] == ["step", "classes", "exceptions"]
