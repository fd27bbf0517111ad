"""Between the machine's words and the line's bytes: one dialect, its family, its MAC. Pure and without state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from specs import codec, codes
from specs.dialect import Dialect
from specs.endpoint import parse
from specs.errors import DecodeError, SecurityError, SpecError
from specs.families import NAMES, Family, family
from specs.message import Message
from specs.operation import Operation, Outcome
from specs.profile import Profile, profile_of
from specs.security import MAC_ALGORITHMS, WorkingKeys
from terminal_sim.errors import ConfigError

REASON_DE = 39
_MAC_ROOM = "00" * 8


class Failure(StrEnum):
    """Why a request has no answer; the value is the reason of the reversal that is then owed (rules.md section 3)."""

    NOT_SENT = "not-sent"
    NO_ANSWER = "98"
    GARBLED = "06"
    BAD_MAC = "A0"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that fits the request and whose MAC, where it must have one, is right."""

    message: Message
    outcome: Outcome

    @property
    def code(self) -> str:
        """DE 39; "" where the dialect's answer carries none (CUP 0510)."""
        return self.outcome.code


@dataclass(frozen=True, slots=True)
class Misfit:
    """A readable message that is not the answer to our request (RT5)."""

    why: str
    stan: str
    code: str


@dataclass(frozen=True, slots=True)
class Wire:
    """One terminal's way to speak."""

    dialect: Dialect
    family: Family
    profile: Profile

    @classmethod
    def of(cls, dialect: Dialect) -> Wire:
        """Raises: ConfigError for a dialect whose family no terminal speaks yet."""
        if dialect.family not in NAMES:
            raise ConfigError(f"dialect {dialect.name}: a terminal speaks {' or '.join(NAMES)}, not {dialect.family}")
        return cls(dialect, family(dialect.family), profile_of(dialect.name, dialect.profile))

    @property
    def name(self) -> str:
        """The family's name, the key of the terminal's own tables."""
        return self.dialect.family

    @property
    def repeats_are_marked(self) -> bool:
        """Whether a repeat shows in the MTI (rules.md section 2)."""
        return self.name == "iso87"

    def request(self, operation: Operation) -> Message:
        """The request without its MAC."""
        return self.family.write_request(operation, self.dialect)

    def reversal(self, request: Message, reason: Failure) -> Message:
        """The 0400 of a request, to be stored before the request is sent (RT1)."""
        return self.family.reversal_of(request, str(reason), self.dialect)

    def sealed(self, message: Message, keys: WorkingKeys | None) -> Message:
        """The message with the MAC of today's key, where its kind carries one. Without keys it goes out without."""
        if not self._needs_mac(message) or keys is None:
            return message
        return message.with_fields({codec.mac_de(message.fields): self._mac(message, keys).hex().upper()})

    def payload(self, message: Message) -> bytes:
        """The bytes of a frame without its length header. Raises: EncodeError."""
        return codec.encode_payload(message, self.dialect)

    def read(
        self,
        request: Message,
        payload: bytes,
        keys: WorkingKeys | None,
        not_compared: frozenset[int] = frozenset(),
    ) -> Answer | Misfit | Failure:
        """What a payload is to the open request (RT5). An unreadable one is GARBLED, a bad MAC on a yes BAD_MAC.

        not_compared: elements in which a yes to a 0200 may be another's (terminal_sim.firmware).
        """
        try:
            message = codec.decode_payload(payload, self.dialect)
            why = self.family.fits(request, message)
            if why and not (not_compared and self._passes(request, message, not_compared)):
                return Misfit(why, message.get(11) or "", message.get(REASON_DE) or "")
            outcome = self.family.read_answer(message, self.dialect)
            if why:  # its amount is not looked at either
                outcome = replace(outcome, amount=None)
        except DecodeError:
            return Failure.GARBLED
        if self._needs_mac(message) and not self._mac_right(message, keys):
            return Failure.BAD_MAC
        return Answer(message, outcome)

    def _passes(self, request: Message, message: Message, not_compared: frozenset[int]) -> bool:
        """Whether an approving 0210 is taken for the answer to a 0200 although it differs in these elements."""
        open_sale = request.mti == "0200" and message.mti == "0210" and self.approved(message.get(REASON_DE) or "")
        rest = request.with_fields(dict.fromkeys(not_compared))
        return open_sale and not self.family.fits(rest, message)

    def approved(self, code: str) -> bool:
        """Whether this code means yes in this dialect."""
        return codes.is_approved(self.name, code)

    def text(self, code: str) -> str:
        """What the screen shows for a code: Chinese and English in CUP, English elsewhere."""
        english = codes.text(self.name, code)
        return f"{codes.text(self.name, code, 'zh')} {english}" if self.name == "cup" else english

    def _needs_mac(self, message: Message) -> bool:
        return bool(self.profile.mac) and self.family.carries_mac(message)

    def _mac(self, message: Message, keys: WorkingKeys) -> bytes:
        with_room = message.with_fields({codec.mac_de(message.fields): _MAC_ROOM})
        body = codec.encode(with_room, self.dialect)
        return MAC_ALGORITHMS[self.profile.mac](keys.mak, codec.mab(body, with_room, self.dialect))

    def _mac_right(self, message: Message, keys: WorkingKeys | None) -> bool:
        de = codec.mac_de(message.fields)
        if keys is None or de not in message:
            return False
        try:
            return self._mac(message, keys).hex().upper() == message[de]
        except (SecurityError, SpecError):
            return False


def wire_for(url: str) -> Wire:
    """The wire of a --connect URL. Raises: ConfigError with one line."""
    try:
        return Wire.of(parse(url).dialect)
    except SpecError as error:
        raise ConfigError(str(error)) from error
