"""The operator goes to the next till (failure-catalogue 11)."""

from __future__ import annotations

from specs.faults.model import Action, Param, Place

ACTION = Action(
    "rekey-on",
    (Place.OPERATOR,),
    "the purchase is keyed again on the terminal `tid`",
    (Param("tid", "tid", None, "the other terminal"),),
    steps=("after-unknown", "query", "after-declined"),
)
