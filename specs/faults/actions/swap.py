"""The unit is replaced by an empty one (failure-catalogue 46)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "swap",
    (Place.OPERATOR,),
    "an empty unit takes the terminal's place",
    steps=("after-unknown", "end-of-day"),
)
