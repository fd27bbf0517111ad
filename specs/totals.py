"""Totals of a batch, neutral to the wire: named sums per side; and the items that they are counted from.

A dialect family counts the same books in its own way (rules.md, section 5): `families.<name>.count(items) -> Totals`.
Both ends hand their own records over as BatchItem values; neither sees the other's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specs.kinds import Kind


@dataclass(frozen=True, slots=True, order=True)
class Sum:
    """One sum of one side. Units: amount in minor units, never negative."""

    side: str
    group: str
    count: int = 0
    amount: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of one batch in the order of the wire; compared side by side.

    Shape: CUP ("domestic"|"foreign") x ("debit"|"credit"); NAC ("all") x ("sales"|"refunds"); ISO 87 ("all") x
    ("credits"|"credit-reversals"|"debits"|"debit-reversals"), DE 74-77 and 86-89.
    """

    sums: tuple[Sum, ...] = ()

    def differing(self, other: Totals) -> frozenset[str]:
        """The sides on which a count or an amount is not the same."""
        mine = {(s.side, s.group): (s.count, s.amount) for s in self.sums}
        theirs = {(s.side, s.group): (s.count, s.amount) for s in other.sums}
        keys = mine.keys() | theirs.keys()
        return frozenset(k[0] for k in keys if mine.get(k, (0, 0)) != theirs.get(k, (0, 0)))

    def get(self, side: str, group: str) -> Sum:
        """One sum, zero when not stated."""
        return next((s for s in self.sums if (s.side, s.group) == (side, group)), Sum(side, group))

    @property
    def empty(self) -> bool:
        """Whether nothing was sold: every count and amount is zero."""
        return all(s.count == 0 and s.amount == 0 for s in self.sums)

    @property
    def item_count(self) -> int:
        """Items over all sides and groups."""
        return sum(s.count for s in self.sums)

    def to_json(self) -> list[list[str | int]]:
        """Rows of [side, group, count, amount in minor units]."""
        return [[s.side, s.group, s.count, s.amount] for s in self.sums]

    @classmethod
    def from_json(cls, rows: Iterable[Iterable[str | int]]) -> Totals:
        """The inverse of `to_json`. Raises: TypeError, ValueError for other shapes."""
        sums = []
        for side, group, count, amount in rows:
            sums.append(Sum(str(side), str(group), int(count), int(amount)))
        return cls(tuple(sums))


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One approved transaction as one end believes it stands at the close.

    Units: amount = the approved amount, minor units, positive; of a tip or adjustment the new total. `foreign` = the
    card is not of the domestic scheme. of: the kind of what a void takes back (None = a debit).
    adjusted: an adjustment stands in its place, which is handed over too. Carried items and RH4's adjustments are not
    handed over at all. Reversed ones are only where `Profile.reversed` is "both" (ISO 87): acked with 00 before the
    close, at the amount that was asked for.
    """

    kind: Kind
    amount: int
    foreign: bool = False
    voided: bool = False
    adjusted: bool = False
    reversed: bool = False
    of: Kind | None = None
