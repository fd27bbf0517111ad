"""Batch upload: each item staged under its own key, once; and the end message that closes a dispute (RH8, A9, E1).

Any readable item is answered 00. None of this touches a transaction, a posting or a total: an upload only finds out
where the two books differ.
"""

from __future__ import annotations

import json
from dataclasses import replace

from host.engine import outcomes
from host.engine.batches import LIVE, Standing, close, closed, current, items, last_closed, standing
from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.items import differences, finding, item_key, judge, settled_by_items, totals_of
from host.engine.settle import COUNTS_VOIDS
from host.rows import Batch, StagedItem, Terminal, Txn
from specs import masking
from specs.families import family
from specs.operation import FINANCIAL, Outcome, UploadItem, Verdict

_KNOWN = {"": "known", "AMT": "amount-differs", "reversed": "reversed"}
"""Reason for an exception -> StagedItem.known; every other reason is «unknown» to this batch."""


def decide_upload(draft: Draft, request: Request, terminal: Terminal) -> Outcome:
    """Take the items of one 0320 in; 00 and the count echoed, whatever they are.

    A crash before the commit: the terminal sends the item again. After it: the same, and the item is there already.
    """
    operation = request.operation
    batch = _addressed(draft, request, terminal)
    if batch is None:
        draft.note(f"upload for batch {operation.batch}, which the host never had: nothing staged")
    elif batch.state in LIVE:
        if not batch.claimed:
            draft.note(f"upload into batch {batch.number} before any settlement of it")
        if batch.verdict == Verdict.UPLOAD_INCOMPLETE:
            batch = draft.put(replace(batch, verdict=str(Verdict.DIFFERS)))  # the terminal has heard the 95
        for at, item in enumerate(operation.items):
            _stage(draft, request, terminal, batch, item, _hash(request, at))
    else:
        for at, item in enumerate(operation.items):
            _report(draft, request, terminal, batch, item, _hash(request, at))
    return replace(outcomes.of_service(draft.ctx, operation), count=len(operation.items))


def decide_upload_end(draft: Draft, request: Request, terminal: Terminal) -> Outcome | None:
    """CUP 202 or 207: closes a disputed batch; for any other batch 00 and nothing changes. None: wait, as a 0500 does.

    Missing items are the host's alone, real hosts do not complain about a count. Agreed when the items agree: totals
    may still differ only on a side that was uploaded whole and is equal item by item, so that the terminal's sums were
    wrong and not its items. The codes of the 0510 stay as they were told, for a repeated 0500 (rules.md, section 6).
    """
    if draft.ws.unfinished_legs(terminal.tid):
        return None
    operation = request.operation
    batch = _addressed(draft, request, terminal)
    answer = replace(outcomes.of_service(draft.ctx, operation), count=operation.count)
    claimed = totals_of(batch.claimed) if batch is not None and batch.state in LIVE else None
    if batch is None or claimed is None:
        draft.note(f"upload end for batch {operation.batch}, which is not in dispute: nothing to close")
        return answer
    staged = len(draft.ws.staged(batch.id))
    if operation.count != staged:
        draft.note(
            f"upload end says {operation.count} items, {staged} are staged: the missing ones are the host's only"
        )
    own = family(request.profile.family).count(items(draft, batch))
    found = differences(draft, batch, counts_voids=COUNTS_VOIDS[request.profile.family], whole=True)
    agrees = not found and settled_by_items(batch, own, claimed, complete=operation.count == staged)
    ended = replace(batch, end_count=operation.count or 0, answered=json.dumps(own.to_json()))
    close(draft, ended, Verdict.AGREED if agrees else Verdict.STILL_DIFFERS, found)
    return answer


