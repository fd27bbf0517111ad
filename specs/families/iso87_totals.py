"""ISO 8583:1987: the sums of a batch, DE 74-77 and 86-89 (iso87.md 4, rules.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from specs.dialect import Dialect
from specs.message import Message
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind
from specs.subfields import iso87 as sub
from specs.totals import BatchItem, Sum, Totals

SIDE = "all"
CREDITS, CREDIT_REVERSALS, DEBITS_GROUP, DEBIT_REVERSALS = "credits", "credit-reversals", "debits", "debit-reversals"
GROUPS = (CREDITS, CREDIT_REVERSALS, DEBITS_GROUP, DEBIT_REVERSALS)
"""In the order of DE 74 to 77 and 86 to 89."""

COMPARED = (*range(74, 78), *range(86, 90))
"""78-81 are sent, not compared (rules.md 5)."""


def totals_of(fields: Mapping[int, str]) -> Totals:
    """The four sums of a message; an absent figure is zero. Raises: DecodeError, also for a DE 97 that is none."""
    read = sub.parse_totals(fields)
    if sub.NET_DE in fields:
        sub.parse_de97(fields[sub.NET_DE])
    return Totals(
        (
            Sum(SIDE, CREDITS, read.credits_number, read.credits_amount),
            Sum(SIDE, CREDIT_REVERSALS, read.credits_reversal_number, read.credits_reversal_amount),
            Sum(SIDE, DEBITS_GROUP, read.debits_number, read.debits_amount),
            Sum(SIDE, DEBIT_REVERSALS, read.debits_reversal_number, read.debits_reversal_amount),
        )
    )


def stated(fields: Mapping[int, str]) -> bool:
    """Whether a message has any of the figures that are compared."""
    return any(de in fields for de in COMPARED)


def format_totals(totals: Totals) -> dict[int, str]:
    """DE 74-81, 86-89 and 97; 78-81 are zeros. Raises: EncodeError when a figure does not fit."""
    credit, credit_back, debit, debit_back = (totals.get(SIDE, group) for group in GROUPS)
    return sub.format_totals(
        sub.Totals(
            credits_number=credit.count,
            credits_reversal_number=credit_back.count,
            debits_number=debit.count,
            debits_reversal_number=debit_back.count,
            credits_amount=credit.amount,
            credits_reversal_amount=credit_back.amount,
            debits_amount=debit.amount,
            debits_reversal_amount=debit_back.amount,
        )
    )


def in_dialect(message: Message, dialect: Dialect) -> Message:
    """The message with DE 97 in the dialect's form: a signed amount, or bytes (AS 2805)."""
    net, spec = message.get(sub.NET_DE), dialect.fields.get(sub.NET_DE)
    if net is None or net[0] not in "CD" or spec is None or spec.format != "b":
        return message
    return message.with_fields({sub.NET_DE: sub.sign_as_byte(net)})


def count(items: Iterable[BatchItem]) -> Totals:
    """The four sums over one batch: what was taken back stays in the forward figures too (rules.md 5).

    A void counts beside what it takes back, a reversed item (handed over when `iso87.reversed` is "both") in both.
    """
    sums = {group: Sum(SIDE, group) for group in GROUPS}
    for item in items:
        for group in _groups(item):
            sums[group] = Sum(SIDE, group, sums[group].count + 1, sums[group].amount + item.amount)
    return Totals(tuple(sums.values()))


def _groups(item: BatchItem) -> tuple[str, ...]:
    if item.adjusted:
        return ()  # its adjustment stands in its place
    if item.kind in VOIDS:
        return (CREDIT_REVERSALS if item.of is Kind.REFUND else DEBIT_REVERSALS,)
    if item.kind is Kind.REFUND:
        return (CREDITS, CREDIT_REVERSALS) if item.reversed else (CREDITS,)
    if item.kind in DEBITS | ADJUSTMENTS:
        return (DEBITS_GROUP, DEBIT_REVERSALS) if item.reversed else (DEBITS_GROUP,)
    return ()
