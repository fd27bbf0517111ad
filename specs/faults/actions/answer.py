"""An answer that says another code than the books have: a lying host."""

from __future__ import annotations

from collections.abc import Mapping

from specs.codec import encode_payload
from specs.errors import SpecError
from specs.faults.model import Action, Effect, Param, Passage, Place, Put, Value
from specs.framing import frame
from specs.message import Message

APPROVED = "00"
CODE_DE, APPROVAL_DE, AMOUNTS_DE = 39, 38, 54


def saying(answer: Message, code: str) -> Message:
    """The answer with another response code; with a refusal goes neither an authorisation code nor a balance."""
    refused: dict[int, str | None] = {} if code == APPROVED else {APPROVAL_DE: None, AMOUNTS_DE: None}
    return answer.with_fields({CODE_DE: code} | refused)


def _on_frame(passage: Passage, params: Mapping[str, Value]) -> list[Effect]:
    if passage.message is None:
        return [Put(passage.frame)]
    changed = saying(passage.message, str(params["rc"]))
    if passage.reseal is not None:
        return [Put(passage.reseal(changed))]
    try:
        return [Put(frame(encode_payload(changed, passage.dialect), passage.dialect.frame))]
    except SpecError:
        return [Put(passage.frame)]


ACTION = Action(
    "answer",
    (Place.WIRE,),
    "the answer says the response code `rc`, whatever the books say",
    (Param("rc", "code", None, "two characters"),),
    ends=("H>T",),
    on_frame=_on_frame,
)
