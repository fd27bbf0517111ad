"""The names that a scenario may use: of cards, dialects, bugs, reasons, … each from the place that owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from host.checker.auditor import AUDIT
from host.checker.classes import CLASSES
from host.checker.differences import KNOWN, MEMBERSHIP
from host.checker.invariants import INVARIANTS
from host.deviations import DEVIATIONS
from specs.dialect_file import builtin_names
from specs.faults.errors import nearest as nearest
from specs.profile import Profile
from specs.testcards import load_test_cards
from terminal_sim.bugs import BUGS
from terminal_sim.cards import ENTRIES
from terminal_sim.lab.scenario.model import DEEDS
from terminal_sim.moves import End
from terminal_sim.state import PROFILES, Config

LIVENESS = ("L1", "L2")
HABITS = ("query-then-rekey", "rekey", "rekey-on", "wait", "nothing")
STEP_ENDS = ("power-cut", "power-off", "nothing-to-name", "given-up", "forgotten", "done")
"""Ends of a step that are no end of an order: the power failed and the purchase was not taken up again, the terminal
was off, what the step names was never made, the operator gave up, and what is no order (record.StepEnd)."""
_OF_THE_WORLD = frozenset({"tid", "mid", "connect", "api", "profile", "bugs"})
"""Fields of a terminal's Config that a scenario says elsewhere, or that the world has its own for."""
_OF_THE_DIALECT = frozenset({"family", "key_scheme", "capture"})
"""Fields of a dialect's Profile that are no switches: what it is, and `profile` of the world."""


def deeds() -> tuple[str, ...]:
    """What a step may do."""
    return tuple(sorted(DEEDS))


def cards() -> tuple[str, ...]:
    """Test cards."""
    return tuple(load_test_cards())


def entries() -> tuple[str, ...]:
    """Ways to read a card."""
    return tuple(str(entry) for entry in ENTRIES)


def dialects() -> tuple[str, ...]:
    """Dialects that come with the program."""
    return builtin_names()


def firmware() -> tuple[str, ...]:
    """Profiles of a terminal."""
    return tuple(PROFILES)


def ends() -> tuple[str, ...]:
    """How a step may end."""
    return (*(str(end) for end in End), *STEP_ENDS)


def classes() -> tuple[str, ...]:
    """Outcome classes of a run."""
    return CLASSES


def findings() -> tuple[str, ...]:
    """Invariants that a run may break, and the auditor's own word."""
    return (*INVARIANTS, *LIVENESS, AUDIT)


def reasons() -> tuple[str, ...]:
    """Reasons of the host's exceptions."""
    return tuple(sorted(KNOWN | MEMBERSHIP))


def habits() -> tuple[str, ...]:
    """What the operator does in doubt."""
    return HABITS


def bugs() -> tuple[str, ...]:
    """Planted bugs of the terminal."""
    return tuple(BUGS)


def host_bugs() -> tuple[str, ...]:
    """Planted bugs of the host."""
    return tuple(DEVIATIONS)


def misplaced_bug(place: str) -> Callable[[str], str]:
    """Of a bug that is the other end's: whose, and that it is written in `place`; "" of any other word."""

    def told(word: str) -> str:
        whose = "terminal" if word in BUGS else "host" if word in DEVIATIONS else ""
        return f"a bug of the {whose}: write it in {place}" if whose else ""

    return told


def settings() -> dict[str, type]:
    """Fields of a terminal's Config that a scenario may set, each with its type."""
    return {f.name: type(f.default) for f in fields(Config) if f.name not in _OF_THE_WORLD}


def switches() -> dict[str, type]:
    """Switches of a dialect's Profile that a scenario may turn, each with its type."""
    return {f.name: type(f.default) for f in fields(Profile) if f.name not in _OF_THE_DIALECT}
