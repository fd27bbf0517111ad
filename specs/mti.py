"""The message type indicator: the only reader of its four digits.

Source: iso87.md section 3, iso93.md section 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from specs.errors import DecodeError, EncodeError

AUTHORISATION, FINANCIAL, FILE, REVERSAL, RECONCILIATION, ADMIN, NETWORK = 1, 2, 3, 4, 5, 6, 8
_REQUEST, _ANSWER, _ADVICE, _ADVICE_ANSWER = 0, 1, 2, 3
_ORIGIN_MAX = 5  # 0 acquirer, 2 issuer, 4 other; odd = repeat


@dataclass(frozen=True, slots=True)
class Mti:
    """version (0 = 1987, 1 = 1993, 2 = 2003), message_class, function, origin: one digit each."""

    version: int
    message_class: int
    function: int
    origin: int

    @classmethod
    def parse(cls, text: str) -> Mti:
        """Read four digits. Raises DecodeError when they are no MTI."""
        return _parsed(text)

    def __str__(self) -> str:
        return f"{self.version}{self.message_class}{self.function}{self.origin}"

    @property
    def is_answer(self) -> bool:
        """An answer to a request or to an advice."""
        return self.function in (_ANSWER, _ADVICE_ANSWER)

    @property
    def is_advice(self) -> bool:
        """It already happened; the other side may only accept."""
        return self.function == _ADVICE

    @property
    def is_request(self) -> bool:
        """It may be declined."""
        return self.function == _REQUEST

    @property
    def is_repeat(self) -> bool:
        """The same message sent again and marked so."""
        return self.origin % 2 == 1

    def response(self) -> Mti:
        """The answer's MTI, repeat digit cleared: 0401 -> 0410, 0220 -> 0230. Raises EncodeError when none exists."""
        if not (self.is_request or self.is_advice):
            raise EncodeError(0, f"no answer exists to {self}")
        return replace(self, function=self.function + 1, origin=self.origin - self.origin % 2)

    def repeat(self) -> Mti:
        """The same message marked as repeated: 0400 -> 0401, 0421 -> 0421."""
        return replace(self, origin=self.origin + 1 - self.origin % 2)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Mti:
    """Terminals send a dozen of them; what is none raises and is not kept."""
    if not (len(text) == 4 and text.isascii() and text.isdigit()):
        raise DecodeError(0, 0, "four digits", f"{len(text)} characters that are not an MTI")
    digits = [int(c) for c in text]
    if digits[0] > 2 or digits[1] == 0 or digits[2] > 4 or digits[3] > _ORIGIN_MAX:
        raise DecodeError(0, 0, "an MTI (version 0-2, class 1-9, function 0-4, origin 0-5)", text)
    return Mti(*digits)
