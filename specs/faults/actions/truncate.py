"""A connection that breaks inside a frame (failure-catalogue 71)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, End, Param, Passage, Place, Put, Value


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    kept = passage.frame[: int(params["n"]) or len(passage.frame) // 2]
    return [Put(kept), End("reset")]


ACTION = Action(
    "truncate",
    (Place.WIRE,),
    "the first `n` bytes of the frame arrive, its length header among them, then the connection ends with a RST",
    (Param("n", "count", 0, "bytes that arrive; 0 = half the frame"),),
    on_frame=_on_frame,
)
