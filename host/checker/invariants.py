"""The table of invariants (failure-catalogue.md, section 3), each as a function over both ends' books.

The docstring of each function states it for the rows of this host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from host.checker.books import Finding, HostBooks
from host.checker.closing import a7, a8, a9
from host.checker.delivery import a3
from host.checker.membership import a1, a2, a4
from host.checker.money import a10
from host.checker.terminal_side import a5, a6
from specs.journal import TerminalBook

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
    }
)
