"""Real hardware: a person is asked to do what no program can."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "prompt",
    (Place.WIRE,),
    "real hardware only: the answer is held while a person does what `text` says, until the rule is deleted",
    (Param("text", "text", None, "what the person is to do"),),
)
