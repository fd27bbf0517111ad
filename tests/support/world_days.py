"""Small days for the world, worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from specs.faults import Fault
from terminal_sim.lab.scenario.model import OperatorSpec, Scenario, StepSpec, TerminalSpec, WorldSpec

TID = "T0000001"
HOUR = 3_600.0


def step(name: str, do: str, at: float, **args: Any) -> StepSpec:
    """One step of the only terminal."""
    intent = args.pop("intent", "")
    return StepSpec(name, do, at, args.pop("unit", TID), intent, args)


STEPS = (
    step("L", "signon", 60),
    step("A", "sale", 300, amount=10_000),
    step("B", "sale", 900, amount=5_000),
    step("C", "offline-sale", 1_200, amount=2_500),
    step("S1", "settle", 2 * HOUR),
    step("D", "sale", 3 * HOUR, amount=7_000),
    step("V", "void", 3 * HOUR + 300, of="D"),
    step("E", "sale", 4 * HOUR, amount=800),
    step("S2", "settle", 5 * HOUR),
    step("F", "sale", 6 * HOUR, amount=900),
    step("R", "refund", 7 * HOUR, amount=5_000, of="B"),
    step("S3", "settle", 8 * HOUR),
)
"""Five sales, an offline sale, a void, a refund, three settlements. By hand: batch 1 holds 100.00 + 50.00 + 25.00,
batch 2 the 8.00 (70.00 is voided), batch 3 9.00 - 50.00."""
CLOSED = [("000001", 3, 17_500), ("000002", 1, 800), ("000003", 2, -4_100)]


def a_day(
    dialect: str = "cup",
    profile: str = "HC",
    faults: Iterable[Fault] = (),
    steps: tuple[StepSpec, ...] = STEPS,
    **world: Any,
) -> Scenario:
    """The day above, or other steps, at one terminal."""
    spec = WorldSpec(dialect=dialect, profile=profile, **world)
    return Scenario("day", spec, (TerminalSpec(TID),), steps, tuple(faults), OperatorSpec())
