"""One row a kind of original: what it must name, what it asks of its issuer, and what its yes does to others.

    kind                  HC asks                          TC asks                     a yes, beside its own row
    sale, cash back,
      offline sale        debit                            hold                        -
    refund                credit                           nothing                     -
    void of these         credit (refund: debit again)     release (refund: nothing)   the original is voided
    pre-auth, increment   hold                             hold                        increment: the hold grows
    pre-auth void         release                          release                     the pre-auth is voided
    completion            debit, hold dropped              hold, rest dropped          the pre-auth is completed
    completion void       credit, hold back                hold again                  the pre-auth lives again
    tip, adjustment       the difference, owed             the new total, owed         it stands in the sale's place

Source: rules.md, sections 1, 8 and 9. How each is taken back by a reversal: host.engine.reversal, `take_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from host.engine import adjust, completion, ledger, preauth, refund, sale, void
from host.engine.case import Case, Check, Plan
from host.engine.draft import Draft
from host.engine.working import WorkingSet
from host.rows import Txn
from specs.codes import Refusal
from specs.operation import ADJUSTMENTS, DEBITS, VOIDS, Kind

HOLDING = DEBITS | ADJUSTMENTS | {Kind.PRE_AUTH}
"""Kinds whose row says in `held`, while it is authorised, what the issuer holds for it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """names: the check that finds the original. stands: whether the original is still as it was when the issuer's yes
    comes. takes: what a yes does to other rows. advice: whether it may come as one. expires: 54 for an old card.
    reason: of its ledger entries."""

    plan: Callable[[Case], Plan]
    names: Check | None = None
    stands: Callable[[WorkingSet, Txn], Refusal | None] | None = None
    takes: Callable[[Draft, Txn], None] | None = None
    reason: str = ""
    advice: bool = False
    request: bool = True
    card: bool = False
    expires: bool = False


_SALE = Effect(sale.plan, reason=ledger.CAPTURE, card=True, expires=True)
_VOID = Effect(void.plan, void.names, void.stands, void.takes, ledger.VOID)
_ADJUST = Effect(adjust.plan, adjust.names, None, adjust.takes, ledger.ADJUST, advice=True)
_COMPLETION = Effect(completion.plan, completion.names, completion.stands, completion.takes, ledger.CAPTURE)

EFFECTS: Mapping[Kind, Effect] = {
    Kind.BALANCE: Effect(sale.inquire, card=True, expires=True),
    Kind.SALE: _SALE,
    Kind.CASH_BACK: _SALE,
    Kind.OFFLINE_SALE: Effect(
        sale.plan, completion.instead, reason=ledger.CAPTURE, advice=True, card=True, expires=True
    ),
    Kind.REFUND: Effect(refund.plan, refund.names, refund.stands, None, ledger.REFUND, advice=True),
    Kind.VOID: _VOID,
    Kind.PRE_AUTH: Effect(sale.plan, advice=True, card=True, expires=True),
    Kind.PRE_AUTH_INCREMENT: Effect(
        preauth.plan_increment, preauth.names_increment, preauth.stands_increment, preauth.takes_increment, advice=True
    ),
    Kind.PRE_AUTH_VOID: Effect(preauth.plan_void, preauth.names_void, preauth.stands_void, preauth.takes_void),
    Kind.COMPLETION: _COMPLETION,
    Kind.COMPLETION_ADVICE: Effect(
        completion.plan, completion.names, completion.stands, completion.takes, ledger.CAPTURE, advice=True
    ),
    Kind.COMPLETION_VOID: _VOID,
    Kind.ADJUST: _ADJUST,
    Kind.TIP: _ADJUST,
}


_BY_WORD: Mapping[str, Effect] = {kind.value: effect for kind, effect in EFFECTS.items()}


def of(txn: Txn) -> Effect:
    """The row of a stored transaction's kind."""
    return _BY_WORD[txn.kind]


def reason(txn: Txn) -> str:
    """The word for its ledger entries; the void of a refund gives the merchant something."""
    if txn.kind in VOIDS and txn.voids_kind == Kind.REFUND:
        return ledger.REFUND_VOID
    return of(txn).reason
