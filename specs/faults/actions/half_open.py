"""A line that is dead without an end: half-open TCP (failure-catalogue 70)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, End, Passage, Place, Value


def _on_frame(_passage: Passage, _params: Mapping[str, Value]) -> list[Effect]:
    return [End("half-open")]


ACTION = Action(
    "half-open",
    (Place.WIRE, Place.CONN),
    "the frame is lost, and from now on neither side hears the other on this connection",
    on_frame=_on_frame,
)
