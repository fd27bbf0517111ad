"""A store that takes no more (failure-catalogue 83)."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "disk-full",
    (Place.STORE,),
    "the store refuses the write; the one after it succeeds",
)
