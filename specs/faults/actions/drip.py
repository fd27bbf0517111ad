"""A frame that arrives byte by byte (failure-catalogue 73)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value

PIECES_MAX = 64


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    """The last piece holds all that is left and comes when its last byte would, so the whole takes as long as ever."""
    frame, rate = passage.frame, float(params["rate"])
    single = min(len(frame), PIECES_MAX) - 1
    pieces: list[Effect] = [Put(frame[at : at + 1], at / rate) for at in range(single)]
    return [*pieces, Put(frame[single:], (len(frame) - 1) / rate)]


ACTION = Action(
    "drip",
    (Place.WIRE,),
    "the frame arrives byte by byte, `rate` of them a second",
    (Param("rate", "rate", 1.0, "bytes a second"),),
    on_frame=_on_frame,
)
