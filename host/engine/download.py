"""Downloads of CUP terminals, and what the host asks of a terminal by header digit 6 (cup.md, sections 1, 4 and 5.10).

A request (`Terminal.request`) is set by a person over the API and said in every answer until the terminal has done it.
"""

from __future__ import annotations

from collections.abc import Mapping

from host.engine import outcomes
from host.engine.checks import Case
from host.engine.draft import Draft
from host.engine.events import Decision
from host.rows import Merchant, Terminal
from specs import downloads
from specs.profile import KeyScheme
from specs.values import replace

NO_REQUEST = "0"
SIGN_ON_AGAIN = outcomes.SIGN_ON_AGAIN
REQUESTS = (NO_REQUEST, "1", "2", SIGN_ON_AGAIN, "4", "5")
"""Header digit 6: none, parameters, status, sign on again, CA public keys, IC parameters."""
DONE_BY: Mapping[str, str] = {"360": "1", "361": "1", "362": "2", "371": "4", "381": "5"}
"""60.3 -> the request that this message ends: the last of a download, or the status itself."""
STATUS = "362"


def decide(case: Case) -> Decision:
    """Hand out what is asked for, or take the status in; nothing of it is booked.

    A crash before the commit: the terminal asks again. After it: the same, and a request that is done stays done.
    """
    draft, operation, terminal = case.draft, case.operation, case.known_terminal
    terminal = done(draft, terminal, DONE_BY.get(operation.function, ""))
    if operation.function == STATUS:
        draft.put(replace(terminal, status=operation.data.hex().upper()))
    data = downloads.answer(operation.function, operation.data, _merchant_name(draft, operation.mid or terminal.mid))
    return Decision(outcome=replace(outcomes.of_service(draft.ctx, operation), data=data or None))


def _merchant_name(draft: Draft, mid: str) -> str:
    merchant: Merchant | None = draft.ws.merchant(mid)
    return merchant.name if merchant is not None else mid.strip()


def done(draft: Draft, terminal: Terminal, request: str) -> Terminal:
    """The terminal has done what header digit 6 asked for; another request stays."""
    if not request or terminal.request != request:
        return terminal
    return draft.put(replace(terminal, request=NO_REQUEST))


def reminded(decision: Decision, terminal: Terminal | None, scheme: KeyScheme) -> Decision:
    """The answer with what this terminal is asked to do; one that asks for something of its own (22: sign on again)
    keeps that."""
    outcome = decision.outcome
    if outcome is None or terminal is None or scheme is not KeyScheme.WIRE_BATCH:
        return decision
    if outcome.request != NO_REQUEST or terminal.request == NO_REQUEST:
        return decision
    return replace(decision, outcome=replace(outcome, request=terminal.request))
