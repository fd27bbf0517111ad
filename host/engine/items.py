"""Items of a batch, and the terminal's uploaded ones held against them: the exception list (E1, RH8). Changes no books.

An *item* is a transaction that the terminal counts: financial, captured or voided (TC: approved, to be captured at the
close), not carried in from another batch, and with nothing in its place (an adjusted sale gives way to its adjustment).
Reversed, declined and pending rows, tombstones, pre-authorisations and balance inquiries are none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256

from host.engine.dialogue import Facts
from host.engine.draft import Draft
from host.rows import Batch, ExceptionItem, StagedItem, Txn, TxnState
from specs.operation import ADJUSTMENTS, FINANCIAL, VOIDS, Kind, Verdict
from specs.totals import BatchItem, Totals
from specs.values import replace

_ITEM_STATES = frozenset({TxnState.CAPTURED, TxnState.VOIDED, TxnState.AUTHORISED})
"""A financial transaction is `authorised` only under profile TC, before its capture."""
_DIGEST_STATES = _ITEM_STATES | {TxnState.REVERSED, TxnState.EXPIRED}
_GONE = {
    TxnState.REVERSED: ("reversed", "reversed at the host"),
    TxnState.TOMBSTONE: ("reversed", "reversed before it arrived"),
    TxnState.DECLINED: ("rejected", "declined by the host"),
    TxnState.PENDING: ("terminal-only", "still at the issuer"),
    TxnState.EXPIRED: ("rejected", "its hold ran out before it was captured"),
}
"""State at the host of an item that the terminal believes in -> reason and detail."""


def is_item(txn: Txn) -> bool:
    """Whether the terminal counts it; see the module's docstring."""
    return is_booked(txn) and not txn.carried and not txn.replaced_by


def is_booked(txn: Txn) -> bool:
    """Whether it stands in its batch, compared or not."""
    return txn.kind in FINANCIAL and txn.state in _ITEM_STATES


def is_pending(txn: Txn) -> bool:
    """Whether it may become an item any moment."""
    return txn.kind in FINANCIAL and txn.state is TxnState.PENDING


def counts_reversed(txn: Txn) -> bool:
    """Whether a dialect that shows reversed items (ISO 87) still counts it. A void that was reversed is no item: the
    sale lives again.

    Undone after the close (RH4) it counts too: the terminal, which has its 00, claims it as sold and as undone, and a
    batch that the host had closed alone is compared with its books as they are when that claim comes.
    """
    forward = txn.kind in FINANCIAL and txn.kind not in VOIDS and not txn.carried and not txn.replaced_by
    return forward and txn.state is TxnState.REVERSED


def batch_items(txns: Iterable[Txn], *, reversed_too: bool) -> list[BatchItem]:
    """What a dialect's `count` gets. reversed_too: `Profile.reversed` is "both"; those come at the amount asked for."""
    found = []
    for txn in txns:
        of = Kind(txn.voids_kind) if txn.voids_kind else None
        if is_item(txn):
            voided = txn.state is TxnState.VOIDED
            found.append(BatchItem(Kind(txn.kind), txn.approved_amount, txn.foreign, voided, of=of))
        elif reversed_too and counts_reversed(txn):
            found.append(BatchItem(Kind(txn.kind), txn.amount, txn.foreign, reversed=True))
    return found


def digest(txns: Iterable[Txn]) -> str:
    """Fingerprint of a closed batch, over what can never change after the close (A7).

    Shape: sha256, hex, of a JSON list by id of [id, kind, stan, wire number, approved amount, currency, foreign,
    carried, original id], one for each financial transaction (adjustments and adjusted ones too) that was approved:
    captured, voided, reversed, authorised or expired. The state itself is left out: a late reversal changes it
    lawfully, with an adjustment elsewhere (RH4, A2), as does the end of a hold that was never captured (TC).
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


# --- the upload so far ------------------------------------------------------------------------------------------------


def compared(draft: Draft, batch: Batch) -> list[StagedItem]:
    """Staged items that stand for an item; chip records kept as evidence are left out."""
    return [s for s in draft.ws.staged(batch.id) if not s.evidence]


def upload_due(batch: Batch) -> int:
    """How many items the upload of this dispute has when it is whole, by the terminal's own counts."""
    claimed, sides = totals_of(batch.claimed) or Totals(), disputed_sides(batch)
    return sum(s.count for s in claimed.sums if sides is None or s.side in sides)


def upload_whole(draft: Draft, batch: Batch) -> bool:
    """Whether as many items have come as the terminal counts on the sides in dispute."""
    return len(compared(draft, batch)) == upload_due(batch)


def settled_by_items(batch: Batch, own: Totals, claimed: Totals, *, complete: bool) -> bool:
    """Whether an upload without differences makes the batch agree although the totals may not.

    complete: every item that the terminal counts has come, and there was one. A side that differs and was not uploaded
    proves nothing.
    """
    still = own.differing(claimed)
    sides = disputed_sides(batch)
    return not still or (complete and (sides is None or still <= sides))


# --- one item ---------------------------------------------------------------------------------------------------------


def standing_of(draft: Draft, txn: Txn) -> Txn:
    """What stands in this transaction's place in its own batch: its newest adjustment there, else itself."""
    while txn.replaced_by and txn.kind in FINANCIAL:
        after = draft.ws.txn(txn.replaced_by)
        if after is None or after.carried or after.batch_id != txn.batch_id:
            break
        txn = after
    return txn


