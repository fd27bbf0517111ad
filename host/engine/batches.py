"""Batches: which one a message belongs to, what it holds, and how it ends (rules.md, section 4; RT7, RH6, A7, A8).

What counts as an item: host.engine.items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum

from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.items import differences, disputed_sides, is_item, is_pending, upload_due
from host.engine.items import digest as digest
from host.rows import Batch, BatchState, ExceptionItem, Terminal, Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind, Verdict
from specs.profile import KeyScheme
from specs.totals import BatchItem

FIRST_NUMBER = "000001"
NUMBER_LAST = 999_999
RESET = "terminal reset"
"""`Batch.forced` of what a re-flashed terminal left open (rules.md, section 4)."""
LIVE = frozenset({BatchState.OPEN, BatchState.DISPUTED})

_SETTLEMENT_OF = {"AMT": "exception", "host-only": "settled"}
"""Exception reason -> what it makes of a captured item; host-only as `host_only = "fund-and-flag"` has it."""


class Standing(StrEnum):
    """What a wire number is to the host, within the terminal's epoch."""

    LIVE = "live"  # of the open or disputed batch
    CLOSED = "closed"  # its latest generation is closed
    FREE = "free"  # unknown, and the open batch (if any) holds nothing of the terminal's: it may take the number
    TAKEN = "taken"  # unknown, and the open batch holds items of the terminal's


def standing(draft: Draft, terminal: Terminal, number: str) -> Standing:
    """Numbers of earlier epochs are unknown: a re-flashed terminal starts again at 000001."""
    batch = draft.ws.open_batch(terminal.tid)
    if batch is not None and batch.number == number:
        return Standing.LIVE
    if closed(draft, terminal, number) is not None:
        return Standing.CLOSED
    return Standing.TAKEN if batch is not None and has_items(draft, batch) else Standing.FREE


def closed(draft: Draft, terminal: Terminal, number: str) -> Batch | None:
    """The latest generation of a number if it is closed and of this epoch."""
    found = draft.ws.batch_numbered(terminal.tid, number)
    return found if found is not None and found.state not in LIVE and found.epoch == terminal.epoch else None


def last_closed(draft: Draft, terminal: Terminal) -> Batch | None:
    """The terminal's newest closed batch of this epoch; None at first contact and after a reset."""
    found = [b for b in draft.ws.batches(terminal.tid) if b.state not in LIVE and b.epoch == terminal.epoch]
    return found[-1] if found else None


def item_batch(draft: Draft, request: Request, terminal: Terminal) -> Batch | Refusal:
    """The batch that a request is booked in (rules.md, section 4).

    CUP: by its 60.2; a closed number CLOSED_BATCH, an unknown one beside items of the terminal UNKNOWN_BATCH (both are
    22). NAC: the host's open batch, whatever DE 60 says. A disputed batch is open again; what was staged stays.
    """
    number = request.operation.batch if request.profile.key_scheme is KeyScheme.WIRE_BATCH else None
    if number is None:
        return _booked_in(draft, current(draft, terminal, None))
    match standing(draft, terminal, number):
        case Standing.CLOSED:
            return Refusal.CLOSED_BATCH
        case Standing.TAKEN:
            return Refusal.UNKNOWN_BATCH
        case _:
            return _booked_in(draft, adopt(draft, terminal, number))


def current_number(draft: Draft, terminal: Terminal, adopt: str | None) -> str:
    """What 60.2 of the 0810 says: the number of the open or disputed batch. `adopt`: see `current`."""
    return current(draft, terminal, adopt).number


def current(draft: Draft, terminal: Terminal, number: str | None) -> Batch:
    """The open or disputed batch; without one (first contact) it is opened under `number`, or 000001.

    After a terminal reset the empty batch that the host opened takes `number` too: nobody has been told another yet.
    """
    batch = draft.ws.open_batch(terminal.tid)
    if batch is None:
        return adopt(draft, terminal, number or FIRST_NUMBER)
    if batch.epoch == terminal.epoch:
        return batch
    return adopt(draft, terminal, batch.number if number is None or has_items(draft, batch) else number)


