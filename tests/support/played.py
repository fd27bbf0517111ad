"""Runs made by hand for tests of the report: case 14 of the failure catalogue, as it ends with and without its bug.

Nothing here is played: every line of the trace and every row is written down, in the words that the world uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from host.checker.books import Finding
from host.checker.purchases import Attempt, Intent, Money, Purchase
from host.rows import Adjustment, ExceptionItem, IssuerLeg, MessageRow, Posting, Row
from specs.faults import Fault
from terminal_sim.lab.report.shape import (
    EXPLORATION_SCHEMA,
    BugShape,
    CellShape,
    ExplorationShape,
    ExploredFindingShape,
    RunShape,
)
from terminal_sim.lab.scenario.model import Expect, OperatorSpec, Scenario, StepSpec, TerminalSpec, Variant, WorldSpec
from terminal_sim.lab.world.record import Happened, Lane, PointSeen, Run, Settled, StepEnd
from tests.support.checker_books import Day, cup_totals

TID = "T0000001"
NOTICE = (
    "The customer's card is charged 268.00, the terminal lost its power at that moment and knows of nothing.\n"
    "The shop sees no slip and keeps the goods; the customer sees the debit on the phone."
)
CUT = Fault("crash/T/journal.before#1", "stop", params={"restart": 20})
BUG = "rev-clear-first"


def a_scenario(**changes: Any) -> Scenario:
    """Case 14 as a file would say it."""
    return replace(
        Scenario(
            slug="pwr-reply-before-journal",
            title="Power cut before the journal write",
            case=14,
            notice=NOTICE,
            world=WorldSpec(),
            terminals=(TerminalSpec(TID),),
            steps=(
                StepSpec("A", "sale", 300, TID, "p1", {"amount": 4200, "card": "credit1"}),
                StepSpec("B", "sale", 600, TID, "p2", {"amount": 26800, "card": "debit1"}),
                StepSpec("S", "settle", 46800, TID),
            ),
            faults=(CUT,),
            operator=OperatorSpec(),
            expect=Expect(classes=("clean",)),
            variants=(Variant(BUG, bugs=(BUG,), expect=Expect(classes=("CNSale", "TM"))),),
        ),
        **changes,
    )


STEPS = (
    StepEnd("A", "approved", "00", "approved", 300.1),
    StepEnd("B", "power-cut", "", "power cut before journal", 640.0),
    StepEnd("S", "not-agreed", "95", "closed with exceptions", 46802.0),
)


def a_trace() -> tuple[Happened, ...]:
    """About forty events: a good sale, the sale with the cut, the settlement."""
    told: list[Happened] = []

    def tell(at: float, step: int, lane: Lane, text: str, point: str = "", *, fault: bool = False) -> None:
        who = {Lane.HOST: "H", Lane.ISSUER: "I"}.get(lane, TID)
        told.append(Happened(at, step, lane, who, text, point, fault))

    def sale(at: float, step: int, n: int, stan: str, name: str, amount: int) -> None:
        tell(at, step, Lane.OPERATOR, f"{name}: sale {amount}")
        tell(at, step, Lane.FLASH, "stan")
        tell(at, step, Lane.FLASH, "rev-store")
        tell(at, step, Lane.WIRE, f"{TID}>H 0200 STAN {stan}", f"wire/{TID}>H/0200#{n}")
        tell(at + 0.02, step, Lane.ISSUER, f"H>I 0200 debit {amount}", f"wire/H>I/0200#{n}")
        tell(at + 0.02, step, Lane.ISSUER, "I>H 0210 yes", f"wire/I>H/0210#{n}")
        tell(at + 0.02, step, Lane.WIRE, f"H>{TID} 0210 STAN {stan} code 00", f"wire/H>{TID}/0210#{n}")

    tell(0, -1, Lane.OPERATOR, "signs on")
    tell(0, -1, Lane.WIRE, f"{TID}>H 0800 STAN 000001", f"wire/{TID}>H/0800#1")
    tell(0.02, -1, Lane.WIRE, f"H>{TID} 0810 STAN 000001 code 00", f"wire/H>{TID}/0810#1")
    tell(0.04, -1, Lane.FLASH, "key-store")
    tell(0.04, -1, Lane.SCREEN, "signed on, batch 000001")
    sale(300, 0, 1, "000002", "A", 4200)
    tell(300.04, 0, Lane.FLASH, "journal")
    tell(300.04, 0, Lane.SCREEN, "approved 42.00")
    tell(300.04, 0, Lane.SCREEN, "slip sale")
    tell(300.04, 0, Lane.OPERATOR, "A: approved")
    sale(600, 1, 2, "000003", "B", 26800)
    tell(600.04, 1, Lane.FLASH, "rev-clear")
    tell(600.04, 1, Lane.FLASH, "power cut before journal", f"crash/{TID}/journal.before#1", fault=True)
    tell(600.04, 1, Lane.FLASH, "power off", fault=True)
    tell(620.04, 1, Lane.FLASH, "power on")
    tell(620.04, 1, Lane.SCREEN, "ready")
    tell(640.04, 1, Lane.OPERATOR, "looks at the terminal: no slip, nothing in the journal")
    tell(640.04, 1, Lane.OPERATOR, "B: power-cut")
    tell(46800, 2, Lane.OPERATOR, "S: settle")
    tell(46800, 2, Lane.FLASH, "freeze")
    tell(46800, 2, Lane.WIRE, f"{TID}>H 0500 STAN 000004", f"wire/{TID}>H/0500#1")
    tell(46800.02, 2, Lane.WIRE, f"H>{TID} 0510 STAN 000004 code 95", f"wire/H>{TID}/0510#1")
    tell(46800.04, 2, Lane.SCREEN, "totals differ, upload follows")
    tell(46800.04, 2, Lane.WIRE, f"{TID}>H 0320 STAN 000005", f"wire/{TID}>H/0320#1")
    tell(46800.06, 2, Lane.WIRE, f"H>{TID} 0330 STAN 000005 code 00", f"wire/H>{TID}/0330#1")
    tell(46800.08, 2, Lane.FLASH, "upload-flag")
    tell(46800.08, 2, Lane.WIRE, f"{TID}>H 0320 STAN 000006", f"wire/{TID}>H/0320#2")
    tell(46800.1, 2, Lane.WIRE, f"H>{TID} 0330 STAN 000006 code 00", f"wire/H>{TID}/0330#2")
    tell(46800.12, 2, Lane.FLASH, "archive")
    tell(46800.12, 2, Lane.SCREEN, "batch 000001 closed with exceptions")
    tell(46800.12, 2, Lane.SCREEN, "slip settlement")
    tell(46800.12, 2, Lane.OPERATOR, "S: not-agreed")
    return tuple(told)


_DATED: tuple[type[Row], ...] = (Posting, IssuerLeg, MessageRow, ExceptionItem, Adjustment)


def a_day() -> Day:
    """Both books of it: the terminal has one sale, the host two, the second with the reason host-only."""
    day = Day(TID)
    first = day.sale("000002", 4200)
    _at(day, "2026-03-02T09:05:00.020+00:00")
    second = day.sale("000003", 26800)
    day.journal = [row for row in day.journal if row.stan != "000003"]
    day.events = [event for event in day.events if event.stan != "000003" or event.event == "rev-stored"]
    _at(day, "2026-03-02T09:10:00.020+00:00")
    batch = day.close(cup_totals(debit=(1, 4200)), result="not-agreed", exceptions=((second.id, "host-only"),))
    for item in day.all(ExceptionItem):
        day.change(item, amount=26800)
    day.change(batch, closed_at="2026-03-02T22:00:00.100+00:00")
    _at(day, "2026-03-02T22:00:00.100+00:00")
    assert first.id == 1
    return day


def _at(day: Day, at: str) -> None:
    """Dates whatever has no date of the scenario's day yet."""
    for row_class in _DATED:
        for row in day.all(row_class):
            if getattr(row, "at", "").endswith("+08:00"):
                day.change(row, at=at)


