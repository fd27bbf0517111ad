"""A frame that others overtake (failure-catalogue 6)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Behind, Effect, Param, Passage, Place, Value


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    return [Behind(passage.frame, int(params["frames"]))]


ACTION = Action(
    "reorder",
    (Place.WIRE,),
    "the frame arrives after `frames` more have passed on the same terminal's wire, in either direction",
    (Param("frames", "count", 1, "frames that overtake it"),),
    on_frame=_on_frame,
)
