"""A frame on the wrong connection (failure-catalogue 75)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Across, Action, Effect, Param, Passage, Place, Value


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    return [Across(passage.frame, str(params["tid"]))]


ACTION = Action(
    "cross",
    (Place.WIRE,),
    "the answer arrives on the open connection of the terminal `tid`, or nowhere",
    (Param("tid", "tid", None, "the terminal that gets it"),),
    ends=("H>T",),
    on_frame=_on_frame,
)
