"""A frame in several reads (failure-catalogue 72)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    gap, rest = float(params["gap"]), passage.frame
    pieces: list[bytes] = []
    for size in map(int, str(params["sizes"]).split(",")):
        pieces.append(rest[:size])
        rest = rest[size:]
    return [Put(piece, gap * place) for place, piece in enumerate(filter(None, (*pieces, rest)))]


ACTION = Action(
    "split",
    (Place.WIRE,),
    "the frame arrives in pieces of `sizes` bytes and what is left, `gap` seconds apart",
    (
        Param("sizes", "sizes", "1", "bytes of each piece, as 1,3,10; the length header counts"),
        Param("gap", "seconds", 0.05, "between two pieces"),
    ),
    on_frame=_on_frame,
)
