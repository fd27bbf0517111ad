"""An issuer that acts at once and answers too late (failure-catalogue 20)."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "late",
    (Place.WIRE,),
    "the issuer acts, and its answer comes `seconds` later",
    (Param("seconds", "seconds", 45.0, "beyond the host's patience as a rule"),),
    ends=("H>I", "I>H"),
)
