"""A frame that arrives more than once (failure-catalogue 9)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value

COPIES_MAX = 16


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    copies, gap = min(int(params["n"]), COPIES_MAX), float(params["gap"])
    return [Put(passage.frame, gap * copy) for copy in range(1 + copies)]


ACTION = Action(
    "dup",
    (Place.WIRE,),
    "the frame arrives, and `n` more times, `gap` seconds apart",
    (Param("n", "count", 1, f"copies, at most {COPIES_MAX}"), Param("gap", "seconds", 0.0, "between two of them")),
    on_frame=_on_frame,
)
