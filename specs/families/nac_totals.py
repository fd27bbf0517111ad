"""NAC / EDC: the sums of a batch and DE 63 (nac.md 5, rules.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from specs.operation import ADJUSTMENTS, DEBITS, Kind
from specs.subfields import nac as sub
from specs.totals import BatchItem, Sum, Totals

SIDE = "all"
SALES, REFUNDS = "sales", "refunds"

_GROUPS: Mapping[Kind, str] = {**dict.fromkeys(DEBITS | ADJUSTMENTS, SALES), Kind.REFUND: REFUNDS}
"""Voids stand nowhere: what they take back is left out (nac.md 5)."""


def totals_of(totals: sub.Totals) -> Totals:
    """Groups 1 + 3 + 5 and 2 + 4 + 6: what the host compares (rules.md 5)."""
    sales, refunds = totals.sales, totals.refunds
    return Totals((Sum(SIDE, SALES, sales.count, sales.minor), Sum(SIDE, REFUNDS, refunds.count, refunds.minor)))


def format_totals(totals: Totals, *, debit_groups: bool = False, length: int = 90) -> str:
    """All in groups 1 and 2, or in 3 and 4 at an acquirer of debit cards only (profile `debit_groups`).

    length: the form wanted (sub.TOTALS_LENGTHS); 90 digits where that form cannot hold them.
    """
    groups = tuple(sub.Group(s.count, s.amount) for s in (totals.get(SIDE, SALES), totals.get(SIDE, REFUNDS)))
    if debit_groups:
        groups = (sub.Group(), sub.Group(), *groups)
    fits = length in sub.TOTALS_LENGTHS and all(g == sub.Group() for g in groups[length // sub.GROUP_DIGITS :])
    return sub.format_de63(sub.Totals(groups), length if fits else 90)


def count(items: Iterable[BatchItem]) -> Totals:
    """DE 63 over one batch: what was voided, reversed or adjusted away is left out (rules.md 5). Two sums."""
    sums = {group: Sum(SIDE, group) for group in (SALES, REFUNDS)}
    for item in items:
        group = _GROUPS.get(item.kind)
        if group is not None and not (item.voided or item.adjusted or item.reversed):
            sums[group] = Sum(SIDE, group, sums[group].count + 1, sums[group].amount + item.amount)
    return Totals(tuple(sums.values()))
