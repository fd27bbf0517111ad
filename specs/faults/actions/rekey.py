"""The operator keys the sale again (failure-catalogue 10)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "rekey",
    (Place.OPERATOR,),
    "the purchase is keyed again on the same terminal",
    steps=("after-unknown", "query", "after-declined"),
)
