"""Frames as a capture may keep them: card data blanked in place, every length as it was. Pure.

What the log masks (specs.masking) is blanked here: digits and bits become zeros, so that the message still reads; in
text the stars stay. A frame that the dialect cannot read is masked as the log masks it (host.exchange): of long runs of
digits only the first six stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.exchange import kept_raw, masked_hex
from specs.codec import decode_payload, encode_payload, inspect_payload
from specs.dialect import Dialect
from specs.errors import SpecError
from specs.message import Message


def blanked(shown: Mapping[int, str], dialect: Dialect) -> dict[int, str]:
    """Masked values as their elements can carry them: a star is a zero wherever only digits or bits may stand."""
    return {de: value if _holds_stars(de, dialect) else value.replace("*", "0") for de, value in shown.items()}


def _holds_stars(de: int, dialect: Dialect) -> bool:
    spec = dialect.fields.get(de)
    return spec is not None and spec.is_text


STAN_DE = 11


@dataclass(frozen=True, slots=True)
class Masked:
    """data: the payload without card data, as long as it was. message: what could be read of it, None for nothing.
    clean: it is that message and nothing else; if not, the rule for what nobody can read stood in."""

    data: bytes
    message: Message | None = field(repr=False)
    clean: bool


def masked_payload(payload: bytes, dialect: Dialect, asked: Mapping[str, Masked] | None = None) -> Masked:
    """A frame's payload as a capture keeps it.

    asked: requests by their STAN: what an answer only repeats of the one that it answers looks as it did there. Of one
    that was not clean it shows nothing again but the STAN: a card number may lie across elements that were misread.
    """
    try:
        message = decode_payload(payload, dialect)
        clear = encode_payload(message, dialect)
        shown = _shown(message, (asked or {}).get(message.get(STAN_DE) or ""))
        blank = encode_payload(message.with_fields(dict(blanked(shown, dialect))), dialect)
    except SpecError:
        return _broken(payload, dialect)
    if not len(payload) == len(clear) == len(blank):
        return _broken(payload, dialect)
    # Only what the mask changes is changed: a filler or a lower-case letter of the terminal's stays its own.
    kept = bytes(real if was == hidden else hidden for real, was, hidden in zip(payload, clear, blank, strict=True))
    return Masked(kept, message, clean=True)


def _shown(message: Message, asked: Masked | None) -> dict[int, str]:
    shown = message.masked()
    if asked is not None and asked.message is not None:
        before = asked.message.fields
        again = [de for de, value in message.fields.items() if before.get(de) == value]
        if asked.clean:
            there = asked.message.masked()
            shown |= {de: there[de] for de in again}
        else:
            shown |= {de: "*" * len(message[de]) for de in again if de != STAN_DE}
    return shown


def broken_payload(payload: bytes, dialect: Dialect | None) -> bytes:
    """Bytes that are no clean message of the dialect (None: of none that is known), as the log keeps them."""
    return bytes_of(masked_hex(payload)) if dialect is None else _broken(payload, dialect).data


def _broken(payload: bytes, dialect: Dialect) -> Masked:
    message = inspect_payload(payload, dialect).message
    return Masked(bytes_of(kept_raw(payload, message, dialect, len(payload))), message, clean=False)


def bytes_of(masked: str) -> bytes:
    """Hex in which stars stand for what is hidden, as bytes of the same number."""
    return bytes.fromhex(masked.replace("*", "0"))


def rebuilt(fields: Mapping[int, str], mti: str, dialect: Dialect, *, tpdu: str, header: str) -> bytes:
    """The payload of a logged message: its elements with the stars as zeros. Raises EncodeError."""
    frame = dialect.frame
    values = blanked(fields, dialect)
    return encode_payload(Message(mti, values, tpdu if frame.tpdu else "", header if frame.header else ""), dialect)
