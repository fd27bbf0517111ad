"""A line that is down for a time: one fault, however many frames it loses."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "down",
    (Place.LINK, Place.WIRE),
    "no frame passes and no connection is made, from `from` (at a frame: from that frame on) until `until`",
    opens_window=True,
)
