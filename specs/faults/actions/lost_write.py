"""A write that was only said to be done."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "lost-write",
    (Place.STORE,),
    "the write is said to be done and is not there after the next start",
)
