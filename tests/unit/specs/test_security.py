"""Every number of protocol/security.md, and the same results from psec."""

from __future__ import annotations

import subprocess
import sys

import psec.mac
import psec.pinblock
import pytest

from specs import des, security
from specs.errors import SecurityError
from specs.security import WorkingKeys

# psec still calls the deprecated TripleDES of `cryptography`; ours must not (TestDes).
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning:psec")


def hx(text: str) -> bytes:
    return bytes.fromhex(text)


TMK = hx("0123456789ABCDEFFEDCBA9876543210")
PIK = hx("2315208C9110AD40AB1C6E4F7A98D3B5")
MAK = hx("1C2A3B4C5D6E7F80")
MAK16 = hx("1C2A3B4C5D6E7F80F1E2D3C4B5A69788")
TDK = hx("7CA110454A1A6E570131D9619DC1376E")
DE62_40 = "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03"
DE62_60 = DE62_40 + "F08D805D3435580116F6D4D7A1D8916129A9C3B7"
DE62_24 = "62EE875BA56EB451F7D5A092849991148973B1FAD07D8D03"
MAB = hx(
    "0200302004C020C0981100000000000001000000012302100012376223164991230014D3012201000001234567803132333435"
    "363738313233343536373839303132333435313536F5D4AEDECBD608332600000000000000001322000001000500"
)
GO8583_MAK = hx("DAB36167E6DFB5EF")
GO8583_MAB = hx(
    "02003020048000C0803100000000000000000100000103200032323030333630303130343531323534313131303030313135"
    "360024413330313936323131313131313131313131313131313131001322006603000600"
)
PAN16, PAN19 = "6223164991230014", "6216261000000000018"


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "expected"),
        [(PIK, "80F75CD9"), (MAK, "D07D8D03"), (TDK, "29A9C3B7"), (MAK16, "862FE9BB"), (GO8583_MAK, "B8F616DC")],
        ids=["PIK", "MAK", "TDK", "MAK of 16 bytes", "MAK of a public log"],
    )
    def test_check_values(self, key: bytes, expected: str) -> None:
        assert security.kcv(key) == hx(expected)

    def test_the_whole_block_behind_a_check_value(self) -> None:
        assert des.ecb_encrypt(GO8583_MAK, bytes(8)) == hx("B8F616DCACCACF29")

    def test_keys_under_the_tmk(self) -> None:
        assert des.ecb_encrypt(TMK, PIK) == hx("20B8F49A36BB00C1A7D0F45A040F6A2E")
        assert des.ecb_encrypt(TMK, MAK) == hx("D021D1D9B117ECCD")
        assert des.ecb_encrypt(TMK, TDK) == hx("F08D805D3435580116F6D4D7A1D89161")

    def test_a_page_example_of_key_decryption(self) -> None:
        assert des.ecb_decrypt(hx("70F2A84CCBC2AE8625CBB0F2C22AB923"), hx("96D605EA176B7E9E")) == hx("C24A8FB57AA20123")

    @pytest.mark.parametrize(
        ("keys", "de62"),
        [
            (WorkingKeys(PIK[:8], MAK), DE62_24),
            (WorkingKeys(PIK, MAK), DE62_40),
            (WorkingKeys(PIK, MAK, TDK), DE62_60),
        ],
        ids=["24", "40", "60"],
    )
    def test_de62_layouts(self, keys: WorkingKeys, de62: str) -> None:
        assert security.wrap_keys(TMK, keys, len(de62) // 2).hex().upper() == de62
        assert security.unwrap_keys(TMK, hx(de62)) == keys

    def test_a_full_16_byte_mak_comes_back_whole(self) -> None:
        """Acquirers with X9.19 send a true 16-byte MAK: only an all-zero second half means a single-length one."""
        de62 = security.wrap_keys(TMK, WorkingKeys(PIK, MAK16), 40)
        assert de62[36:] == hx("862FE9BB")
        assert security.unwrap_keys(TMK, de62).mak == MAK16

    @pytest.mark.parametrize(
        ("name", "at"), [("PIK", 0), ("PIK", 19), ("MAK", 20), ("MAK", 39), ("TDK", 45), ("TDK", 59)]
    )
    def test_a_wrong_check_value_names_its_key_and_nothing_else(self, name: str, at: int) -> None:
        damaged = bytearray(hx(DE62_60))
        damaged[at] ^= 0x55
        with pytest.raises(SecurityError) as error:
            security.unwrap_keys(TMK, bytes(damaged))
        assert str(error.value) == f"check value of the {name} does not match"

    def test_lengths_that_carry_no_keys_we_know(self) -> None:
        for length in (0, 23, 56, 57, 84):
            with pytest.raises(SecurityError):
                security.unwrap_keys(TMK, bytes(length))
        with pytest.raises(SecurityError):
            security.wrap_keys(TMK, WorkingKeys(PIK, MAK), 60)
        with pytest.raises(SecurityError):
            security.wrap_keys(TMK, WorkingKeys(PIK, MAK), 24)
        with pytest.raises(SecurityError):
            security.wrap_keys(TMK, WorkingKeys(PIK, MAK), 41)
        with pytest.raises(SecurityError):
            security.kcv(b"short")

    def test_a_repr_shows_no_key(self) -> None:
        shown = repr(WorkingKeys(PIK, MAK, TDK)) + str(WorkingKeys(PIK, MAK, TDK))
        for key in (PIK, MAK, TDK):
            assert key.hex() not in shown.lower()
            assert repr(key) not in shown


class TestMac:
    def test_the_running_xor_and_every_step_of_the_table(self) -> None:
        """The published steps one by one, so that a wrong DE 64 can be traced to its line of the table."""
        running = [
            "0200302004C020C0",
            "9A11302004C020C0",
            "9B11302005E322D0",
            "9B03074226F56B41",
            "B803139127D76A41",
            "B80230D440575B73",
            "8B3605E2776F6A41",
            "B80230D440575371",
            "893003E075666647",
            "7CE4AD3EBEB06E74",
            "5AE4AD3EBEB06E74",
            "5AF78F3EBEB16E71",
            "5AF78F3EBEB16E71",
        ]
        assert len(MAB) == 97
        padded = MAB + bytes(7)
        total = bytes(8)
        for number, expected in enumerate(running):
            total = des.xor(total, padded[8 * number : 8 * number + 8])
            assert total == hx(expected), f"D{number + 1}"
        text = total.hex().upper().encode()
        assert text == hx("35414637384633454245423136453731")
        first = des.ecb_encrypt(MAK, text[:8])
        assert first == hx("6958A7D54931959C")
        second = des.xor(first, text[8:])
        assert second == hx("2B1DE5E47F74A2AD")
        assert des.ecb_encrypt(MAK, second) == hx("9102B657D2838C5F")

    def test_purchase(self) -> None:
        assert security.mac_ecb(MAK, MAB) == b"9102B657" == hx("3931303242363537")

    @pytest.mark.parametrize(
        ("frame", "expected"),
        [
            (
                "009C60000000036031003100000210703E00810ED08813166223164991230014000000000000010000000123101112091330"
                "1209130008480012343030303030303030303132334131323334353030313233343536373831323334353637383930313233"
                "3435223031303230303030202020343830303132333420202031353626000000000000000013220000010005000003435550"
                "3339383446303834",
                b"3984F084",
            ),
            (
                "005C600003000060310031000004007024048002C08011166223164991230014000000000000010000000123301202100039"
                "3831323334353637383132333435363738393031323334353135360013220000010005004435343443444143",
                b"D544CDAC",
            ),
            (
                "008960000000036031003100000410703E00810AD08011166223164991230014000000000000010000000123101230091330"
                "1209130008480012343030303030303030303132343030313233343536373831323334353637383930313233343522303130"
                "323030303020202034383030313233342020203135360013220000010005003633314543304341",
                b"631EC0CA",
            ),
        ],
        ids=["0210", "0400", "0410"],
    )
    def test_frames_of_cup_md(self, frame: str, expected: bytes) -> None:
        """13 bytes of length, TPDU and header before the MAB, 8 bytes of DE 64 after it."""
        raw = hx(frame)
        assert raw[-8:] == expected
        assert security.mac_ecb(MAK, raw[13:-8]) == expected

    def test_a_public_log(self) -> None:
        assert security.mac_ecb(GO8583_MAK, GO8583_MAB) == b"E5805ECB"

    def test_a_16_byte_mak_serves_with_its_first_half_unless_told(self) -> None:
        assert security.mac_ecb(MAK16, MAB) == b"9102B657"
        text = b"5AF78F3EBEB16E71"
        last = des.ecb_encrypt(MAK16, des.xor(des.ecb_encrypt(MAK16, text[:8]), text[8:]))
        assert security.mac_ecb(MAK16, MAB, triple=True) == last.hex().upper()[:8].encode() != b"9102B657"

    def test_x99_and_x919(self) -> None:
        assert security.mac_x99(MAK, MAB) == hx("3D709EE5C24B1848")
        assert security.mac_x919(MAK16, MAB) == hx("1D946194D6681588")

    @pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 16, 97])
    def test_against_psec(self, length: int) -> None:
        data = MAB[:length]
        if length:
            assert security.mac_x919(MAK16, data) == psec.mac.generate_retail_mac(MAK16[:8], MAK16[8:], data, 1, 8)
            assert security.mac_x99(MAK, data) == psec.mac.generate_cbc_mac(MAK, data, 1, 8)
        else:
            assert security.mac_x99(MAK, data) == bytes(8)

    def test_macs_one_after_the_other_do_not_change_each_other(self) -> None:
        """A context is used again: whatever went through it before, the next chain begins at zero."""
        keys = (MAK, GO8583_MAK, MAK16[8:])
        for at in range(60):
            key, data = keys[at % 3 if at % 7 else 0], (MAB * 2)[at : 3 * at + 1 + at % 5]
            assert security.mac_x99(key, data) == psec.mac.generate_cbc_mac(key, data, 1, 8), at

    def test_the_ecb_mac_of_any_length(self) -> None:
        """Block by block, as security.md 3 has it."""
        data = bytes(at * 37 % 251 for at in range(700))
        for length in [*range(140), 255, 256, 257, 513, 700]:
            total = bytes(8)
            for start in range(0, length, 8):
                total = des.xor(total, data[start : min(start + 8, length)].ljust(8, b"\0"))
            text = total.hex().upper().encode()
            last = des.ecb_encrypt(MAK, des.xor(des.ecb_encrypt(MAK, text[:8]), text[8:]))
            assert security.mac_ecb(MAK, data[:length]) == last.hex().upper()[:8].encode(), length

    def test_algorithms_by_name(self) -> None:
        expected = {
            "cup-ecb": b"9102B657",
            "cup-cbc": hx("3D709EE5C24B1848"),
            "x9.9": hx("3D709EE5C24B1848"),
            "x9.9-ascii": b"3D709EE5",
        }
        for name, mac in expected.items():
            assert security.MAC_ALGORITHMS[name](MAK, MAB) == mac, name
        assert security.MAC_ALGORITHMS["x9.19"](MAK16, MAB) == hx("1D946194D6681588")
        assert security.MAC_ALGORITHMS["x9.19-ascii"](MAK16, MAB) == b"1D946194"
        assert security.MAC_ALGORITHMS["cup-cbc"](MAK16, MAB) == hx("3D709EE5C24B1848")

    def test_key_lengths_that_do_not_fit(self) -> None:
        with pytest.raises(SecurityError):
            security.mac_x919(MAK, MAB)
        with pytest.raises(SecurityError):
            security.mac_x99(MAK16, MAB)


