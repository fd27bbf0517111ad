"""E6: what the issuer took or holds has its reason in the acquirer's books, or is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from host.checker.books import Finding, HostBooks, describe
from host.checker.cards import debit_of, describe_leg
from host.checker.kin import groups
from host.rows import Txn, TxnState
from specs.journal import TerminalBook
from specs.operation import Kind

HOLD_DAYS = 30
"""Where the dialect is not known here: the default of failure-catalogue.md, case 57."""
GRACE = timedelta(days=2)
"""Holds are let go when the business date turns, or at the next start of the host."""


def e6(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Every debit at the issuer is captured, settled or in an open batch, or it was credited; so is every refund.

    Purchase by purchase: what its legs come to is what its rows are worth. Left out: what the issuer has still to say
    or to hear. No leg of the issuer's that stands is of a transaction that the host does not have. No live
    pre-authorisation is older than its dialect lets it hold, by the last moment the rows speak of.
    """
    for group in groups(books):
        if not group.in_flight and group.debited != group.worth:
            text = (
                f"the issuer has debited {group.debited}, and the host has it {group.root.state}, worth {group.worth}"
            )
            legs = (g for txn in group.members for g in books.issuer_legs_by_txn.get(txn.id, ()))
            shown = (*map(describe, group.members), *map(describe_leg, legs))
            yield Finding("E6", f"txn {group.root.id}", text, shown)
    for txn_id, orphans in books.issuer_legs_by_txn.items():
        taken = sum(debit_of(leg) for leg in orphans)
        if taken and txn_id not in books.txn_by_id:
            text = f"the issuer has debited {taken}, and the host has no such transaction"
            yield Finding("E6", f"txn {txn_id}", text, tuple(map(describe_leg, orphans)))
    if books.latest:
        now = datetime.fromisoformat(books.latest)
        for txn in books.txns:
            if txn.kind == Kind.PRE_AUTH and txn.state is TxnState.AUTHORISED:
                yield from _overdue(books, txn, now)


def _overdue(books: HostBooks, txn: Txn, now: datetime) -> Iterator[Finding]:
    profile = books.profile_named(txn.dialect)
    days = profile.preauth_days if profile is not None else HOLD_DAYS
    if datetime.fromisoformat(txn.created_at) + timedelta(days=days) + GRACE < now:
        text = f"holds {txn.held} since {txn.created_at}, longer than {days} days"
        yield Finding("E6", f"txn {txn.id}", text, (describe(txn),))
