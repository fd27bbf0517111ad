"""An advice while the issuer is away: it has happened, so it is booked, and the issuer hears of it later (rules.md, 8).

Its first leg is undone should the issuer have acted on it; a second one like it is owed, and the issuer does not refuse
that. So an advice is never answered «later» (RH2).
"""

from __future__ import annotations

from host.engine import asks, booking
from host.engine.draft import Draft
from host.engine.events import Ask
from host.rows import Leg, Txn
from specs.codes import Refusal


def stand_in(draft: Draft, txn: Txn, first: Leg) -> tuple[Refusal | None, tuple[Ask, ...]]:
    """Book a pending advice without the issuer's word: (None, what is owed), or why it cannot be.

    A crash before the commit: the leg is found asking at the restart and comes here again. After it: what is owed is
    found owing.
    """
    refusal = booking.moved_on(draft.ws, txn)
    if refusal is not None:
        return refusal, ()
    draft.note(f"the issuer is away: {txn.kind} {txn.id} is booked, and forwarded when it is back")
    owed = asks.owe(draft, txn, first.purpose, first.amount, release=first.release)
    booking.accept(draft, txn, txn.amount)
    return None, owed
