"""No card data in anything that is shown: each sensitive element, its neighbours that must stay, and free text."""

from __future__ import annotations

import pytest

from specs.codec import encode, inspect_payload
from specs.dialect import load
from specs.masking import mask_digits, mask_fields, mask_pan, mask_text, mask_track
from specs.message import Message
from specs.subfields import describe_subfields

PAN = "6223164991230014"
MASKED = "622316******0014"


class TestPan:
    @pytest.mark.parametrize(
        ("pan", "shown"),
        [
            (PAN, MASKED),
            ("6216261000000000018", "621626*********0018"),
            ("4222222222222", "422222***2222"),
            ("123456789012", "************"),
            ("1234567890", "**********"),
            ("1234", "****"),
            ("", ""),
        ],
    )
    def test_first_six_and_last_four_or_nothing(self, pan: str, shown: str) -> None:
        assert mask_pan(pan) == shown


class TestTrack:
    @pytest.mark.parametrize(
        ("track", "shown"),
        [
            (f"{PAN}D30122010000012345678", MASKED + "D" + "*" * 20),
            (f"{PAN}=3012201", MASKED + "=*******"),
            (f"{PAN}D3010946782128EAC9FF8", MASKED + "D" + "*" * 20),
            (f"B{PAN}^LI/MING^3012", f"B{MASKED}^" + "*" * 12),
            (f"99{PAN}D1561560", "996223********0014D*******"),
            (PAN, "*" * 16),
            ("D3012", "*****"),
            ("62231649DC64B7FA60BCD7E167", "*" * 26),
            ("", ""),
        ],
        ids=["2", "2 with =", "2 encrypted", "1", "3", "no separator", "no number", "encrypted number", "empty"],
    )
    def test_tracks(self, track: str, shown: str) -> None:
        assert mask_track(track) == shown


class TestText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (f"CARD {PAN} OK", f"CARD {MASKED} OK"),
            (f"pan={PAN};", f"pan={MASKED};"),
            (f";{PAN}=30122010000012345678?", f";{MASKED}=" + "*" * 21),
            ("ref 20260302120000", "ref 20260302120000"),
            ("002000000015000001000000002000" + "0" * 60, "002000000015000001000000002000" + "0" * 60),
            ("001000000050000", "001000000050000"),
            ("DATE  : 22/11/2018  TRACE NO : 000036", "DATE  : 22/11/2018  TRACE NO : 000036"),
            ("KEY 0123456789ABCDEFFEDCBA9876543210.", "KEY " + "*" * 32 + "."),
            ("6223164991230015", "6223164991230015"),
            (f"item 0000{PAN};", f"item 0000{MASKED};"),
            ("6223 1649 9123 0014", "6223 16** **** 0014"),
            ("6216-2610-0000-0000-018", "6216-26**-****-***0-018"),
            ("3714 496353 98431", "3714 49**** *8431"),
            ("rrn 411111111117", "rrn 411111111117"),
        ],
        ids=[
            *("number", "between signs", "track", "time", "totals", "short totals", "slip", "key", "no check digit"),
            *("zero-filled", "in fours", "in fours, 19 digits", "as Amex embosses", "an RRN with a right check digit"),
        ],
    )
    def test_what_looks_like_card_data(self, text: str, shown: str) -> None:
        assert mask_text(text) == shown


