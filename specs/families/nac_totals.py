"""NAC / EDC: the sums of a batch and DE 63 (nac.md 5, rules.md 5)."""

from __future__ import annotations

from collections.abc import Iterable

from specs.operation import Kind
from specs.subfields import nac as sub
from specs.totals import BatchItem, Sum, Totals

SIDE = "all"


def totals_of(totals: sub.Totals) -> Totals:
    """Groups 1 + 3 + 5 and 2 + 4 + 6: what the host compares (rules.md 5)."""
    sales, refunds = totals.sales, totals.refunds
    return Totals((Sum(SIDE, "sales", sales.count, sales.minor), Sum(SIDE, "refunds", refunds.count, refunds.minor)))


def format_totals(totals: Totals) -> str:
    """All in groups 1 and 2 (`nac.debit_groups = false`), 90 digits."""
    sums = (totals.get(SIDE, "sales"), totals.get(SIDE, "refunds"))
    return sub.format_de63(sub.Totals(tuple(sub.Group(s.count, s.amount) for s in sums)))


def count(items: Iterable[BatchItem]) -> Totals:
    """DE 63 over one batch: what was voided is netted out, and voids count nowhere (rules.md 5). Two sums."""
    sums = {group: Sum(SIDE, group) for group in ("sales", "refunds")}
    groups = {Kind.SALE: "sales", Kind.REFUND: "refunds"}
    for item in items:
        group = groups.get(item.kind)
        if group is not None and not item.voided:
            sums[group] = Sum(SIDE, group, sums[group].count + 1, sums[group].amount + item.amount)
    return Totals(tuple(sums.values()))
