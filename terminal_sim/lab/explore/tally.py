"""Many schedules in few words: how they ended, and one of each kind that did not end well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from specs.faults import Fault
from terminal_sim.lab.explore.space import kind_of, shifted
from terminal_sim.lab.explore.stage import Verdict


class Group(NamedTuple):
    """Schedules that ended alike and struck the same kinds of points. struck: "kind action", sorted."""

    verdict: Verdict
    struck: tuple[str, ...]


def struck_by(*faults: Fault) -> tuple[str, ...]:
    """What a signature tells of a schedule."""
    return tuple(sorted(f"{kind_of(fault.at)} {fault.action}" for fault in faults))


@dataclass(slots=True)
class Tally:
    """Complete schedules. ends: how many ended how. groups: of those that are not expected, their number and the first
    of them. Its faults are told from the boundary that the tally belongs to."""

    ends: Counter[Verdict] = field(default_factory=Counter)
    groups: dict[Group, tuple[int, tuple[Fault, ...]]] = field(default_factory=dict)

    @property
    def schedules(self) -> int:
        """How many there are."""
        return sum(self.ends.values())

    def add(self, verdict: Verdict, faults: tuple[Fault, ...], expected: bool) -> None:
        """One more schedule."""
        self.ends[verdict] += 1
        if not expected:
            self._put(Group(verdict, struck_by(*faults)), 1, faults)

    def join(
        self, other: Tally, counts: Mapping[str, int], before: tuple[Fault, ...] = (), allowed: Allowed | None = None
    ) -> None:
        """All of another tally, whose boundary lies `counts` further on and after these faults. allowed: takes out what
        is no finding because of them."""
        self.ends.update(other.ends)
        for group, (number, faults) in other.groups.items():
            if allowed is not None and allowed(group.verdict, (*before, *faults)):
                continue
            later = tuple(shifted(fault, counts) for fault in faults)
            struck = tuple(sorted((*struck_by(*before), *group.struck))) if before else group.struck
            self._put(Group(group.verdict, struck), number, (*before, *later))

    def _put(self, group: Group, number: int, faults: tuple[Fault, ...]) -> None:
        known = self.groups.get(group)
        self.groups[group] = (number + known[0], known[1]) if known else (number, faults)


Allowed = Callable[[Verdict, tuple[Fault, ...]], bool]
"""Whether an end is to be expected after these faults."""
