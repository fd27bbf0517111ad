"""CUP sub-fields against the constructed frames of cup.md, its worked examples and real dumps."""

from __future__ import annotations

import pytest

from specs import security
from specs.errors import DecodeError, EncodeError
from specs.message import Message
from specs.subfields import cup, describe_subfields
from specs.subfields.amounts import AdditionalAmount
from specs.subfields.cup import Private60, Settlement, Side, UploadItem

PAN = "6223164991230014"
REQUEST_48 = "00000001500000200000000700000200000000030000010000000000000000"
UPLOAD_48 = (
    "03"
    "0000012300006223164991230014000000010000"
    "0000012400006223164991230014000000005000"
    "0000012500006223164991230014000000005000"
)


class TestSettlement48:
    def test_the_request_of_cup_md(self) -> None:
        """Debit 150.00/2, credit 70.00/2, foreign debit 30.00/1, codes 0."""
        settlement = Settlement(Side(15000, 2, 7000, 2, "0"), Side(3000, 1, 0, 0, "0"))
        assert cup.parse_settlement(REQUEST_48) == settlement
        assert cup.format_settlement(settlement) == REQUEST_48

    def test_amount_stands_before_count(self) -> None:
        """The order the 2002 prose has backwards; a real host answer proves it: 11 fen in 11, 2 fen in 2."""
        real = "00000000001101100000000000200210000000000000000000000000000001"
        assert cup.parse_settlement(real) == Settlement(Side(11, 11, 2, 2, "1"), Side(code="1"))

    def test_the_codes_of_an_answer_stand_at_30_and_61(self) -> None:
        answer = REQUEST_48[:30] + "2" + REQUEST_48[31:61] + "1"
        settlement = cup.parse_settlement(answer)
        assert (settlement.domestic.code, settlement.foreign.code) == ("2", "1")

    @pytest.mark.parametrize(
        ("value", "offset"),
        [
            (REQUEST_48[:61], 61),
            (REQUEST_48 + "0", 62),
            (REQUEST_48[:12] + "0A2" + REQUEST_48[15:], 12),
            (REQUEST_48[:30] + "4" + REQUEST_48[31:], 30),
            ("", 0),
        ],
    )
    def test_broken(self, value: str, offset: int) -> None:
        with pytest.raises(DecodeError) as error:
            cup.parse_settlement(value)
        assert (error.value.de, error.value.offset) == (48, offset)

    @pytest.mark.parametrize("side", [Side(10**12), Side(debit_count=1000), Side(credit_minor=-1), Side(code="")])
    def test_figures_that_do_not_fit(self, side: Side) -> None:
        with pytest.raises(EncodeError):
            cup.format_settlement(Settlement(side, Side()))


class TestUpload48:
    def test_three_items_of_cup_md(self) -> None:
        items = (
            UploadItem(False, "000123", PAN, 10000),
            UploadItem(False, "000124", PAN, 5000),
            UploadItem(False, "000125", PAN, 5000),
        )
        assert cup.parse_upload(UPLOAD_48) == items
        assert cup.format_upload(items) == UPLOAD_48
        assert cup.parse_upload_count(UPLOAD_48) == cup.parse_upload_count("03") == 3
        assert cup.format_upload_count(3) == "03"

    def test_a_foreign_card_of_19_digits_has_one_zero_before_it(self) -> None:
        item = UploadItem(True, "000007", "6216261000000000018", 1)
        assert cup.format_upload([item]) == "01" + "01" + "000007" + "06216261000000000018" + "000000000001"

    def test_eight_items_make_322_digits_and_a_ninth_is_refused(self) -> None:
        item = UploadItem(False, "000001", PAN, 1)
        assert len(cup.format_upload([item] * 8)) == 322
        with pytest.raises(EncodeError):
            cup.format_upload([item] * 9)
        with pytest.raises(EncodeError):
            cup.format_upload([])

    @pytest.mark.parametrize(
        ("value", "offset"),
        [
            ("00", 0),
            ("09" + "0" * 360, 0),
            ("02" + UPLOAD_48[2:42], 42),
            ("01" + UPLOAD_48[2:], 42),
            ("01" + "02" + UPLOAD_48[4:42], 2),
            (UPLOAD_48[:41] + "A" + UPLOAD_48[42:], 30),
        ],
    )
    def test_broken(self, value: str, offset: int) -> None:
        with pytest.raises(DecodeError) as error:
            cup.parse_upload(value)
        assert (error.value.de, error.value.offset) == (48, offset)
        assert PAN not in str(error.value)

    def test_end_and_tip(self) -> None:
        assert (cup.parse_upload_end("0004"), cup.format_upload_end(4)) == (4, "0004")
        assert (cup.parse_tip("000000001000"), cup.format_tip(1000)) == (1000, "000000001000")
        with pytest.raises(DecodeError):
            cup.parse_upload_end("00040")
        with pytest.raises(EncodeError):
            cup.format_upload_end(10000)

    def test_a_repr_hides_the_card_number(self) -> None:
        assert PAN not in repr(cup.parse_upload(UPLOAD_48))


