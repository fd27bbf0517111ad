"""The table of invariants (failure-catalogue.md, section 3), each as a function over both ends' books.

The docstring of each function states it for the rows of this host. A1-A14 hold at any moment; E1-E8 speak of what has
come to its end, and leave out whatever has not; L1 and L2 of what somebody has seen after the last fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from host.checker.books import Finding, HostBooks
from host.checker.charged import e6
from host.checker.closing import a7, a8, a9
from host.checker.delivery import a3
from host.checker.differences import e1
from host.checker.limits import a11
from host.checker.liveness import Healed, l1, l2
from host.checker.membership import a1, a2, a4
from host.checker.money import a10
from host.checker.numbers import a12, a13
from host.checker.outcomes import e5
from host.checker.replies import a14
from host.checker.settled import e2
from host.checker.statement import e8
from host.checker.terminal_side import a5, a6
from specs.journal import TerminalBook

AfterHealing = Callable[[HostBooks, Mapping[str, TerminalBook], Iterable[Healed]], Iterable[Finding]]
Check = Callable[[HostBooks, Mapping[str, TerminalBook]], Iterable[Finding]]

INVARIANTS: Mapping[str, Check] = MappingProxyType(
    {
        "A1": a1,
        "A2": a2,
        "A3": a3,
        "A4": a4,
        "A5": a5,
        "A6": a6,
        "A7": a7,
        "A8": a8,
        "A9": a9,
        "A10": a10,
        "A11": a11,
        "A12": a12,
        "A13": a13,
        "A14": a14,
        "E1": e1,
        "E2": e2,
        "E5": e5,
        "E6": e6,
        "E8": e8,
    }
)

LIVENESS: Mapping[str, AfterHealing] = MappingProxyType({"L1": l1, "L2": l2})
"""What the books alone cannot say: the world, and whoever else heals a terminal, tells how that went."""

WAITING: Mapping[str, str] = MappingProxyType(
    {
        "E3": "paid, held and suspended against settled, fees and adjustments: there are no payouts yet",
        "E4": "the fee of each item: there are no fees yet",
        "E7": "the day on which a batch is paid: there are no payouts yet",
    }
)
"""Invariants of the catalogue that nothing checks yet, and what they wait for: the money that is paid out."""
