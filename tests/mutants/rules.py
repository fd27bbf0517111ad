"""The rules RT1 to RT10, RH1 to RH9, RO1 and RO2 (docs/rules-and-tests.md), clause by clause, read from one file each.

Shape of a file: rule, says; [[clause]] says, and either `missing` (why nothing keeps it yet) or [[clause.mutant]] with
name, code ("module:function" or "module:TABLE"), tests (pytest node ids from the root of the tree), notices (what a
shopkeeper would see if the mutant were shipped), old and new (exact text of that module; old stands there once).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NAMES = (
    *(f"RT{n}" for n in range(1, 11)),
    *(f"RH{n}" for n in range(1, 10)),
    "RO1",
    "RO2",
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change that takes a clause out. name: of all mutants, unique; it begins with the rule's."""

    name: str
    rule: str
    code: str
    tests: tuple[str, ...]
    notices: str
    old: str
    new: str

    @property
    def path(self) -> str:
        """The file it changes, from the root of the tree."""
        return self.code.partition(":")[0].replace(".", "/") + ".py"

    def applied(self, text: str) -> str:
        """The mutated text of its file. Raises: ValueError when the old text does not stand there exactly once."""
        if (found := text.count(self.old)) != 1:
            raise ValueError(f"{self.name}: its old text stands {found} times in {self.path}, not once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a rule says. missing: why no code keeps it yet, "" when there are mutants."""

    says: str
    mutants: tuple[Mutant, ...]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as the failure catalogue has it, cut into its clauses."""

    name: str
    says: str
    clauses: tuple[Clause, ...]


def load() -> tuple[Rule, ...]:
    """All rules in their order. Raises: FileNotFoundError, KeyError, TypeError for a file of another shape."""
    return tuple(_rule(name, tomllib.loads((HERE / f"{name}.toml").read_text("utf-8"))) for name in NAMES)


def mutants(rules: tuple[Rule, ...]) -> tuple[Mutant, ...]:
    """Every mutant, in the order of the rules."""
    return tuple(mutant for rule in rules for clause in rule.clauses for mutant in clause.mutants)


def _rule(name: str, read: Mapping[str, Any]) -> Rule:
    assert read["rule"] == name, f"{name}.toml holds {read['rule']}"
    return Rule(name, read["says"], tuple(_clause(name, clause) for clause in read["clause"]))


def _clause(rule: str, read: Mapping[str, Any]) -> Clause:
    made = tuple(
        Mutant(**{**mutant, "rule": rule, "tests": tuple(mutant["tests"])}) for mutant in read.get("mutant", ())
    )
    return Clause(read["says"], made, read.get("missing", ""))
