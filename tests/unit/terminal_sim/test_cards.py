"""Which card the operator means, how it is read, and which PIN is keyed. Numbers are those of specs/testcards.toml."""

from __future__ import annotations

import pytest

from specs.operation import Card, Entry
from terminal_sim.cards import card_from, pin_from
from terminal_sim.errors import ConfigError

PAN = "6223164991230014"
TRACK = f"{PAN}D30122010000000"


@pytest.mark.parametrize(
    ("entry", "track", "sequence"),
    [
        ("swipe", TRACK, ""),
        ("fallback", TRACK, ""),
        ("chip", TRACK, "001"),
        ("tap", TRACK, "001"),
        ("manual", "", ""),
        ("qr", "", ""),
    ],
)
def test_how_a_card_is_read(entry: str, track: str, sequence: str) -> None:
    assert card_from("credit1", entry) == Card(PAN, "3012", track, sequence, Entry(entry))
    assert card_from(PAN, entry) == card_from("credit1", entry)


def test_a_code_on_a_screen_has_no_stripe() -> None:
    assert card_from("qr1", "qr").entry is Entry.QR
    assert card_from("qr1", "manual").expiry == "3312"
    for entry in ("swipe", "chip", "tap", "fallback"):
        with pytest.raises(ConfigError, match="code on a screen"):
            card_from("qr1", entry)
        with pytest.raises(ConfigError, match="code on a screen"):
            card_from("6250947000000014", entry)


@pytest.mark.parametrize(("card", "entry"), [("visa", "swipe"), ("12345", "swipe"), ("credit1", "wave")])
def test_a_wrong_card_names_the_option_and_no_number(card: str, entry: str) -> None:
    with pytest.raises(ConfigError, match=r"--card|--entry"):
        card_from(card, entry)
    with pytest.raises(ConfigError) as told:
        card_from("6223164991230014000000", "swipe")
    assert PAN not in str(told.value)


def test_the_pin_of_a_test_card() -> None:
    debit = card_from("debit1", "swipe")
    assert pin_from("card", debit) == "123456"
    assert pin_from("0000", debit) == "0000"
    assert pin_from("", debit) == ""


@pytest.mark.parametrize(
    ("pin", "card"), [("123", "debit1"), ("12345x", "debit1"), ("1" * 13, "debit1"), ("card", "credit1")]
)
def test_a_wrong_pin_is_told_without_showing_it(pin: str, card: str) -> None:
    with pytest.raises(ConfigError, match="--pin") as told:
        pin_from(pin, card_from(card, "swipe"))
    assert pin == "card" or pin not in str(told.value)
