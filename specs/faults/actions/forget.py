"""A settlement that nobody makes (failure-catalogue 42)."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "forget",
    (Place.OPERATOR,),
    "nobody settles for `days` days",
    (Param("days", "days", 1, "days"),),
    steps=("end-of-day",),
)
