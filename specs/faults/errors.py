"""What is raised for a fault that cannot be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from specs.errors import SpecError


class FaultError(SpecError):
    """A fault that cannot be used. where: what the caller called the fault ("faults[2]"), "" when it said nothing.
    key: the key at fault ("action", "match.kind", "seconds"), "" = the whole. why: one short sentence."""

    def __init__(self, where: str, key: str, why: str) -> None:
        super().__init__(": ".join(filter(None, (".".join(filter(None, (where, key))), why))))
        self.where, self.key, self.why = where, key, why


NAMES_MAX = 12
"""More known names than this are not listed: a message is one line."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the known one next to it, or the known ones when nothing is near."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f", … ({len(names)} in all)" if len(names) > NAMES_MAX else ""
    return f"known: {', '.join(names[:NAMES_MAX])}{more}"