def judge(draft: Draft, batch: Batch, item: StagedItem, facts: Facts) -> tuple[str, str]:
    """Why an uploaded item is an exception of this batch: (reason, detail), or ("", "") when both ends agree on it."""
    named = draft.ws.txn(item.txn_id)
    if named is None or named.kind not in FINANCIAL:
        return "terminal-only", "unknown to the host" if named is None else f"a {named.kind} at the host"
    txn = standing_of(draft, named)
    if txn.state in _GONE:
        return _GONE[txn.state]
    if txn.batch_id != batch.id or txn.carried:
        return _elsewhere(draft, txn)
    if not facts.counts_voids and txn.state is TxnState.VOIDED:
        return "reversed", "voided at the host"
    if item.amount != txn.approved_amount:
        return _other_amount(draft, txn, item)
    if item.known == "amount-differs":
        return "AMT", "the card numbers differ"
    return "", ""


def _other_amount(draft: Draft, txn: Txn, item: StagedItem) -> tuple[str, str]:
    """A tip that came after the close is the difference, carried in another batch (rules.md, section 8)."""
    later = [t for t in draft.ws.acting_on(txn.id) if t.kind in ADJUSTMENTS and t.carried and is_booked(t)]
    if any(t.approved_amount == item.amount for t in later):
        return "adjusted-later", "the adjustment came after the close: the difference is carried"
    return "AMT", "the amounts differ"


def _elsewhere(draft: Draft, txn: Txn) -> tuple[str, str]:
    home = draft.ws.get(Batch, txn.batch_id)
    if txn.carried:
        return "carried", f"counts in batch {home.number if home else txn.batch_id}, out of its comparison"
    reason = "forced-close" if home is not None and home.forced else "terminal-only"
    return reason, f"belongs to batch {home.number if home else txn.batch_id}"


# --- exceptions -------------------------------------------------------------------------------------------------------


def finding(draft: Draft, batch: Batch, item: StagedItem, reason: str, detail: str) -> ExceptionItem:
    """An uploaded item as a line of the exception list. Units: amount is ours (0 unless AMT), side_amount theirs."""
    txn = draft.ws.txn(item.txn_id)
    ours = standing_of(draft, txn).approved_amount if txn is not None and reason == "AMT" else 0
    return _exception(
        draft, batch, reason, detail, txn_id=item.txn_id, item_key=item.item_key, amount=ours, side_amount=item.amount
    )


def differences(draft: Draft, batch: Batch, facts: Facts, *, whole: bool) -> list[ExceptionItem]:
    """The exception list of a batch at its close: T's items against H's, by key, and AMT where both have the key (E1).

    whole: the upload is over, so what was not staged on a disputed side is the host's alone. A broken upload proves
    nothing about the items that it did not reach.
    """
    found = []
    seen = set()
    for staged in compared(draft, batch):
        item = _known_by_now(draft, batch, staged)
        txn = draft.ws.txn(item.txn_id)
        seen |= {item.txn_id, standing_of(draft, txn).id if txn is not None else 0}
        reason, detail = judge(draft, batch, item, facts)
        if reason:
            found.append(finding(draft, batch, item, reason, detail))
    if whole:
        sides = disputed_sides(batch)
        for txn in draft.ws.txns_of_batch(batch.id):
            if txn.id not in seen and _is_uploaded(txn, sides, facts):
                found.append(_host_only(draft, batch, txn))
    return found


TOTALS_DIFFER = "totals-differ"
"""Reason of a figure that no item explains."""


def figures(draft: Draft, batch: Batch, own: Totals, claim: Totals, reason: str) -> list[ExceptionItem]:
    """One exception for each figure that T has otherwise, but for those that are listed already."""
    known = {(e.item_key, e.side_amount, e.detail) for e in draft.ws.exceptions(batch.id)}
    found = []
    for side, group in sorted({(s.side, s.group) for s in (*own.sums, *claim.sums)}):
        ours, theirs = own.get(side, group), claim.get(side, group)
        detail = f"closed with {ours.count} items, the terminal has {theirs.count}"
        key = f"{side}/{group}"
        if ours != theirs and (key, theirs.amount, detail) not in known:
            found.append(
                _exception(draft, batch, reason, detail, item_key=key, amount=ours.amount, side_amount=theirs.amount)
            )
    return found


def _known_by_now(draft: Draft, batch: Batch, item: StagedItem) -> StagedItem:
    """An item that was unknown when it was staged may have arrived since."""
    if item.txn_id:
        return item
    stan = item.item_key.rpartition("/")[2]
    late = [t for t in draft.ws.txns_of_batch(batch.id) if t.stan == stan and is_booked(t) and not t.carried]
    return replace(item, txn_id=late[-1].id) if late else item


def _is_uploaded(txn: Txn, sides: frozenset[str] | None, facts: Facts) -> bool:
    """Whether a terminal that has this item uploads it."""
    if not is_item(txn) or (sides is not None and ("foreign" if txn.foreign else "domestic") not in sides):
        return False
    return facts.counts_voids or (txn.state is not TxnState.VOIDED and txn.kind not in VOIDS)


def _host_only(draft: Draft, batch: Batch, txn: Txn) -> ExceptionItem:
    return _exception(
        draft,
        batch,
        "host-only",
        "in the host's books, not in the terminal's upload",
        txn_id=txn.id,
        item_key=item_key(txn.wire_batch or batch.number, txn.stan),
        amount=txn.approved_amount,
    )


def _exception(
    draft: Draft,
    batch: Batch,
    reason: str,
    detail: str,
    *,
    txn_id: int = 0,
    item_key: str,
    amount: int = 0,
    side_amount: int = 0,
) -> ExceptionItem:
    return ExceptionItem(
        id=draft.new_id(ExceptionItem),
        batch_id=batch.id,
        tid=batch.tid,
        txn_id=txn_id,
        item_key=item_key,
        reason=reason,
        amount=amount,
        side_amount=side_amount,
        detail=detail,
        at=draft.now,
    )
