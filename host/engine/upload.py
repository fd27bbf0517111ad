"""Batch upload: each item staged under its own key, once; and the end message that closes a dispute (RH8, A9, E1).

Any readable item is answered 00. None of this touches a transaction, a posting or a total: an upload only finds out
where the two books differ. One exception by profile (rules.md, section 9): an offline sale that the host never heard of
is booked from its copy where the terminal's word counts (`capture = "TC"`, `offline_unknown = "capture"`).
"""

from __future__ import annotations

import json

from host.engine import asks, booking, outcomes
from host.engine.batches import LIVE, Standing, closed, current, last_closed, moved, standing
from host.engine.closing import close, own_totals
from host.engine.dialogue import facts_of
from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.evidence import note_item
from host.engine.items import (
    TOTALS_DIFFER,
    differences,
    figures,
    finding,
    item_key,
    judge,
    settled_by_items,
    standing_of,
    totals_of,
    upload_whole,
)
from host.rows import Batch, BatchState, StagedItem, Terminal, Txn, TxnState
from specs import masking
from specs.operation import FINANCIAL, Kind, Outcome, UploadForm, UploadItem, Verdict
from specs.profile import KeyScheme, Profile
from specs.values import replace

AGAIN = "94"
ARPC_WRONG = "05"
"""Reason of a failed chip item that the card approved all the same: the sale has happened (cup.md 5.10)."""
_KNOWN = {"": "known", "AMT": "amount-differs", "reversed": "reversed"}
"""Reason for an exception -> StagedItem.known; every other reason is «unknown» to this batch."""
_OWN_KEY = frozenset({UploadForm.COPY, UploadForm.TC, UploadForm.FAILED})
"""Forms that come under the item's own batch number and STAN, and not under those of the upload."""


def decide_upload(draft: Draft, request: Request, terminal: Terminal) -> Outcome:
    """Take the items of one 0320 in; 00 and the count echoed, whatever they are (a repeat: `upload_repeat`).

    A crash before the commit: the terminal sends the item again. After it: the same, and the item is there already.
    """
    operation = request.operation
    batch = _addressed(draft, request, terminal)
    if batch is None:
        draft.note(f"upload for batch {operation.batch}, which the host never had: nothing staged")
        return _answered(draft, request)
    if batch.state not in LIVE:
        for at, item in enumerate(operation.items):
            _report(draft, request, terminal, batch, item, at)
        return _answered(draft, request)
    if not batch.claimed:
        draft.note(f"upload into batch {batch.number} before any settlement of it")
    if batch.verdict == Verdict.UPLOAD_INCOMPLETE:
        batch = draft.put(replace(batch, verdict=str(Verdict.DIFFERS)))  # the terminal has heard the 95
    batch = moved(draft, batch)
    fresh = [_stage(draft, request, terminal, batch, item, at) for at, item in enumerate(operation.items)]
    return _answered(draft, request, again=bool(fresh) and not any(fresh))


def decide_tc_upload(draft: Draft, request: Request, terminal: Terminal) -> Outcome:
    """What the chip said, for one item (CUP 203-206, NAC 0320 with DE 3 94xxxx): 00, whatever it is.

    CUP in dispute: a TC (205), and a failed item that the card approved all the same (206, reason 05), are the item
    itself, like a copy. All else is evidence: kept, counted by the end message, compared with nothing. NAC uploads the
    item as well, so there the chip's word is noted on the transaction and nothing is staged.
    """
    operation = request.operation
    batch = _addressed(draft, request, terminal)
    for at, item in enumerate(operation.items):
        if batch is None:
            draft.note(f"chip data for batch {operation.batch}, which the host never had: nothing staged")
            continue
        txn = _original(draft, request, terminal, batch, item)
        if txn is not None:
            note_item(draft, txn, item)
        if request.profile.key_scheme is not KeyScheme.WIRE_BATCH:
            continue
        if _is_evidence(request, item):
            _keep(draft, _read(draft, request, terminal, batch, item, at))
        elif batch.state in LIVE:
            batch = moved(draft, batch)
            _stage(draft, request, terminal, batch, item, at)
        else:
            _report(draft, request, terminal, batch, item, at)
    return _answered(draft, request)


