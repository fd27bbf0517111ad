"""Reconciliation figures, DE 90 and DE 97: the example of rules.md, the AS2805 and reversal dumps."""

from __future__ import annotations

import json

import pytest

from specs.errors import DecodeError, EncodeError
from specs.message import Message
from specs.subfields import describe_subfields, iso87
from specs.subfields.amounts import AdditionalAmount
from specs.subfields.iso87 import OriginalData, Totals

EXAMPLE = Totals(
    debits_number=5,
    debits_amount=31000,
    debits_reversal_number=2,
    debits_reversal_amount=13000,
    credits_number=1,
    credits_amount=2000,
)
"""rules.md 5, last row."""


class TestTotals:
    def test_the_example_of_the_rules(self) -> None:
        assert EXAMPLE.net == -16000
        fields = iso87.format_totals(EXAMPLE)
        assert fields == {
            74: "0000000001",
            75: "0000000000",
            76: "0000000005",
            77: "0000000002",
            78: "0000000000",
            79: "0000000000",
            80: "0000000000",
            81: "0000000000",
            86: "0000000000002000",
            87: "0000000000000000",
            88: "0000000000031000",
            89: "0000000000013000",
            97: "D0000000000016000",
        }
        assert iso87.parse_totals(fields) == EXAMPLE

    def test_both_ways_of_counting_a_reversed_sale_have_the_same_net(self) -> None:
        """rules.md 5: `iso87.reversed = "none"` leaves S3 of 80.00 out on both sides."""
        without = Totals(
            debits_number=4,
            debits_amount=23000,
            debits_reversal_number=1,
            debits_reversal_amount=5000,
            credits_number=1,
            credits_amount=2000,
        )
        assert without.net == EXAMPLE.net

    def test_a_real_0520(self) -> None:
        """Vector as2805-0520-reconciliation, whose source states its figures."""
        fields = dict.fromkeys((75, *range(77, 82)), "0000000000")
        fields |= {74: "0000000001", 76: "0000000002", 86: "0000000008123456", 87: "0000000008123123"}
        fields |= {88: "0000000008123123", 89: "0000000008001200"}
        totals = iso87.parse_totals(fields)
        assert (totals.credits_number, totals.debits_number) == (1, 2)
        assert (totals.credits_amount, totals.debits_reversal_amount) == (8123456, 8001200)
        assert (totals.credits_reversal_amount, totals.debits_amount) == (8123123, 8123123)

    def test_fees_are_written_only_when_there_are_some(self) -> None:
        assert not {82, 83, 84, 85} & set(iso87.format_totals(EXAMPLE))
        assert iso87.format_totals(Totals(debits_transaction_fee=7))[85] == "000000000007"
        assert iso87.parse_totals({82: "000000000009"}).credits_processing_fee == 9

    def test_absent_is_zero_and_broken_names_its_element(self) -> None:
        assert iso87.parse_totals({}) == Totals()
        for de, value in ((76, "000000005"), (88, "00000000000310000"), (89, "000000000001300A")):
            with pytest.raises(DecodeError) as error:
                iso87.parse_totals({de: value})
            assert error.value.de == de
        with pytest.raises(EncodeError):
            iso87.format_totals(Totals(debits_number=10**10))


class TestNet97:
    @pytest.mark.parametrize(
        ("value", "net"),
        [("C0000000008001200", 8001200), ("D0000000000016000", -16000), ("C0000000000000000", 0)],
    )
    def test_sign(self, value: str, net: int) -> None:
        assert iso87.parse_de97(value) == net
        assert iso87.format_de97(net) == value

    def test_zero_may_come_with_d(self) -> None:
        assert iso87.parse_de97("D0000000000000000") == 0

    @pytest.mark.parametrize(
        "value", ["", "X0000000000000000", "00000000000000000", "C000000000000000", "C00000000000000000"]
    )
    def test_broken(self, value: str) -> None:
        with pytest.raises(DecodeError):
            iso87.parse_de97(value)


class TestOriginal90:
    VALUE = "021000005209251053080000000050300000000503"
    """iso87-reverse-evenn2s, explained in iso87.md 2."""

    def test_the_vector(self) -> None:
        data = OriginalData("0210", "000052", "0925105308", "00000000503", "00000000503")
        assert iso87.parse_de90(self.VALUE) == data
        assert iso87.format_de90(data) == self.VALUE
        assert iso87.format_de90(OriginalData("0210", "000052", "0925105308", "503", "503")) == self.VALUE

    def test_a_zero_stan_is_not_given(self) -> None:
        assert iso87.parse_de90(self.VALUE).given
        assert not iso87.parse_de90("000000000000000000000000009999999999999999").given

    @pytest.mark.parametrize("value", ["", VALUE[:-1], VALUE + "0", "021A" + VALUE[4:]])
    def test_broken(self, value: str) -> None:
        with pytest.raises(DecodeError) as error:
            iso87.parse_de90(value)
        assert error.value.de == 90


def test_de54_holds_up_to_six_amounts() -> None:
    value = "0001036C000000005000" + "0002036D000000000001"
    amounts = (AdditionalAmount("00", "01", "036", 5000), AdditionalAmount("00", "02", "036", -1))
    assert iso87.parse_de54(value) == amounts
    assert iso87.format_de54(amounts) == value
    with pytest.raises(EncodeError):
        iso87.format_de54(amounts * 4)


def test_describe() -> None:
    message = Message("0420", {90: TestOriginal90.VALUE, 97: "D0000000000016000"})
    shown = describe_subfields(message, "iso87")
    assert shown["97"] == {"minor": -16000}
    assert json.loads(json.dumps(shown["90"])) == {
        "mti": "0210",
        "stan": "000052",
        "transmitted": "0925105308",
        "acquirer": "00000000503",
        "forwarder": "00000000503",
    }
