"""Which issuer legs are in flight, and when each must be looked at again. A memory of what the rows say, no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from host.rows import Leg

BACK_OFF_FIRST_S = 1
BACK_OFF_MAX_S = 60
"""A 0420, or a leg that is owed, goes out again after its deadline, and after 1, 2, 4, … 60 s if that is later, until
it is acked: an issuer that comes back is not met by a storm."""
ASK_AGAIN_S = 5
"""A deadline whose event could not be saved is tried again after this long."""


@dataclass(slots=True)
class _Leg:
    txn_id: int
    due: datetime


class InFlight:
    """Legs by id. Bound: one or two per request that is being decided."""

    def __init__(self) -> None:
        self._legs: dict[int, _Leg] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def note(self, leg: Leg, now: datetime, steady: datetime | None = None) -> None:
        """Take in the new form of a leg, after it was committed. steady: this moment on the clock that `due` and
        `again` are asked with, where that is not the one that the row's deadline was made with."""
        if leg.state == "done":
            self._legs.pop(leg.id, None)
            return
        due = datetime.fromisoformat(leg.deadline)
        if leg.state in ("undoing", "owing"):
            due = max(due, now + back_off(leg.tries))
        self._legs[leg.id] = _Leg(leg.txn_id, due + ((steady or now) - now))

    def due(self, now: datetime) -> list[tuple[int, int]]:
        """(leg id, txn id) of what is overdue; each is named again only after ASK_AGAIN_S or its next form."""
        found = [(leg_id, leg) for leg_id, leg in self._legs.items() if leg.due <= now]
        for _, leg in found:
            leg.due = now + timedelta(seconds=ASK_AGAIN_S)
        return [(leg_id, leg.txn_id) for leg_id, leg in found]

    def next_due(self) -> datetime | None:
        """When something becomes overdue; None while nothing is in flight."""
        return min((leg.due for leg in self._legs.values()), default=None)

    def again(self, leg_id: int, now: datetime) -> None:
        """What was decided about this leg could not be saved: look at it again soon."""
        if leg_id in self._legs:
            self._legs[leg_id].due = now + timedelta(seconds=ASK_AGAIN_S)

    def clear(self) -> None:
        """Forget every deadline: the books of these legs are gone."""
        self._legs.clear()


def back_off(tries: int) -> timedelta:
    """How long to wait for the ack of the 0420 of this number."""
    doublings = max(0, min(tries - 1, BACK_OFF_MAX_S.bit_length()))
    return timedelta(seconds=min(BACK_OFF_FIRST_S << doublings, BACK_OFF_MAX_S))
