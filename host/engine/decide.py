"""decide: one event against the books, to what shall be written, asked and answered. Pure; nothing has happened yet.

Order for the caller: commit `puts`, then send `asks`, then answer. A crash before the commit: the event never was.
After it: what was not asked or answered is found in the books (legs at the restart, answers at the next delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from host.engine import (
    admission,
    booking,
    cutover,
    download,
    evidence,
    explain,
    legs,
    preauth,
    provisioning,
    reversal,
    settle,
    signon,
    upload,
)
from host.engine.admission import refused
from host.engine.checks import GATE, Case, first_refusal
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.effects import EFFECTS
from host.engine.events import CloseBatch, Decision, Event, Expire, IssuerAnswer, LegOverdue, Record, Request
from host.engine.working import WorkingSet
from host.rows import Terminal
from specs.codes import Refusal
from specs.operation import Kind, Outcome
from specs.values import replace

Decide = Callable[[Case], Decision]


def decide(ws: WorkingSet, event: Event, ctx: Context) -> Decision:
    """What this event leads to; the working set then shows it to the next event of the group.

    Raises: whatever went wrong, after taking back all that this decision had put; the caller answers 96.
    """
    draft = Draft(ws, ctx)
    try:
        decision = _reminded(draft, event, _dispatch(draft, event))
    except BaseException:
        draft.discard()
        raise
    if decision.waits_tid:
        # It is decided again from the start when the terminal has nothing in flight: nothing of this attempt stays.
        draft.discard()
        return decision
    notes, asks = (*decision.notes, *draft.notes), (*decision.asks, *draft.asks)
    return replace(decision, puts=draft.puts, notes=notes, asks=asks)


def _dispatch(draft: Draft, event: Event) -> Decision:
    match event:
        case Request():
            return _request(draft, event)
        case IssuerAnswer():
            return legs.answered(draft, event)
        case LegOverdue():
            return legs.overdue(draft, event)
        case CloseBatch():
            return cutover.close_batch(draft, event)
        case Expire():
            return preauth.expired(draft, event)
        case Record():
            return _record(draft, event)


def _reminded(draft: Draft, event: Event, decision: Decision) -> Decision:
    """Every answer to a CUP terminal says what the host wants of it (header digit 6), whoever brought the answer."""
    if decision.outcome is None:
        return decision
    if isinstance(event, Request):
        terminal, scheme = draft.ws.terminal(event.operation.tid), event.profile.key_scheme
    else:
        txn = draft.ws.txn(decision.txn_id)
        assert txn is not None, f"an answer about transaction {decision.txn_id}, which is not loaded"
        terminal, scheme = draft.ws.terminal(txn.tid), booking.profile_of(draft.ctx, txn.dialect).key_scheme
    return download.reminded(decision, terminal, scheme)


def _record(draft: Draft, event: Record) -> Decision:
    for row in event.make(draft.ctx):
        draft.put(row)
    return Decision()


def _request(draft: Draft, request: Request) -> Decision:
    case = Case(draft, request)
    refusal = first_refusal(case, GATE)
    kind = request.operation.kind
    if kind is Kind.OTHER:
        draft.discard()  # no terminal is made for what is not served
    if refusal is not None:
        explain.refusal(case, refusal)
        return refused(case, refusal)  # without a MAC: identity or key is what is wrong
    if kind is Kind.OTHER:
        return refused(case, request.unserved or Refusal.UNKNOWN_TYPE)
    if kind is not Kind.SIGN_ON:  # which must still see the last STAN, to tell a re-flashed terminal
        if kind in EFFECTS and (waits := signon.told(case)) is not None:
            return waits
        case.terminal = provisioning.seen(draft, request, case.known_terminal, case.key)
    return _signed(case, _HANDLERS[kind](case))


def _signed(case: Case, decision: Decision) -> Decision:
    """The answer's MAC: under the key of the request, if its terminal is signed on and the dialect has MACs."""
    if decision.outcome is None or not case.profile.mac:
        return decision
    terminal = case.draft.ws.terminal(case.operation.tid)
    if terminal is None or not terminal.signed_on:
        return decision
    return replace(decision, sign_key=case.key or terminal.mak, mac=case.profile.mac)


def _batch_work(work: Callable[[Draft, Request, Terminal], Outcome | None]) -> Decide:
    """Settlement and upload: an outcome, or wait until the terminal has nothing in flight."""

    def handle(case: Case) -> Decision:
        outcome = work(case.draft, case.request, case.known_terminal)
        return Decision(outcome=outcome) if outcome is not None else Decision(waits_tid=True)

    return handle


_HANDLERS: Mapping[Kind, Decide] = {
    Kind.SIGN_ON: signon.sign_on,
    Kind.SIGN_OFF: signon.sign_off,
    Kind.ECHO: signon.echo,
    Kind.DOWNLOAD: download.decide,
    Kind.SCRIPT_RESULT: evidence.script_result,
    **dict.fromkeys(EFFECTS, admission.decide),
    Kind.REVERSAL: reversal.decide,
    Kind.SETTLE: _batch_work(settle.decide_settle),
    Kind.UPLOAD: _batch_work(upload.decide_upload),
    Kind.TC_UPLOAD: _batch_work(upload.decide_tc_upload),
    Kind.UPLOAD_END: _batch_work(upload.decide_upload_end),
}
