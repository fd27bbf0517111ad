"""The only place that hides card data: number, tracks, expiry, PIN block, CVV2, keys.

A table gives each sensitive DE its masker; free text is searched for what looks like a card number. A masker that does
not understand its value hides all of it. The maskers know no dialect, so each tells the forms of a DE apart by shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from types import MappingProxyType

from specs import tlv
from specs.errors import DecodeError
from specs.luhn import luhn_ok

PAN_DIGITS_MIN = 13
"""Below this, first six and last four would leave fewer than three digits hidden."""
PAN_DIGITS_MAX = 19

SENSITIVE_TAGS = frozenset({"56", "57", "5A", "5F20", "5F24", "5F25", "99", "9F0B", "9F1F", "9F20", "9F61", "9F6B"})
"""Tracks, card number, cardholder name and id, dates of validity, PIN data (EMV book 3, annex A; 9F61 PBOC)."""

_PAN_IN_TEXT = re.compile(r"(?<!\d)(0*)((?:[3-6]\d|2[2-7]|81)\d{11,17})(?!\d)")
"""The leading digits that cards at a till have (a time stamp has others), and the zeros that uploads fill with."""
_GROUPED_PAN = re.compile(
    r"(?<!\d)(?:[3-6]\d|2[2-7]|81)\d\d([ -])(?:\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{6}\1\d{4,5})(?!\d)"
)
"""As embossed: fours, or 4-6-5."""
_TRACK_IN_TEXT = re.compile(r"(?<!\d)\d{12,19}[D=^][^ ;|]{4,}")
_KEY_IN_TEXT = re.compile(r"(?<![0-9A-Fa-f])(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])")
"""32 hex digits or more with a letter among them: totals are long too, but have no letters."""
_SUSPICIOUS = re.compile(r"\d\d{3}(?:\d{8}|[ -]\d{4})|[0-9A-Fa-f]{32}")
"""A part of whatever `mask_text` can find (12 digits; groups of four; 32 hex digits): text without it is left alone,
after one search in place of five. The first digit stands by itself so that the search can run to the next one."""
_DIGITS_SHOWN = 6
_LONG_RUN_DIGITS = 31
"""Longer than DE 61 (29 digits), where a number cannot be told from batch, STAN and date; an item of an upload has 40.
"""
_LONG_RUN = re.compile(rf"\d{{{_LONG_RUN_DIGITS},}}")
_TOTALS_DIGITS = frozenset({36, 45, 60, 75, 90})
"""Forms of NAC's DE 63 (nac.md, section 5): they stay."""
_DIGIT_RUN = re.compile(r"\d{9,}")
_HEX_RUN = re.compile(r"[0-9A-Fa-f]{9,}")
_TRACK_DIGITS_MIN, _TRACK_DIGITS_MAX = 12, 21
_TRACK = re.compile(rf"([%;]?[A-Z]?)(\d{{{_TRACK_DIGITS_MIN},{_TRACK_DIGITS_MAX}}})([D=^])(.*)", re.DOTALL)
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
    number, separator, rest = track.partition("D")  # as nearly all come
    if separator and number.isdecimal() and _TRACK_DIGITS_MIN <= len(number) <= _TRACK_DIGITS_MAX:
        return mask_pan(number) + separator + _stars(rest)
    found = _TRACK.fullmatch(track)
    if found is None:
        return _stars(track)
    start, pan, separator, rest = found.groups()
    return start + mask_pan(pan) + separator + _stars(rest)


def mask_text(text: str) -> str:
    """Free text with card numbers, tracks and keys masked wherever they stand."""
    if len(text) < PAN_DIGITS_MIN or not _SUSPICIOUS.search(text):
        return text
    text = _TRACK_IN_TEXT.sub(lambda found: mask_track(found[0]), text)
    text = _PAN_IN_TEXT.sub(lambda found: found[1] + mask_pan(found[2]) if luhn_ok(found[2]) else found[0], text)
    text = _GROUPED_PAN.sub(lambda found: _mask_grouped(found[0]), text)
    if len(text) >= _LONG_RUN_DIGITS:
        text = _LONG_RUN.sub(lambda found: _mask_long_run(found[0]), text)
    return _KEY_IN_TEXT.sub(lambda found: _stars(found[0]), text)


def mask_chip(chip: str) -> str:
    """DE 55 in hex: tags and lengths stay, the values of `SENSITIVE_TAGS` become stars; unreadable data all stars."""
    try:
        return _mask_tlv(bytes.fromhex(chip))
    except (ValueError, DecodeError):
        return _stars(chip)


def mask_digits(text: str) -> str:
    """Bytes in hex that nobody could read: of each nine or more digits in a row only the first six.

    What stands there is not known, so no check digit is waited for: a card number may be cut off at either end.
    """
    return _DIGIT_RUN.sub(_cut_run, text)


def mask_anywhere(text: str) -> str:
    """Text in which elements may lie where nobody read them: the middle of every card number, whatever stands round it.

    Other digits may read as a number by chance and get stars too.
    """
    hidden = _numbers_across(text)
    return "".join("*" if at in hidden else character for at, character in enumerate(text))


def mask_fields(fields: Mapping[int, str], doubtful: Collection[int] = ()) -> dict[int, str]:
    """Every element as it may be shown to people and logs. Shape: as `Message.fields`.

    doubtful: elements that may hold what belongs to others, since the message broke its dialect there or before.
    """
    # A proxy copies as fast as what it stands for; dict() would ask it for each key.
    shown = fields.copy() if type(fields) is MappingProxyType else dict(fields)
    for de, mask in _maskers_of(tuple(shown)):
        shown[de] = mask(shown[de], fields)
    shown = _mask_own_number(fields, shown)
    return _mask_doubtful(shown, doubtful) if doubtful else shown


