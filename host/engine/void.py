"""Void: a person takes a sale of the open batch back, once and whole (rules.md, sections 1 and 8; FL 3)."""

from __future__ import annotations

from host.engine.admission import admit, ask_issuer
from host.engine.checks import Case
from host.engine.events import Decision


def decide(case: Case) -> Decision:
    """Refuse, or ask the issuer to credit the sale's debit; the original changes only with the issuer's yes (legs.py).

    The void has its original's approved amount, whatever DE 4 says (a NAC void may carry 0), and goes to the card that
    was debited, not to one that the message may show.
    """
    decided = admit(case)
    if decided is not None:
        return decided
    assert case.original is not None, "the checks found no original and did not refuse"
    amount = case.original.approved_amount
    return ask_issuer(case, "credit", amount=amount, leg_amount=amount)
