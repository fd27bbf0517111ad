"""The raw till of the tests speaks NAC as the worked example of nac.md, section 9 does."""

from __future__ import annotations

from tests.support.raw_terminal import sale, wire

EXAMPLE = (
    "0053600003000002003020058020C000040000000000000100000001230022000300374111111111111111D3012201000001234567"
    "8031323334353637383132333435363738393031323334350006303030303435"
)


def test_its_sale_is_the_worked_example_byte_for_byte() -> None:
    message = sale("12345678", "000123", 100_00).with_fields({62: "000045"})
    assert wire(message).hex().upper() == EXAMPLE