def a_run(**changes: Any) -> Run:
    """Case 14 with its bug: charged, no sale."""
    day = a_day()
    trace = a_trace()
    evidence = ("host: txn 2: T0000001 STAN 000003 sale 26800 captured, batch 1", "terminal: no row, no reversal owed")
    clear = Purchase(
        Intent("p1", 4200, 1, (Attempt(TID, "000002", "000001"),)),
        debited=4200,
        settled=4200,
        classes=("clean",),
        txn_ids=(1,),
    )
    lost = Purchase(
        Intent("p2", 26800, 0, (Attempt(TID, "000003", "000001"),)),
        debited=26800,
        settled=26800,
        classes=("CNSale",),
        txn_ids=(2,),
        reason="host-only",
        money=Money(cardholder=-26800, merchant=26800),
    )
    run = Run(
        scenario=a_scenario(),
        variant=BUG,
        faults=(CUT,),
        fired=(1,),
        steps=STEPS,
        trace=trace,
        points=tuple(PointSeen(happened.point, happened.step) for happened in trace if happened.point),
        trace_hash="5f2c7f1d93a04be8a1c6d27b9e3f00417c55d2e6aa18f3b9c4d07e6f812b3a9d",
        findings=(
            Finding("A5", f"{TID} STAN 000003", "the reversal is gone without an ack and without a record", evidence),
            Finding("E1", f"batch 1 of {TID}", "the terminal counts 1 item of 4200, the host 2 of 31000", evidence[:1]),
        ),
        purchases=(clear, lost),
        classes=("CNSale", "TM"),
        settled=(Settled(TID, "000001", 2, 31000, "closed-with-exceptions", "2026-03-02"),),
        exceptions=("host-only",),
        messages=14,
        books=day.books,
        terminals=day.terminals,
    )
    return replace(run, **changes)