class TestFields:
    @pytest.mark.parametrize(
        ("de", "value", "shown"),
        [
            (2, PAN, MASKED),
            (14, "3012", "****"),
            (34, PAN, MASKED),
            (35, f"{PAN}D3012", f"{MASKED}D****"),
            (36, f"99{PAN}D1561", "996223********0014D****"),
            (45, f"B{PAN}^A^3012", f"B{MASKED}^******"),
            (52, "F5D4AEDECBD60833", "*" * 16),
            (59, f"QR {PAN}", f"QR {MASKED}"),
            (60, PAN, MASKED),
            (60, f"{PAN} 000001", f"{MASKED} 000001"),
            (63, f"CARD {PAN}", f"CARD {MASKED}"),
        ],
    )
    def test_sensitive(self, de: int, value: str, shown: str) -> None:
        assert mask_fields({de: value}) == {de: shown}

    @pytest.mark.parametrize(
        ("de", "value"),
        [
            (37, "000000001234"),
            (42, "123456789012345"),
            (60, "2200000700050"),
            (60, "22000008000501"),  # its check digit is that of a card number
            (61, "0000013872030128"),
            (62, "000045"),
            (62, "4143544E30303030303039393930303030303030"),
            (62, "319F0605A0000003339F22010BDF0508323031323132333130"),
            (63, "002000000015000001000000002000" + "0" * 60),
            (63, "CUP" + "交易成功".encode("gbk").decode("latin-1").ljust(20)),
            (64, "3931303242363537"),
            (90, "021000005209251053080000000050300000000503"),
        ],
    )
    def test_harmless(self, de: int, value: str) -> None:
        assert mask_fields({de: value}) == {de: value}

    def test_settlement_totals_of_cup_stay(self) -> None:
        """62 digits without a card number in them: the first thing a support engineer needs to see."""
        totals = "00000001500000200000000700000200000000030000010000000000000000"
        assert mask_fields({48: totals})[48] == totals

    def test_upload_items_of_cup_lose_their_card_numbers(self) -> None:
        item16 = "00000123" + "0000" + PAN + "000000010000"
        item19 = "01000124" + "0" + "6216261000000000018" + "000000005000"
        shown = (
            "00000123" + "0000" + MASKED + "000000010000" + "01000124" + "0" + "621626*********0018" + "000000005000"
        )
        assert mask_fields({48: "02" + item16 + item19})[48] == "02" + shown

    def test_a_broken_upload_hides_too(self) -> None:
        """What gets logged most is what is wrong: half an item, or one that happens to be as long as the totals."""
        whole = "00000123" + "0000" + PAN + "000000010000"
        for cut in (29, 39, 60, 75):
            value = ("02" + whole + whole)[: 2 + cut]
            shown = mask_fields({48: value, 60: "00000001201"})[48]
            assert len(shown) == len(value)
            assert PAN not in shown
            assert PAN[6:12] not in shown

    @pytest.mark.parametrize("function", ["201", "202", "207", "999", "000"])
    @pytest.mark.parametrize("digits", [28, 58, 60, 62, 79])
    def test_a_broken_upload_hides_whatever_60_3_says(self, function: str, digits: int) -> None:
        """Found on the wire: items under a wrong 60.3, or cut, were taken for other digits."""
        whole = "00000123" + "0000" + PAN + "000000010000"
        shown = mask_fields({48: ("02" + whole + whole)[:digits], 60: "00000001" + function})[48]
        assert len(shown) == digits
        assert PAN[6:12] not in shown

    @pytest.mark.parametrize("de", [37, 53, 60, 61, 62, 120])
    @pytest.mark.parametrize("source", [{2: PAN}, {35: f"{PAN}D3012"}, {35: f"{PAN}=3012"}])
    def test_the_message_s_own_number_is_hidden_wherever_it_stands(self, de: int, source: dict[int, str]) -> None:
        assert mask_fields({**source, de: f"000001{PAN}77"})[de] == f"000001{MASKED}77"

    def test_a_cvv2_is_hidden_but_the_count_of_items_is_not(self) -> None:
        assert mask_fields({3: "000000", 48: "123"})[48] == "***"
        assert mask_fields({48: "0004", 60: "00000001202"})[48] == "0004"

    @pytest.mark.parametrize("length", [24, 40, 56, 60, 84, 104])
    def test_key_downloads(self, length: int) -> None:
        keys = "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9" * 5
        assert mask_fields({62: keys[: 2 * length]})[62] == "*" * 2 * length

    def test_keys_as_raw_bytes(self) -> None:
        raw = bytes.fromhex("20B8F49A36BB00C1A7D0F45A040F6A2E").decode("latin-1")
        assert mask_fields({63: raw})[63] == "*" * 16

    @pytest.mark.parametrize(
        ("chip", "shown"),
        [
            ("5A08" + PAN + "9F3602001F", "5A08" + "*" * 16 + "9F3602001F"),
            ("5713" + PAN + "D30122010000012345678F" + "950500", "*" * 48),
            ("5F24033012315F340101", "5F2403******5F340101"),
            ("5F20044C492F4D", "5F2004********"),
            ("700A5A08" + PAN, "700A5A08" + "*" * 16),
            ("5A09" + PAN, "*" * 20),
            ("not hex", "*" * 7),
        ],
        ids=["5A", "57, cut after it", "5F24", "5F20", "in a template", "cut", "no hex"],
    )
    def test_chip_data(self, chip: str, shown: str) -> None:
        assert mask_fields({55: chip}) == {55: shown}

    def test_a_message_shows_itself_masked(self) -> None:
        message = Message("0200", {2: PAN, 35: f"{PAN}D3012", 52: "F5D4AEDECBD60833", 55: "5A08" + PAN})
        for shown in (str(message), repr(message), f"{message}"):
            assert PAN not in shown
            assert "F5D4AEDECBD60833" not in shown
            assert MASKED in shown


