"""Outcomes: from a stored transaction (the same at the first answer and at each replay), or of a refusal.

What a replay repeats is stored with the transaction: DE 12, 13, 15, 32, 37, 38, 39, 44, 54, 63 (rules.md, section 2).
RRN and authorisation code come from the transaction's id and the run's seed, so a run with the same seed has the same.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from host.engine.context import Context
from host.rows import Txn, TxnState
from specs.codes import Refusal, for_refusal
from specs.operation import VOIDS, Kind, Operation, Outcome
from specs.profile import KeyScheme, Profile

APPROVED = "00"
PARTIAL = "10"
SIGN_ON_AGAIN = "3"
"""CUP header digit 6 (cup.md, section 1)."""
_SIGN_ON_AGAIN_AFTER = frozenset({Refusal.CLOSED_BATCH, Refusal.UNKNOWN_BATCH})
_REFUSALS = {refusal.value: refusal for refusal in Refusal}
"""`Txn.refusal` also holds words that are no Refusal, such as «magic amount»."""
_APPROVED = frozenset({TxnState.AUTHORISED, TxnState.CAPTURED, TxnState.VOIDED, TxnState.EXPIRED})
"""States of what was approved when it was answered, and would be answered so again."""
_RRN_DIGITS = 8
_SERVICE_PREFIX = "99"
"""RRNs of answers that are no transaction (sign-on, settlement): transaction 99,000,000 of one day is far away."""


def rrn_of(ctx: Context, txn_id: int) -> str:
    """The retrieval reference number of a new transaction: YDDD and eight digits of its id."""
    return f"{ctx.julian}{txn_id % 10**_RRN_DIGITS:0{_RRN_DIGITS}d}"


def service_rrn(ctx: Context, stan: str) -> str:
    """The reference of an answer that belongs to no transaction: equal for each delivery of the same day and STAN."""
    return f"{ctx.julian}{_SERVICE_PREFIX}{stan[-6:].zfill(6)}"


def auth_code_of(ctx: Context, txn_id: int) -> str:
    """Six digits from a keyed digest of the id: nobody guesses the next, and the same seed gives the same."""
    keyed = _keyed_by(ctx.ids.seed).copy()
    keyed.update(txn_id.to_bytes(8, "big"))
    return f"{int.from_bytes(keyed.digest(), 'big') % 1_000_000:06d}"


@lru_cache(maxsize=32)
def _keyed_by(seed: int) -> blake2b:
    return blake2b(key=(seed % 2**64).to_bytes(8, "big"), digest_size=8)


def code_of(profile: Profile, refusal: Refusal, kind: str = "") -> str:
    """DE 39 for a refusal in the dialect's family; a void of nothing as the profile says (`nac.not_found`)."""
    if refusal is Refusal.ORIGINAL_NOT_FOUND and kind in VOIDS:
        return profile.not_found
    return for_refusal(profile.family, refusal)


def of_refusal(
    ctx: Context, profile: Profile, operation: Operation, refusal: Refusal, *, rrn: str = "", text: str = ""
) -> Outcome:
    """A refusal that rests on no stored answer: identity, keys, or a key that names something else."""
    again = profile.key_scheme is KeyScheme.WIRE_BATCH and refusal in _SIGN_ON_AGAIN_AFTER
    return _plain(
        ctx,
        code_of(profile, refusal, operation.kind),
        rrn=rrn or service_rrn(ctx, operation.stan),
        currency=operation.currency,
        refusal=refusal,
        request=SIGN_ON_AGAIN if again else "0",
        text=text,
    )


def of_service(ctx: Context, operation: Operation, *, batch: str | None = None, keys: bytes | None = None) -> Outcome:
    """A good answer to sign-on, sign-off or echo."""
    return _plain(ctx, APPROVED, rrn=service_rrn(ctx, operation.stan), batch=batch, keys=keys)


def of_reversal(ctx: Context, operation: Operation, refusal: Refusal | None, code: str, txn: Txn) -> Outcome:
    """The answer to a reversal; its RRN is that of what it names, so a repeat gets the same (A3)."""
    return _plain(
        ctx,
        code,
        rrn=txn.rrn,
        currency=txn.currency or operation.currency,
        refusal=refusal,
        amount=operation.amount,
        organisation=txn.organisation,
    )


def of_txn(ctx: Context, txn: Txn, scheme: KeyScheme) -> Outcome:
    """The stored final answer: first and every later delivery say the same; the MAC is made anew by the caller."""
    assert txn.answered_at, f"transaction {txn.id} has no answer yet"
    refusal = _REFUSALS.get(txn.refusal)
    again = scheme is KeyScheme.WIRE_BATCH and refusal in _SIGN_ON_AGAIN_AFTER
    said_yes = txn.state in _APPROVED
    return _plain(
        ctx,
        txn.response_code,
        at=txn.answered_at,
        business_date=txn.business_date,
        rrn=txn.rrn,
        auth_code=txn.auth_code,
        amount=txn.approved_amount if said_yes and txn.kind != Kind.BALANCE else None,
        balance=txn.balance if txn.balance >= 0 else None,
        currency=txn.currency,
        organisation=txn.organisation,
        refusal=refusal,
        request=SIGN_ON_AGAIN if again else "0",
        chip=bytes.fromhex(txn.chip_answer) if txn.chip_answer else None,
    )


def _plain(
    ctx: Context,
    code: str,
    *,
    rrn: str,
    at: str = "",
    business_date: str = "",
    auth_code: str = "",
    amount: int | None = None,
    balance: int | None = None,
    currency: str = "",
    organisation: str = "",
    refusal: Refusal | None = None,
    request: str = "0",
    batch: str | None = None,
    keys: bytes | None = None,
    text: str = "",
    chip: bytes | None = None,
) -> Outcome:
    """The part that every answer shares: time, day, who answered."""
    return Outcome(
        code=code,
        refusal=refusal,
        at=at or ctx.host_time,
        business_date=business_date or ctx.business_day,
        rrn=rrn,
        auth_code=auth_code,
        amount=amount,
        balance=balance,
        currency=currency,
        batch=batch,
        keys=keys,
        request=request,
        issuer=ctx.settings.issuer_code,
        acquirer=ctx.settings.acquirer_code,
        organisation=organisation,
        text=text,
        chip=chip,
    )
