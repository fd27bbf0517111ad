"""The issuer and the chip of its card: the cryptogram of a request checked, that of the answer made. Pure.

An approval does not hang on optional data: without the card's key, or without a tag that the cryptogram covers, nothing
is checked and a note says so. Only data that cannot be read (30) and a wrong cryptogram (05) are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from host.engine.events import Ask
from specs import emv
from specs.codes import Refusal
from specs.emv import Arqc, ChipKey
from specs.errors import DecodeError
from specs.testcards import TestCard

NO_KEY = "ARQC not checked: no key of this card"
WRONG = "ARQC wrong"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a request's chip data come to. refusal "" = go on; result "" = there were none, or none that can be read."""

    result: str = ""
    refusal: str = ""
    note: str = ""
    key: ChipKey | None = field(default=None, repr=False)


NOTHING = Looked()


def look(ask: Ask, card: TestCard | None) -> Looked:
    """Check the cryptogram that came with it, under the card's test key if it is held."""
    if ask.chip is None:
        return NOTHING
    try:
        emv.tags(ask.chip)
    except DecodeError as error:
        return Looked(refusal=Refusal.FORMAT.value, note=f"DE 55 cannot be read: expected {error.expected}")
    key = card.chip if card is not None else None
    try:
        result = emv.check(key, ask.chip)
    except DecodeError as error:
        return Looked(Arqc.NOT_CHECKED.value, note=f"ARQC not checked: {error.expected}: {error.got}")
    if result is Arqc.BAD:
        return Looked(result.value, Refusal.DO_NOT_HONOUR.value, WRONG)
    if result is Arqc.NOT_CHECKED:
        return Looked(result.value, note=NO_KEY)
    return Looked(result.value, key=key)


def answer_data(ask: Ask, looked: Looked, code: str, scripts: tuple[bytes, ...]) -> bytes:
    """DE 55 of an approval with this DE 39; b"" unless the cryptogram was found good."""
    if looked.key is None or ask.chip is None:
        return b""
    return emv.answer_data(looked.key, ask.chip, code, scripts)