def adopt(draft: Draft, terminal: Terminal, number: str) -> Batch:
    """Let the open batch take a number, or open one under it; nothing changes when it has that number already."""
    batch = draft.ws.open_batch(terminal.tid)
    before = [b for b in draft.ws.batches(terminal.tid) if b is not batch]
    generation = _generation(before[-1] if before else None, number)
    if batch is None:
        return draft.put(_fresh(draft, terminal.tid, terminal.epoch, number, generation))
    if batch.number == number:
        return batch if batch.epoch == terminal.epoch else draft.put(replace(batch, epoch=terminal.epoch))
    draft.note(f"batch number {number} adopted: the open batch of {terminal.tid} was {batch.number}")
    return draft.put(replace(batch, number=number, generation=generation, epoch=terminal.epoch))


def _booked_in(draft: Draft, batch: Batch) -> Batch:
    if batch.state is not BatchState.DISPUTED:
        return batch
    draft.note(f"batch {batch.number} was disputed and is open again: the terminal should have been frozen")
    return draft.put(replace(batch, state=BatchState.OPEN, business_date=""))


# --- what a batch holds -----------------------------------------------------------------------------------------------


def has_items(draft: Draft, batch: Batch) -> bool:
    """Whether anything in it is the terminal's own; what is still at the issuer may become an item any moment."""
    # A financial request comes with what is pending, not with the whole batch: the running totals know the rest.
    running = json.loads(batch.running or "{}")
    return bool(running) or any(is_item(t) or is_pending(t) for t in draft.ws.txns_of_batch(batch.id))


def items(draft: Draft, batch: Batch) -> list[BatchItem]:
    """What a dialect's `count` gets: the batch from H's books. A voided sale and its void are both there."""
    return [
        BatchItem(Kind(t.kind), t.approved_amount, t.foreign, t.state is TxnState.VOIDED)
        for t in draft.ws.txns_of_batch(batch.id)
        if is_item(t)
    ]


def change(draft: Draft, before: Txn | None, after: Txn) -> None:
    """Keep the running totals of the batch: call it with every new form of a transaction, beside its put.

    Shape: {"kind": [count, amount]} over the items, by kind, without zero rows; a voided sale stays in "sale" and its
    void is in "void", since CUP counts both and NAC the difference. A closed batch keeps the totals of its close: what
    comes later is an adjustment in the open one (RH4). A8 recomputes this from the items.
    """
    moves: dict[tuple[int, str], list[int]] = {}
    for txn, sign in ((before, -1), (after, +1)):
        if txn is not None and is_item(txn):
            move = moves.setdefault((txn.batch_id, str(txn.kind)), [0, 0])
            move[0] += sign
            move[1] += sign * txn.approved_amount
    for (batch_id, kind), (count, amount) in moves.items():
        batch = draft.ws.get(Batch, batch_id)
        assert batch is not None, f"batch {batch_id} of transaction {after.id} is not loaded"
        if batch.state in LIVE and (count or amount):
            draft.put(replace(batch, running=_added(batch.running, kind, count, amount)))


def _added(running: str, kind: str, count: int, amount: int) -> str:
    sums: dict[str, list[int]] = json.loads(running or "{}")
    old_count, old_amount = sums.pop(kind, (0, 0))
    count, amount = old_count + count, old_amount + amount
    assert count >= 0, f"{count} items of kind {kind}"
    if count or amount:
        sums[kind] = [count, amount]
    return json.dumps(sums, sort_keys=True)


# --- the end of a batch -----------------------------------------------------------------------------------------------


def next_number(number: str) -> str:
    """Last + 1; after 999999 comes 000001."""
    return f"{int(number) % NUMBER_LAST + 1:06d}"


