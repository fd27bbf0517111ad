"""What the operator's query asks (RO1): the host's API, never the line. No address or no answer = «cannot tell»."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from specs.masking import mask_text
from terminal_sim.state import Memory, Row, RowState
from terminal_sim.wire import Wire

TIMEOUT_S = 10
BYTES_MAX = 1_000_000


class Found(StrEnum):
    """What the host knows."""

    YES = "found"
    NO = "not-found"
    CANNOT_TELL = "cannot-tell"


class Do(StrEnum):
    """What the operator does now."""

    REPRINT = "reprint"
    CHARGE_AGAIN = "charge-again"
    WAIT = "wait"


EXIT_CODES = {Do.REPRINT: 0, Do.CHARGE_AGAIN: 1, Do.WAIT: 3}
"""interface.md, section 1. A script that sees 0 may hand the goods over."""
UNDECIDED = "pending"
STANDS_FOR_NOTHING = frozenset({"declined", "reversed", "tombstone", "voided", "expired"})
"""States at the host (interface.md, section 3) under which nothing is charged: proven not successful (RO2)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The host's word on one transaction. item: as the API lists it, None when it has none. why: of cannot-tell."""

    found: Found
    stan: str
    item: dict[str, Any] | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """The transaction asked for. amount None = any."""

    stan: str
    batch: str
    amount: int | None = None


def question(memory: Memory, stan: str = "") -> Question | None:
    """The doubtful transaction: the one asked for, else the owed reversal's, else the newest in the books."""
    rows = _own_rows(memory)
    if stan:
        row = next((row for row in reversed(rows) if row.stan == stan), None)
        if row is None and memory.pending and memory.pending.stan == stan:
            return Question(stan, memory.pending.batch, memory.pending.amount)
        return Question(stan, row.batch, row.amount) if row else Question(stan, memory.batch)
    if memory.pending and not memory.kept:
        return Question(memory.pending.stan, memory.pending.batch, memory.pending.amount)
    return Question(rows[-1].stan, rows[-1].batch, rows[-1].amount) if rows else None


def _own_rows(memory: Memory) -> list[Row]:
    """All that the terminal has sold, oldest first; at the end what it has not booked yet and will (roll-forward)."""
    rows = [*(row for closed in memory.archive for row in closed.rows), *memory.rows]
    return [*rows, memory.kept.row] if memory.kept else rows


def ask(memory: Memory, wire: Wire, asked: Question) -> Reply:
    """Ask by TID, STAN and, where the wire carries it, batch number; the amount must agree too."""
    config = memory.config
    if not config.api:
        return Reply(Found.CANNOT_TELL, asked.stan, why="the terminal was set up without --api")
    wanted = {"tid": config.tid, "stan": asked.stan}
    if wire.name == "cup":
        wanted["batch"] = asked.batch
    url = f"{config.api.rstrip('/')}/api/v1/transactions?{urlencode(wanted)}"
    try:
        items = _items(url)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Reply(Found.CANNOT_TELL, asked.stan, why=mask_text(f"{config.api}: {error}"))
    fitting = [item for item in items if asked.amount is None or item.get("amount") == asked.amount]
    if not fitting:
        return Reply(Found.NO, asked.stan)
    return Reply(Found.YES, asked.stan, max(fitting, key=lambda item: str(item.get("id", ""))))


def _items(url: str) -> list[dict[str, Any]]:
    # No proxy: the host is named by its address, and what is asked concerns nobody in between.
    with build_opener(ProxyHandler({})).open(url, timeout=TIMEOUT_S) as answer:
        items = json.loads(answer.read(BYTES_MAX))["items"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("the answer is no list of transactions")
    return items


@dataclass(frozen=True, slots=True)
class Advice:
    """The answer to «what now?», for a script and for the operator."""

    do: Do
    text: str


def never_used(memory: Memory, stan: str) -> bool:
    """Whether this terminal surely never sent anything under this STAN: nothing can be said of it, least of all «charge
    again». After the number has wrapped nobody can be sure any more."""
    rows = [*memory.rows, *(row for closed in memory.archive for row in closed.rows)]
    known = {row.stan for row in rows} | {event.stan for event in memory.events}
    wrapped = max(known, default="") > memory.stan
    return int(stan) == 0 or (stan > memory.stan and not wrapped)


def advice(memory: Memory, reply: Reply) -> Advice:
    """What the operator does now (RO1): sold → reprint; surely not sold → charge again (RO2); else wait."""
    about = f"STAN {reply.stan}: "
    if reply.found is Found.CANNOT_TELL:
        return Advice(Do.WAIT, f"{about}cannot tell ({reply.why}): wait, do not charge again")
    item = reply.item or {}
    state, at_host = str(item.get("state", "?")), "not found at the host"
    if reply.found is Found.YES:
        at_host = f"found at the host ({state}, response code {item.get('response_code') or '-'})"
    if reply.found is Found.YES and state == UNDECIDED:
        return Advice(Do.WAIT, f"{about}{at_host}: not decided yet: wait, do not charge again")
    sold = reply.found is Found.YES and state not in STANDS_FOR_NOTHING
    if memory.pending is not None and not memory.kept and memory.pending.stan == reply.stan:
        undone = "the terminal owes its reversal and sends it before the next transaction"
        then = f"; {undone}, then charge again" if sold else f": charge again ({undone})"
        return Advice(Do.CHARGE_AGAIN, f"{about}{at_host}{then}")
    if sold:
        return Advice(Do.REPRINT, f"{about}{at_host}: reprint, do not charge again")
    return _not_sold(memory, reply.stan, f"{about}{at_host}")


def _not_sold(memory: Memory, stan: str, at_host: str) -> Advice:
    """The host has nothing that is charged; but what stands in the terminal's own books was sold all the same."""
    own = next((row for row in reversed(_own_rows(memory)) if row.stan == stan), None)
    if own is None or own.state is not RowState.JOURNALED:
        return Advice(Do.CHARGE_AGAIN, f"{at_host}: charge again")
    if own.stored:
        text = f"{at_host}, approved here and stored, the host is told later: reprint, do not charge again"
        return Advice(Do.REPRINT, text)
    return Advice(Do.WAIT, f"{at_host}, but approved here: the books differ, do not charge again: ask the host's desk")
