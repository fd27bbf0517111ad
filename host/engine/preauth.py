"""Pre-authorisations: a hold that grows by increments, ends by a void, a completion or its expiry (rules.md, 8 and 9).

What the issuer holds is `held` of the pre-authorisation's own row, increments included. None of these is an item of a
batch, and none of them moves money.
"""

from __future__ import annotations

from host.engine import asks, originals, related
from host.engine.asks import HOLD, HOLD_AGAIN, RELEASE
from host.engine.case import Case, Plan
from host.engine.draft import Draft
from host.engine.events import Ask, Decision, Expire
from host.engine.working import WorkingSet
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind
from specs.values import replace

BY_EXPIRY = "expiry"


def of(ws: WorkingSet, txn: Txn) -> Txn:
    """The pre-authorisation of an increment, a pre-auth void or a completion."""
    found = ws.txn(txn.original_id)
    assert found is not None, f"{txn.kind} {txn.id}: pre-authorisation {txn.original_id} is not loaded"
    return found


def not_live(ws: WorkingSet, found: Txn | None, otherwise: Refusal) -> Refusal | None:
    """25 none, 12 already completed; `otherwise` for one that has ended in another way or is being ended."""
    if found is None or found.kind != Kind.PRE_AUTH:
        return Refusal.ORIGINAL_NOT_FOUND
    if found.state is TxnState.CAPTURED:
        return Refusal.ALREADY_COMPLETED
    if found.state is not TxnState.AUTHORISED:
        return otherwise
    return Refusal.VOID_NOT_POSSIBLE if related.in_flight(ws, found) else None


# ---- increment


def names_increment(case: Case) -> Refusal | None:
    """The pre-authorisation that is to hold more."""
    ws = case.draft.ws
    found = originals.named_by_increment(ws, case.known_terminal, case.request, case.draft.ctx.now)
    preauth = found and related.root(ws, found)
    refusal = not_live(ws, preauth, Refusal.VOID_NOT_POSSIBLE)
    case.original = None if refusal else preauth
    return refusal


def plan_increment(case: Case) -> Plan:
    """A hold of its own; the amount is the increase."""
    amount = case.operation.amount or 0
    return Plan(HOLD, amount, amount)


def stands_increment(ws: WorkingSet, increment: Txn) -> Refusal | None:
    """Reversed or expired while the issuer was thinking."""
    return None if of(ws, increment).state is TxnState.AUTHORISED else Refusal.VOID_NOT_POSSIBLE


def takes_increment(draft: Draft, increment: Txn) -> None:
    """The hold grows by what was approved."""
    grown(draft, increment, increment.approved_amount)


def grown(draft: Draft, increment: Txn, amount: int) -> None:
    """An increment came or went: signed minor units."""
    preauth = of(draft.ws, increment)
    assert preauth.held + amount >= 0, f"pre-authorisation {preauth.id} holds {preauth.held}, less {-amount}"
    draft.put(replace(preauth, held=preauth.held + amount))


# ---- void


def names_void(case: Case) -> Refusal | None:
    """25 none, 12 completed or ended, 64 neither what is held nor what the pre-authorisation asked for."""
    ws = case.draft.ws
    found = originals.named_by_preauth_void(ws, case.known_terminal, case.request, case.draft.ctx.now)
    preauth = found and related.root(ws, found)
    refusal = not_live(ws, preauth, Refusal.VOID_NOT_POSSIBLE)
    if refusal is not None or preauth is None:
        return refusal
    if case.operation.amount not in (None, 0, preauth.held, preauth.approved_amount, preauth.amount):
        return Refusal.AMOUNT_DIFFERS
    case.original = preauth
    return None


def plan_void(case: Case) -> Plan:
    """All that is held is released, whatever DE 4 says."""
    held = case.known_original.held
    return Plan(RELEASE, held, held)


def stands_void(ws: WorkingSet, void: Txn) -> Refusal | None:
    """What is held must be what the issuer has just released."""
    preauth = of(ws, void)
    same = preauth.state is TxnState.AUTHORISED and preauth.held == void.amount
    return None if same else Refusal.VOID_NOT_POSSIBLE