def close(
    draft: Draft, batch: Batch, verdict: Verdict | None, exceptions: Iterable[ExceptionItem] = (), *, forced: str = ""
) -> Batch:
    """Close a batch and open the next one; gives back the closed one.

    `batch` comes with claimed, answered and sides as they shall be stored. CLOSED only when agreed and free of
    exceptions. Each captured item becomes settled, those under exception as `_settlement` says. Business date: that of
    its first 0500 when it was disputed, else today's at the host (rules.md, section 7).

    All of it is one commit, before the answer leaves. A crash just before: the batch is open or disputed, the terminal
    frozen, and its next 0500 is compared anew. A crash just after: the terminal asks again and gets what is stored
    here (RH5). In neither is anything settled twice or lost. The caller has waited for what was in flight.
    """
    assert batch.state in LIVE, f"batch {batch.id} is {batch.state}"
    txns = draft.ws.txns_of_batch(batch.id)
    assert not any(is_pending(t) for t in txns), f"batch {batch.id} has requests in flight: its close waits for them"
    found = [draft.put(e) for e in exceptions]
    agreed = verdict is Verdict.AGREED and not found and not forced
    spent = bool(batch.claimed) or has_items(draft, batch)
    reasons = {e.txn_id: e.reason for e in found if e.txn_id}
    done = draft.put(
        replace(
            batch,
            state=BatchState.CLOSED if agreed else BatchState.CLOSED_WITH_EXCEPTIONS,
            closed_at=draft.now,
            business_date=batch.business_date or draft.ctx.business_date.isoformat(),
            verdict=str(verdict or ""),
            digest=digest(txns),
            forced=forced,
        )
    )
    number = next_number(batch.number) if spent else batch.number
    draft.put(_fresh(draft, batch.tid, batch.epoch, number, _generation(done, number)))
    for txn in txns:
        if txn.state is TxnState.CAPTURED:
            draft.put(replace(txn, settlement=_settlement(draft, reasons.get(txn.id, ""))))
    return done


def close_for_reset(draft: Draft, terminal: Terminal) -> Batch | None:
    """A re-flashed terminal: what was open is closed as it stands, with exceptions; an empty batch just stays.

    The open batch is then one of the old epoch without items: the next message gives it its number.
    """
    batch = draft.ws.open_batch(terminal.tid)
    if batch is None or not (batch.claimed or _holds_money(draft, batch)):
        return None
    return forced_close(draft, batch, RESET)


def forced_close(draft: Draft, batch: Batch, reason: str) -> Batch:
    """The host closes without the terminal: always with exceptions, from its books and what is staged (section 7).

    A dispute ends as «still not agreed», so that a trailer that comes later meets the final code; without any 0500 the
    terminal's first one is compared with the books then. No item is listed that an upload did not get to.
    """
    # A voided sale and its void are uploaded only where the answer goes side by side (CUP); before one, both pass.
    counts_voids = disputed_sides(batch) is not None or not batch.claimed
    whole = bool(batch.claimed) and len(draft.ws.staged(batch.id)) == upload_due(batch)
    found = differences(draft, batch, counts_voids=counts_voids, whole=whole)
    return close(draft, batch, Verdict.STILL_DIFFERS if batch.claimed else None, found, forced=reason)


def _holds_money(draft: Draft, batch: Batch) -> bool:
    return any(t.state is TxnState.CAPTURED for t in draft.ws.txns_of_batch(batch.id)) or has_items(draft, batch)


def _settlement(draft: Draft, reason: str) -> str:
    if reason == "host-only" and draft.ctx.settings.host_only == "suspense":
        return "exception"
    return _SETTLEMENT_OF.get(reason, "settled")


def _generation(before: Batch | None, number: str) -> int:
    """Which use of the number this is, told from the batch before it alone.

    It rises whenever the numbers do not, so no number ever has a generation twice; a number that was skipped in an
    earlier round may start above 1.
    """
    if before is None:
        return 1
    return before.generation + (number <= before.number)


def _fresh(draft: Draft, tid: str, epoch: int, number: str, generation: int) -> Batch:
    return Batch(
        id=draft.new_id(Batch),
        tid=tid,
        number=number,
        generation=generation,
        epoch=epoch,
        state=BatchState.OPEN,
        opened_at=draft.now,
        closed_at="",
        business_date="",
        running="{}",
        claimed="",
        answered="",
        verdict="",
        sides="",
        upload_rounds=0,
        end_count=0,
        digest="",
        forced="",
    )
