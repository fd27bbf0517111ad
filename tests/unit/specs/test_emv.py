"""The chip's cryptograms: against the EMV building blocks worked out with `cryptography` and psec, not with pyemv."""

from __future__ import annotations

import pytest
from psec.des import encrypt_tdes_cbc, encrypt_tdes_ecb

from specs import emv, tlv
from specs.errors import DecodeError, SecurityError

IMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PAN = "6223164991230014"
KEY = emv.ChipKey(IMK, PAN, "001")
TERMS = emv.Terms(amount=10_000, currency="156", day="260302", atc=7, unpredictable=b"\x01\x02\x03\x04")
DE55 = emv.request_data(KEY, TERMS)


def with_parity(key: bytes) -> bytes:
    return bytes(b if bin(b).count("1") % 2 else b ^ 1 for b in key)


def session_key(atc: bytes) -> bytes:
    """EMV book 2: option A master key, then the common session key derivation A1.3."""
    y = bytes.fromhex((PAN + "01")[-16:])
    master = with_parity(encrypt_tdes_ecb(IMK, y) + encrypt_tdes_ecb(IMK, bytes(b ^ 0xFF for b in y)))
    left, right = atc + b"\xf0" + bytes(5), atc + b"\x0f" + bytes(5)
    return with_parity(encrypt_tdes_ecb(master, left) + encrypt_tdes_ecb(master, right))


def mac(key: bytes, data: bytes) -> bytes:
    """ISO 9797-1 algorithm 3 with 80 00 padding: single DES chain, the last block with the whole key."""
    padded = data + b"\x80" + bytes(-(len(data) + 1) % 8)
    left = key[:8] * 2
    chain = encrypt_tdes_cbc(left, bytes(8), padded)[-16:-8] if len(padded) > 8 else bytes(8)
    last = bytes(a ^ b for a, b in zip(chain, padded[-8:], strict=True))
    return encrypt_tdes_ecb(key, last)


def test_the_session_key_is_that_of_emv_book_2() -> None:
    assert KEY.session(b"\x00\x07") == session_key(b"\x00\x07")


def test_the_arqc_covers_the_tags_in_their_order() -> None:
    values = {item.tag: item.value for item in tlv.parse(DE55)}
    covered = b"".join(values[tag] for tag in emv.ARQC_TAGS)
    assert values["9F02"].hex() == "000000010000"
    assert values["9F26"] == mac(session_key(b"\x00\x07"), covered)


def test_the_arpc_is_the_arqc_with_the_code_under_the_session_key() -> None:
    answer = {item.tag: item.value for item in tlv.parse(emv.answer_data(KEY, DE55, "00"))}
    arqc = emv.tags(DE55)["9F26"]
    mixed = bytes(a ^ b for a, b in zip(arqc, b"00" + bytes(6), strict=True))
    assert answer["91"] == encrypt_tdes_ecb(session_key(b"\x00\x07"), mixed) + b"00"


@pytest.mark.parametrize("tag", emv.ARQC_TAGS)
def test_a_changed_value_is_found(tag: str) -> None:
    changed = [
        tlv.Tlv(item.tag, bytes([item.value[0] ^ 1]) + item.value[1:]) if item.tag == tag else item
        for item in tlv.parse(DE55)
    ]
    assert emv.check(KEY, DE55) is emv.Arqc.GOOD
    assert emv.check(KEY, tlv.build(changed)) is emv.Arqc.BAD


def test_a_card_without_a_key_here_is_not_checked() -> None:
    assert emv.check(None, DE55) is emv.Arqc.NOT_CHECKED


@pytest.mark.parametrize("tag", ["9F26", "9F36", "95"])
def test_a_missing_tag_is_named(tag: str) -> None:
    rest = tlv.build([item for item in tlv.parse(DE55) if item.tag != tag])
    with pytest.raises(DecodeError, match=tag):
        emv.check(KEY, rest)


def test_the_card_knows_its_issuer() -> None:
    answer = emv.answer_data(KEY, DE55, "00")
    assert emv.issuer_is_authentic(KEY, DE55, answer, "00")
    assert not emv.issuer_is_authentic(KEY, DE55, answer, "10")
    stranger = emv.ChipKey(bytes(16), PAN, "001")
    assert not emv.issuer_is_authentic(stranger, DE55, answer, "00")
    assert not emv.issuer_is_authentic(KEY, DE55, b"", "00")


def test_scripts_stand_behind_the_authentication() -> None:
    inside = emv.script(1, (bytes.fromhex("8424000008"),))
    answer = tlv.parse(emv.answer_data(KEY, DE55, "00", (inside,)))
    assert [item.tag for item in answer] == ["9F36", "91", "72"]
    assert [(i.tag, i.value.hex()) for i in tlv.parse(answer[2].value)] == [("9F18", "00000001"), ("86", "8424000008")]


def test_no_repr_shows_the_key_or_the_card() -> None:
    assert IMK.hex() not in repr(KEY)
    assert PAN not in repr(KEY)


def test_an_atc_of_another_length_is_an_error() -> None:
    with pytest.raises(SecurityError):
        KEY.session(b"\x01")