class TestPrivate60:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("00000001003", Private60("00", "000001", "003")),
            ("2200000700050", Private60("22", "000007", "000", "5", "0")),
            ("22000001000500", Private60("22", "000001", "000", "5", "0", "0")),
            ("220000010006", Private60("22", "000001", "000", "6")),
            ("22000126", Private60("22", "000126")),
            ("22000001000501001", Private60("22", "000001", "000", "5", "0", "1", "001")),
            ("2200000100050100", Private60("22", "000001", "000", "5", "0", "1", None, "00")),
        ],
        ids=["11 sign-on", "13 yuantu", "14", "12 whty", "8", "17", "16, cut inside 60.7"],
    )
    def test_as_many_parts_as_there_are_digits(self, value: str, expected: Private60) -> None:
        assert cup.parse_de60(value) == expected
        assert cup.format_de60(expected) == value

    @pytest.mark.parametrize(("value", "offset"), [("", 0), ("2200000", 2), ("22000A01000", 2), ("2200000100X", 8)])
    def test_broken(self, value: str, offset: int) -> None:
        with pytest.raises(DecodeError) as error:
            cup.parse_de60(value)
        assert (error.value.de, error.value.offset) == (60, offset)

    def test_a_gap_cannot_be_written(self) -> None:
        with pytest.raises(EncodeError):
            cup.format_de60(Private60("22", "000001", None, "5"))


class TestOriginal61:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("000001000123", cup.Original61("000001", "000123")),
            ("0000013872030128", cup.Original61("000001", "387203", "0128")),
            ("000001000123000000", cup.Original61("000001", "000123", "0000", "00")),
            ("00000100012309130100123456789", cup.Original61("000001", "000123", "0913", "01", "00123456789")),
        ],
    )
    def test_forms(self, value: str, expected: cup.Original61) -> None:
        assert cup.parse_de61(value) == expected
        assert cup.format_de61(expected) == value

    def test_sixteen_zeros_name_nothing(self) -> None:
        assert not cup.parse_de61("0" * 16).given
        assert cup.parse_de61("0000013872030128").given

    @pytest.mark.parametrize("value", ["", "00000100012", "00000100012309", "0" * 30, "00000100012A"])
    def test_broken(self, value: str) -> None:
        with pytest.raises(DecodeError):
            cup.parse_de61(value)

    def test_a_gap_cannot_be_written(self) -> None:
        with pytest.raises(EncodeError):
            cup.format_de61(cup.Original61("000001", "000123", None, "00"))


