"""A frame that never arrives (failure-catalogue 1, 7)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Passage, Place, Value


def _on_frame(_passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    return []


ACTION = Action("drop", (Place.WIRE,), "the frame is lost", on_frame=_on_frame)
