"""A frame that comes later, beyond the receiver's patience as a rule (failure-catalogue 4, 5, 6)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    return [Put(passage.frame, float(params["seconds"]))]


ACTION = Action(
    "delay",
    (Place.WIRE,),
    "the frame arrives `seconds` later",
    (Param("seconds", "seconds", None, "how much later"),),
    on_frame=_on_frame,
)
