"""A1, A2, A4: which batch a transaction is in, and what an undone or never accepted one may weigh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from host.checker.books import (
    ACQUIRER,
    FINANCIAL_KINDS,
    KEYED_KINDS,
    LIVE,
    STANDING,
    Finding,
    HostBooks,
    describe,
    is_clearing,
    name_batch,
)
from host.checker.kin import Group, groups
from host.rows import Adjustment, Txn, TxnState
from specs.journal import TerminalBook
from specs.operation import ADJUSTMENTS

TOMBSTONE_LIVES = {"nac": timedelta(hours=24), "iso87": timedelta(days=30)}
"""How long a tombstone stands; CUP keeps it as long as its batch number means that batch (rules.md, section 3)."""


def a1(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """Each captured or voided transaction is in one existing batch, of its own terminal, and under its key only once.

    A captured one is settled (or an exception) if and only if that batch is closed; one that is authorised only (TC)
    is in an open batch, since a close captures it or lets it go.
    """
    keys: Counter[tuple[int, str, str, str, bool]] = Counter()
    for txn in books.txns:
        if txn.kind not in FINANCIAL_KINDS or txn.state not in STANDING:
            continue
        keys[_key_in_batch(books, txn)] += 1
        if keys[_key_in_batch(books, txn)] == 2:
            key = _key_in_batch(books, txn)
            twins = [t for t in books.txns_by_stan[txn.tid, txn.stan] if _key_in_batch(books, t) == key]
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
    if txn.state is TxnState.AUTHORISED and books.is_closed(batch.id):
        text = f"is authorised, but {name_batch(batch)} is {batch.state}: expected captured or expired"
        yield Finding("A1", f"txn {txn.id}", text, (describe(txn),))
    elif txn.state in LIVE and txn.settlement not in expected:
        text = f"settlement is {txn.settlement}, but {name_batch(batch)} is {batch.state}: expected {expected[0]}"
        yield Finding("A1", f"txn {txn.id}", text, (describe(txn),))


def _key_in_batch(books: HostBooks, txn: Txn) -> tuple[int, str, str, str, bool]:
    """What may stand once in a batch (rules.md, section 1); a carried item keeps the key of the batch it comes from."""
    time = txn.local_time if books.family_named(txn.dialect) == "iso87" else ""
    return (txn.batch_id, txn.wire_batch, txn.stan, time, txn.carried)


def a2(books: HostBooks, _: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """An undone purchase weighs nothing, a changed one its final amount: in each batch its postings, with those of its
    voids and adjustments, sum to what it is worth now.

    Worth is the final amount while it is captured (of a refund with the other sign) and nothing once it is reversed,
    voided or expired. Where a closed batch weighs another amount, adjustments of exactly the difference stand in later
    batches. No transaction has two of them but a carried tip that was reversed, and none has one without having been
    undone but a carried tip.
    """
    for group in groups(books):
        undone = group.root.state in (TxnState.REVERSED, TxnState.VOIDED)
        if undone or group.changes or group.voids:
            yield from _worth(books, group)
    for txn_id, rows in books.adjustments_by_txn.items():
        yield from _adjusted(books, txn_id, rows)


def _worth(books: HostBooks, group: Group) -> Iterator[Finding]:
    root = group.root
    found = group.posted(root.batch_id)
    later = sum(a.amount for a in group.adjustments if _lawful(books, root, a))
    if found + later != group.worth:
        text = (
            f"is {root.state} and worth {group.worth}, but weighs {found} in batch {root.batch_id}, "
            f"and the adjustments in later batches are {later}"
        )
        shown = (*map(describe, group.members), *map(str, group.adjustments))
        yield Finding("A2", f"txn {root.id}", text, shown)
    elsewhere = {p.batch_id for t in group.members for p in books.postings_by_txn.get(t.id, ()) if p.book == ACQUIRER}
    for batch_id in sorted(elsewhere - {root.batch_id}):
        if weight := group.posted(batch_id):
            text = f"weighs {weight} in batch {batch_id} as well, while it is an item of batch {root.batch_id}"
            yield Finding("A2", f"txn {root.id}", text, tuple(map(describe, group.members)))


def _lawful(books: HostBooks, root: Txn, adjustment: Adjustment) -> bool:
    """In a batch after the closed one of its sale; a carried tip may share the batch of the carried sale."""
    if adjustment.batch_id == root.batch_id:
        return root.carried
    return adjustment.batch_id > root.batch_id and books.is_closed(root.batch_id)


def _adjusted(books: HostBooks, txn_id: int, rows: list[Adjustment]) -> Iterator[Finding]:
    txn = books.txn_by_id.get(txn_id)
    carried_tip = txn is not None and txn.kind in ADJUSTMENTS and txn.carried
    undone = txn is not None and txn.state is TxnState.REVERSED
    at_most = carried_tip + undone
    if len(rows) > max(1, at_most):
        text = f"has {len(rows)} adjustments, expected {'two' if at_most == 2 else 'one'} at most"
        yield Finding("A2", f"txn {txn_id}", text, tuple(map(str, rows)))
    if not at_most:
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
    """What a tombstone names is never captured: it has no posting, and no original of its key stands, come late or
    there already."""
    for tomb in books.txns:
        if tomb.state is not TxnState.TOMBSTONE:
            continue
        postings = books.postings_by_txn.get(tomb.id, ())
        if postings:
            text = f"is a tombstone, but has {len(postings)} postings, expected none"
            yield Finding("A4", f"txn {tomb.id}", text, tuple(map(str, postings)))
        for txn in books.txns_by_stan[tomb.tid, tomb.stan]:
            if txn.id != tomb.id and txn.state in STANDING and _rests_under(books, tomb, txn):
                came = "came before it" if txn.id > tomb.id else "was taken for that of an unknown one"
                text = f"is {txn.state}, but its reversal {came} and left tombstone {tomb.id}"
                yield Finding("A4", f"txn {txn.id}", text, (describe(tomb), describe(txn)))


def _rests_under(books: HostBooks, tomb: Txn, txn: Txn) -> bool:
    """Whether an original fits the tombstone (rules.md, section 3, last but one rule)."""
    if txn.epoch != tomb.epoch or txn.kind not in KEYED_KINDS:
        return False
    family = books.family_named(tomb.dialect)
    if family == "cup":
        return txn.wire_batch == tomb.wire_batch and (txn.carried or _same_generation(books, tomb, txn))
    in_time = abs(_moment(txn) - _moment(tomb)) <= TOMBSTONE_LIVES.get(family, TOMBSTONE_LIVES["nac"])
    if family == "iso87" and tomb.transmitted:
        return in_time and tomb.transmitted in (txn.transmitted, txn.local_time)
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