class TestPinBlock:
    @pytest.mark.parametrize(
        ("pan", "clear", "block"),
        [
            (PAN16, "0612053266EDCFFE", "F5D4AEDECBD60833"),
            (PAN19, "06122456FFFFFFFE", "57F0688064023824"),
        ],
        ids=["16 digits", "19 digits"],
    )
    def test_worked_examples(self, pan: str, clear: str, block: str) -> None:
        assert security.pin_block("123456", pan, PIK) == hx(block)
        assert des.ecb_decrypt(PIK, hx(block)) == hx(clear)
        assert security.pin_from_block(hx(block), pan, PIK) == "123456"
        assert psec.pinblock.encode_pinblock_iso_0("123456", pan) == hx(clear)

    def test_without_a_card_number(self) -> None:
        block = security.pin_block("123456", None, PIK)
        assert des.ecb_decrypt(PIK, block) == hx("06123456FFFFFFFF")
        assert security.pin_from_block(block, None, PIK) == "123456"

    @pytest.mark.parametrize("pin", ["1234", "12345678", "123456789012"])
    def test_lengths_against_psec(self, pin: str) -> None:
        assert security.pin_block(pin, PAN16, PIK) == des.ecb_encrypt(
            PIK, psec.pinblock.encode_pinblock_iso_0(pin, PAN16)
        )

    @pytest.mark.parametrize("pin", ["", "123", "1234567890123", "12a4", "１２３４"])
    def test_a_pin_that_cannot_be_one(self, pin: str) -> None:
        with pytest.raises(SecurityError) as error:
            security.pin_block(pin, PAN16, PIK)
        assert not pin or pin not in str(error.value)

    @pytest.mark.parametrize(
        "clear",
        [
            "16123456FFFFFFFF",  # format 1
            "03123FFFFFFFFFFF",  # three digits
            "0D1234567890123F",  # thirteen digits
            "06123456FFFFFFF0",  # filler broken
            "0612345AFFFFFFFF",  # a letter among the digits
        ],
    )
    def test_unreadable_blocks(self, clear: str) -> None:
        with pytest.raises(SecurityError):
            security.pin_from_block(des.ecb_encrypt(PIK, hx(clear)), None, PIK)

    def test_a_card_number_must_be_digits(self) -> None:
        for pan in ("", "6223164991230X14", "62231649912300 4"):
            with pytest.raises(SecurityError):
                security.pin_block("1234", pan, PIK)

    def test_another_key_or_card_is_unreadable_too(self) -> None:
        block = hx("F5D4AEDECBD60833")
        with pytest.raises(SecurityError):
            security.pin_from_block(block, PAN16, TDK)
        with pytest.raises(SecurityError):
            security.pin_from_block(block, PAN19, PIK)
        with pytest.raises(SecurityError):
            security.pin_from_block(block[:7], PAN16, PIK)


