"""What a deviation of the host is: one rule broken on purpose, and where it takes hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.engine.events import Event
from host.engine.working import Needs
from host.group import Decide
from specs.profile import Profile

NeedsOf = Callable[[Event], Needs]
Wrap = Callable[[Decide], Decide]
WrapFrom = Callable[[Decide, "int | None"], Decide]
"""Also told the id of the last transaction when this host process began; None = what is there at its first decision."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One mistake that real hosts make. cases: numbers of the failure catalogue; rule: what it breaks.

    It takes hold around `decide` (wrap; wrap_from when it needs to know what is older than the process), in what is
    loaded for an event (needs), in the switches of the dialects (profile); what is None stays as it is. one_line: who
    reads the lines stays with one until its frame is whole; whoever owns the lines asks for it.
    """

    name: str
    what: str
    cases: tuple[int, ...]
    rule: str
    wrap: Wrap | None = None
    wrap_from: WrapFrom | None = None
    needs: Callable[[NeedsOf], NeedsOf] | None = None
    profile: Callable[[Profile], Profile] | None = None
    one_line: bool = False

    @property
    def applied(self) -> str:
        """Where it takes hold, for the table of docs/planted-bugs.md."""
        places = {
            "around `decide`": self.wrap,
            "around `decide`, from the start of the process": self.wrap_from,
            "`needs`": self.needs,
            "the profile": self.profile,
            "the reading of lines": self.one_line,
        }
        return ", ".join(place for place, taken in places.items() if taken)