def _stars(value: str) -> str:
    return "*" * len(value)


def _mask_grouped(text: str) -> str:
    """A number in groups: separators stay where they are."""
    digits = "".join(filter(str.isdigit, text))
    if not luhn_ok(digits):
        return text
    masked = iter(mask_pan(digits))
    return "".join(next(masked) if character.isdigit() else character for character in text)


def _mask_long_run(digits: str) -> str:
    """Items of an upload where none belong: card numbers between other digits."""
    return digits if len(digits) in _TOTALS_DIGITS else mask_anywhere(digits)


def _mask_own_number(fields: Mapping[int, str], shown: dict[int, str]) -> dict[int, str]:
    """The message's own card number, found in an element that should have none (batch number, private use)."""
    pan = fields.get(2) or fields.get(35, "").replace("=", "D").partition("D")[0]
    # What stands in no value does not stand in all of them together; the other way round `replace` finds nothing.
    if len(pan) < PAN_DIGITS_MIN or pan not in "\n".join(shown.values()):
        return shown
    return {de: value.replace(pan, mask_pan(pan)) for de, value in shown.items()}


def _mask_doubtful(shown: dict[int, str], doubtful: Collection[int]) -> dict[int, str]:
    """Misread values: no long run of digits or hex, no raw bytes, no card number cut up over neighbouring elements."""
    suspects = {de: value for de, value in shown.items() if de in doubtful}
    hidden = _numbers_across("".join(suspects.values()))
    at, result = 0, dict(shown)
    for de, value in suspects.items():
        starred = "".join("*" if at + i in hidden else character for i, character in enumerate(value))
        at += len(value)
        result[de] = _HEX_RUN.sub(_cut_run, starred) if value.isascii() and value.isprintable() else _stars(value)
    return result


_NUMBER_LENGTHS: tuple[tuple[re.Pattern[str], tuple[int, ...]], ...] = (
    (re.compile("3[47]"), (15,)),
    (re.compile("3[068]"), (14,)),
    (re.compile("4"), (16, 13, 19)),
    (re.compile("62|81"), (16, 17, 18, 19)),
    (re.compile("5|2[2-7]|35|6"), (16,)),
)
"""How a card number begins -> its digits; the first that fits. In a misread message a chance hit costs little."""


def _numbers_across(text: str) -> set[int]:
    """Places of the middle digits of everything that reads as a card number, wherever it begins."""
    places: set[int] = set()
    for start in range(len(text)):
        lengths = next((sizes for prefix, sizes in _NUMBER_LENGTHS if prefix.match(text, start)), ())
        for length in lengths:
            number = text[start : start + length]
            if len(number) == length and number.isascii() and number.isdigit() and luhn_ok(number):
                places.update(range(start + _DIGITS_SHOWN, start + length - 4))
    return places


def _cut_run(found: re.Match[str]) -> str:
    return found[0][:_DIGITS_SHOWN] + _stars(found[0][_DIGITS_SHOWN:])


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
    A 0320/201 is known by DE 60, and by the DE 49 that only a 0500 has beside it, so that a broken one hides as well;
    so do digits of any other length that are too many for one card number.
    """
    if not (value.isascii() and value.isdigit()):
        return mask_text(value)
    if len(value) in (3, 4) and 3 in fields:
        return _stars(value)
    upload = 60 in fields and 49 not in fields and (fields[60][8:11] == "201" or len(value) == 62)
    if upload or (len(value) > PAN_DIGITS_MAX and len(value) != 62):
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


_CUP_60_DIGITS_MAX = 17
_CUP_60_FUNCTIONS = frozenset({"000", "203", "204", "205", "206", "951"})
"""60.3 of what moves money, and of chip records and script results, which keep the 60.1 of their sale (cup.md 5.8)."""


def _mask_private_60(value: str, _: Mapping[int, str]) -> str:
    """DE 60: batch and amount (NAC) and text stay without their card numbers; so does what reads as CUP's, whose type,
    batch and function may look like a card number by chance."""
    shown = mask_text(value)
    if shown != value and len(value) <= _CUP_60_DIGITS_MAX and value[8:11] in _CUP_60_FUNCTIONS and value.isdigit():
        return value
    return shown


def _mask_private_62(value: str, _: Mapping[int, str]) -> str:
    """DE 62: invoice numbers and text stay, working keys and every long binary value that is not known go."""
    if len(value) < PAN_DIGITS_MIN:
        return value
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
    return _stars(value) if len(value) >= 8 and not value.isprintable() and not _is_gbk(value) else mask_text(value)


def _is_gbk(value: str) -> bool:
    try:
        text = value.encode("latin-1").decode("gbk")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return False
    return all(character.isprintable() or character in "\r\n" for character in text)


def _alone(mask: Callable[[str], str]) -> Masker:
    return lambda value, _: mask(value)


_TEXT_ELEMENTS = (43, 44, 46, 47, 54, 56, 57, 58, 59, 61, *range(102, 128))

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
    60: _mask_private_60,
    62: _mask_private_62,
    63: _mask_private_63,
}
"""DE -> masker. DE 64 and 128 stay: a MAC is what one needs to see when it is wrong, and gives no key away."""


@lru_cache(maxsize=1024)
def _maskers_of(elements: tuple[int, ...]) -> tuple[tuple[int, Masker], ...]:
    """Which elements of a message have a masker: messages come in few shapes."""
    return tuple((de, MASKERS[de]) for de in elements if de in MASKERS)