class TestSmallFields:
    def test_de22(self) -> None:
        assert cup.parse_de22("021") == cup.EntryMode(cup.MAGNETIC, cup.WITH_PIN)
        assert cup.format_de22(cup.EntryMode("05", "2")) == "052"
        with pytest.raises(DecodeError):
            cup.parse_de22("0210")

    @pytest.mark.parametrize(
        ("value", "issuer", "acquirer"),
        [
            ("03080000   48520000   ", "03080000", "48520000"),
            ("03050001   03050001      ", "03050001", "03050001"),
            ("01020000   48031000", "01020000", "48031000"),
        ],
    )
    def test_de44(self, value: str, issuer: str, acquirer: str) -> None:
        assert cup.parse_de44(value) == cup.Institutions(issuer, acquirer)

    def test_de44_is_written_with_22_characters(self) -> None:
        assert cup.format_de44(cup.Institutions("01020000", "48001234")) == "01020000   48001234   "
        with pytest.raises(EncodeError):
            cup.format_de44(cup.Institutions("123456789012", ""))
        for value in ("", "01020000   ", "x" * 26):
            with pytest.raises(DecodeError):
                cup.parse_de44(value)

    @pytest.mark.parametrize(
        ("value", "pin", "keys", "tracks"),
        [
            ("2600000000000000", "2", "6", False),
            ("2610000000000000", "2", "6", True),
            ("0400000000000000", "0", "4", False),
        ],
    )
    def test_de53(self, value: str, pin: str, keys: str, tracks: bool) -> None:
        control = cup.parse_de53(value)
        assert (control.pin, control.keys, control.tracks_encrypted) == (pin, keys, tracks)
        assert cup.format_de53(control) == value

    def test_de54_balance(self) -> None:
        balance = AdditionalAmount("10", "02", "156", 12345)
        assert cup.parse_de54("1002156C000000012345") == (balance,)
        assert cup.format_de54([balance]) == "1002156C000000012345"
        assert cup.parse_de54("1002156D000000012345")[0].minor == -12345

    @pytest.mark.parametrize(
        "value", ["", "1002156C00000001234", "1002156X000000012345", "1002156C00000001234A", "1" * 140]
    )
    def test_de54_broken(self, value: str) -> None:
        with pytest.raises(DecodeError):
            cup.parse_de54(value)

    def test_de62_of_the_sign_on_frame(self) -> None:
        text = "53657175656E6365204E6F31323330363031323334353637" + "38"
        assert cup.parse_serial(text) == cup.TerminalSerial("3060", "12345678")
        assert cup.format_serial(cup.TerminalSerial("3060", "12345678")) == text
        for value in ("", "zz", text[:-2], text + "20", "54" + text[2:]):
            with pytest.raises(DecodeError):
                cup.parse_serial(value)

    def test_de62_of_the_answer_frame_holds_the_keys(self) -> None:
        text = "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03"
        tmk = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
        assert security.unwrap_keys(tmk, cup.parse_keys(text)).mak == bytes.fromhex("1C2A3B4C5D6E7F80")
        assert cup.format_keys(cup.parse_keys(text)) == text
        with pytest.raises(DecodeError):
            cup.parse_keys(text + "00")

    def test_de63(self) -> None:
        assert cup.parse_de63("CUP") == cup.Private63("CUP")
        assert cup.parse_de63("01 ").organisation == "01 "
        remark = "交易成功".encode("gbk").decode("latin-1").ljust(20)
        private = cup.parse_de63("CUP" + remark + " " * 20)
        assert cup.remark_text(private.issuer_remark or "") == "交易成功"
        assert cup.format_de63(private) == "CUP" + remark + " " * 20
        for value in ("", "C", "x" * 64):
            with pytest.raises(DecodeError):
                cup.parse_de63(value)


class TestDescribe:
    def test_settlement(self) -> None:
        message = Message("0500", {48: REQUEST_48, 60: "00000001201", 63: "01 "})
        shown = describe_subfields(message, "cup")
        assert shown["48"] == {
            "domestic": {"debit_minor": 15000, "debit_count": 2, "credit_minor": 7000, "credit_count": 2, "code": "0"},
            "foreign": {"debit_minor": 3000, "debit_count": 1, "credit_minor": 0, "credit_count": 0, "code": "0"},
        }
        assert shown["60"] == {"type_code": "00", "batch": "000001", "function": "201"}
        assert shown["63"] == {"operator": "01"}

    def test_card_numbers_are_masked_unless_clear(self) -> None:
        message = Message(
            "0320", {35: f"{PAN}D30122010000012345678", 48: UPLOAD_48, 55: f"5A08{PAN}950101", 60: "00000001201"}
        )
        assert PAN not in str(describe_subfields(message, "cup"))
        assert str(describe_subfields(message, "cup", clear=True)).count(PAN) == 5

    def test_keys_are_masked_unless_clear(self) -> None:
        keys = "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03"
        message = Message("0810", {60: "00000001003", 62: keys})
        assert describe_subfields(message, "cup")["62"] == {"layout": 40, "keys": "*" * 80}
        assert describe_subfields(message, "cup", clear=True)["62"] == {"layout": 40, "keys": keys}

    def test_an_unreadable_element_says_where(self) -> None:
        shown = describe_subfields(Message("0500", {48: "12", 60: "00000001201"}), "cup")
        assert shown["48"] == {"error": "at 0: expected domestic debit amount, 12 characters, got 2 characters"}

    @pytest.mark.parametrize(
        ("mti", "function", "value", "expected"),
        [
            ("0330", "201", "03", {"items": 3}),
            ("0320", "202", "0004", {"items": 4}),
            ("0330", "207", "0000", {"items": 0}),
            ("0220", "000", "000000001000", {"tip": 1000}),
        ],
    )
    def test_de48_by_message(self, mti: str, function: str, value: str, expected: dict[str, int]) -> None:
        message = Message(mti, {48: value, 60: f"34000001{function}"})
        assert describe_subfields(message, "cup")["48"] == expected
