"""A line that is down for a time: one fault, however many frames it loses."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "down",
    (Place.LINK,),
    "no frame passes and no connection is made, from `from` until `until`",
    opens_window=True,
)
