"""Double entry in the acquirer's book: which accounts a reason moves, and by which sign. Pure.

    issuer-clearing         what issuers owe the acquirer (debit balance)
    merchant-payable:MID    what the acquirer owes the merchant (credit balance)
    suspense                what waits for a person: never funded, never lost

Each entry is two lines that sum to zero (A10). An amount is positive for money to the merchant and negative for money
taken back; `posted` says what a transaction's own lines add up to, so an undo never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from host.errors import LedgerBroken
from host.rows import Posting, Txn

ACQUIRER = "acquirer"
ISSUER_CLEARING = "issuer-clearing"
SUSPENSE = "suspense"


def merchant_payable(mid: str) -> str:
    """The account of what one merchant is owed."""
    return f"merchant-payable:{mid}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """sign: of a positive amount on issuer-clearing; the merchant's line is its opposite."""

    sign: int
    meaning: str


CAPTURE, UNDO, VOID, DEBIT_AGAIN, ADJUSTMENT = "capture", "undo", "void", "debit-again", "adjustment"

#: Source: rules.md, sections 3 and 9 (profile HC: approval = capture).
REASONS: dict[str, _Rule] = {
    CAPTURE: _Rule(+1, "a sale was approved"),
    UNDO: _Rule(-1, "a captured sale was reversed while its batch was open"),
    VOID: _Rule(-1, "a captured sale was voided"),
    DEBIT_AGAIN: _Rule(+1, "a void was reversed: the sale lives again"),
    ADJUSTMENT: _Rule(+1, "RH4: the amount is signed already"),
}


class Book(Protocol):
    """What `post` needs of a draft."""

    @property
    def now(self) -> str:
        """The time of the entry, as rows store it."""

    def put(self, row: Posting) -> Posting:
        """Write one line; gives it back."""

    def new_id(self, table: type) -> int:
        """The next id of a table."""


def entry(
    reason: str, txn: Txn, amount: int, batch_id: int, *, new_id: Callable[[], int], at: str
) -> tuple[Posting, ...]:
    """One balanced entry of the acquirer's book for this transaction.

    Units: amount in minor units; positive but for ADJUSTMENT, whose sign is the caller's. The first line's id is the
    entry's id. Raises: LedgerBroken when the lines do not sum to zero (nothing is then written, and the host stops).
    """
    assert amount > 0 or reason == ADJUSTMENT, (reason, amount)
    moved = REASONS[reason].sign * amount
    first, second = new_id(), new_id()
    lines = tuple(
        Posting(row_id, first, ACQUIRER, account, value, txn.currency, txn.id, batch_id, reason, at)
        for row_id, account, value in ((first, ISSUER_CLEARING, moved), (second, merchant_payable(txn.mid), -moved))
    )
    check(lines)
    return lines


def check(lines: Iterable[Posting]) -> None:
    """Raises: LedgerBroken unless every entry among the lines sums to zero within its book and currency (A10)."""
    sums: dict[tuple[int, str, str], int] = {}
    for line in lines:
        key = (line.entry_id, line.book, line.currency)
        sums[key] = sums.get(key, 0) + line.amount
    for (entry_id, book, _), total in sums.items():
        if total:
            raise LedgerBroken(f"entry {entry_id} of the {book} book sums to {total}")


def post(book: Book, reason: str, txn: Txn, amount: int, batch_id: int) -> None:
    """Put one entry into a decision: it becomes durable with the row that it explains, in one commit, or not at all."""
    for line in entry(reason, txn, amount, batch_id, new_id=lambda: book.new_id(Posting), at=book.now):
        book.put(line)
