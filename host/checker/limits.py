"""A11: what may be given back of a sale, taken on a reservation, and held for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from host.checker.books import LIVE, RESERVATION_KINDS, Finding, HostBooks, describe
from host.checker.kin import group_of
from host.rows import Txn, TxnState
from specs.journal import TerminalBook
from specs.operation import DEBITS, Kind

COMPLETIONS = frozenset({Kind.COMPLETION.value, Kind.COMPLETION_ADVICE.value})
PERCENT = 115
"""Where the dialect is not known here: the default of rules.md, section 8."""
COMPLETED_TWICE = "completed-twice"
"""Code of the alarm for a completion that came back after its reservation had ended: a person looks at that."""
_NEVER = frozenset({TxnState.DECLINED, TxnState.PENDING, TxnState.REVERSED, TxnState.TOMBSTONE})


def a11(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Refunds never exceed the final amount of their sale, nor completions the limit of their pre-authorisation.

    What is held is never negative, nothing once the pre-authorisation is completed, voided, reversed or expired, and
    until then what it and its live increments were approved for. A reservation moves no money and is settled nowhere.
    """
    for txn in books.txns:
        if txn.kind in DEBITS:
            yield from _refunded(books, txn)
        if txn.kind == Kind.PRE_AUTH:
            yield from _completed(books, txn)
        if txn.kind in RESERVATION_KINDS:
            yield from _weightless(books, txn)
        if txn.held:
            yield from _held(txn)


def _refunded(books: HostBooks, sale: Txn) -> Iterator[Finding]:
    given = [t for t in books.acting_on.get(sale.id, ()) if t.kind == Kind.REFUND and t.state in LIVE]
    if not given:
        return
    total = sum(t.approved_amount for t in given)
    most = 0 if sale.state is TxnState.VOIDED else group_of(books, sale).final
    if not 0 <= total <= most:
        text = f"is refunded {total} in {len(given)} refunds, of {most} at most"
        yield Finding("A11", f"txn {sale.id}", text, (describe(sale), *map(describe, given)))


def _completed(books: HostBooks, preauth: Txn) -> Iterator[Finding]:
    """Its increments count with it, but for those that were reversed by themselves."""
    acting = books.acting_on.get(preauth.id, ())
    increments = [t for t in acting if t.kind == Kind.PRE_AUTH_INCREMENT and t.state not in _NEVER]
    reserved = preauth.approved_amount + sum(t.approved_amount for t in increments)
    taken = [t for t in acting if t.kind in COMPLETIONS and t.state in LIVE]
    profile = books.profile_named(preauth.dialect)
    percent = profile.completion_percent if profile is not None else PERCENT
    total = sum(t.approved_amount for t in taken)
    shown = (describe(preauth), *map(describe, (*increments, *taken)))
    if total * 100 > reserved * percent and not _known_twice(books, taken):
        text = f"is completed with {total}, of {reserved} reserved and {percent} % of that at most"
        yield Finding("A11", f"txn {preauth.id}", text, shown)
    if preauth.state is TxnState.AUTHORISED:
        live = preauth.approved_amount + sum(t.approved_amount for t in increments if t.state in LIVE)
        if preauth.held != live:
            text = f"holds {preauth.held}, it and its live increments were approved for {live}"
            yield Finding("A11", f"txn {preauth.id}", text, shown)


def _known_twice(books: HostBooks, taken: list[Txn]) -> bool:
    ids = {txn.id for txn in taken}
    return any(alarm.code == COMPLETED_TWICE and alarm.txn_id in ids for alarm in books.alarms)


def _weightless(books: HostBooks, txn: Txn) -> Iterator[Finding]:
    postings = books.postings_by_txn.get(txn.id, ())
    if postings or txn.settlement != "none":
        text = f"is a {txn.kind} with {len(postings)} postings and settlement {txn.settlement}, expected none of both"
        yield Finding("A11", f"txn {txn.id}", text, (describe(txn), *map(str, postings)))


def _held(txn: Txn) -> Iterator[Finding]:
    if txn.held < 0 or txn.state is not TxnState.AUTHORISED or txn.replaced_by:
        expected = "0 at least" if txn.state is TxnState.AUTHORISED and not txn.replaced_by else "0"
        text = f"is {txn.state} and holds {txn.held}, expected {expected}"
        yield Finding("A11", f"txn {txn.id}", text, (describe(txn),))
