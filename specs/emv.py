"""The chip's cryptograms for test cards whose keys we hold: ARQC from the card, ARPC from its issuer. Pure.

Key derivation option A, the EMV common session key by ATC, application cryptogram by EMV's MAC, ARPC by method 1
(EMV book 2, 8.1-8.2, annex A1). Keys and MACs are pyemv's; what goes into them is here. Only test keys ever come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import SimpleNamespace

import pyemv.mac
import pyemv.tools
from pyemv.ac import PaddingType, generate_ac, generate_arpc_1
from pyemv.kd import derive_common_sk, derive_icc_mk_a

from specs import des, tlv
from specs.errors import DecodeError, SecurityError
from specs.tlv import Tlv

# pyemv names TripleDES where `cryptography` is about to drop it, and hands over keys of 8 and 16 bytes, which it
# deprecates.
for _module in (pyemv.tools, pyemv.mac):
    setattr(_module, "_algorithms", SimpleNamespace(TripleDES=des.triple_des))  # noqa: B010  a private name

ARQC_TAGS = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36", "9F10")
"""What the cryptogram covers, in this order: CDOL1's terminal data, then AIP, ATC and issuer application data."""
CRYPTOGRAM, ATC, ISSUER_AUTHENTICATION = "9F26", "9F36", "91"
SCRIPT_BEFORE, SCRIPT_AFTER = "71", "72"
"""Issuer scripts, to be run before and after the second GENERATE AC."""
_ARPC_BYTES, _CODE_BYTES = 8, 2


class Arqc(StrEnum):
    """What an issuer may say of a cryptogram."""

    GOOD = "good"
    BAD = "bad"
    NOT_CHECKED = "not-checked"
    """No key of this card is held: accepted, with a note."""


@dataclass(frozen=True, slots=True)
class ChipKey:
    """An issuer's test master key for one card. imk: 16 bytes; pan digits; sequence: 2 or 3 digits, DE 23."""

    imk: bytes = field(repr=False)
    pan: str = field(repr=False)
    sequence: str = "00"

    def session(self, atc: bytes) -> bytes:
        """The session key of one transaction. atc: 2 bytes. Raises: SecurityError for another length."""
        if len(atc) != 2:
            raise SecurityError("an ATC has 2 bytes")
        master = derive_icc_mk_a(self.imk, self.pan, self.sequence[-2:].zfill(2))
        return bytes(derive_common_sk(master, atc + bytes(6)))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a terminal tells the card. Units: amounts in minor units; currency and country ISO numeric, 3 digits;
    day YYMMDD; unpredictable 4 bytes; atc from 1."""

    amount: int
    currency: str
    day: str
    atc: int
    unpredictable: bytes
    cash: int = 0
    country: str = "156"
    transaction_type: str = "00"
    aid: str = "A000000333010101"
    terminal_capabilities: str = "E0E1C8"
    serial: str = "CLOSEOUT"


def request_data(key: ChipKey, terms: Terms) -> bytes:
    """DE 55 of an authorisation request: the tags of cup.md, 5.6, with the card's ARQC."""
    known = {
        "9F02": f"{terms.amount:012d}",
        "9F03": f"{terms.cash:012d}",
        "9F1A": terms.country.zfill(4),
        "95": "0000000000",
        "5F2A": terms.currency.zfill(4),
        "9A": terms.day,
        "9C": terms.transaction_type,
        "9F37": terms.unpredictable.hex().upper(),
        "82": "7C00",
        "9F36": f"{terms.atc % 0x10000:04X}",
        "9F10": "07010103A0A802010A010000000000",
        "9F27": "80",
        "9F33": terms.terminal_capabilities,
        "9F34": "420300",
        "9F35": "22",
        "9F1E": terms.serial.encode("ascii").hex().upper(),
        "84": terms.aid,
        "9F09": "0020",
        "9F41": f"{terms.atc % 10**8:08d}",
    }
    values = {tag: bytes.fromhex(text) for tag, text in known.items()}
    cryptogram = _cryptogram(key, values)
    return tlv.build([Tlv(CRYPTOGRAM, cryptogram), *(Tlv(tag, value) for tag, value in values.items())])


def _cryptogram(key: ChipKey, values: Mapping[str, bytes]) -> bytes:
    covered = b"".join(values[tag] for tag in ARQC_TAGS)
    return bytes(generate_ac(key.session(values[ATC]), covered, PaddingType.EMV))


def tags(data: bytes) -> dict[str, bytes]:
    """The objects of a DE 55 by tag; the first of a repeated one. Raises: DecodeError."""
    found: dict[str, bytes] = {}
    for item in tlv.parse(data):
        found.setdefault(item.tag, item.value)
    return found


def check(key: ChipKey | None, data: bytes) -> Arqc:
    """Whether DE 55 holds this card's ARQC. Raises: DecodeError naming the tag that is missing or cannot be read."""
    values = tags(data)
    if key is None:
        return Arqc.NOT_CHECKED
    for tag in (*ARQC_TAGS, CRYPTOGRAM):
        if tag not in values:
            raise DecodeError(55, 0, f"tag {tag}", "absent")
    if len(values[ATC]) != 2:
        raise DecodeError(55, 0, "an ATC of 2 bytes", f"{len(values[ATC])} bytes")
    return Arqc.GOOD if _cryptogram(key, values) == values[CRYPTOGRAM] else Arqc.BAD


def answer_data(key: ChipKey, request: bytes, code: str, scripts: tuple[bytes, ...] = ()) -> bytes:
    """DE 55 of the answer: the ATC echoed, 91 with ARPC and response code, and the issuer's scripts (72), if any.

    code: DE 39, two characters. request: the DE 55 that `check` has found good. Raises: DecodeError.
    """
    values = tags(request)
    response = code.encode("ascii")
    arpc = generate_arpc_1(key.session(values[ATC]), values[CRYPTOGRAM], response)
    found = [Tlv(ATC, values[ATC]), Tlv(ISSUER_AUTHENTICATION, bytes(arpc) + response)]
    return tlv.build([*found, *(Tlv(SCRIPT_AFTER, script) for script in scripts)])


def script(number: int, commands: tuple[bytes, ...]) -> bytes:
    """The inside of a 71 or 72: its identifier (9F18) and one 86 a command (EMV book 3, 10.10)."""
    return tlv.build([Tlv("9F18", number.to_bytes(4, "big")), *(Tlv("86", command) for command in commands)])


def issuer_is_authentic(key: ChipKey, request: bytes, answer: bytes, code: str) -> bool:
    """At the card: whether 91 holds the ARPC of its own issuer over this transaction and this response code."""
    try:
        said = tags(answer).get(ISSUER_AUTHENTICATION, b"")
        values = tags(request)
    except DecodeError:
        return False
    response = code.encode("ascii")
    if len(said) != _ARPC_BYTES + _CODE_BYTES or said[_ARPC_BYTES:] != response:
        return False
    return bytes(generate_arpc_1(key.session(values[ATC]), values[CRYPTOGRAM], response)) == said[:_ARPC_BYTES]
