"""The only place that hides card data: number, tracks, expiry, PIN block, CVV2, keys.

A table gives each sensitive DE its masker; free text is searched for what looks like a card number. A masker that does
not understand its value hides all of it. The maskers know no dialect, so each tells the forms of a DE apart by shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from specs import tlv
from specs.errors import DecodeError
from specs.luhn import luhn_ok

PAN_DIGITS_MIN = 13
"""Below this, first six and last four would leave fewer than three digits hidden."""
PAN_DIGITS_MAX = 19

SENSITIVE_TAGS = frozenset({"56", "57", "5A", "5F20", "5F24", "5F25", "99", "9F0B", "9F1F", "9F20", "9F61", "9F6B"})
"""Tracks, card number, cardholder name and id, dates of validity, PIN data (EMV book 3, annex A; 9F61 PBOC)."""

_PAN_IN_TEXT = re.compile(r"(?<!\d)(?:[3-6]|2[2-7])\d{11,18}(?!\d)")
"""The leading digits that cards at a till have; a time stamp or a zero-filled amount has others."""
_TRACK_IN_TEXT = re.compile(r"(?<!\d)\d{12,19}[D=^][^ ;|]{4,}")
_KEY_IN_TEXT = re.compile(r"(?<![0-9A-Fa-f])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])")
"""32 hex digits or more with a letter among them: totals are long too, but have no letters."""
_TRACK = re.compile(r"([%;]?[A-Z]?)(\d{12,21})([D=^])(.*)", re.DOTALL)
_HEX = re.compile(r"(?:[0-9A-F]{2})+")

Masker = Callable[[str, Mapping[int, str]], str]
"""The value and the whole message: what a DE 48 holds shows only in its neighbours."""


def mask_pan(pan: str) -> str:
    """First six, last four, stars between; a number shorter than 13 digits becomes stars altogether."""
    if len(pan) < PAN_DIGITS_MIN:
        return _stars(pan)
    return pan[:6] + "*" * (len(pan) - 10) + pan[-4:]


def mask_track(track: str) -> str:
    """Card number masked, separator kept, the rest stars (tracks 1, 2 and 3); all stars when no number is found."""
    found = _TRACK.fullmatch(track)
    if found is None:
        return _stars(track)
    start, pan, separator, rest = found.groups()
    return start + mask_pan(pan) + separator + _stars(rest)


def mask_text(text: str) -> str:
    """Free text with card numbers, tracks and keys masked wherever they stand."""
    text = _TRACK_IN_TEXT.sub(lambda found: mask_track(found[0]), text)
    text = _PAN_IN_TEXT.sub(lambda found: mask_pan(found[0]) if luhn_ok(found[0]) else found[0], text)
    return _KEY_IN_TEXT.sub(lambda found: _stars(found[0]), text)


def mask_chip(chip: str) -> str:
    """DE 55 in hex: tags and lengths stay, the values of `SENSITIVE_TAGS` become stars; unreadable data all stars."""
    try:
        return _mask_tlv(bytes.fromhex(chip))
    except (ValueError, DecodeError):
        return _stars(chip)


def mask_fields(fields: Mapping[int, str]) -> dict[int, str]:
    """Every element as it may be shown to people and logs. Shape: as `Message.fields`."""
    return {de: MASKERS[de](value, fields) if de in MASKERS else value for de, value in fields.items()}


def _stars(value: str) -> str:
    return "*" * len(value)


def _mask_tlv(data: bytes) -> str:
    shown = []
    for item in tlv.parse(data):
        head = tlv.build([item])[: -len(item.value) or None].hex().upper()
        if item.tag in SENSITIVE_TAGS:
            body = "**" * len(item.value)
        elif item.constructed:
            body = _mask_tlv(item.value)
        else:
            body = item.value.hex().upper()
        shown.append(head + body)
    return "".join(shown)


def _mask_additional(value: str, fields: Mapping[int, str]) -> str:
    """DE 48: CUP settlement totals (62 digits) stay; CUP upload items lose their card numbers; a CVV2 goes.

    Three or four digits beside a processing code are a CVV2 (NAC); CUP's count of uploaded items has no DE 3 beside it.
    A 0320/201 is known by DE 60, and by the DE 49 that only a 0500 has beside it, so that a broken one hides as well.
    """
    if not (value.isascii() and value.isdigit()):
        return mask_text(value)
    if len(value) in (3, 4) and 3 in fields:
        return _stars(value)
    upload = fields.get(60, "")[8:11] == "201" and 49 not in fields
    if upload or (len(value) > 40 and len(value) % 40 == 2):
        return value[:2] + "".join(_mask_upload_item(value[at : at + 40]) for at in range(2, len(value), 40))
    return value if len(value) == 62 else mask_text(value)


def _mask_upload_item(item: str) -> str:
    """N2 kind, N6 STAN, N20 card number zero-filled on the left, N12 amount (cup.md 5.5); a part of one: stars."""
    if len(item) < 40:
        return item[:8] + _stars(item[8:])
    pan = item[8:28].lstrip("0")
    return item[:8] + item[8 : 28 - len(pan)] + mask_pan(pan) + item[28:]


_BINARY_BYTES_MIN = 16
"""A double-length key; shorter values of DE 62 are invoice numbers."""
_PUBLIC_DOWNLOADS = ("309F", "319F", "329F", "339F", "31DF")
"""CA public keys and IC parameters: an ASCII digit, then TLV that anyone may read (cup.md 5.10)."""


def _mask_private_62(value: str, _: Mapping[int, str]) -> str:
    """DE 62: invoice numbers and text stay, working keys and every long binary value that is not known go."""
    if not _HEX.fullmatch(value):
        return mask_text(value)
    if value.startswith(_PUBLIC_DOWNLOADS):
        return value
    text = bytes.fromhex(value).decode("latin-1")
    if text.isascii() and text.isprintable() and mask_text(text) == text:
        return value
    return _stars(value) if len(text) >= _BINARY_BYTES_MIN else mask_text(value)


def _mask_private_63(value: str, _: Mapping[int, str]) -> str:
    """DE 63: totals and text for the slip stay; NAC hosts also send keys here, as raw bytes."""
    unprintable = sum(not character.isprintable() for character in value)
    return _stars(value) if unprintable and len(value) >= 8 and not _is_gbk(value) else mask_text(value)


def _is_gbk(value: str) -> bool:
    try:
        text = value.encode("latin-1").decode("gbk")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    return all(character.isprintable() or character in "\r\n" for character in text)


def _alone(mask: Callable[[str], str]) -> Masker:
    return lambda value, _: mask(value)


_TEXT_ELEMENTS = (43, 44, 46, 47, 56, 57, 58, 59, 61, *range(102, 128))

MASKERS: Mapping[int, Masker] = {
    **dict.fromkeys(_TEXT_ELEMENTS, _alone(mask_text)),
    2: _alone(mask_pan),
    14: _alone(_stars),
    34: _alone(mask_pan),
    35: _alone(mask_track),
    36: _alone(mask_track),
    45: _alone(mask_track),
    48: _mask_additional,
    52: _alone(_stars),
    55: _alone(mask_chip),
    62: _mask_private_62,
    63: _mask_private_63,
}
"""DE -> masker. DE 64 and 128 stay: a MAC is what one needs to see when it is wrong, and gives no key away."""
