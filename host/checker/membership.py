"""A1, A2, A4: which batch a transaction is in, and what an undone or never accepted one may weigh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from host.checker.books import (
    ACQUIRER,
    FINANCIAL_KINDS,
    STANDING,
    Finding,
    HostBooks,
    describe,
    family_of,
    is_clearing,
    name_batch,
)
from host.rows import Adjustment, Txn, TxnState
from specs.journal import TerminalBook
from specs.operation import Kind

TOMBSTONE_LIVES = {"nac": timedelta(hours=24), "iso87": timedelta(days=30)}
"""How long a tombstone stands; CUP keeps it as long as its batch number means that batch (rules.md, section 3)."""


def a1(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each captured or voided transaction is in one existing batch, of its own terminal, and under its key only once.

    A captured one is settled (or an exception) if and only if that batch is closed.
    """
    keys: Counter[tuple[int, str, str, str, bool]] = Counter()
    for txn in books.txns:
        if txn.kind not in FINANCIAL_KINDS or txn.state not in STANDING:
            continue
        keys[_key_in_batch(txn)] += 1
        if keys[_key_in_batch(txn)] == 2:
            twins = [t for t in books.txns_by_stan[txn.tid, txn.stan] if _key_in_batch(t) == _key_in_batch(txn)]
            text = f"STAN {txn.stan} stands {len(twins)} times in batch {txn.batch_id}, expected once"
            yield Finding("A1", f"txn {txn.id}", text, tuple(describe(t) for t in twins))
        yield from _in_its_batch(books, txn)


def _in_its_batch(books: HostBooks, txn: Txn) -> Iterator[Finding]:
    batch = books.batch_by_id.get(txn.batch_id)
    if batch is None:
        text = f"is {txn.state} in batch {txn.batch_id}, which does not exist"
        yield Finding("A1", f"txn {txn.id}", text, (describe(txn),))
        return
    if batch.tid != txn.tid:
        text = f"of {txn.tid} is in {name_batch(batch)}"
        yield Finding("A1", f"txn {txn.id}", text, (describe(txn),))
    expected = ("settled", "exception") if books.is_closed(batch.id) else ("open",)
    if txn.state is TxnState.CAPTURED and txn.settlement not in expected:
        text = f"settlement is {txn.settlement}, but {name_batch(batch)} is {batch.state}: expected {expected[0]}"
        yield Finding("A1", f"txn {txn.id}", text, (describe(txn),))


def _key_in_batch(txn: Txn) -> tuple[int, str, str, str, bool]:
    """What may stand once in a batch (rules.md, section 1); a carried item keeps the key of the batch it comes from."""
    time = txn.local_time if family_of(txn.dialect) == "iso87" else ""
    return (txn.batch_id, txn.wire_batch, txn.stan, time, txn.carried)