class TestMisread:
    """A message that breaks its dialect: what stands in an element may belong to another."""

    NAC = load("nac")
    SALE = Message(
        "0200",
        {2: PAN, 3: "000000", 4: "000000010000", 11: "000045", 22: "012", 24: "003", 25: "00", 41: "T0000001"},
        tpdu="6000030000",
    )

    def read(self, body: bytes) -> Message:
        seen = inspect_payload(bytes.fromhex("6000030000") + body, self.NAC).message
        assert seen is not None
        return seen

    def test_a_forgotten_bit_2_spreads_the_number_over_processing_code_and_amount(self) -> None:
        body = bytearray(encode(self.SALE, self.NAC))
        body[2] &= 0xBF
        read = self.read(bytes(body))
        assert read.fields[3] + read.fields[4] == f"16{PAN}", "the story needs this misreading"
        shown = read.masked()
        assert shown[4][2:8] == "******", "first six, last four at most"
        assert PAN[4:] not in str(read)

    def test_a_letter_in_one_element_hides_nothing_in_the_others(self) -> None:
        body = encode(self.SALE, self.NAC).replace(bytes.fromhex("000045"), bytes.fromhex("0000A5"))
        read = self.read(body)
        assert read.doubtful == {11}
        assert read.masked()[4] == "000000010000"

    def test_raw_bytes_and_long_runs_of_a_misread_message_go(self) -> None:
        fields = {41: "T0000001", 42: "b#\x16I\x91#\x00\x14", 53: "E4A51B32FECA5A06", 60: "2316499123001422"}
        shown = mask_fields(fields, frozenset(fields))
        assert shown == {41: "T0000001", 42: "*" * 8, 53: "E4A51B**********", 60: "231649**********"}

    def test_what_is_not_doubtful_stays(self) -> None:
        assert mask_fields({42: "898100012345678", 60: "2200000700050"}, {53}) == {
            42: "898100012345678",
            60: "2200000700050",
        }

    def test_a_misread_message_equals_a_well_read_one_with_the_same_values(self) -> None:
        """doubtful is how the values were come by, not what the message says."""
        assert Message("0200", {3: "000000"}) == Message("0200", {3: "000000"}, doubtful=frozenset({3}))

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            (f"16{PAN}0000", "166223" + "*" * 16),
            (f"6D{PAN}F", "6D622316**********F"),
            (PAN.encode().hex(), "363232" + "*" * 26),
            ("007460FF02003020A5", "007460FF02003020A5"),
            ("6231649912D3012", "623164****D3012"),
        ],
    )
    def test_digits_that_nobody_read(self, text: str, shown: str) -> None:
        assert mask_digits(text) == shown

    def test_sub_fields_of_a_misread_element_are_left_out(self) -> None:
        fields = {60: "22000007000"}
        assert describe_subfields(Message("0200", fields), "cup").keys() == {"60"}
        assert describe_subfields(Message("0200", fields, doubtful=frozenset({60})), "cup") == {}


def test_a_remark_for_the_slip_loses_a_card_number() -> None:
    """DE 63 of CUP: its layout cuts the number in two, so that neither part looks like one."""
    message = Message("0210", {63: "CUP" + f"CARD {PAN}".ljust(20)})
    assert PAN[:7] not in str(describe_subfields(message, "cup"))
    assert PAN[:15] in str(describe_subfields(message, "cup", clear=True))
