"""An issuer that never hears, or is never heard."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "silence",
    (Place.WIRE,),
    "the message to or from the issuer is lost",
    ends=("H>I", "I>H"),
)
