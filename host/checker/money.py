"""A10: double entry. Each entry and each book sums to zero, and both books agree on what they owe each other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from host.checker.books import ACQUIRER, ISSUER, Finding, HostBooks, describe, grouped, is_clearing
from host.checker.cards import debit_of, describe_leg, hold_of
from host.checker.kin import first_of
from specs.journal import TerminalBook


def a10(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each entry is of one book and one currency and sums to zero; so does each book, in each currency.

    What the acquirer has against the issuers in issuer-clearing is what the issuers' book has there with the other
    sign: sale by sale, with all that hangs on it, those with a leg in flight left out. What a card is debited is the
    sum of what its issuer did for it; so is what is held of it, which is never negative while nothing is in flight,
    and is then what the acquirer's own rows speak of.
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
            clearing[first_of(books, posting.txn_id), posting.currency][posting.book] += posting.amount
    flying = {first_of(books, txn_id) for txn_id in books.in_flight}
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


def _cards(books: HostBooks) -> Iterator[Finding]:
    """Each card against its legs, and the holds against those that the acquirer's rows speak of."""
    debited: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for leg in books.issuer_legs:
        debited[leg.pan_hash] += debit_of(leg)
        held[leg.pan_hash] += hold_of(leg)
    believed: Counter[str] = Counter()
    for txn in books.txns:
        believed[txn.pan_hash] += txn.held
    flying = {leg.pan_hash for leg in books.legs if leg.state != "done"}
    for account in books.accounts:
        card = account.pan_hash
        calm = card not in flying
        for wrong, text in (
            (account.debited != debited[card], f"is debited {account.debited}, its legs come to {debited[card]}"),
            (account.held != held[card], f"holds {account.held}, its legs come to {held[card]}"),
            (calm and account.held < 0, f"holds {account.held}, and no leg is in flight: expected 0 at least"),
            (
                calm and account.held == held[card] != believed[card],
                f"holds {account.held}, the acquirer's transactions speak of {believed[card]}",
            ),
        ):
            if wrong:
                legs = tuple(describe_leg(g) for g in books.issuer_legs if g.pan_hash == card)
                yield Finding("A10", f"card account {account.id} ({account.pan})", text, legs)
