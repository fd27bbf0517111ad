"""Completion of a pre-authorisation, by request or advice: the debit, and the end of the hold (rules.md, 1, 8, 9)."""

from __future__ import annotations

from host.engine import originals, preauth, related
from host.engine.asks import DEBIT, HOLD
from host.engine.case import Case, Plan
from host.engine.draft import Draft
from host.engine.working import WorkingSet
from host.rows import Txn, TxnState
from specs.codes import Refusal
from specs.operation import Kind

_PERCENT = 100


def names(case: Case) -> Refusal | None:
    """25 no live pre-authorisation, 12 already completed, 61 above `completion_percent` of what is held."""
    draft = case.draft
    found = originals.named_by_completion(draft.ws, case.known_terminal, case.request, case.draft.ctx.now)
    found = found and related.root(draft.ws, found)
    refusal = preauth.not_live(draft.ws, found, Refusal.ORIGINAL_NOT_FOUND)
    if refusal is not None or found is None:
        return refusal
    if (case.operation.amount or 0) * _PERCENT > found.held * case.profile.completion_percent:
        return Refusal.COMPLETION_OVER_LIMIT
    case.original = found
    return None


def instead(case: Case) -> Refusal | None:
    """NAC, ISO 87: an offline sale with DE 38, card and MID of a live pre-authorisation is its completion."""
    operation = case.operation
    approval = operation.auth_code or (operation.original.auth_code if operation.original else "")
    if case.profile.family == "cup" or not approval.strip():
        return None
    found = originals.named_by_completion(case.draft.ws, case.known_terminal, case.request, case.draft.ctx.now)
    if found is None or found.kind != Kind.PRE_AUTH or found.state is not TxnState.AUTHORISED:
        return None
    case.draft.note(f"offline sale with the approval code of pre-authorisation {found.id}: taken for its completion")
    case.kind = Kind.COMPLETION_ADVICE
    return names(case)


def plan(case: Case) -> Plan:
    """All that is held goes with it. A leg that draws on a hold is never refused for funds (the issuer's rule)."""
    amount = case.operation.amount or 0
    later = case.profile.capture == "TC" and not case.carried
    return Plan(HOLD if later else DEBIT, amount, amount, release=case.known_original.held)


def stands(ws: WorkingSet, completion: Txn) -> Refusal | None:
    """Voided, completed or expired while the issuer was thinking, or no longer held as it was asked."""
    found = preauth.of(ws, completion)
    if found.state is TxnState.CAPTURED:
        return Refusal.ALREADY_COMPLETED
    drawn = max(ws.legs_of(completion.id), key=lambda leg: leg.number).release
    same = found.state is TxnState.AUTHORISED and found.held == drawn
    return None if same else Refusal.ORIGINAL_NOT_FOUND


def takes(draft: Draft, completion: Txn) -> None:
    """The pre-authorisation is completed."""
    preauth.complete(draft, preauth.of(draft.ws, completion), completion)
