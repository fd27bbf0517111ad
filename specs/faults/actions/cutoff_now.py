"""The business day ends at once."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "cutoff-now",
    (Place.CALENDAR,),
    "the host's business day ends now",
)