def a2(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """An undone sale weighs nothing: in each batch its postings, with those of its voids, sum to what it is worth now.

    Worth is the approved amount while it is captured and nothing once it is reversed or voided. Where a closed batch
    weighs another amount, one adjustment of exactly the difference stands in a later batch. No transaction has two
    adjustments, and none has one without having been undone.
    """
    voids = books.voids_by_sale
    for txn in books.txns:
        if txn.kind == Kind.SALE and (txn.state in (TxnState.REVERSED, TxnState.VOIDED) or txn.id in voids):
            yield from _worth(books, txn, voids.get(txn.id, []))
    for txn_id, rows in books.adjustments_by_txn.items():
        yield from _adjusted(books, txn_id, rows)


def _worth(books: HostBooks, sale: Txn, voids: list[Txn]) -> Iterator[Finding]:
    kin = [sale, *voids]
    weights: Counter[int] = Counter()
    for txn in kin:
        weights.update(books.weights(txn.id))
    adjustments = [a for txn in kin for a in books.adjustments_by_txn.get(txn.id, ())]
    worth = sale.approved_amount if sale.state is TxnState.CAPTURED else 0
    found = weights[sale.batch_id]
    later = sum(a.amount for a in adjustments if a.batch_id > sale.batch_id and books.is_closed(sale.batch_id))
    if found + later != worth:
        text = (
            f"is {sale.state} and worth {worth}, but weighs {found} in batch {sale.batch_id}, "
            f"and the adjustments in later batches are {later}"
        )
        yield Finding("A2", f"txn {sale.id}", text, (*map(describe, kin), *map(str, adjustments)))
    for batch_id, weight in weights.items():
        if batch_id != sale.batch_id and weight:
            text = f"weighs {weight} in batch {batch_id} as well, while it is an item of batch {sale.batch_id}"
            yield Finding("A2", f"txn {sale.id}", text, tuple(map(describe, kin)))


def _adjusted(books: HostBooks, txn_id: int, rows: list[Adjustment]) -> Iterator[Finding]:
    txn = books.txn_by_id.get(txn_id)
    if len(rows) > 1:
        text = f"has {len(rows)} adjustments, expected one at most"
        yield Finding("A2", f"txn {txn_id}", text, tuple(map(str, rows)))
    if txn is None or txn.state is not TxnState.REVERSED:
        state = txn.state if txn else "missing"
        text = f"has an adjustment of {rows[0].amount}, but is {state}, not reversed"
        yield Finding("A2", f"txn {txn_id}", text, tuple(map(str, rows)))
    posted = sum(
        p.amount
        for p in books.postings_by_txn.get(txn_id, ())
        if p.reason == "adjustment" and p.book == ACQUIRER and is_clearing(p)
    )
    stated = sum(row.amount for row in rows)
    if posted != stated:
        text = f"adjustments state {stated}, the ledger has {posted}"
        yield Finding("A2", f"txn {txn_id}", text, tuple(map(str, rows)))


def a4(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """What a tombstone names is never captured: it has no posting, and no later original of its key stands."""
    for tomb in books.txns:
        if tomb.state is not TxnState.TOMBSTONE:
            continue
        postings = books.postings_by_txn.get(tomb.id, ())
        if postings:
            text = f"is a tombstone, but has {len(postings)} postings, expected none"
            yield Finding("A4", f"txn {tomb.id}", text, tuple(map(str, postings)))
        for txn in books.txns_by_stan[tomb.tid, tomb.stan]:
            if txn.id > tomb.id and txn.state in STANDING and _rests_under(books, tomb, txn):
                text = f"is {txn.state}, but its reversal came before it and left tombstone {tomb.id}"
                yield Finding("A4", f"txn {txn.id}", text, (describe(tomb), describe(txn)))


def _rests_under(books: HostBooks, tomb: Txn, txn: Txn) -> bool:
    """Whether an original fits the tombstone (rules.md, section 3, last but one rule)."""
    if txn.epoch != tomb.epoch or txn.kind not in FINANCIAL_KINDS:
        return False
    family = family_of(tomb.dialect)
    if family == "cup":
        return txn.wire_batch == tomb.wire_batch and (txn.carried or _same_generation(books, tomb, txn))
    in_time = _moment(txn) - _moment(tomb) <= TOMBSTONE_LIVES.get(family, TOMBSTONE_LIVES["nac"])
    if family == "iso87" and tomb.local_time and txn.local_time:
        return in_time and tomb.local_time == txn.local_time
    pairs = (
        (tomb.processing_code[:2], txn.processing_code[:2]),
        (tomb.pan_hash, txn.pan_hash),
        (tomb.invoice, txn.invoice),
    )
    # What is absent on one side is not compared.
    return in_time and tomb.amount == txn.amount and all(not a or not b or a == b for a, b in pairs)


def _same_generation(books: HostBooks, tomb: Txn, txn: Txn) -> bool:
    mine, its = books.batch_by_id.get(tomb.batch_id), books.batch_by_id.get(txn.batch_id)
    return mine is None or its is None or mine.number != its.number or mine.generation == its.generation


def _moment(txn: Txn) -> datetime:
    return datetime.fromisoformat(txn.created_at)
