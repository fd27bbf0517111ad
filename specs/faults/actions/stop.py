"""A machine that stops where it is, and starts again."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "stop",
    (Place.CRASH,),
    "the power fails here, and comes back after `seconds`",
    (Param("seconds", "seconds", 5.0, "until it is started again"),),
)
