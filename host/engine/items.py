"""Items of a batch, and the terminal's uploaded ones held against them: the exception list (E1, RH8). Changes no books.

An *item* is a transaction that the terminal counts: a sale or void that is captured or voided, and not carried in from
another batch. Reversed, declined and pending rows, tombstones and balance inquiries are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from host.engine.draft import Draft
from host.rows import Batch, ExceptionItem, StagedItem, Txn, TxnState
from specs.operation import FINANCIAL, Kind, Verdict
from specs.totals import Totals

_ITEM_STATES = frozenset({TxnState.CAPTURED, TxnState.VOIDED})
_DIGEST_STATES = _ITEM_STATES | {TxnState.REVERSED}
_GONE = {
    TxnState.REVERSED: ("reversed", "reversed at the host"),
    TxnState.TOMBSTONE: ("reversed", "reversed before it arrived"),
    TxnState.DECLINED: ("rejected", "declined by the host"),
    TxnState.PENDING: ("terminal-only", "still at the issuer"),
}
"""State at the host of an item that the terminal believes in -> reason and detail."""


def is_item(txn: Txn) -> bool:
    """Whether the terminal counts it; see the module's docstring."""
    return txn.kind in FINANCIAL and txn.state in _ITEM_STATES and not txn.carried


def is_pending(txn: Txn) -> bool:
    """Whether it may become an item any moment."""
    return txn.kind in FINANCIAL and txn.state is TxnState.PENDING


def digest(txns: Iterable[Txn]) -> str:
    """Fingerprint of a closed batch, over what can never change after the close (A7).

    Shape: sha256, hex, of a JSON list by id of [id, kind, stan, wire number, approved amount, currency, foreign,
    carried, original id], one for each sale or void that was approved: captured, voided or reversed. The state itself
    is left out: a late reversal changes it lawfully, with an adjustment elsewhere (RH4, A2).
    """
    rows = [
        [t.id, str(t.kind), t.stan, t.wire_batch, t.approved_amount, t.currency, t.foreign, t.carried, t.original_id]
        for t in sorted(txns, key=lambda t: t.id)
        if t.kind in FINANCIAL and t.state in _DIGEST_STATES
    ]
    return sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()


def item_key(number: str, stan: str) -> str:
    """How staged items and exceptions name an item: the batch number it was sent or uploaded under, and its STAN."""
    return f"{number}/{stan}"


def sides_of(batch: Batch) -> dict[str, Verdict]:
    """What was last answered side by side; empty for dialects with one answer for all."""
    return {str(side): Verdict(verdict) for side, verdict in json.loads(batch.sides or "[]")}


def disputed_sides(batch: Batch) -> frozenset[str] | None:
    """The sides whose items the terminal uploads; None = all of them (no sides in this dialect)."""
    sides = sides_of(batch)
    return frozenset(s for s, verdict in sides.items() if verdict is not Verdict.AGREED) if sides else None


def totals_of(text: str) -> Totals | None:
    """`Batch.claimed` or `.answered` as Totals; None when there was no settlement yet."""
    return Totals.from_json(json.loads(text)) if text else None


def upload_due(batch: Batch) -> int:
    """How many items the upload of this dispute has when it is whole, by the terminal's own counts."""
    claimed, sides = totals_of(batch.claimed) or Totals(), disputed_sides(batch)
    return sum(s.count for s in claimed.sums if sides is None or s.side in sides)


def judge(draft: Draft, batch: Batch, item: StagedItem, *, counts_voids: bool) -> tuple[str, str]:
    """Why an uploaded item is an exception of this batch: (reason, detail), or ("", "") when both ends agree on it.

    counts_voids: CUP uploads a voided sale and its void, NAC neither (rules.md, section 5).
    """
    txn = draft.ws.txn(item.txn_id)
    if txn is None or txn.kind not in FINANCIAL:
        return "terminal-only", "unknown to the host" if txn is None else f"a {txn.kind} at the host"
    if txn.state in _GONE:
        return _GONE[txn.state]
    if txn.batch_id != batch.id or txn.carried:
        return _elsewhere(draft, txn)
    if not counts_voids and txn.state is TxnState.VOIDED:
        return "reversed", "voided at the host"
    if item.amount != txn.approved_amount:
        return "AMT", "the amounts differ"
    if item.known == "amount-differs":
        return "AMT", "the card numbers differ"
    return "", ""


