"""What the issuer of a Desk would have in its books, from the messages over H>I alone: the Desk keeps none itself."""

from __future__ import annotations

from tests.support.engine import Desk

_SIGNS = {"debit": +1, "credit": -1, "debit-again": +1}


def owed_by_cards(desk: Desk) -> int:
    """What cards owe: each leg counts once, and not at all once a 0420 for it has come. Minor units."""
    done: dict[int, int] = {}
    undone = {ask.leg.id for ask in desk.asked if ask.undo}
    for ask in desk.asked:
        done[ask.leg.id] = 0 if ask.leg.id in undone else _SIGNS.get(ask.leg.purpose, 0) * ask.leg.amount
    return sum(done.values())
