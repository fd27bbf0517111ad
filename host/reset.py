"""A terminal starts again by hand: `POST /reset` for some terminals (interface.md, section 3; rules.md, section 4)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from host.engine import closing
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.working import Needs
from host.errors import Busy
from host.rows import Leg
from host.store.store import Store

ALARM = "terminal-reset"


def reset_terminals(store: Store, ctx: Context, tids: Collection[str], *, keep_history: bool) -> None:
    """Clear the books of these terminals, or give them a new epoch. Raises: Busy while one has a leg in flight.

    Between two groups of events, so nothing is being decided; what is at an issuer is waited for, never forgotten.
    """
    loaded = store.load(Needs(tids=set(tids)))
    flying = sorted({t.tid for leg in loaded.all(Leg) if leg.state != "done" and (t := loaded.txn(leg.txn_id))})
    if flying:
        raise Busy(f"{', '.join(flying)}: a request is still at its issuer; try again")
    if not keep_history:
        store.clear(tids)
        return
    for tid in sorted(tids):
        new_epoch(store, ctx, tid)


def new_epoch(store: Store, ctx: Context, tid: str) -> None:
    """Close what is open with exceptions; keys and tombstones of the old epoch leave every search. One commit.

    The terminal keeps its keys and stays signed on: unlike after a re-flash it has them still.
    """
    draft = Draft(store.load(Needs(tids={tid}, items_of_tids={tid})), ctx)
    terminal = draft.ws.terminal(tid)
    if terminal is None:
        return
    closed = closing.close_for_reset(draft, terminal)
    text = f"reset by hand: epoch {terminal.epoch + 1}"
    draft.alarm(tid, ALARM, text, batch_id=closed.id if closed else 0)
    draft.put(replace(terminal, epoch=terminal.epoch + 1, last_stan=""))
    store.commit(draft.puts)
