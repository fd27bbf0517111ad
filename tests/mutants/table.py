"""The tables of docs/rules-and-tests.md, written from the files of the rules.

python -m tests.mutants.table        write them anew
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.mutants.rules import ROOT, Clause, Mutant, Rule, load

DOCUMENT = ROOT / "docs" / "rules-and-tests.md"
MARK = "<!-- written by python -m tests.mutants.table -->\n"
HEADS = ("clause", "kept by", "shown by", "taken out by", "without it")


def written(document: str, rules: tuple[Rule, ...]) -> str:
    """The document with its tables made anew behind the mark. Raises: ValueError without a mark."""
    before, mark, _ = document.partition(MARK)
    if not mark:
        raise ValueError(f"{DOCUMENT.name} has no line {MARK.strip()}")
    return before + mark + "".join(_section(rule) for rule in rules)


def _section(rule: Rule) -> str:
    lines = [f"\n## {rule.name}", "", rule.says, "", _line(*HEADS), "|---|---|---|---|---|"]
    return "\n".join([*lines, *(line for clause in rule.clauses for line in _rows(clause))]) + "\n"


def _rows(clause: Clause) -> Iterator[str]:
    if clause.missing:
        yield _line(clause.says, "nothing yet", "-", "-", clause.missing)
    for at, mutant in enumerate(clause.mutants):
        yield _line(clause.says if at == 0 else "(the same)", *_cells(mutant))


def _cells(mutant: Mutant) -> tuple[str, str, str, str]:
    tests = "<br>".join(f"`{test}`" for test in mutant.tests)
    return f"`{mutant.code}`", tests, f"`{mutant.name}`", mutant.notices


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), load()), "utf-8")