def takes_void(draft: Draft, void: Txn) -> None:
    """The pre-authorisation and its increments are voided."""
    _become(draft, of(draft.ws, void), TxnState.VOIDED, undone_by=f"void:{void.id}")


def void_reversed(draft: Draft, void: Txn) -> None:
    """It holds again, increments included."""
    _become(draft, of(draft.ws, void), TxnState.AUTHORISED, held=void.approved_amount)


# ---- completion, and back


def complete(draft: Draft, preauth: Txn, completion: Txn) -> None:
    """The completion stands in its place, the hold is gone."""
    _become(draft, preauth, TxnState.CAPTURED, replaced_by=completion.id)


def held_again(ws: WorkingSet, completion: Txn) -> int:
    """What its pre-authorisation holds should this completion fall, increments included; 0 when the pre-authorisation
    has ended otherwise, or in another completion. Minor units."""
    preauth = of(ws, completion)
    if preauth.replaced_by != completion.id:
        return 0
    return preauth.approved_amount + sum(t.approved_amount for t in related.increments(ws, preauth))


def reopen(draft: Draft, completion: Txn) -> None:
    """The completion was voided or reversed: the pre-authorisation is authorised again, what it held comes back."""
    held = held_again(draft.ws, completion)
    if held:
        _become(draft, of(draft.ws, completion), TxnState.AUTHORISED, held=held)


def reopened(draft: Draft, completion: Txn) -> tuple[Ask, ...]:
    """As `reopen`, for a completion that was reversed. Its 0420 gives back what its leg took; what the issuer is owed
    beside that, when a void of it had come and gone and the hold had changed in between."""
    differs = held_again(draft.ws, completion) - asks.released(draft.ws, completion)
    reopen(draft, completion)
    return asks.owe(draft, completion, HOLD_AGAIN, 0, release=-differs)


def complete_again(draft: Draft, completion: Txn) -> int:
    """The void of a completion was reversed. Gives back what the pre-authorisation held until now, minor units.

    It may have ended meanwhile: then both the completion and what ended it stand, which a person should look at.
    """
    preauth = of(draft.ws, completion)
    if preauth.state is TxnState.AUTHORISED:
        complete(draft, preauth, completion)
        return preauth.held
    text = f"completion {completion.id} lives again, but pre-authorisation {preauth.id} is {preauth.state} by now"
    draft.alarm(completion.tid, "completed-twice", text, txn_id=completion.id, batch_id=completion.batch_id)
    return 0


# ---- expiry


def expire(draft: Draft, txn: Txn) -> tuple[Ask, ...]:
    """The days of a live pre-authorisation are over: expired, and the release of all it held is owed to the issuer.

    All one commit. A crash before it: the next sweep finds it again. After: the leg is found owing and is asked again.
    """
    assert txn.kind == Kind.PRE_AUTH, f"a {txn.kind} does not expire"
    assert txn.state is TxnState.AUTHORISED, f"pre-authorisation {txn.id} is {txn.state}"
    _become(draft, txn, TxnState.EXPIRED, undone_by=BY_EXPIRY)
    return asks.owe(draft, txn, RELEASE, txn.held)


def expired(draft: Draft, event: Expire) -> Decision:
    """The sweep's event; nothing happens to what has ended by itself or is about to."""
    txn = draft.ws.txn(event.txn_id)
    if txn is None or txn.state is not TxnState.AUTHORISED or related.in_flight(draft.ws, txn):
        return Decision(txn_id=event.txn_id)
    return Decision(txn_id=txn.id, asks=expire(draft, txn))


def _become(
    draft: Draft, preauth: Txn, state: TxnState, *, held: int = 0, replaced_by: int = 0, undone_by: str = ""
) -> None:
    """A pre-authorisation changes, and its increments with it."""
    for increment in related.increments(draft.ws, preauth):
        draft.put(replace(increment, state=state, undone_by=undone_by))
    draft.put(replace(preauth, state=state, held=held, replaced_by=replaced_by, undone_by=undone_by))
