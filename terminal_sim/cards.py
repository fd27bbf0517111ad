"""The card that is put into the terminal: a documented test card by name, or any number."""

from __future__ import annotations

from specs.operation import Card, Entry
from specs.testcards import load_test_cards
from terminal_sim.errors import ConfigError

DEFAULT = "credit1"
DEFAULT_EXPIRY = "3012"
ENTRIES = (Entry.SWIPE, Entry.MANUAL)
PAN_DIGITS = range(13, 20)
_SERVICE_AND_DATA = "2010000000"
"""Service code 201 and discretionary data: what the magnetic stripe of a test card carries behind the expiry."""


def card_from(text: str, entry: str) -> Card:
    """The card of `--card NAME|PAN --entry swipe|manual`. Raises: ConfigError that never shows a number."""
    known = load_test_cards()
    if text in known:
        pan, expiry = known[text].pan, known[text].expiry
    elif text.isascii() and text.isdigit() and len(text) in PAN_DIGITS:
        pan, expiry = text, DEFAULT_EXPIRY
    else:
        raise ConfigError(f"--card: a number of 13 to 19 digits, or one of {', '.join(known)}")
    if entry not in ENTRIES:
        raise ConfigError(f"--entry {entry}: one of {', '.join(ENTRIES)}")
    track = f"{pan}D{expiry}{_SERVICE_AND_DATA}" if entry == Entry.SWIPE else ""
    return Card(pan, expiry, track, entry=Entry(entry))
