"""A terminal starts again by hand: what `POST /reset` does where the wire shows no re-flash (rules.md, section 4)."""

from __future__ import annotations

from dataclasses import replace

from host.engine import batches
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.working import Needs
from host.store.store import Store

ALARM = "terminal-reset"


def new_epoch(store: Store, ctx: Context, tid: str) -> None:
    """Close what is open with exceptions; keys and tombstones of the old epoch leave every search. One commit.

    The terminal keeps its keys and stays signed on: unlike after a re-flash it has them still.
    """
    draft = Draft(store.load(Needs(tids={tid}, items_of_tids={tid})), ctx)
    terminal = draft.ws.terminal(tid)
    if terminal is None:
        return
    closed = batches.close_for_reset(draft, terminal)
    text = f"reset by hand: epoch {terminal.epoch + 1}"
    draft.alarm(tid, ALARM, text, batch_id=closed.id if closed else 0)
    draft.put(replace(terminal, epoch=terminal.epoch + 1, last_stan=""))
    store.commit(draft.puts)
