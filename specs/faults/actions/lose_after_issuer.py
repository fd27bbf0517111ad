"""An issuer that has acted, and whose answer is lost (failure-catalogue 19)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "lose-after-issuer",
    (Place.WIRE,),
    "the issuer acts, and its answer is lost",
    ends=("H>I", "I>H"),
)
