"""The operator asks the host first (RO1)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "query",
    (Place.OPERATOR,),
    "the operator asks the host what became of it",
    steps=("after-unknown",),
)
