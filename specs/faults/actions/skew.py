"""A clock that goes wrong (failure-catalogue 52)."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "skew",
    (Place.CLOCK,),
    "the clock is `seconds` ahead; below zero, behind",
    (Param("seconds", "shift", None, "ahead of the true time"),),
)