def _addressed(draft: Draft, request: Request, terminal: Terminal) -> Batch | None:
    """CUP: by 60.2. NAC names none: the one in dispute, else the one closed last unless an item is in the open one."""
    number = request.operation.batch
    if request.profile.family != "nac" and number is not None:
        match standing(draft, terminal, number):
            case Standing.LIVE:
                return draft.ws.open_batch(terminal.tid)
            case Standing.CLOSED:
                return closed(draft, terminal, number)
            case _:
                return None
    batch = current(draft, terminal, None)
    last = last_closed(draft, terminal)
    if batch.claimed or last is None:
        return batch
    named = [_original(draft, request, terminal, batch, item) for item in request.operation.items]
    return batch if any(t is not None and t.batch_id == batch.id for t in named) else last


# --- one item ---------------------------------------------------------------------------------------------------------


def _original(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem) -> Txn | None:
    """What the host knows under an item's own key (rules.md, section 1): never the STAN of the 0320.

    CUP: STAN under the number of the 0320, or in that batch (renamed since). NAC: STAN, and RRN unless blank; without
    a STAN the invoice. In another batch only a NAC item of the same amount is the same one.
    """
    ref = item.ref
    if not ref.stan:
        named = [t for t in draft.ws.txns_of_batch(batch.id) if ref.invoice and t.invoice == ref.invoice]
        return named[-1] if named else None
    found = [t for t in draft.ws.txns_by_stan(terminal.tid, ref.stan) if t.epoch == terminal.epoch]
    if request.profile.family == "nac":
        rrn = ref.rrn.strip()
        found = [t for t in found if not rrn or t.rrn in ("", rrn)]
        found = [t for t in found if t.batch_id == batch.id or t.approved_amount == item.amount]
    else:
        number = ref.batch or request.operation.batch
        found = [t for t in found if t.batch_id == batch.id or t.wire_batch == number]
    return max(found, key=lambda t: (t.batch_id == batch.id, t.kind in FINANCIAL, t.id)) if found else None


def _read(
    draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, pan_hash: str
) -> StagedItem:
    """The item as it would be staged, with what the host knows of it but for the verdict (`known`)."""
    ref, txn = item.ref, _original(draft, request, terminal, batch, item)
    number = ref.batch or request.operation.batch or batch.number
    other_card = txn is not None and pan_hash and txn.pan_hash and pan_hash != txn.pan_hash
    return StagedItem(
        id=0,
        batch_id=batch.id,
        item_key=item_key(number, ref.stan or f"invoice-{ref.invoice}"),
        txn_id=txn.id if txn is not None else 0,
        kind=str(item.kind or (txn.kind if txn is not None else "")),
        amount=item.amount,
        pan=masking.mask_pan(item.pan) if item.pan else "",
        known="amount-differs" if other_card else "",
        at=draft.now,
    )


def _stage(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, pan_hash: str) -> None:
    """Once per key: a repeat changes nothing, even with another amount (that is noted)."""
    row = _read(draft, request, terminal, batch, item, pan_hash)
    stan = row.item_key.rpartition("/")[2]
    again = [s for s in draft.ws.staged(batch.id) if s.item_key.rpartition("/")[2] == stan]
    if again:
        if again[0].amount != row.amount:
            draft.note(
                f"item {row.item_key} again, now {row.amount} in place of {again[0].amount}: the first one stays"
            )
        return
    reason, detail = judge(draft, batch, row, counts_voids=COUNTS_VOIDS[request.profile.family])
    if reason:
        draft.note(f"item {row.item_key}: {reason}, {detail}")
    draft.put(replace(row, id=draft.new_id(StagedItem), known=_KNOWN.get(reason, "unknown")))


def _report(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, pan_hash: str) -> None:
    """The batch is closed: an item that does not fit becomes an exception, once; nothing else changes."""
    row = _read(draft, request, terminal, batch, item, pan_hash)
    reason, detail = judge(draft, batch, row, counts_voids=COUNTS_VOIDS[request.profile.family])
    known = {(e.item_key, e.reason, e.side_amount) for e in draft.ws.exceptions(batch.id)}
    if reason and (row.item_key, reason, row.amount) not in known:
        draft.put(finding(draft, batch, row, reason, f"{detail}; reported after the close"))


def _hash(request: Request, at: int) -> str:
    return request.item_hashes[at] if at < len(request.item_hashes) else ""
