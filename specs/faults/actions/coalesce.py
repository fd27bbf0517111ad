"""Two frames in one read (failure-catalogue 72)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Value, With


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    return [With(passage.frame, float(params["seconds"]))]


ACTION = Action(
    "coalesce",
    (Place.WIRE,),
    "the frame waits for the next one in its direction and arrives in one piece with it",
    (Param("seconds", "seconds", 5.0, "it waits that long at most, then goes alone"),),
    on_frame=_on_frame,
)
