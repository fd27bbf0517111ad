"""Amounts for people, and the documented test cards."""

from __future__ import annotations

import pytest

from specs.errors import DialectError, SpecError
from specs.money import CURRENCIES, currency, format_amount
from specs.testcards import OTHER_ORGANISATION, card_by_pan, load_test_cards, organisation


class TestAmounts:
    @pytest.mark.parametrize(
        ("minor", "numeric", "shown"),
        [
            (10000, "156", "100.00"),
            (1, "156", "0.01"),
            (0, "156", "0.00"),
            (-150, "840", "-1.50"),
            (-1, "156", "-0.01"),
            (10000, "392", "10000"),
            (-5, "392", "-5"),
            (1234, "414", "1.234"),
            (999999999999, "156", "9999999999.99"),
        ],
    )
    def test_decimal_point(self, minor: int, numeric: str, shown: str) -> None:
        assert format_amount(minor, numeric) == shown

    @pytest.mark.parametrize(
        ("numeric", "alpha", "exponent"), [("156", "CNY", 2), ("036", "AUD", 2), ("048", "BHD", 3)]
    )
    def test_table(self, numeric: str, alpha: str, exponent: int) -> None:
        assert (currency(numeric).alpha, currency(numeric).exponent) == (alpha, exponent)

    def test_an_unknown_currency_is_said_so(self) -> None:
        with pytest.raises(SpecError, match="999"):
            format_amount(1, "999")

    def test_rows_are_whole(self) -> None:
        for numeric, row in CURRENCIES.items():
            assert row.numeric == numeric
            assert len(numeric) == len(row.alpha) == 3
            assert row.exponent in (0, 2, 3)
        assert len({row.alpha for row in CURRENCIES.values()}) == len(CURRENCIES)


class TestCards:
    def test_the_names_that_are_promised(self) -> None:
        cards = load_test_cards()
        assert {"credit1", "debit1", "foreign1", "expired", "stolen", "lost", "nofunds", "partial"} <= set(cards)
        assert {card.card_class for card in cards.values()} == {"credit", "debit", "foreign", "qr"}
        assert cards["expired"].expired
        assert cards["stolen"].stolen
        assert cards["lost"].lost
        assert cards["nofunds"].balance == 0
        assert cards["partial"].partial
        assert cards["credit1"].pan == "6223164991230014"
        assert cards["debit1"].pin == "123456"

    def test_numbers_are_not_shared(self) -> None:
        cards = load_test_cards().values()
        assert len({card.pan for card in cards}) == len(cards)

    def test_by_number(self) -> None:
        found = card_by_pan("6216261000000000018")
        assert found is not None
        assert found.name == "debit1"
        assert card_by_pan("4222222222222") is None

    def test_a_repr_is_masked(self) -> None:
        shown = repr(load_test_cards())
        assert "6223164991230014" not in shown
        assert "123456" not in shown

    @pytest.mark.parametrize(
        ("pan", "expected"),
        [
            ("6223164991230014", "CUP"),
            ("4111111111111111", "VIS"),
            ("5100000000000000", "MCC"),
            ("5599000000000000", "MCC"),
            ("2221000000000000", "MCC"),
            ("2720990000000000", "MCC"),
            ("2220990000000000", OTHER_ORGANISATION),
            ("2721000000000000", OTHER_ORGANISATION),
            ("3530111333300000", "JCB"),
            ("378282246310005", "AEX"),
            ("341111111111111", "AEX"),
            ("5018000000000000", "MAE"),
            ("", OTHER_ORGANISATION),
            ("62A3", OTHER_ORGANISATION),
        ],
    )
    def test_organisation(self, pan: str, expected: str) -> None:
        assert organisation(pan) == expected

    @pytest.mark.parametrize(
        ("row", "key"),
        [
            ('pan = "6223164991230015"', "x.pan"),
            ('pan = "6223164991230014"\nexpiry = "3013"', "x.expiry"),
            ('pan = "6223164991230014"\nexpiry = "3012"\nclass = "gold"', "x.class"),
            ('pan = "6223164991230014"\nexpiry = "3012"\nclass = "debit"\norganisation = "VIS"', "x.organisation"),
            (
                'pan = "6223164991230014"\nexpiry = "3012"\nclass = "debit"\norganisation = "CUP"\nbalance = 1.5',
                "x.balance",
            ),
            (
                'pan = "6223164991230014"\nexpiry = "3012"\nclass = "debit"\norganisation = "CUP"\nbalance = -1',
                "x.balance",
            ),
            ('pan = "6223164991230014"\nexpiry = "3012"\nclass = "debit"\norganisation = "CUP"\npin = "12"', "x.pin"),
            ('colour = "red"', "x.colour"),
        ],
    )
    def test_a_wrong_row_names_card_and_key(self, row: str, key: str) -> None:
        with pytest.raises(DialectError) as error:
            load_test_cards(f"[x]\n{row}\n")
        assert error.value.key == key
        assert "62231649912300" not in str(error.value)
