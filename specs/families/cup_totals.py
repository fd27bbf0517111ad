"""UnionPay POS: the sums of a batch and DE 48 (cup.md 5.5, rules.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind
from specs.subfields import cup as sub
from specs.totals import BatchItem, Sum, Totals

SIDES = ("domestic", "foreign")
GROUPS = ("debit", "credit")


def totals_of(settlement: sub.Settlement) -> Totals:
    """The sums of a DE 48, four of them."""
    sums = []
    for name, side in zip(SIDES, (settlement.domestic, settlement.foreign), strict=True):
        sums.append(Sum(name, "debit", side.debit_count, side.debit_minor))
        sums.append(Sum(name, "credit", side.credit_count, side.credit_minor))
    return Totals(tuple(sums))


def settlement_of(totals: Totals, codes: Mapping[str, str]) -> sub.Settlement:
    """DE 48 with the reconciliation code of each side; a side without one has that of a request."""
    sides = []
    for name in SIDES:
        debit, credit = totals.get(name, "debit"), totals.get(name, "credit")
        code = codes.get(name, sub.CODE_REQUEST)
        sides.append(sub.Side(debit.amount, debit.count, credit.amount, credit.count, code))
    return sub.Settlement(*sides)


_GROUP: Mapping[Kind, str] = {
    **dict.fromkeys(DEBITS | ADJUSTMENTS, "debit"),
    **dict.fromkeys(VOIDS | {Kind.REFUND}, "credit"),
}


def count(items: Iterable[BatchItem]) -> Totals:
    """DE 48 over one batch (rules.md 5). Four sums.

    A voided sale stays in debit and its void adds to credit; an adjusted one gives way to its adjustment, whose amount
    is the new total.
    """
    sums = {(side, group): Sum(side, group) for side in SIDES for group in GROUPS}
    for item in items:
        if (group := _GROUP.get(item.kind)) is not None and not item.adjusted:
            side = SIDES[item.foreign]
            old = sums[side, group]
            sums[side, group] = Sum(side, group, old.count + 1, old.amount + item.amount)
    return Totals(tuple(sums.values()))
