"""A host that nobody answers for."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "refuse",
    (Place.CONN,),
    "the connection is refused",
)
