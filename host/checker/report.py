"""All that the checker can say about the books, in one list and as text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from host.checker.auditor import audit
from host.checker.books import Finding, HostBooks
from host.checker.invariants import INVARIANTS
from specs.journal import TerminalBook

EVIDENCE_MAX = 20
"""Lines of evidence that a text shows of one finding; the value keeps them all."""


def check(books: HostBooks, terminal_books: Mapping[str, TerminalBook]) -> list[Finding]:
    """Every invariant in order, then the auditor. Empty = the books are as they must be."""
    found: list[Finding] = []
    for holds in INVARIANTS.values():
        found += holds(books, terminal_books)
    found += audit(books)
    return found


def render(findings: Iterable[Finding]) -> str:
    """One finding a paragraph, its evidence indented; «no findings» when there is none. Ends with a line break."""
    lines: list[str] = []
    for finding in findings:
        lines.append(str(finding))
        lines += [f"    {line}" for line in finding.evidence[:EVIDENCE_MAX]]
        if len(finding.evidence) > EVIDENCE_MAX:
            lines.append(f"    … and {len(finding.evidence) - EVIDENCE_MAX} more")
    return "\n".join(lines or ["no findings"]) + "\n"
