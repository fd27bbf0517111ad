"""NAC sub-fields against the constructed frames of nac.md, the example of rules.md and real dumps."""

from __future__ import annotations

import pytest

from specs.errors import DecodeError, EncodeError
from specs.message import Message
from specs.subfields import describe_subfields, nac
from specs.subfields.amounts import AdditionalAmount
from specs.subfields.nac import Group, Totals

FRAME_63 = "002000000015000" + "001000000002000" + "0" * 60


class TestTotals63:
    def test_the_0500_of_nac_md(self) -> None:
        """Two sales of 150.00, one refund of 20.00: count stands before amount."""
        totals = nac.parse_de63(FRAME_63)
        assert totals.groups == (Group(2, 15000), Group(1, 2000), Group(), Group(), Group(), Group())
        assert nac.format_de63(totals) == FRAME_63

    def test_the_example_of_the_rules(self) -> None:
        """rules.md 5: S1 110 + O 40 + F 30, refund 20."""
        written = nac.format_de63(Totals((Group(3, 18000), Group(1, 2000))))
        assert written == "003000000018000" + "001000000002000" + "0" * 60

    @pytest.mark.parametrize(("length", "groups"), [(15, 1), (30, 2), (36, 2), (60, 4), (90, 6), (99, 6), (120, 6)])
    def test_forms_by_length(self, length: int, groups: int) -> None:
        """A remainder is ignored, also beyond the six groups."""
        totals = nac.parse_de63(FRAME_63.ljust(length, "0")[:length])
        assert len(totals.groups) == groups
        assert totals.groups[0] == Group(2, 15000)

    def test_real_short_form(self) -> None:
        assert nac.parse_de63("001000000050000").groups == (Group(1, 50000),)

    def test_what_the_host_compares(self) -> None:
        totals = Totals(tuple(Group(n, 100 * n) for n in range(1, 7)))
        assert (totals.sales, totals.refunds) == (Group(9, 900), Group(12, 1200))

    @pytest.mark.parametrize("length", [15, 30, 36, 60, 90])
    def test_written_forms(self, length: int) -> None:
        written = nac.format_de63(Totals((Group(1, 50000),)), length)
        assert written == "001000000050000".ljust(length, "0")

    def test_a_form_must_hold_what_is_not_zero(self) -> None:
        with pytest.raises(EncodeError):
            nac.format_de63(Totals((Group(1, 1), Group(1, 1))), 15)
        with pytest.raises(EncodeError):
            nac.format_de63(Totals((Group(1000, 1),)))
        with pytest.raises(EncodeError):
            nac.format_de63(Totals(()), 45)

    @pytest.mark.parametrize(
        ("value", "offset"), [("", 0), ("00200000001500", 0), ("0020000000150A0", 3), ("00 000000015000", 0)]
    )
    def test_broken(self, value: str, offset: int) -> None:
        with pytest.raises(DecodeError) as error:
            nac.parse_de63(value)
        assert (error.value.de, error.value.offset) == (63, offset)


class TestPrivate60:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("000007", nac.BatchNumber("000007")),
            ("000000010000", nac.OriginalAmount(10000)),
            ("0200000123000000000123", nac.OriginalData("0200", "000123", "000000000123")),
            ("0200000123            ", nac.OriginalData("0200", "000123", None)),
        ],
    )
    def test_by_length(self, value: str, expected: nac.Private60) -> None:
        assert nac.parse_de60(value) == expected
        assert nac.format_de60(expected) == value

    def test_zeros_are_an_unknown_rrn_too(self) -> None:
        assert nac.parse_de60("0200000123000000000000") == nac.OriginalData("0200", "000123", None)

    @pytest.mark.parametrize("value", ["", "00007", "0000001000", "00000A", "00000001000A", "02A0000123000000000123"])
    def test_broken(self, value: str) -> None:
        with pytest.raises(DecodeError) as error:
            nac.parse_de60(value)
        assert error.value.de == 60


class TestOthers:
    def test_de54(self) -> None:
        assert nac.parse_de54("000000001000") == 1000
        assert nac.format_de54(1000) == "000000001000"
        balance = (AdditionalAmount("10", "02", "840", 12345),)
        assert nac.parse_de54("1002840C000000012345") == balance
        assert nac.format_de54(balance) == "1002840C000000012345"
        for value in ("", "00000000100", "00000000100A"):
            with pytest.raises(DecodeError):
                nac.parse_de54(value)

    def test_de62(self) -> None:
        assert nac.parse_de62("000045") == "000045"
        assert nac.format_de62("000045") == "000045"
        for value in ("", "00045", "0000450", "00004A"):
            with pytest.raises(DecodeError):
                nac.parse_de62(value)


class TestDescribe:
    def test_settlement(self) -> None:
        shown = describe_subfields(Message("0500", {60: "000007", 63: FRAME_63}), "nac")
        assert shown["60"] == {"batch": "000007"}
        assert isinstance(shown["63"], dict)
        assert shown["63"]["credit_sales"] == {"count": 2, "minor": 15000}
        assert shown["63"]["credit_refunds"] == {"count": 1, "minor": 2000}

    def test_six_digits_mean_nothing_in_a_sale(self) -> None:
        assert "60" not in describe_subfields(Message("0200", {60: "000001", 62: "000036"}), "nac")

    def test_upload_and_slip_text(self) -> None:
        shown = describe_subfields(Message("0320", {60: "0200000123000000000123", 62: "000045"}), "nac")
        assert shown["60"] == {"mti": "0200", "stan": "000123", "rrn": "000000000123"}
        assert shown["62"] == {"invoice": "000045"}
        assert "63" not in describe_subfields(Message("0510", {63: "SETTLEMENT CONFIRMED"}), "nac")
