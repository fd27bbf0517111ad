"""What sale and void share: owe first, then send; one write turns the debt into a journal row.

On flash at each moment, and so what a cut there leaves:
    before rev-store   nothing but a spent STAN: nothing was sent
    rev-store .. journal  the reversal: the next boot sends it, whether the host got the request or not
    after journal      the row and its slip, no reversal: sold once, reprint the last slip
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from specs.operation import Operation
from terminal_sim import slips
from terminal_sim.jobs import plain
from terminal_sim.moves import End, Job, Result, SignOn
from terminal_sim.state import ROWS_MAX, ROWS_WARNING, Pending, Row
from terminal_sim.turn import Turn
from terminal_sim.wire import Answer, Failure

UNKNOWN = "unknown: query first"
"""RT10: doubt is never shown as failure."""
BATCH_NUMBER_REFUSED = "22"
_DOMESTIC = frozenset({"CUP", "000"})
_ORGANISATION_DE = 63


def owe_and_send(turn: Turn, job: Job, operation: Operation) -> None:
    """RT1: the reversal is on flash before the first byte leaves."""
    assert operation.amount is not None
    assert turn.memory.pending is None, "a second reversal would overwrite the first"
    request = turn.wire.request(operation)
    image = turn.wire.reversal(request, Failure.NO_ANSWER)
    turn.note("rev-stored", stan=operation.stan)
    # A cut before this write: the STAN is spent, nothing left. After it: the host may or may not have the request,
    # and the boot sends the 0400, which it answers 25 or 00; either way nothing stays booked.
    turn.save(
        "rev-store",
        pending=Pending(operation.stan, turn.memory.batch, operation.kind, operation.amount, image),
    )
    turn.send(job, operation, request)


def book(turn: Turn, answer: Answer, row: Row, changed: Iterable[Row] = ()) -> None:
    """RT2: the row in, the reversal out and the slip kept, in one write; then the paper."""
    asked = turn.running.exchange.operation.amount if turn.running.exchange else row.amount
    slip = slips.transaction(turn.memory.config, turn.wire.name, row)
    turn.note("rev-cleared", stan=row.stan, code=answer.code)
    turn.note("slip", stan=row.stan, code=answer.code, detail="approved")
    memory = turn.memory.with_rows(changed)
    # A cut before this write: the reversal is still there and undoes what the host has approved (no slip was printed).
    # After it: the row counts, the reversal is gone, and the slip can be printed again from here.
    turn.save(
        "journal",
        memory,
        rows=(*memory.rows, row),
        pending=None,
        last_slip=slip,
        host_time=row.at or memory.host_time,
    )
    turn.print(slip)
    if ROWS_WARNING <= len(turn.memory.rows) < ROWS_MAX:
        turn.show(f"journal {len(turn.memory.rows)} of {ROWS_MAX}: settle soon 请结算")
    end = End.PARTIAL if asked is not None and row.amount < asked else End.APPROVED
    text = f"{end}: {answer.code} {turn.wire.text(answer.code)}"
    turn.show(text)
    turn.finish(
        Result(end, text, answer.code, asked, row.amount, row.stan, row.rrn, row.auth_code, turn.memory.batch, slip)
    )


def row_of(turn: Turn, answer: Answer, operation: Operation) -> Row:
    """The journal row of an approved answer. A partial approval counts with what was approved."""
    assert operation.card is not None
    assert operation.amount is not None
    outcome = answer.outcome
    amount = operation.amount if outcome.amount is None else min(operation.amount, outcome.amount)
    return Row(
        stan=operation.stan,
        batch=turn.memory.batch,
        kind=operation.kind,
        amount=amount,
        pan=operation.card.pan,
        expiry=operation.card.expiry,
        entry=operation.card.entry,
        rrn=outcome.rrn,
        auth_code=outcome.auth_code,
        response_code=outcome.code,
        at=outcome.at,
        foreign=_is_foreign(turn, answer),
        organisation=outcome.organisation,
        issuer=outcome.issuer,
        acquirer=outcome.acquirer,
        original_stan=operation.original.stan if operation.original else "",
        invoice=operation.invoice,
    )


def _is_foreign(turn: Turn, answer: Answer) -> bool:
    """The side of a CUP row: DE 63 of the answer, CUP and 000 domestic, any other foreign (rules.md section 5)."""
    said = answer.message.get(_ORGANISATION_DE)
    return turn.wire.name == "cup" and said is not None and said[:3] not in _DOMESTIC


def declined(turn: Turn, answer: Answer) -> None:
    """A final no: the reversal goes, since an answered transaction is not reversed (response-codes.md)."""
    pending = turn.memory.pending
    assert pending is not None
    turn.note("rev-cleared", stan=pending.stan, code=answer.code)
    turn.note("shown", stan=pending.stan, code=answer.code, detail="declined")
    signed_on = turn.memory.signed_on and not plain.asks_for_sign_on(turn, answer.code)
    # A cut before this write: the reversal is sent and answered 12; after it: nothing is owed.
    turn.save("rev-clear", pending=None, signed_on=signed_on)
    text = f"declined: {answer.code} {turn.wire.text(answer.code)}"
    if turn.wire.name == "cup" and answer.code == BATCH_NUMBER_REFUSED:
        text += _after_refused_number(turn)
    turn.show(text)
    turn.finish(
        Result(
            End.DECLINED,
            text,
            answer.code,
            pending.amount,
            stan=pending.stan,
            rrn=answer.outcome.rrn,
            batch=pending.batch,
        )
    )


def _after_refused_number(turn: Turn) -> str:
    """RH6 from this side: with rows settle first; without, sign on, take the host's number, let the operator retry."""
    if turn.memory.rows:
        return "; the host refuses this batch number: settle first"
    turn.then(SignOn(quiet=True))
    return "; the host refuses this batch number: signing on for another, then try again"


def failed(turn: Turn, failure: Failure, what: str) -> None:
    """No final answer. Nothing sent: nothing owed. Anything else: unknown, and the reversal stays with its reason."""
    pending = turn.memory.pending
    assert pending is not None
    if failure is Failure.NOT_SENT:
        turn.note("rev-cleared", stan=pending.stan, detail="not-sent")
        # A cut before this write: one 0400 too many, answered 25. Nothing had left: dropping the image loses nothing.
        turn.save("rev-clear", pending=None)
        text = f"{what}: no connection: nothing was sent"
        end = End.NOT_SENT
    else:
        turn.note("shown", stan=pending.stan, detail="unknown")
        turn.save("rev-store", pending=replace(pending, reason=str(failure)))
        text = f"{what}: {UNKNOWN} (a reversal is owed for STAN {pending.stan})"
        end = End.UNKNOWN
    turn.show(text)
    turn.stop(Result(end, text, amount=pending.amount, stan=pending.stan, batch=pending.batch))
