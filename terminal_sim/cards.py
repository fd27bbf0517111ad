"""The card that is put into the terminal: a documented test card by name, or any number; and the PIN that is keyed."""

from __future__ import annotations

from specs.operation import Card, Entry
from specs.testcards import TestCard, card_by_pan, load_test_cards
from terminal_sim.errors import ConfigError

DEFAULT = "credit1"
DEFAULT_EXPIRY = "3012"
ENTRIES = (Entry.SWIPE, Entry.CHIP, Entry.TAP, Entry.FALLBACK, Entry.MANUAL, Entry.QR)
OWN_PIN = "card"
"""`--pin card`: the documented PIN of the test card."""
PIN_DIGITS = range(4, 13)
"""ISO 9564."""
PAN_DIGITS = range(13, 20)
_SERVICE_AND_DATA = "2010000000"
"""Service code 201 (with a chip) and discretionary data: what a test card carries behind the expiry, on its stripe and
in its chip's copy of it (tag 57)."""
_WITH_TRACK = frozenset({Entry.SWIPE, Entry.CHIP, Entry.TAP, Entry.FALLBACK})
_WITH_CHIP = frozenset({Entry.CHIP, Entry.TAP})
_WITHOUT_CHIP = frozenset({"qr"})
"""Classes of test cards that are no plastic: a code on a screen, with a number for it."""
_SEQUENCE = "001"


def card_from(text: str, entry: str) -> Card:
    """The card of `--card NAME|PAN --entry …`. Raises: ConfigError that never shows a number."""
    known = load_test_cards()
    if text in known:
        pan, expiry = known[text].pan, known[text].expiry
    elif text.isascii() and text.isdigit() and len(text) in PAN_DIGITS:
        pan, expiry = text, DEFAULT_EXPIRY
    else:
        raise ConfigError(f"--card: a number of 13 to 19 digits, or one of {', '.join(known)}")
    if entry not in ENTRIES:
        raise ConfigError(f"--entry {entry}: one of {', '.join(ENTRIES)}")
    how = Entry(entry)
    if how in _WITH_TRACK and not _is_plastic(known.get(text) or card_by_pan(pan)):
        raise ConfigError(f"--entry {entry}: this card is a code on a screen, read with --entry qr or manual")
    track = f"{pan}D{expiry}{_SERVICE_AND_DATA}" if how in _WITH_TRACK else ""
    return Card(pan, expiry, track, sequence=_SEQUENCE if how in _WITH_CHIP else "", entry=how)


def pin_from(text: str, card: Card) -> str:
    """The PIN of `--pin`: digits, or `card` for the documented one. Raises: ConfigError that never shows it."""
    if text == OWN_PIN:
        known = card_by_pan(card.pan)
        if known is None or known.pin is None:
            raise ConfigError("--pin card: only for a test card that has a documented PIN")
        return known.pin
    if text and not (text.isascii() and text.isdigit() and len(text) in PIN_DIGITS):
        raise ConfigError(f"--pin: {PIN_DIGITS.start} to {PIN_DIGITS.stop - 1} digits, or «{OWN_PIN}»")
    return text


def _is_plastic(card: TestCard | None) -> bool:
    return card is None or card.card_class not in _WITHOUT_CHIP
