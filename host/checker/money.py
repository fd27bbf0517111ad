"""A10: double entry. Each entry and each book sums to zero, and both books agree on what they owe each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from host.checker.books import ACQUIRER, ISSUER, Finding, HostBooks, describe, grouped, is_clearing
from host.rows import IssuerLeg
from specs.journal import TerminalBook


def a10(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each entry is of one book and one currency and sums to zero; so does each book, in each currency.

    What the acquirer has against the issuers in issuer-clearing is what the issuers' book has there with the other
    sign: sale by sale, its voids with it, those with a leg in flight left out. A card's debited amount is the sum of
    what its issuer did for it.
    """
    for entry_id, lines in grouped(books.postings, lambda p: p.entry_id).items():
        kinds = {(line.book, line.currency) for line in lines}
        total = sum(line.amount for line in lines)
        if total or len(kinds) > 1:
            where = ", ".join(f"{book} book, currency {currency}" for book, currency in sorted(kinds))
            text = f"{len(lines)} lines ({where}) sum to {total}, expected 0 in one book and currency"
            yield Finding("A10", f"entry {entry_id}", text, tuple(map(str, lines)))
    for (book, currency), total in sums_by_book(books).items():
        if total:
            accounts = tuple(
                f"{account}: {amount}"
                for (b, account, c), amount in sums_by_account(books).items()
                if (b, c) == (book, currency)
            )
            yield Finding("A10", f"{book} book", f"all accounts in {currency} sum to {total}, expected 0", accounts)
    for posting in books.postings:
        if posting.txn_id not in books.txn_by_id:
            text = f"entry {posting.entry_id} is for txn {posting.txn_id}, which does not exist"
            yield Finding("A10", f"{posting.book} book", text, (str(posting),))
    yield from _mirror(books)
    yield from _cards(books)


def sums_by_book(books: HostBooks) -> Mapping[tuple[str, str], int]:
    """(book, currency) -> sum of all its lines."""
    sums: Counter[tuple[str, str]] = Counter()
    for posting in books.postings:
        sums[posting.book, posting.currency] += posting.amount
    return sums


def sums_by_account(books: HostBooks) -> Mapping[tuple[str, str, str], int]:
    """(book, account, currency) -> balance, + debit and - credit, minor units."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for posting in books.postings:
        sums[posting.book, posting.account, posting.currency] += posting.amount
    return sums


def _mirror(books: HostBooks) -> Iterator[Finding]:
    clearing: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for posting in books.postings:
        if is_clearing(posting):
            clearing[_root(books, posting.txn_id), posting.currency][posting.book] += posting.amount
    flying = {_root(books, txn_id) for txn_id in books.in_flight}
    context = tuple(f"in flight: leg {g.number} of txn {g.txn_id} ({g.state})" for g in books.legs if g.state != "done")
    for (txn_id, currency), amounts in clearing.items():
        if txn_id not in flying and amounts[ACQUIRER] + amounts[ISSUER]:
            text = (
                f"issuer-clearing in {currency}: the acquirer has {amounts[ACQUIRER]}, the issuer {amounts[ISSUER]}, "
                f"expected {-amounts[ACQUIRER]}"
            )
            txn = books.txn_by_id.get(txn_id)
            shown = (describe(txn),) if txn else ()
            yield Finding("A10", f"txn {txn_id}", text, (*shown, *context))


def _root(books: HostBooks, txn_id: int) -> int:
    """A void counts with its sale: which of the two an entry is for is each book's own affair."""
    txn = books.txn_by_id.get(txn_id)
    return txn.original_id if txn is not None and txn.original_id else txn_id


def _cards(books: HostBooks) -> Iterator[Finding]:
    done: Counter[str] = Counter()
    for leg in books.issuer_legs:
        done[leg.pan_hash] += debit_of(leg)
    for account in books.accounts:
        if account.debited != done[account.pan_hash]:
            text = f"is debited {account.debited}, its legs come to {done[account.pan_hash]}"
            legs = tuple(map(_leg, (g for g in books.issuer_legs if g.pan_hash == account.pan_hash)))
            yield Finding("A10", f"card account {account.id} ({account.pan})", text, legs)


_SIGN = {"debit": 1, "debit-again": 1, "credit": -1}


def debit_of(leg: IssuerLeg) -> int:
    """What one leg takes from the card: + debit, - credit, 0 when it moved nothing or was undone."""
    return 0 if leg.undone else _SIGN.get(leg.purpose, 0) * leg.approved_amount


def _leg(leg: IssuerLeg) -> str:
    state = "undone" if leg.undone else "stands"
    return f"issuer leg {leg.number} of txn {leg.txn_id}: {leg.purpose} {leg.approved_amount} {leg.code or '-'} {state}"
