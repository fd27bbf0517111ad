"""What the operator's query asks (RO1): the host's API, never the line. No address or no answer = «cannot tell»."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from specs.masking import mask_text
from terminal_sim.state import Memory
from terminal_sim.wire import Wire

TIMEOUT_S = 10
BYTES_MAX = 1_000_000


class Found(StrEnum):
    """What the host knows."""

    YES = "found"
    NO = "not-found"
    CANNOT_TELL = "cannot-tell"


EXIT_CODES = {Found.YES: 0, Found.NO: 1, Found.CANNOT_TELL: 3}


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
    rows = [*(row for closed in memory.archive for row in closed.rows), *memory.rows]
    if stan:
        row = next((row for row in reversed(rows) if row.stan == stan), None)
        if row is None and memory.pending and memory.pending.stan == stan:
            return Question(stan, memory.pending.batch, memory.pending.amount)
        return Question(stan, row.batch, row.amount) if row else Question(stan, memory.batch)
    if memory.pending:
        return Question(memory.pending.stan, memory.pending.batch, memory.pending.amount)
    return Question(rows[-1].stan, rows[-1].batch, rows[-1].amount) if rows else None


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


def advice(memory: Memory, reply: Reply) -> str:
    """What the operator does now (RO1): found → reprint, not found → charge again, cannot tell → wait."""
    if reply.found is Found.CANNOT_TELL:
        return f"STAN {reply.stan}: cannot tell ({reply.why}): wait, do not charge again"
    owed = memory.pending is not None and memory.pending.stan == reply.stan
    undone = "the terminal owes its reversal and sends it before the next transaction"
    if reply.found is Found.NO:
        return f"STAN {reply.stan}: not found at the host: charge again" + (f" ({undone})" if owed else "")
    item = reply.item or {}
    state = f"{item.get('state', '?')}, response code {item.get('response_code') or '-'}"
    if owed:
        return f"STAN {reply.stan}: found at the host ({state}); {undone}, then charge again"
    return f"STAN {reply.stan}: found at the host ({state}): reprint, do not charge again"
