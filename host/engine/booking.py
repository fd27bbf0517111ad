"""What a yes and a no make of an original, whoever says it: the row, the relatives, the postings, the running totals.

Profile HC: approval is capture. Profile TC: what moves money is `authorised` and posts nothing until its capture at the
settlement (host.engine.capturing; rules.md, section 9).
"""

from __future__ import annotations

from functools import lru_cache

from host.engine import batches, effects, ledger, outcomes, related
from host.engine.context import Context
from host.engine.draft import Draft
from host.engine.working import WorkingSet
from host.rows import Adjustment, Txn, TxnState
from specs import profile as profiles
from specs.codes import Refusal
from specs.dialect import load
from specs.operation import ADJUSTMENTS, DEBITS, FINANCIAL, Kind
from specs.profile import KeyScheme, Profile
from specs.values import replace

BY_ADJUSTMENT = "adjustment"
"""`Adjustment.reason` of the difference that a tip makes to a sale whose batch is closed."""
TC = "TC"
_AT_ONCE = frozenset({Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT})
_LATER = DEBITS | {Kind.REFUND}


def profile_of(ctx: Context, dialect: str) -> Profile:
    """The switches under which a stored transaction was decided."""
    return ctx.profiles[dialect] if dialect in ctx.profiles else _built_in(dialect)


@lru_cache(maxsize=32)
def _built_in(name: str) -> Profile:
    dialect = load(name)
    return profiles.profile_of(dialect.name, dialect.profile)


def captured_later(profile: Profile, txn: Txn) -> bool:
    """Whether this debit or refund waits for its capture: TC, unless it is out of its batch's comparison anyway."""
    return profile.capture == TC and not txn.carried


def accept(draft: Draft, txn: Txn, amount: int, *, code: str = outcomes.APPROVED, balance: int = -1) -> Txn:
    """A pending original becomes an approved one: postings, running totals and the answer in one commit.

    A crash just before it: the leg is found asking and is undone, the terminal reverses what it never heard of. Just
    after: the terminal's reversal, or its repeat, finds it approved. Units: amount in minor units.
    """
    assert amount >= 0, f"transaction {txn.id}: approved {amount}"
    state = _state(draft, txn)
    after = draft.put(
        replace(
            txn,
            state=state,
            answered_at=draft.ctx.host_time,
            business_date=answer_day(draft, txn),
            approved_amount=amount,
            response_code=code,
            auth_code=txn.auth_code or outcomes.auth_code_of(draft.ctx, txn.id),
            balance=balance,
            settlement="open" if txn.kind in FINANCIAL else "none",
            held=amount if state is TxnState.AUTHORISED and txn.kind in effects.HOLDING else 0,
        )
    )
    taken = effects.of(after).takes
    if taken is not None:
        taken(draft, after)
    post(draft, after, related.weight(draft.ws, after))
    batches.change(draft, txn, after)
    return after


def _state(draft: Draft, txn: Txn) -> TxnState:
    if txn.kind in _AT_ONCE:
        return TxnState.AUTHORISED
    if txn.kind in ADJUSTMENTS:  # as what it stands in the place of
        return TxnState.CAPTURED if txn.carried else related.before(draft.ws, txn).state
    later = txn.kind in _LATER and captured_later(profile_of(draft.ctx, txn.dialect), txn)
    return TxnState.AUTHORISED if later else TxnState.CAPTURED


def post(draft: Draft, txn: Txn, amount: int) -> None:
    """The entries of a transaction's own signed amount; a carried difference is an adjustment (RH4) as well."""
    if not amount:
        return
    if is_rh4(txn):
        draft.put(Adjustment(draft.new_id(Adjustment), txn.id, txn.batch_id, amount, BY_ADJUSTMENT, draft.now))
    reason = ledger.ADJUSTMENT if is_rh4(txn) else effects.reason(txn)
    ledger.post(draft, reason, txn, amount, txn.batch_id)


def is_rh4(txn: Txn) -> bool:
    """Whether it is the difference to a sale that was settled before: an adjustment outside of any comparison."""
    return txn.kind in ADJUSTMENTS and txn.carried


def decline(draft: Draft, txn: Txn, refusal: Refusal, *, undone_by: str = "") -> Txn:
    """A pending original gets its no, final for its key."""
    after = replace(
        txn,
        state=TxnState.DECLINED,
        answered_at=draft.ctx.host_time,
        business_date=answer_day(draft, txn),
        response_code=outcomes.code_of(profile_of(draft.ctx, txn.dialect), refusal, txn.kind),
        refusal=refusal.value,
        undone_by=undone_by,
        auth_code="",
    )
    return draft.put(after)


def answer_day(draft: Draft, txn: Txn) -> str:
    """DE 15 of the final answer, YYYY-MM-DD, as every replay will say it. ISO 87: the batch's day; of what is carried
    the day of the batch that it was sold in (`batches.sold_on`)."""
    if profile_of(draft.ctx, txn.dialect).key_scheme is not KeyScheme.LOCAL_TIME:
        return draft.ctx.business_day
    return txn.business_date if txn.carried else batches.day_of(draft, txn.batch_id)


def moved_on(ws: WorkingSet, txn: Txn) -> Refusal | None:
    """Why a yes comes too late: what it acts on has changed while the issuer was thinking."""
    stands = effects.of(txn).stands
    return stands(ws, txn) if stands is not None else None
