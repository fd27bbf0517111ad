"""The paper ends while a slip is printed."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "paper-out",
    (Place.CRASH,),
    "the printer has no paper; nothing of the slip comes out",
    steps=("print",),
)
