"""The day turns out to be a holiday (failure-catalogue 64)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "holiday",
    (Place.CALENDAR,),
    "the host's day is a holiday: due dates of payouts move, and there are none yet",
)
