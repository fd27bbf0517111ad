"""A simulated chip: what it hands over for a request (DE 55), and what it says to the issuer's answer.

It is deterministic: the same transaction gives the same cryptogram. A documented test card has its issuer's test key:
its ARQC can be checked, and it checks the ARPC. Any other card gives a digest for a cryptogram (9F26), which no issuer
can check, and judges the ARPC by marks (see `card_says`). Source of the tags: cup.md 5.6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

from specs import emv, tlv
from specs.errors import DecodeError
from specs.operation import Card, Entry
from specs.testcards import card_by_pan
from specs.tlv import Tlv
from terminal_sim.when import Moment

CHIPPED = frozenset({Entry.CHIP, Entry.TAP})
ARQC, TC, AAC = "80", "40", "00"
"""9F27: the card asks the issuer; the card has agreed; it has refused."""
_CRYPTOGRAM, _CRYPTOGRAM_KIND = "9F26", "9F27"
_ISSUER_DATA = "91"
_SCRIPTS = ("71", "72")
_SALE = "00"
NO_KEY = "chip: the key of this card is not held here, so nobody can check its cryptogram"
_SCRIPT_ID = "9F18"
_SCRIPT_RESULT = "DF31"
_ARPC_BYTES = 8
_WRONG_ARPC = bytes(_ARPC_BYTES)
_YES = (b"00", b"10", b"11")


class Says(StrEnum):
    """The card's last word: the values of Row.chip_end."""

    TC = "tc"
    AAC = "aac"
    ARPC_WRONG = "arpc-wrong"


def can_be_checked(card: Card | None) -> bool:
    """Whether the test key of this card's issuer is held."""
    return card is not None and _key(card) is not None


def _key(card: Card) -> emv.ChipKey | None:
    known = card_by_pan(card.pan)
    return known.chip if known is not None else None


def arqc_data(
    card: Card, amount: int, stan: str, at: Moment, *, currency: str = "156", cash: int = 0, kind: str = _SALE
) -> bytes | None:
    """DE 55 of a request, None when the card has no chip or it was not read.

    amount, cash: minor units. kind: tag 9C, the first two digits of DE 3. The counter (ATC) is the STAN, and what ought
    to be unpredictable follows from STAN and time: the same transaction again is the same. Shape: the tags of cup.md
    5.6.
    """
    if card.entry not in CHIPPED:
        return None
    known = card_by_pan(card.pan)
    if known is None or known.chip is None:
        return _digest_data(card, amount, stan, at.local)
    terms = emv.Terms(
        amount=amount,
        currency=currency,
        day=at.day,
        atc=int(stan or "0") % 0x10000,
        unpredictable=hashlib.sha256(f"{stan}|{at.day}|{at.local}".encode()).digest()[:4],
        cash=cash,
        transaction_type=kind,
        aid=known.aid,
    )
    return emv.request_data(known.chip, terms)


def _digest_data(card: Card, amount: int, stan: str, at: str) -> bytes:
    """The same tags of a card without a key."""
    secret = hashlib.sha256(f"{card.pan}|{amount}|{stan}|{at}".encode()).digest()
    values = {
        "9F26": secret[:8].hex(),
        "9F27": ARQC,
        "9F10": "07010103A0B000010A010000000000" + secret[8:12].hex(),
        "9F37": secret[12:16].hex(),
        "9F36": f"{int(stan or '0') % 0x10000:04X}",
        "95": "0000008000",
        "9A": "26" + (at[:4] or "0101"),
        "9C": "00",
        "9F02": f"{amount:012d}",
        "5F2A": "0156",
        "82": "7C00",
        "9F1A": "0156",
        "9F03": "000000000000",
        "9F33": "E0E1C8",
        "9F34": "020300" if card.entry is Entry.CHIP else "1F0300",
        "9F35": "22",
        "9F1E": b"SIM00001".hex(),
        "84": "A000000333010101",
        "9F09": "0020",
        "9F41": f"{int(stan or '0'):08d}",
    }
    return tlv.build(Tlv(tag, bytes.fromhex(value)) for tag, value in values.items())


def card_says(card: Card | None, request: bytes, answer: bytes | None, code: str) -> Says:
    """What the card makes of DE 55 of an approving answer. request: its own DE 55. code: DE 39.

    No issuer data (91): it agrees, as cards do whose issuer sends none. An issuer code behind the ARPC that is no
    approval: it refuses. A wrong ARPC: it agrees all the same; to a card without a key wrong are eight zero bytes, or
    too few.
    """
    data = next((item.value for item in _objects(answer) if item.tag == _ISSUER_DATA), None)
    if data is None:
        return Says.TC
    said = _by_marks(data)
    key = _key(card) if card is not None else None
    if said is Says.AAC or key is None:
        return said
    return Says.TC if emv.issuer_is_authentic(key, request, answer or b"", code) else Says.ARPC_WRONG


def _by_marks(data: bytes) -> Says:
    if len(data) < _ARPC_BYTES or data[:_ARPC_BYTES] == _WRONG_ARPC:
        return Says.ARPC_WRONG
    code = data[_ARPC_BYTES : _ARPC_BYTES + 2]
    return Says.TC if not code or code in _YES else Says.AAC


def final_data(request: bytes, kind: str = TC) -> bytes:
    """DE 55 for the upload: that of the request with the last cryptogram in place of the first. kind: TC or AAC."""
    items = []
    for item in _objects(request):
        if item.tag == _CRYPTOGRAM:
            item = Tlv(item.tag, hashlib.sha256(item.value).digest()[:8])
        elif item.tag == _CRYPTOGRAM_KIND:
            item = Tlv(item.tag, bytes.fromhex(kind))
        items.append(item)
    return tlv.build(items)


def script_result(request: bytes, answer: bytes | None) -> bytes | None:
    """DE 55 of the 0620 when the answer held scripts: one DF31 of five bytes a script (done, and its identifier).

    None when there was no script.
    """
    scripts = [item for item in _objects(answer) if item.tag in _SCRIPTS]
    if not scripts:
        return None
    kept = [item for item in _objects(request) if item.tag in ("95", "9F1E", "9F10", "9F26", "9F36", "9F37", "82")]
    results = b"".join(b"\x20" + _identifier(item.value) for item in scripts)
    return tlv.build([*kept, Tlv(_SCRIPT_RESULT, results)])


def _identifier(script: bytes) -> bytes:
    found = next((item.value for item in _objects(script) if item.tag == _SCRIPT_ID), b"")
    return found[:4].rjust(4, b"\0")


def _objects(data: bytes | None) -> Sequence[Tlv]:
    """The objects of a DE 55; none when it cannot be read, which the card takes like an answer without data."""
    try:
        return tlv.parse(data or b"")
    except DecodeError:
        return ()
