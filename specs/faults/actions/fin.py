"""A connection that is closed in order (failure-catalogue, group E)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, End, Passage, Place, Value


def _on_frame(_passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    return [End("fin")]


ACTION = Action(
    "fin", (Place.WIRE, Place.CONN), "the connection is closed in order, and the frame is lost", on_frame=_on_frame
)
