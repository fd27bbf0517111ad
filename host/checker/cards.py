"""What one leg did to a card at its issuer: debited, and held."""

from __future__ import annotations

from host.rows import IssuerLeg

_DEBITS = {"debit": 1, "debit-again": 1, "credit": -1}
_HOLDS = {"hold": 1, "hold-again": 1, "release": -1}


def debit_of(leg: IssuerLeg) -> int:
    """What one leg takes from the card: + debit, - credit, 0 when it moved nothing or was undone. Minor units."""
    return 0 if leg.undone else _DEBITS.get(leg.purpose, 0) * leg.approved_amount


def hold_of(leg: IssuerLeg) -> int:
    """What one leg holds of the card: its own amount less what it drops of an earlier hold. Minor units, signed."""
    return 0 if leg.undone else _HOLDS.get(leg.purpose, 0) * leg.approved_amount - leg.released


def describe_leg(leg: IssuerLeg) -> str:
    """One line of evidence."""
    state = "undone" if leg.undone else "stands"
    dropped = f", {leg.released} of a hold dropped" if leg.released else ""
    amount = f"{leg.purpose} {leg.approved_amount} {leg.code or '-'}"
    return f"issuer leg {leg.number} of txn {leg.txn_id}: {amount} {state}{dropped}"
