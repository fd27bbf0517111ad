"""BIN ranges: which organisation and class a card number belongs to, by its first digits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from specs.testcards import CARD_CLASSES, organisation

DOMESTIC = "CUP"
"""The organisation whose cards are domestic on the CUP side of the books (rules.md, section 5)."""
DIGITS_MAX = 6
"""What a masked card number still shows."""


@dataclass(frozen=True, slots=True)
class BinRange:
    """Numbers whose first digits lie between low and high, both of the same length. organisation as in CUP DE 63."""

    low: str
    high: str
    organisation: str
    card_class: str = "credit"

    def __post_init__(self) -> None:
        assert len(self.low) == len(self.high) <= DIGITS_MAX, (self.low, self.high)
        assert (self.low + self.high).isdigit(), (self.low, self.high)
        assert self.low <= self.high, (self.low, self.high)
        assert self.card_class in CARD_CLASSES, self.card_class

    def holds(self, pan: str) -> bool:
        """Whether this number is in the range."""
        prefix = pan[: len(self.low)]
        return len(prefix) == len(self.low) and self.low <= prefix <= self.high


@dataclass(frozen=True, slots=True)
class Bins:
    """The ranges of a configuration, longest prefix first, in front of the schemes' own (specs.testcards)."""

    ranges: tuple[BinRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[BinRange]) -> Bins:
        """Ranges in any order; a longer prefix goes before a shorter one."""
        return cls(tuple(sorted(ranges, key=lambda r: (-len(r.low), r.low))))

    def holds(self, pan: str) -> bool:
        """Whether a configured range has this number."""
        return self._range_of(pan) is not None

    def organisation(self, pan: str) -> str:
        """The card's organisation; three blanks when nobody knows it."""
        found = self._range_of(pan)
        return found.organisation if found is not None else _scheme(pan[:_SCHEME_DIGITS])

    def card_class(self, pan: str) -> str:
        """credit, debit, foreign or qr, as configured; else foreign for other organisations than CUP, credit for it."""
        found = self._range_of(pan)
        if found is not None:
            return found.card_class
        return "credit" if _scheme(pan[:_SCHEME_DIGITS]) == DOMESTIC else "foreign"

    def _range_of(self, pan: str) -> BinRange | None:
        for configured in self.ranges:
            if configured.holds(pan):
                return configured
        return None


_SCHEME_DIGITS = 4
"""What the schemes' own ranges look at: no more of a card number than a masked one shows is kept."""
_scheme = lru_cache(maxsize=1_024)(organisation)
