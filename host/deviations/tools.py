"""What deviations are made of: the books shown otherwise, the event told otherwise, the decision changed afterwards.

A deviation decides over a copy of the working set, so that whatever it makes the engine believe is gone afterwards;
only the puts of the decision, as the deviation leaves them, are applied to the books of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from host.engine import outcomes
from host.engine.asks import DONE
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.effects import EFFECTS
from host.engine.events import Ask, Decision, Event, Request
from host.engine.identity import LIVE_BATCH, Match, batch_of_number, find, time_of
from host.engine.working import WorkingSet
from host.group import Decide
from host.rows import Row, Terminal, Txn
from specs.operation import DEBITS, Kind, UploadItem
from specs.values import replace

Change = Callable[[WorkingSet, Decision], Decision]
"""The books as the decision has left them, and the decision -> what it shall have been."""


def shown(ws: WorkingSet, *, without: Callable[[Row], bool] | None = None, instead: Iterable[Row] = ()) -> WorkingSet:
    """A copy of the books: some rows left out, others in another form."""
    seen = WorkingSet(row for row in ws.rows() if without is None or not without(row))
    seen.apply(instead)
    return seen


def over(
    decide: Decide, ws: WorkingSet, seen: WorkingSet, event: Event, ctx: Context, change: Change | None = None
) -> Decision:
    """Decide over `seen`, change the decision, apply it to the books."""
    decision = decide(seen, event, ctx)
    if change is not None:
        decision = change(seen, decision)
    ws.apply(decision.puts)
    return decision


def asks_for(event: Event, *kinds: Kind) -> bool:
    """Whether it is a request of one of these kinds."""
    return isinstance(event, Request) and event.operation.kind in kinds


def told(request: Request, **changes: object) -> Request:
    """The request with other fields of its operation."""
    return replace(request, operation=replace(request.operation, **changes))  # type: ignore[arg-type]


def sender(ws: WorkingSet, event: Event) -> Terminal | None:
    """The terminal that asks; None before its first contact, and for what is no request."""
    return ws.terminal(event.operation.tid) if isinstance(event, Request) else None


def match_of(ws: WorkingSet, event: Event, ctx: Context) -> Match | None:
    """What stands under the key of an arriving original."""
    terminal = sender(ws, event)
    if terminal is None or not isinstance(event, Request) or event.operation.kind not in EFFECTS:
        return None
    return find(ws, terminal, event, ctx.now)


def also(decision: Decision, draft: Draft, asks: Iterable[Ask] = (), *, before: bool = False) -> Decision:
    """The decision, with what a draft over the same books has put, noted and asked after it (or before it): of a row
    that both have put the later form counts."""
    rows = (*draft.puts, *decision.puts) if before else (*decision.puts, *draft.puts)
    puts = {(type(row), row.id): row for row in rows}
    notes = (*decision.notes, *draft.notes)
    return replace(decision, puts=tuple(puts.values()), notes=notes, asks=(*decision.asks, *asks, *draft.asks))


def with_puts(decision: Decision, put: Callable[[Row], Row | None]) -> Decision:
    """The decision with each of its rows in another form; None = not written."""
    rows = (put(row) for row in decision.puts)
    return replace(decision, puts=tuple(row for row in rows if row is not None))


def unasked(decision: Decision, drop: Callable[[Ask], str]) -> Decision:
    """The decision without some of what it asks of the issuer: `drop` gives the result that the leg is believed to
    have, "" = it is asked."""
    believed = {ask.leg.id: result for ask in decision.asks if (result := drop(ask))}
    legs = {ask.leg.id: replace(ask.leg, state=DONE, result=believed[ask.leg.id]) for ask in decision.asks if drop(ask)}
    asks = tuple(ask for ask in decision.asks if ask.leg.id not in legs)
    puts = {(type(row), row.id): row for row in (*decision.puts, *legs.values())}
    return replace(decision, puts=tuple(puts.values()), asks=asks)


def replayed(ws: WorkingSet, request: Request, txn: Txn, ctx: Context) -> Decision:
    """The stored answer to a transaction, signed as the terminal signs."""
    outcome = outcomes.of_txn(ctx, txn, request.profile.key_scheme)
    return signed(ws, request, Decision(outcome=outcome, txn_id=txn.id))


def signed(ws: WorkingSet, request: Request, decision: Decision) -> Decision:
    """The decision with the key and the algorithm that its answer needs, if it needs any."""
    terminal = ws.terminal(request.operation.tid)
    if terminal is None or not terminal.signed_on or not request.profile.mac:
        return decision
    return replace(decision, sign_key=terminal.key_in_use, mac=request.profile.mac)


def beside(ws: WorkingSet, decision: Decision) -> Decision:
    """New transactions get a time of their own where another one lives under their key: the store's guard against two
    of one key (`txn_live_key`) is part of the rule that is being broken."""
    known = {_live_key(txn) for txn in ws.all(Txn)}

    def apart(row: Row) -> Row:
        if not isinstance(row, Txn) or ws.txn(row.id) is not None or _live_key(row) not in known:
            return row
        return replace(row, local_time="", transmitted=f"copy {row.id}")

    return with_puts(decision, apart)


def _live_key(txn: Txn) -> tuple[str, str, int, int, str, str]:
    return txn.tid, txn.stan, txn.epoch, txn.batch_id, txn.wire_batch, time_of(txn)


def is_closed_number(ws: WorkingSet, request: Request) -> bool:
    """Whether the message names a batch whose latest generation is closed."""
    terminal = ws.terminal(request.operation.tid)
    batch = batch_of_number(ws, terminal, request.operation.batch or "") if terminal is not None else None
    return batch is not None and batch.state not in LIVE_BATCH


def sold_offline(request: Request, unknown: Callable[[UploadItem], bool]) -> Request:
    """An upload of which these items are taken for offline sales that the terminal's word captures."""
    items = (
        replace(item, kind=Kind.OFFLINE_SALE) if unknown(item) and (item.kind or Kind.SALE) in DEBITS else item
        for item in request.operation.items
    )
    return replace(told(request, items=tuple(items)), profile=replace(request.profile, offline_unknown="capture"))