def _elsewhere(draft: Draft, txn: Txn) -> tuple[str, str]:
    home = draft.ws.get(Batch, txn.batch_id)
    if txn.carried:
        return "carried", f"counts in batch {home.number if home else txn.batch_id}, out of its comparison"
    reason = "forced-close" if home is not None and home.forced else "terminal-only"
    return reason, f"belongs to batch {home.number if home else txn.batch_id}"


def finding(draft: Draft, batch: Batch, item: StagedItem, reason: str, detail: str) -> ExceptionItem:
    """An uploaded item as a line of the exception list. Units: amount is ours (0 unless AMT), side_amount theirs."""
    txn = draft.ws.txn(item.txn_id)
    ours = txn.approved_amount if txn is not None and reason == "AMT" else 0
    return ExceptionItem(
        id=draft.new_id(ExceptionItem),
        batch_id=batch.id,
        tid=batch.tid,
        txn_id=item.txn_id,
        item_key=item.item_key,
        reason=reason,
        amount=ours,
        side_amount=item.amount,
        detail=detail,
        at=draft.now,
    )


def differences(draft: Draft, batch: Batch, *, counts_voids: bool, whole: bool) -> list[ExceptionItem]:
    """The exception list of a batch at its close: T's items against H's, by key, and AMT where both have the key (E1).

    whole: the upload is over, so what was not staged on a disputed side is the host's alone. A broken upload proves
    nothing about the items that it did not reach.
    """
    found = []
    seen = set()
    for staged in draft.ws.staged(batch.id):
        item = _known_by_now(draft, batch, staged)
        seen.add(item.txn_id)
        reason, detail = judge(draft, batch, item, counts_voids=counts_voids)
        if reason:
            found.append(finding(draft, batch, item, reason, detail))
    if whole:
        sides = disputed_sides(batch)
        for txn in draft.ws.txns_of_batch(batch.id):
            if txn.id not in seen and _is_uploaded(txn, sides, counts_voids=counts_voids):
                found.append(_host_only(draft, batch, txn))
    return found


def settled_by_items(batch: Batch, own: Totals, claimed: Totals, *, complete: bool) -> bool:
    """Whether an upload without differences makes the batch agree although the totals may not.

    complete: every item that the terminal counts has come. A side that differs and was not uploaded proves nothing.
    """
    still = own.differing(claimed)
    sides = disputed_sides(batch)
    return not still or (complete and (sides is None or still <= sides))


def _known_by_now(draft: Draft, batch: Batch, item: StagedItem) -> StagedItem:
    """An item that was unknown when it was staged may have arrived since."""
    if item.txn_id:
        return item
    stan = item.item_key.rpartition("/")[2]
    late = [t for t in draft.ws.txns_of_batch(batch.id) if t.stan == stan and is_item(t)]
    return replace(item, txn_id=late[-1].id) if late else item


def _is_uploaded(txn: Txn, sides: frozenset[str] | None, *, counts_voids: bool) -> bool:
    """Whether a terminal that has this item uploads it."""
    if not is_item(txn) or (sides is not None and ("foreign" if txn.foreign else "domestic") not in sides):
        return False
    return counts_voids or (txn.state is TxnState.CAPTURED and txn.kind != Kind.VOID)


def _host_only(draft: Draft, batch: Batch, txn: Txn) -> ExceptionItem:
    return ExceptionItem(
        id=draft.new_id(ExceptionItem),
        batch_id=batch.id,
        tid=batch.tid,
        txn_id=txn.id,
        item_key=item_key(txn.wire_batch or batch.number, txn.stan),
        reason="host-only",
        amount=txn.approved_amount,
        side_amount=0,
        detail="in the host's books, not in the terminal's upload",
        at=draft.now,
    )
