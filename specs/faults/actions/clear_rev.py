"""A supervisor takes a reversal off the terminal (failure-catalogue 21)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "clear-rev",
    (Place.OPERATOR,),
    "a supervisor clears what the terminal owes",
    steps=("after-unknown",),
)
