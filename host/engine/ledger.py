"""Double entry in the acquirer's book: which accounts a reason moves, and which way. Pure.

    issuer-clearing         what issuers owe the acquirer (debit balance)
    merchant-payable:MID    what the acquirer owes the merchant (credit balance)
    suspense                what waits for a person: never funded, never lost

Each entry is two lines that sum to zero (A10). An amount is positive for money to the merchant and negative for money
taken back; `related.weight` says what a transaction's own lines add up to, so an undo never guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from host.errors import LedgerBroken
from host.rows import Posting, Txn

ACQUIRER = "acquirer"
ISSUER_CLEARING = "issuer-clearing"
SUSPENSE = "suspense"


def merchant_payable(mid: str) -> str:
    """The account of what one merchant is owed."""
    return f"merchant-payable:{mid}"


CAPTURE, UNDO, VOID, DEBIT_AGAIN, ADJUSTMENT = "capture", "undo", "void", "debit-again", "adjustment"
REFUND, REFUND_VOID, ADJUST = "refund", "refund-void", "adjust"

_BOTH = frozenset({-1, +1})

#: Which way money may go for a reason, and what it means. Source: rules.md, sections 3 and 9.
REASONS: dict[str, tuple[frozenset[int], str]] = {
    CAPTURE: (frozenset({+1}), "a sale, completion or offline sale is captured"),
    REFUND: (frozenset({-1}), "a refund is captured"),
    VOID: (frozenset({-1}), "what was captured is voided"),
    REFUND_VOID: (frozenset({+1}), "a refund is voided"),
    ADJUST: (_BOTH, "a tip or adjustment: the new total less what stood"),
    UNDO: (_BOTH, "reversed while its batch was open: the opposite of its own entries"),
    DEBIT_AGAIN: (frozenset({+1}), "a void was reversed: what it had voided lives again"),
    ADJUSTMENT: (_BOTH, "RH4: for a batch that is closed, in the open one"),
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

    Units: amount in minor units, positive for money to the merchant, negative for money taken back; the reason says
    which it may be. The first line's id is the entry's id. Raises: LedgerBroken when the lines do not sum to zero
    (nothing is then written, and the host stops).
    """
    assert amount, f"an entry of nothing ({reason}) for transaction {txn.id}"
    assert (1 if amount > 0 else -1) in REASONS[reason][0], (reason, amount)
    first, second = new_id(), new_id()
    currency, payable = txn.currency, merchant_payable(txn.mid)
    lines = (
        Posting(first, first, ACQUIRER, ISSUER_CLEARING, amount, currency, txn.id, batch_id, reason, at),
        Posting(second, first, ACQUIRER, payable, -amount, currency, txn.id, batch_id, reason, at),
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
    for line in entry(reason, txn, amount, batch_id, new_id=partial(book.new_id, Posting), at=book.now):
        book.put(line)
