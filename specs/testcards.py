"""The documented test cards, by name, and which organisation a number belongs to.

The cards stand in testcards.toml; the file is read at the first use.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from specs.emv import ChipKey
from specs.errors import DialectError
from specs.luhn import luhn_ok
from specs.masking import mask_pan

CARD_CLASSES = ("credit", "debit", "foreign", "qr")
_FILE = "testcards.toml"
_OPTIONAL: Mapping[str, type] = {
    "pin": str,
    "balance": int,
    "expired": bool,
    "stolen": bool,
    "lost": bool,
    "partial": bool,
    "chip_key": str,
    "sequence": str,
    "aid": str,
}


@dataclass(frozen=True, slots=True)
class TestCard:
    """One card of the issuer's test range.

    Units: expiry YYMM; balance in minor units, None without a limit. `partial`: the issuer approves what is left.
    chip_key: the issuer's documented test master key for the application cryptogram, 32 hex digits, "" = no chip;
    sequence: DE 23, 3 digits; aid: its application.
    """

    __test__ = False  # pytest takes a class of this name for tests

    name: str
    pan: str
    expiry: str
    card_class: str
    organisation: str
    pin: str | None = None
    balance: int | None = None
    expired: bool = False
    stolen: bool = False
    lost: bool = False
    partial: bool = False
    chip_key: str = ""
    sequence: str = ""
    aid: str = ""

    @property
    def chip(self) -> ChipKey | None:
        """The issuer's test key of its chip; None for a card without one."""
        return ChipKey(bytes.fromhex(self.chip_key), self.pan, self.sequence) if self.chip_key else None

    def __repr__(self) -> str:
        return f"TestCard({self.name}, {mask_pan(self.pan)})"


# Longest prefix first where they overlap: (lowest, highest first four digits, organisation), as DE 63 of CUP writes it.
_BIN_RANGES = (
    (2221, 2720, "MCC"),
    (3400, 3499, "AEX"),
    (3528, 3589, "JCB"),
    (3700, 3799, "AEX"),
    (3000, 3059, "DCC"),
    (3600, 3699, "DCC"),
    (3800, 3999, "DCC"),
    (4000, 4999, "VIS"),
    (5100, 5599, "MCC"),
    (5000, 5099, "MAE"),
    (5600, 5899, "MAE"),
    (6200, 6299, "CUP"),
    (8100, 8171, "CUP"),
)
OTHER_ORGANISATION = "   "
"""What hosts leave in DE 63 when no organisation is known (dump cup-0210-qr-94-go8583)."""


def organisation(pan: str) -> str:
    """The card organisation by the first four digits: CUP, VIS, MCC, MAE, JCB, AEX, DCC; three spaces when unknown."""
    prefix = pan[:4]
    if len(prefix) == 4 and prefix.isascii() and prefix.isdigit():
        for low, high, name in _BIN_RANGES:
            if low <= int(prefix) <= high:
                return name
    return OTHER_ORGANISATION


def load_test_cards(text: str | None = None) -> Mapping[str, TestCard]:
    """Cards by name, of a TOML text or of the file that is shipped. Raises: DialectError naming card and key."""
    return _shipped() if text is None else _parse(text)


def card_by_pan(pan: str) -> TestCard | None:
    """The documented card with this number."""
    return next((card for card in _shipped().values() if card.pan == pan), None)


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, TestCard]:
    return _parse(files("specs").joinpath(_FILE).read_text("utf-8"))


def _parse(text: str) -> Mapping[str, TestCard]:
    try:
        rows = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DialectError(_FILE, "", str(error)) from None
    return MappingProxyType({name: _card(name, row) for name, row in rows.items()})


def _card(name: str, row: Any) -> TestCard:
    """One checked card: a wrong row must fail at start, not at the till."""

    def require(key: str, holds: bool, why: str) -> None:
        if not holds:
            raise DialectError(_FILE, f"{name}.{key}", why)

    require("", isinstance(row, dict), "is not a table")
    for key in row:
        known = key in _OPTIONAL or key in ("pan", "expiry", "class", "organisation")
        require(key, known, "is not a key of a test card")
    pan, expiry = row.get("pan", ""), row.get("expiry", "")
    require(
        "pan",
        isinstance(pan, str) and 13 <= len(pan) <= 19 and luhn_ok(pan),
        "is no card number with a right check digit",
    )
    good_expiry = isinstance(expiry, str) and len(expiry) == 4 and expiry.isdigit() and 1 <= int(expiry[2:]) <= 12
    require("expiry", good_expiry, "is not YYMM")
    require("class", row.get("class") in CARD_CLASSES, f"is not one of {', '.join(CARD_CLASSES)}")
    require("organisation", row.get("organisation") == organisation(pan), "is not the organisation of the number")
    for key, kind in _OPTIONAL.items():
        require(key, key not in row or type(row[key]) is kind, f"is not of type {kind.__name__}")
    pin = row.get("pin")
    require("pin", pin is None or (4 <= len(pin) <= 12 and pin.isdigit()), "has not 4 to 12 digits")
    key = row.get("chip_key", "")
    require("chip_key", not key or re.fullmatch("[0-9A-F]{32}", key) is not None, "has not 32 hex digits")
    require("sequence", bool(key) == ("sequence" in row), "a chip has one, and only a chip")
    require("balance", row.get("balance", 0) >= 0, "is negative")
    return TestCard(
        name=name,
        pan=pan,
        expiry=expiry,
        card_class=row["class"],
        organisation=row["organisation"],
        **{key: row[key] for key in _OPTIONAL if key in row},
    )
