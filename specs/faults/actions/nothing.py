"""What every other action is measured against: the point is passed as always."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Passage, Place, Put, Value


def _on_frame(passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    return [Put(passage.frame)]


ACTION = Action(
    "nothing",
    (*Place,),
    "nothing happens; at an operator's point people do nothing either",
    ends=("T>H", "H>T", "H>I", "I>H"),
    on_frame=_on_frame,
)
