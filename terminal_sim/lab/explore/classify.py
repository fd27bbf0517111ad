"""Which ends are findings, and which the catalogue itself allows; how bad an end is.

Clean and late are never findings. A few faults take something away that no rule can bring back: a supervisor deletes
the reversal, a unit is exchanged with its batch open. There the catalogue's end «rules kept» is a named exception, and
that alone is allowed; a broken invariant never is. A day that has no good end of its own (its totals differ, so that it
is uploaded) says so in its file: what it expects without a fault is no finding with one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from specs.faults import Fault
from terminal_sim.lab.explore.stage import Verdict
from terminal_sim.lab.scenario.model import OperatorSpec, Scenario

CLEAN, LATE = "clean", "late"
FINE = frozenset({CLEAN, LATE})

ORDER = ("error", "DC", "DS", "CNS", "CNSale", "SNF", "SNC", "AMT", "STUCK", "TM", LATE, CLEAN)
"""Classes from the worst on: what came to no end, who lost twice, who lost, what only does not agree."""

BY_ACTION: Mapping[str, frozenset[str]] = MappingProxyType({"rekey": frozenset({"DC", "DS"})})
"""Action -> classes that no rule of the machines can prevent after it, while no invariant is broken.

rekey: the operator breaks RO1. A sale is clean all the same, since its reversal goes first (RT3); a refund that is
stored and sent until it is answered is given twice when it is keyed twice.
"""

BY_DEED: Mapping[str, frozenset[str]] = MappingProxyType({"clear-rev": frozenset({"CNSale", "TM"})})
"""Deed of a step -> classes that the catalogue allows after it (case 21), explained by an exception."""

BY_HABIT: Mapping[str, frozenset[str]] = MappingProxyType(
    {"rekey": frozenset({"DC"}), "rekey-on": frozenset({"DC"}), "nothing": frozenset()}
)
"""Operator's habit at an unknown end -> classes that it brings about whatever the rules do (RO1 not kept)."""


class Allowing:
    """Whether an end is expected, by what was done and by whom."""

    def __init__(self, operator: OperatorSpec, also: Iterable[str] = ()) -> None:
        self._always = FINE | BY_HABIT.get(operator.on_unknown, frozenset()) | frozenset(also)

    @classmethod
    def on(cls, day: Scenario) -> Allowing:
        """What a day allows. The end that it expects counts when no fault of its own stands in the file."""
        expected = day.expect.classes or () if not day.faults else ()
        deeds = (tag for step in day.steps for tag in BY_DEED.get(step.do, ()))
        return cls(day.operator, (*expected, *deeds))

    def __call__(self, verdict: Verdict, faults: Iterable[Fault]) -> bool:
        if verdict.invariants:
            return False
        if FINE.issuperset(verdict.classes):
            return True
        return self._always.union(*(BY_ACTION.get(fault.action, ()) for fault in faults)).issuperset(verdict.classes)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of some ends."""
    return min(verdicts, key=rank)


def rank(verdict: Verdict) -> tuple[int, int, int]:
    """The smaller, the worse."""
    places = [ORDER.index(tag) if tag in ORDER else 0 for tag in verdict.classes]
    return (min(places, default=0), -len(verdict.classes), -len(verdict.invariants))
