"""Making, undoing and owing issuer legs: rows that are durable before anything is sent (rules.md, section 9; RH7).

asking   its transaction waits for it
undoing  a 0420 is owed until acked, nobody waits
owing    the leg itself is owed as it is, until acked; the issuer does not refuse it
done
"""

from __future__ import annotations

from host.engine.draft import Draft
from host.engine.events import Ask
from host.engine.working import WorkingSet
from host.rows import Leg, Txn
from specs.values import replace

ASKING, UNDOING, OWING, DONE = "asking", "undoing", "owing", "done"
DEBIT, CREDIT, HOLD, RELEASE, INQUIRY = "debit", "credit", "hold", "release", "inquiry"
DEBIT_AGAIN, HOLD_AGAIN = "debit-again", "hold-again"
UNDO = "undo"
APPROVED, PARTIAL, OVERDUE, UNDONE = "approved", "partial", "overdue", "undone"

_OPPOSITE = {CREDIT: DEBIT_AGAIN, RELEASE: HOLD_AGAIN}
"""Money given back is asked for again with a leg of its own; all else is taken back by its 0420."""


def make(draft: Draft, txn: Txn, purpose: str, amount: int, *, release: int = 0, owed: bool = False) -> Leg:
    """The next leg of a transaction, in flight: waited for, or owed.

    Commit first, then ask: a crash in between finds the row and undoes it (asking) or asks again (owing); the issuer
    does a leg once.
    """
    legs = draft.ws.legs_of(txn.id)
    number = max([leg.number for leg in legs]) + 1 if legs else 1
    return draft.put(
        Leg(
            id=draft.new_id(Leg),
            txn_id=txn.id,
            number=number,
            purpose=purpose,
            amount=amount,
            currency=txn.currency,
            pan_hash=txn.pan_hash,
            state=OWING if owed else ASKING,
            deadline=draft.ctx.issuer_deadline,
            tries=int(owed),
            result="",
            release=release,
        )
    )


def owe(draft: Draft, txn: Txn, purpose: str, amount: int, *, release: int = 0) -> tuple[Ask, ...]:
    """Owe the issuer a leg that it does not refuse; nothing when there is nothing to move."""
    if (amount, release) == (0, 0):
        return ()
    return (Ask(make(draft, txn, purpose, amount, release=release, owed=True), undo=False),)


def undo(draft: Draft, leg: Leg, result: str = "") -> Ask:
    """Owe the issuer a 0420 for this leg, whether it ever got there or not; the issuer undoes a leg once."""
    return Ask(_again(draft, leg, UNDOING, result or leg.result), undo=True)


def repeat(draft: Draft, leg: Leg) -> Ask:
    """What is owed once more, 0421 or the leg as it was: no count of tries ends it, each waits one issuer timeout."""
    return Ask(_again(draft, leg, leg.state, leg.result), undo=leg.state == UNDOING)


def done(draft: Draft, leg: Leg, result: str) -> Leg:
    """The leg has its outcome."""
    return draft.put(replace(leg, state=DONE, result=result))


def effective(ws: WorkingSet, txn: Txn) -> list[Leg]:
    """The legs that moved something at the issuer, or will, oldest first."""
    legs = sorted(ws.legs_of(txn.id), key=lambda leg: leg.number)
    return [g for g in legs if g.state == OWING or (g.state == DONE and g.result in (APPROVED, PARTIAL))]


def take_back(draft: Draft, txn: Txn) -> tuple[Ask, ...]:
    """Owe the issuer the opposite of all that this transaction did there, newest first."""
    asks: list[Ask] = []
    for leg in reversed(effective(draft.ws, txn)):
        if leg.state == DONE and leg.purpose in _OPPOSITE:
            asks += owe(draft, txn, _OPPOSITE[leg.purpose], leg.amount, release=-leg.release)
        else:
            asks.append(undo(draft, leg))
    return tuple(asks)


def released(ws: WorkingSet, txn: Txn) -> int:
    """What a completion took out of its pre-authorisation's hold: it comes back when the completion falls."""
    legs = sorted(ws.legs_of(txn.id), key=lambda leg: leg.number)
    return next((leg.release for leg in legs if leg.release), 0)


def _again(draft: Draft, leg: Leg, state: str, result: str) -> Leg:
    deadline = draft.ctx.issuer_deadline
    return draft.put(replace(leg, state=state, tries=leg.tries + 1, deadline=deadline, result=result))
