"""docs/rules-and-tests.md against the code: every clause has its place, its tests and a mutant that still applies."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from tests.mutants import run, table
from tests.mutants.rules import NAMES, ROOT, Mutant, load, mutants

RULES = load()
MUTANTS = mutants(RULES)
SMOKE = ("rt4-any-answer", "rh3-no-tombstone", "ro1-reversed-is-sold")


def test_every_rule_has_clauses_and_each_is_kept_or_said_to_be_missing() -> None:
    assert [rule.name for rule in RULES] == list(NAMES)
    assert len(NAMES) == 10 + 9 + 2
    for rule in RULES:
        assert any(clause.mutants for clause in rule.clauses), rule.name
        for clause in rule.clauses:
            assert bool(clause.mutants) is not bool(clause.missing), (rule.name, clause.says)


def test_a_mutant_has_a_name_of_its_own_that_begins_with_its_rule() -> None:
    assert [name for name, count in Counter(m.name for m in MUTANTS).items() if count > 1] == []
    assert [m.name for m in MUTANTS if not m.name.startswith(f"{m.rule.lower()}-")] == []


def lines_of(tree: ast.Module, name: str) -> list[range]:
    """Where a function (of a class too) or a table of that name stands."""
    found = []
    for node in ast.walk(tree):
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if named or any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.stmt)
            found.append(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_a_mutant_applies_where_it_says_and_is_a_program(mutant: Mutant) -> None:
    text = (ROOT / mutant.path).read_text("utf-8")
    mutated = mutant.applied(text)
    assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(text)), "it changes nothing but the looks"
    at = text.count("\n", 0, text.index(mutant.old) + len(mutant.old) - len(mutant.old.lstrip())) + 1
    assert any(at in lines for lines in lines_of(ast.parse(text), mutant.code.partition(":")[2])), mutant.code
    assert mutant.tests
    assert mutant.notices.endswith(".")


def test_the_tests_that_are_named_exist() -> None:
    """Collected, parameters and all, in a process of its own."""
    named = sorted({test for mutant in MUTANTS for test in mutant.tests})
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *named]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout[-1500:] + ran.stderr[-1500:]


def test_the_document_is_the_table() -> None:
    """After a change of the files: python -m tests.mutants.table."""
    document = table.DOCUMENT.read_text("utf-8")
    assert document == table.written(document, RULES)


def test_three_mutants_are_killed_and_what_harms_nothing_is_not() -> None:
    """A smoke of `make mutants`, which runs them all; and proof that its verdict can be «survived»."""
    chosen = [mutant for mutant in MUTANTS if mutant.name in SMOKE]
    assert len(chosen) == len(SMOKE)
    first = chosen[0]
    harmless = replace(first, name="rt4-harmless", new=first.old + "  # all is well")
    checkout = {m.path: (ROOT / m.path).read_text("utf-8") for m in chosen}
    report = run.run([*chosen, harmless])
    assert [verdict.mutant.name for verdict in report.survivors] == ["rt4-harmless"]
    assert all(verdict.failed for verdict in report.verdicts[:-1])
    assert checkout == {m.path: (ROOT / m.path).read_text("utf-8") for m in chosen}
