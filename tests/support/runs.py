"""Runs made by hand, for whatever reads them: a clean one, with something other where a test wants it."""

from __future__ import annotations

from typing import Any

from host.checker.books import HostBooks
from host.checker.purchases import Intent, Purchase
from terminal_sim.lab.scenario.model import Scenario, StepSpec, TerminalSpec, WorldSpec
from terminal_sim.lab.world.record import Happened, Lane, Run, Settled, StepEnd

TID = "T0000001"
SALE = StepSpec("A", "sale", 300.0, TID, "p1", {"amount": 26800})
SETTLE = StepSpec("S", "settle", 46800.0, TID)


def a_scenario(**changes: Any) -> Scenario:
    """One sale of 268.00 and its settlement."""
    given: dict[str, Any] = {"terminals": (TerminalSpec(TID),), "steps": (SALE, SETTLE), "case": 1, "title": "a sale"}
    return Scenario("day", WorldSpec(), **(given | changes))


def a_purchase(name: str = "p1", *, debited: int = 26800, settled: int = 26800, delivered: int | None = 1) -> Purchase:
    """Of 268.00."""
    return Purchase(Intent(name, 26800, delivered, ()), debited, settled, ("clean",))


def a_run(**changes: Any) -> Run:
    """The clean end of `a_scenario`."""
    given: dict[str, Any] = {
        "scenario": a_scenario(),
        "variant": "",
        "faults": (),
        "fired": (),
        "steps": (StepEnd("A", "approved", "00"), StepEnd("S", "agreed")),
        "trace": (Happened(300.0, 0, Lane.SCREEN, TID, "APPROVED 268.00"),),
        "points": (),
        "trace_hash": "ab12",
        "findings": (),
        "purchases": (a_purchase(),),
        "classes": ("clean",),
        "settled": (Settled(TID, "000001", 1, 26800, "closed", "2026-03-02"),),
        "exceptions": (),
        "messages": 6,
        "books": HostBooks(),
        "terminals": {},
    }
    return Run(**(given | changes))
