"""A connection that is torn down (failure-catalogue, group E)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, End, Passage, Place, Value


def _on_frame(_passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    return [End("reset")]


ACTION = Action(
    "reset", (Place.WIRE, Place.CONN), "the connection ends with a RST, and the frame is lost", on_frame=_on_frame
)
