"""Whose card a number is: the configured ranges, longest prefix first, in front of the schemes' own."""

from __future__ import annotations

import pytest

from specs.bins import BinRange, Bins

CONFIGURED = Bins.of([BinRange("62", "63", "AAA", "debit"), BinRange("622316", "622318", "BBB", "qr")])


@pytest.mark.parametrize(
    ("pan", "organisation", "card_class"),
    [
        ("6223164991230014", "BBB", "qr"),
        ("6223194991230014", "AAA", "debit"),
        ("6300000000000000", "AAA", "debit"),
        ("8171999999999999", "CUP", "credit"),
        ("4111111111111111", "VIS", "foreign"),
        ("8172000000000000", "   ", "foreign"),
        ("817", "   ", "foreign"),
    ],
)
def test_organisation_and_class(pan: str, organisation: str, card_class: str) -> None:
    """BIN ranges of the schemes: ISO/IEC 7812 as in testcards; 8100 to 8171 are UnionPay's."""
    for _ in range(2):
        assert (CONFIGURED.organisation(pan), CONFIGURED.card_class(pan)) == (organisation, card_class)
    assert CONFIGURED.holds(pan) == (organisation in ("AAA", "BBB"))