def an_exploration(runs: Sequence[RunShape]) -> ExplorationShape:
    """An exploration with one finding a run, in the machine form; nothing in it is counted, all is written down."""
    kinds = ["wire/T>H/0200", "wire/H>T/0210", "wire/T>H/0400", "wire/H>I/0200", "wire/I>H/0210", "conn/T", "link/T"]
    kinds += ["crash/T/journal.before", "crash/T/rev-clear.after", "crash/H/commit.after", "store/T/journal", "clock/T"]
    frames = ("drop", "delay", "dup", "truncate", "bad-mac")
    cells: list[CellShape] = []

    def cell(kind: str, action: str, worst: list[str], single: list[str], **counts: int) -> None:
        cells.append(
            {
                "kind": kind,
                "action": action,
                "schedules": sum(counts.values()),
                "worst": worst,
                "single": single,
                "counts": {name.replace("_", " "): number for name, number in counts.items()},
            }
        )

    for kind in kinds[:5]:
        for action in frames:
            cell(kind, action, ["clean"], ["clean"], clean=96)
    cell("conn/T", "refuse", ["clean"], ["clean"], clean=41)
    cell("link/T", "down", ["late"], ["late"], late=60, clean=12)
    cell("crash/T/journal.before", "stop", ["CNSale", "TM"], ["CNSale", "TM"], CNSale_TM=88, clean=5)
    cell("crash/T/rev-clear.after", "stop", ["CNSale"], ["clean"], CNSale=2, clean=90)
    cell("crash/H/commit.after", "stop", ["clean"], ["clean"], clean=70)
    cell("store/T/journal", "lost-write", ["DC"], ["CNSale"], DC=1, CNSale=71)
    cell("clock/T", "skew", ["STUCK"], [], STUCK=3)
    findings: list[ExploredFindingShape] = [
        {
            "id": f"F{number}",
            "problem": "",
            "classes": run["classes"],
            "invariants": ["A5", "E1"],
            "kinds": ["crash/T/journal.before stop"],
            "count": 88,
            "faults": 1,
            "steps": 2,
            "schedule": run["schedule"],
            "first": [*run["schedule"], "wire/T0000001>H/0500#1: drop"],
            "toml": "# case 14\n",
            "run": run,
            "tries": 23,
            "rough": "",
        }
        for number, run in enumerate(runs, start=1)
    ]
    bug: BugShape = {
        "name": BUG,
        "meaning": "the reversal is deleted on receipt, before the journal row",
        "case": 14,
        "profile": "HC",
        "found": True,
        "schedule": ["crash/T0000001/journal.before#1: stop"],
        "classes": ["CNSale", "TM"],
        "invariants": ["A5", "E1"],
        "schedules": 16056,
    }
    return {
        "schema": EXPLORATION_SCHEMA,
        "slug": "standard-day",
        "title": "The standard day",
        "setting": f"cup, profile HC, operator query-then-rekey, with {BUG}",
        "faults_max": 2,
        "seed": 7,
        "jobs": 2,
        "seconds": 74.5,
        "stopped": "",
        "firsts": 170,
        "spent": {"world": 80.0, "checker": 40.0, "snapshot": 20.0, "hashing": 10.0},
        "counts": {
            "schedules": 16056,
            "singles": 170,
            "doubles": 15885,
            "random": 0,
            "windows": 12,
            "legs": 9000,
            "shared": 7000,
            "whole": 3,
            "twice": 800,
            "verified": 50,
            "steps": 48000,
        },
        "classes": {"clean": 15900, "late": 60, "CNSale TM": 88, "CNSale": 8},
        "kinds": kinds,
        "actions": [*frames, "refuse", "down", "stop", "lost-write", "skew"],
        "cells": cells,
        "findings": findings,
        "unreached": ["crash/H/stage.after", "wire/H>I/0420"],
        "unfired": ["paper-out", "holiday"],
        "bugs": [bug, {**bug, "name": "late-accept", "case": 5, "found": False, "schedule": [], "classes": []}],
        "sample": None,
    }
