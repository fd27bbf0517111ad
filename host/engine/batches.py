"""Batches: which one a message belongs to, and what it holds (rules.md, section 4; RH6, A8).

What counts as an item: host.engine.items. How a batch ends: host.engine.closing.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from enum import StrEnum

from host.engine.draft import Draft
from host.engine.events import Request
from host.engine.items import batch_items, is_booked, is_item, is_pending
from host.rows import Batch, BatchState, Terminal, Txn
from specs.codes import Refusal
from specs.profile import KeyScheme
from specs.totals import BatchItem
from specs.values import replace

FIRST_NUMBER = "000001"
NUMBER_LAST = 999_999
LIVE = frozenset({BatchState.OPEN, BatchState.DISPUTED})
_HALF_A_YEAR = timedelta(days=183)
_MOMENT_DIGITS = 10
_read_json = json.JSONDecoder().raw_decode


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
    """The batch that a request or advice is booked in (rules.md, section 4); `is_carried` says whether it is compared.

    CUP: by its 60.2; for a request a closed number is CLOSED_BATCH, an unknown one beside items of the terminal
    UNKNOWN_BATCH (both are 22), for an advice both mean the open batch. NAC, ISO 87: the host's open batch; NAC with
    `de60_batch` as CUP (both are 80). A disputed batch is open again, but for what is carried; what was staged stays.
    """
    number = _number_on_wire(request)
    if number is None:
        return _booked_in(draft, current(draft, terminal, None), carried=_sold_before(draft, request, terminal))
    found, advice = standing(draft, terminal, number), request.operation.happened
    match found:
        case Standing.LIVE | Standing.FREE:
            return _booked_in(draft, adopt(draft, terminal, number), carried=False)
        case Standing.CLOSED | Standing.TAKEN if advice:
            draft.note(f"advice of batch {number}, which is {found}: carried into the open one, out of its comparison")
            return current(draft, terminal, None)
        case Standing.CLOSED:
            return Refusal.CLOSED_BATCH
        case Standing.TAKEN:
            return Refusal.UNKNOWN_BATCH


def is_carried(draft: Draft, request: Request, terminal: Terminal, batch: Batch) -> bool:
    """Whether what `item_batch` put into this batch stays out of its comparison (`Txn.carried`): an advice of an
    earlier batch, told by its number (CUP) or by its time (NAC, ISO 87: before the last close, if that was H's own)."""
    if not request.operation.happened:
        return False
    number = _number_on_wire(request)
    return number != batch.number if number is not None else _sold_before(draft, request, terminal)


def _number_on_wire(request: Request) -> str | None:
    """The batch number that decides where a message is booked; None = the host's open batch, whatever it says."""
    operation, profile = request.operation, request.profile
    by_number = profile.key_scheme is KeyScheme.WIRE_BATCH or (profile.de60_batch and not operation.happened)
    return operation.batch if by_number else None


def _sold_before(draft: Draft, request: Request, terminal: Terminal) -> bool:
    """An advice whose DE 13 + DE 12 lies before the last close, where that close was H's own (section 7)."""
    operation, last = request.operation, last_closed(draft, terminal)
    if not operation.happened or last is None or not last.forced:
        return False
    sold = local_moment(draft.ctx.now, operation.local_date + operation.local_time)
    return sold is not None and sold < datetime.fromisoformat(last.closed_at)


def local_moment(now: datetime, local: str) -> datetime | None:
    """MMDDhhmmss of a terminal as a moment in the host's zone, in the year that is nearest; None when it is none."""
    if len(local) != _MOMENT_DIGITS or not local.isdigit():
        return None
    for year in (now.year, now.year - 1):
        try:
            moment = datetime.strptime(f"{year}{local}", "%Y%m%d%H%M%S").replace(tzinfo=now.tzinfo)
        except ValueError:
            continue
        if moment <= now + _HALF_A_YEAR:
            return moment
    return None


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
    if batch is not None and batch.number == number:
        return batch if batch.epoch == terminal.epoch else draft.put(replace(batch, epoch=terminal.epoch))
    before = [b for b in draft.ws.batches(terminal.tid) if b is not batch]
    generation = _generation(before[-1] if before else None, number)
    if batch is None:
        return draft.put(_fresh(draft, terminal.tid, terminal.epoch, number, generation))
    draft.note(f"batch number {number} adopted: the open batch of {terminal.tid} was {batch.number}")
    return draft.put(replace(batch, number=number, generation=generation, epoch=terminal.epoch))


def _booked_in(draft: Draft, batch: Batch, *, carried: bool) -> Batch:
    if batch.state is not BatchState.DISPUTED or carried:
        return batch
    draft.note(f"batch {batch.number} was disputed and is open again: the terminal should have been frozen")
    return draft.put(replace(batch, state=BatchState.OPEN, business_date=""))


def moved(draft: Draft, batch: Batch) -> Batch:
    """A 0500 or 0320 of a batch in dispute has come: its grace at a cutoff starts anew (rules.md, section 7)."""
    if batch.state is not BatchState.DISPUTED or batch.moved_at == draft.now:
        return batch
    return draft.put(replace(batch, moved_at=draft.now))


# --- what a batch holds -----------------------------------------------------------------------------------------------


def has_items(draft: Draft, batch: Batch) -> bool:
    """Whether anything in it is the terminal's own; what is still at the issuer may become an item any moment."""
    # A financial request comes with what is pending, not with the whole batch: the running totals know the rest.
    running = json.loads(batch.running or "{}")
    return bool(running) or any(is_item(t) or is_pending(t) for t in draft.ws.txns_of_batch(batch.id))


def items(draft: Draft, batch: Batch, *, reversed_too: bool = False) -> list[BatchItem]:
    """What a dialect's `count` gets: the batch from H's books. A voided sale and its void are both there.

    reversed_too: `Profile.reversed` is "both" (rules.md, section 5, ISO 87).
    """
    return batch_items(draft.ws.txns_of_batch(batch.id), reversed_too=reversed_too)


def change(draft: Draft, before: Txn | None, after: Txn) -> None:
    """Keep the running totals of the batch: call it with every new form of a transaction, beside its put.

    Shape: {"kind": [count, amount]} over the items, by kind, without zero rows; a voided sale stays in "sale" and its
    void is in "void", since CUP counts both and NAC the difference; an adjusted sale is out and its adjustment in. A
    closed batch keeps the totals of its close: what comes later is an adjustment in the open one (RH4). A8 recomputes
    this from the items. The first thing booked gives the batch its day.
    """
    moves: dict[tuple[int, str], tuple[int, int]] = {}
    if before is not None and is_item(before):
        moves[before.batch_id, before.kind] = (-1, -before.approved_amount)
    if is_item(after):
        count, amount = moves.get((after.batch_id, after.kind), (0, 0))
        moves[after.batch_id, after.kind] = (count + 1, amount + after.approved_amount)
    for (batch_id, kind), (count, amount) in moves.items():
        batch = draft.ws.get(Batch, batch_id)
        assert batch is not None, f"batch {batch_id} of transaction {after.id} is not loaded"
        if batch.state in LIVE and (count or amount):
            draft.put(replace(batch, running=_added(batch.running, kind, count, amount)))
    if is_booked(after):
        date_batch(draft, after.batch_id)


def date_batch(draft: Draft, batch_id: int) -> None:
    """Something is booked in this batch: the first such day is its day, until it closes or is empty at a cutoff."""
    batch = draft.ws.get(Batch, batch_id)
    if batch is not None and batch.state in LIVE and not batch.day:
        draft.put(replace(batch, day=draft.ctx.business_day))


def day_of(draft: Draft, batch_id: int) -> str:
    """The business date that answers about an item carry, YYYY-MM-DD: that of its batch, so that a terminal that
    settles by DE 15 (ISO 87) has one date a batch; before the first item, and without a batch, today's."""
    batch = draft.ws.get(Batch, batch_id)
    return (batch.day if batch is not None else "") or draft.ctx.business_day


def sold_on(draft: Draft, terminal: Terminal, of: Txn | None) -> str:
    """The day of the closed batch in which a carried advice was sold, YYYY-MM-DD. of: what it changes or voids.

    ISO 87 has no other name for that batch. With the day of the batch that it is carried into, the terminal would count
    it there, and that settlement could never agree: the host leaves out what is carried (rules.md, section 5).
    """
    if of is not None:
        return of.business_date
    last = last_closed(draft, terminal)
    return (last.day or last.business_date) if last is not None else draft.ctx.business_day


def dated_behind(draft: Draft, closed_batch: Batch) -> None:
    """ISO 87: what follows a close by hand belongs to the next day, so that the terminal, which does not know of the
    close, does not settle it in one sum with what was closed (rules.md, section 6: one 0500 for each DE 15)."""
    follower = draft.ws.open_batch(closed_batch.tid)
    day = closed_batch.day or closed_batch.business_date
    if follower is not None and not follower.day and day >= draft.ctx.business_day:
        after = date.fromisoformat(day) + timedelta(days=1)
        draft.put(replace(follower, day=after.isoformat()))


def _added(running: str, kind: str, count: int, amount: int) -> str:
    """The running totals with this change, as `json.dumps(sums, sort_keys=True)` writes them."""
    sums: dict[str, list[int]] = _read_json(running or "{}")[0]
    old_count, old_amount = sums.pop(kind, (0, 0))
    count, amount = old_count + count, old_amount + amount
    assert count >= 0, f"{count} items of kind {kind}"
    if count or amount:
        sums[kind] = [count, amount]
    pairs = [f'"{kind}": {pair}' for kind, pair in sorted(sums.items())]
    return "{" + ", ".join(pairs) + "}"


# --- the batch after it -----------------------------------------------------------------------------------------------


def next_number(number: str) -> str:
    """Last + 1; after 999999 comes 000001."""
    return f"{int(number) % NUMBER_LAST + 1:06d}"


def follow(draft: Draft, closed_batch: Batch, number: str) -> Batch:
    """Open the batch that comes after one that has just closed."""
    generation = _generation(closed_batch, number)
    return draft.put(_fresh(draft, closed_batch.tid, closed_batch.epoch, number, generation))


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
