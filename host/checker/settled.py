"""E2: what a closed batch has settled, worked out from its items, from the ledger, and from the terminal's archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from host.checker.archives import Matched, ends
from host.checker.books import ACQUIRER, CLOSED, Finding, HostBooks, describe, is_clearing, name_batch
from host.checker.compare import net_of
from host.checker.items import Item, compared, items, net, sign_of
from host.rows import Batch
from specs.journal import TerminalBook
from specs.operation import ADJUSTMENTS, VOIDS, Kind


def e2(books: HostBooks, terminals: Mapping[str, TerminalBook]) -> Iterator[Finding]:
    """settled(b) is the sum of sales, completions and tips minus refunds over the captured items of b.

    The ledger has exactly that for the batch, and beside it what was carried in and the adjustments (RH4), which are
    funded with it. The archive of the terminal nets to the same, where both ends closed it agreed and nothing is
    listed.
    """
    ledger: Counter[int] = Counter()
    later: Counter[int] = Counter()
    for posting in books.postings:
        if posting.book == ACQUIRER and is_clearing(posting):
            (later if posting.reason == "adjustment" else ledger)[posting.batch_id] += posting.amount
    stated: Counter[int] = Counter()
    for adjustment in books.adjustments:
        stated[adjustment.batch_id] += adjustment.amount
    for batch in books.batches:
        if batch.state not in CLOSED:
            continue
        found = items(books, batch)
        shown = tuple(describe(item.txn) for item in found)
        carried = sum(_carried(item) for item in found)
        settled = net(item for item in found if not item.txn.carried)
        if ledger[batch.id] != settled + carried:
            text = f"its items settle {settled}, and {carried} carried; the ledger has {ledger[batch.id]}"
            yield Finding("E2", name_batch(batch), text, shown)
        if later[batch.id] != stated[batch.id]:
            text = f"adjustments of {stated[batch.id]} are funded with it; the ledger has {later[batch.id]}"
            yield Finding("E2", name_batch(batch), text)
    for both in ends(books, terminals):
        for matched in both.matched:
            yield from _archive(books, matched)


def _carried(item: Item) -> int:
    """What a carried item posts by itself; a carried tip is an adjustment."""
    txn = item.txn
    if not txn.carried or txn.kind in ADJUSTMENTS:
        return 0
    if txn.kind in VOIDS:
        return item.amount if item.of is Kind.REFUND else -item.amount
    return sign_of(txn.kind) * item.amount


def _archive(books: HostBooks, matched: Matched) -> Iterator[Finding]:
    batch = matched.batch
    if matched.archived.result != "agreed" or _has_doubt(books, batch):
        return
    host, terminal = net(compared(books, batch)), sum(map(net_of, matched.rows))
    if host != terminal:
        text = f"agreed, and nothing is listed, but the host settles {host} and the terminal's archive {terminal}"
        yield Finding("E2", name_batch(batch), text)


def _has_doubt(books: HostBooks, batch: Batch) -> bool:
    return bool(books.exceptions_by_batch.get(batch.id)) or bool(batch.forced)
