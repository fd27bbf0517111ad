"""What an exploration has done so far and where its time went. Each process has its own; they are added up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Meter:
    """done: how often what was done (the words of result.Counts); spent: seconds by what they went on; kinds and
    struck: of points and of actions that were met."""

    done: Counter[str] = field(default_factory=Counter)
    spent: Counter[str] = field(default_factory=Counter)
    kinds: set[str] = field(default_factory=set)
    struck: set[str] = field(default_factory=set)

    @contextmanager
    def time(self, what: str) -> Iterator[None]:
        """Counts the time inside."""
        began = perf_counter()
        try:
            yield
        finally:
            self.spent[what] += perf_counter() - began  # type: ignore[assignment]

    def add(self, other: Meter) -> None:
        """What another process has done."""
        self.done.update(other.done)
        self.spent.update(other.spent)
        self.kinds |= other.kinds
        self.struck |= other.struck
