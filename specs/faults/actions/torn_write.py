"""Power that fails in the middle of a write."""

from __future__ import annotations

from specs.faults.model import Action, Place

ACTION = Action(
    "torn-write",
    (Place.STORE,),
    "the power fails inside the write: what was there before, or a copy that is seen to be torn",
)
