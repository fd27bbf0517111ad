"""Which cards the issuer knows before it meets them: the documented test cards, found by the hash of their number."""

from __future__ import annotations

from collections.abc import Mapping

from host.pan_hash import pan_hash
from specs.testcards import TestCard, load_test_cards

CardIndex = Mapping[str, TestCard]
"""Keyed hash of the card number -> the test card."""


def index_test_cards(key: bytes, cards: Mapping[str, TestCard] | None = None) -> CardIndex:
    """The test cards (those of specs.testcards unless others are given) under this store's hash key."""
    chosen = load_test_cards() if cards is None else cards
    return {pan_hash(key, card.pan): card for card in chosen.values()}
