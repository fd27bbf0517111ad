"""The link to the issuer is down for a time, and the acquirer knows it."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "outage",
    (Place.WIRE,),
    "from here until `until` nothing reaches the issuer, and the host knows that the link is down",
    ends=("H>I", "I>H"),
    opens_window=True,
)
