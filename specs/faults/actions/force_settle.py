"""A batch that is closed on paper only (failure-catalogue 45)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "force-settle",
    (Place.OPERATOR,),
    "the batch is closed by the terminal's service menu",
    steps=("end-of-day",),
)