class TestTrack:
    @pytest.mark.parametrize(
        ("clear", "encrypted"),
        [
            ("6223164991230014D30122010000012345678", "6223164991230014D3010946782128EAC9FF8"),
            ("6223164991230014D3012201000001234567", "6223164991230014D3DC64B7FA60BCD7E167"),
        ],
        ids=["odd", "even"],
    )
    def test_worked_examples(self, clear: str, encrypted: str) -> None:
        assert security.encrypt_track(clear, TDK) == encrypted
        assert security.encrypt_track(clear.replace("D", "="), TDK) == encrypted
        assert security.decrypt_track(encrypted, TDK) == clear

    def test_the_blocks_of_the_table(self) -> None:
        assert des.ecb_encrypt(TDK, hx("2201000001234567")) == hx("0946782128EAC9FF")
        assert des.ecb_encrypt(TDK, hx("0122010000012345")) == hx("DC64B7FA60BCD7E1")

    @pytest.mark.parametrize("track", ["", "6223164991230014", "622316499123001D"])
    def test_too_short_stays_clear(self, track: str) -> None:
        assert security.encrypt_track(track, TDK) == track

    def test_the_shortest_that_is_encrypted(self) -> None:
        """17 digits: the block is the first 16; 18 digits: the last two stay."""
        assert security.encrypt_track("62231649912300141", TDK)[-1] == "1"
        assert security.encrypt_track("62231649912300141", TDK)[:16] != "6223164991230014"
        assert security.encrypt_track("622316499123001412", TDK)[16:] == "12"

    def test_a_wrong_key_shows(self) -> None:
        with pytest.raises(SecurityError):
            security.decrypt_track("6223164991230014D3010946782128EAC9FF8", PIK)


class TestDes:
    def test_expansion(self) -> None:
        assert des.expand_key(MAK) == MAK * 3
        assert des.expand_key(PIK) == PIK + PIK[:8]

    def test_a_context_used_again_gives_the_same_answer(self) -> None:
        assert [des.ecb_encrypt(MAK, bytes(8)) for _ in range(3)] == [des.ecb_encrypt(MAK, bytes(8))] * 3
        assert des.ecb_decrypt(MAK, des.ecb_encrypt(MAK, b"01234567" * 5)) == b"01234567" * 5

    def test_part_of_a_block_is_refused_and_leaves_no_trace_in_the_context(self) -> None:
        before = des.ecb_encrypt(MAK, bytes(8))
        with pytest.raises(SecurityError):
            des.ecb_encrypt(MAK, b"1234")
        assert des.ecb_encrypt(MAK, bytes(8)) == before

    def test_import_and_use_raise_no_warning(self) -> None:
        code = "from specs import security as s; s.mac_ecb(b'8bytekey', b'x'); s.mac_x919(b'8bytekey' * 2, b'x')"
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