def decide_upload_end(draft: Draft, request: Request, terminal: Terminal) -> Outcome | None:
    """CUP 202 or 207: closes a disputed batch; for any other batch 00 and nothing changes. None: wait, as a 0500 does.

    Missing items are the host's alone, real hosts do not complain about a count. Agreed when the items agree: totals
    may still differ only on a side that was uploaded whole and is equal item by item, so that the terminal's sums were
    wrong and not its items. The codes of the 0510 stay as they were told, for a repeated 0500 (rules.md, section 6).
    """
    if draft.ws.unfinished_legs(terminal.tid):
        return None
    operation, profile = request.operation, request.profile
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
    own = own_totals(draft, batch, profile)
    found = differences(draft, batch, facts_of(profile), whole=True)
    complete = operation.count == staged > 0 and upload_whole(draft, batch)
    agrees = not found and settled_by_items(batch, own, claimed, complete=complete)
    if not agrees and not found:  # counted, but never uploaded
        found = figures(draft, batch, own, claimed, TOTALS_DIFFER)
    ended = replace(batch, end_count=operation.count or 0, answered=json.dumps(own.to_json()))
    close(draft, ended, Verdict.AGREED if agrees else Verdict.STILL_DIFFERS, found)
    return answer


def _answered(draft: Draft, request: Request, *, again: bool = False) -> Outcome:
    """again: every item of the message was there already."""
    good = outcomes.of_service(draft.ctx, request.operation)
    code = AGAIN if again and request.profile.upload_repeat == AGAIN else good.code
    return replace(good, code=code, count=len(request.operation.items))


def _addressed(draft: Draft, request: Request, terminal: Terminal) -> Batch | None:
    """CUP: by 60.2. NAC names none: the one in dispute, else the one closed last unless an item is in the open one.

    A copy has the number that its advice was sent under; should the host not know it, it belongs to the dispute.
    """
    number = request.operation.batch
    if request.profile.key_scheme is KeyScheme.WIRE_BATCH and number is not None:
        match standing(draft, terminal, number):
            case Standing.LIVE:
                return draft.ws.open_batch(terminal.tid)
            case Standing.CLOSED:
                return closed(draft, terminal, number)
            case _:
                own_key = any(item.form in _OWN_KEY for item in request.operation.items)
                batch = draft.ws.open_batch(terminal.tid)
                disputed = batch is not None and batch.state is BatchState.DISPUTED
                return batch if own_key and disputed else None
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
    if request.profile.key_scheme is KeyScheme.WIRE_BATCH:
        number = ref.batch or request.operation.batch
        found = [t for t in found if t.batch_id == batch.id or t.wire_batch == number]
    else:
        rrn = ref.rrn.strip()
        found = [t for t in found if not rrn or t.rrn in ("", rrn)]
        found = [t for t in found if t.batch_id == batch.id or standing_of(draft, t).approved_amount == item.amount]
    return max(found, key=lambda t: (t.batch_id == batch.id, t.kind in FINANCIAL, t.id)) if found else None


def _read(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, at: int) -> StagedItem:
    """The item as it would be staged, with what the host knows of it but for the verdict (`known`)."""
    ref, txn = item.ref, _original(draft, request, terminal, batch, item)
    number = ref.batch or request.operation.batch or batch.number
    pan_hash = request.item_hashes[at] if at < len(request.item_hashes) else ""
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
        form=str(item.form),
        evidence=_is_evidence(request, item),
        pan_hash=pan_hash,
        currency=item.currency or request.operation.currency,
    )


def _is_evidence(request: Request, item: UploadItem) -> bool:
    """Whether a chip record only tells something about an item (or about nothing that moved money)."""
    if request.operation.kind is not Kind.TC_UPLOAD:
        return False
    failed = item.form is UploadForm.FAILED and item.reason != ARPC_WRONG
    return request.operation.balanced or failed


def _stage(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, at: int) -> bool:
    """Once per key: a repeat changes nothing, even with another amount (that is noted). Whether it was new."""
    row = _read(draft, request, terminal, batch, item, at)
    before = _staged_as(draft, batch, row)
    if before is not None and not before.evidence:
        if before.amount != row.amount:
            draft.note(f"item {row.item_key} again, now {row.amount} in place of {before.amount}: the first one stays")
        return False
    word = _counts_on_the_terminal_s_word(request.profile, row)
    if not row.txn_id and word and _is_free(draft, terminal, batch, item):
        row = replace(row, txn_id=_book(draft, request, terminal, item, row).id)
    reason, detail = judge(draft, batch, row, facts_of(request.profile))
    if reason:
        draft.note(f"item {row.item_key}: {reason}, {detail}")
    staged_id = before.id if before is not None else draft.new_id(StagedItem)
    draft.put(replace(row, id=staged_id, known=_KNOWN.get(reason, "unknown")))
    return True


def _staged_as(draft: Draft, batch: Batch, row: StagedItem) -> StagedItem | None:
    """The row of this item that is there already: by its STAN, since a batch may have been renamed in between."""
    stan = row.item_key.rpartition("/")[2]
    return next((s for s in draft.ws.staged(batch.id) if s.item_key.rpartition("/")[2] == stan), None)


def _keep(draft: Draft, row: StagedItem) -> None:
    """Evidence, once; of a closed batch too, where it changes nothing."""
    batch = draft.ws.get(Batch, row.batch_id)
    if batch is not None and _staged_as(draft, batch, row) is None:
        draft.put(replace(row, id=draft.new_id(StagedItem), known="known" if row.txn_id else "unknown"))


def _report(draft: Draft, request: Request, terminal: Terminal, batch: Batch, item: UploadItem, at: int) -> None:
    """The batch is closed: an item that does not fit becomes an exception, once; nothing else changes."""
    row = _read(draft, request, terminal, batch, item, at)
    reason, detail = judge(draft, batch, row, facts_of(request.profile))
    known = {(e.item_key, e.reason, e.side_amount) for e in draft.ws.exceptions(batch.id)}
    if reason and (row.item_key, reason, row.amount) not in known:
        draft.put(finding(draft, batch, row, reason, f"{detail}; reported after the close"))


# --- an offline sale that the host never heard of ---------------------------------------------------------------------


def _counts_on_the_terminal_s_word(profile: Profile, row: StagedItem) -> bool:
    """TC: captured with what was uploaded. HC: suspense, unless `upload.offline_unknown = "capture"`.

    Without the card's number nobody could be asked to pay: such an item stays an exception.
    """
    captures = profile.capture == "TC" or profile.offline_unknown == "capture"
    return captures and row.kind == Kind.OFFLINE_SALE and row.amount > 0 and row.pan_hash != ""


def _is_free(draft: Draft, terminal: Terminal, batch: Batch, item: UploadItem) -> bool:
    """Whether nothing else is known by its key. Without a STAN its advice, which may still come, would be booked beside
    it; an RRN that the host has given, before a re-flash too, is of something that it has booked."""
    stan, rrn = item.ref.stan, item.ref.rrn.strip()
    here = [t for t in draft.ws.txns_by_stan(terminal.tid, stan) if t.batch_id == batch.id]
    known = [t for t in draft.ws.txns_by_rrn(rrn) if t.tid == terminal.tid] if rrn else []
    return stan != "" and not here and not known


def _book(draft: Draft, request: Request, terminal: Terminal, item: UploadItem, row: StagedItem) -> Txn:
    """The sale as its advice would have been booked with the issuer away: forced, and owed to the issuer.

    One commit with the staged row: a crash before it, and the terminal sends the item again; after it, it is known.
    """
    txn_id = draft.new_id(Txn)
    number, _, stan = row.item_key.rpartition("/")
    pending = draft.put(
        Txn(
            id=txn_id,
            tid=terminal.tid,
            mid=terminal.mid,
            epoch=terminal.epoch,
            dialect=request.dialect,
            kind=Kind.OFFLINE_SALE,
            state=TxnState.PENDING,
            batch_id=row.batch_id,
            wire_batch=number if request.profile.key_scheme is KeyScheme.WIRE_BATCH else "",
            stan=stan,
            local_time="",
            rrn=item.ref.rrn.strip() or outcomes.rrn_of(draft.ctx, txn_id),
            auth_code=item.ref.auth_code,
            response_code="",
            refusal="",
            amount=row.amount,
            approved_amount=0,
            balance=-1,
            currency=row.currency or terminal.currency or draft.ctx.settings.currency,
            pan=row.pan,
            pan_hash=row.pan_hash,
            organisation=request.operation.organisation or request.organisation,
            foreign=request.foreign if item.foreign is None else item.foreign,
            entry="",
            processing_code=request.operation.processing_code,
            invoice=item.ref.invoice,
            content="{}",
            original_id=0,
            undone_by="",
            carried=False,
            settlement="none",
            business_date=draft.ctx.business_day,
            created_at=draft.now,
            answered_at="",
            note="booked from its upload: its advice never came",
            tip=item.tip or 0,
            advice=True,
        )
    )
    booked = booking.accept(draft, pending, row.amount)
    purpose = asks.HOLD if booked.state is TxnState.AUTHORISED else asks.DEBIT
    draft.asks += asks.owe(draft, booked, purpose, row.amount)
    draft.note(f"item {row.item_key}: an offline sale that the host never heard of, booked from its upload")
    return booked
