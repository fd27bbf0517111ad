"""DE 62 of the CUP downloads.

Expected bytes are the real answers of vectors.json and cup.md 5.10; checksums are made with hashlib here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from specs import downloads
from specs.downloads import Page, answer, parse_ic_parameters, parse_key, parse_list, parse_parameters
from specs.errors import DecodeError

DUMPS = {
    row["name"]: row for row in json.loads((Path(__file__).parents[2] / "vectors/vectors.json").read_text("utf-8"))
}
KEY_08 = bytes.fromhex("9F0605A0000003339F220108")
AIDS = [bytes.fromhex("9F0608A00000033301010" + last) for last in "123"]
OURS = b"20301231"
"""The expiry of the keys that are handed out; that of the real one has passed."""


def real(name: str) -> bytes:
    return bytes.fromhex(DUMPS[name]["fields"]["62"])


# --- keys ---


def test_a_key_is_handed_out_as_a_real_host_did() -> None:
    theirs = real("cup-0810-370-capk-ipaynow")
    assert b"20201231" in theirs
    assert answer("370", KEY_08, "") == theirs.replace(b"20201231", OURS)


def test_the_list_has_23_bytes_for_each_key() -> None:
    """cup.md 5.10; the same entry stands in the real list."""
    listed = answer("372", b"100", "")
    assert listed[:1] == b"1"
    assert (len(listed) - 1) % 23 == 0
    assert listed[1:24] == KEY_08 + bytes.fromhex("DF0508") + OURS
    assert KEY_08 + bytes.fromhex("DF0508") + b"20201231" in real("cup-0830-372-capk-list-ipaynow")


def test_each_listed_key_can_be_had_and_is_genuine() -> None:
    found = parse_list(answer("372", b"100", ""))
    assert found.items[0] == KEY_08
    assert not found.more
    for item in found.items:
        key = parse_key(answer("370", item, ""))
        assert key is not None
        assert key.request() == item
        body = bytes.fromhex(key.rid + key.index) + key.modulus + key.exponent
        assert hashlib.sha1(body, usedforsecurity=False).digest() == key.checksum
        assert key.genuine


def test_a_real_key_is_read() -> None:
    key = parse_key(real("cup-0810-370-capk-ipaynow"))
    assert key is not None
    assert (key.rid, key.index, key.expiry) == ("A000000333", "08", "20201231")
    assert (len(key.modulus), key.exponent, key.checksum[:4].hex()) == (144, b"\x03", "ee23b616")
    assert key.genuine


def test_a_changed_key_is_not_genuine() -> None:
    told = answer("370", KEY_08, "").replace(bytes.fromhex("DF040103"), bytes.fromhex("DF040105"))
    key = parse_key(told)
    assert key is not None
    assert not key.genuine


def test_a_real_list_is_read_item_by_item() -> None:
    """Two of MasterCard and Visa, one of JCB, two of UnionPay."""
    found = parse_list(real("cup-0830-372-capk-list-ipaynow"))
    assert [item.hex().upper() for item in found.items] == [
        "9F0605A0000000039F220109",
        "9F0605A0000000049F220106",
        "9F0605A0000000659F220114",
        "9F0605A0000003339F22010B",
        "9F0605A0000003339F220108",
    ]
    assert not found.more


@pytest.mark.parametrize("request_62", [b"", b"1", bytes.fromhex("9F0605A0000003339F2201FF"), b"\x9f\x06\x09", b"100"])
def test_an_unknown_item_is_0(request_62: bytes) -> None:
    assert answer("370", request_62, "") == b"0"
    assert answer("380", request_62, "") == b"0"
    assert parse_key(b"0") is None
    assert parse_ic_parameters(b"0") is None


# --- IC parameters ---


def test_the_applications_are_those_of_unionpay() -> None:
    """Debit, credit, quasi-credit."""
    assert answer("382", b"100", "") == b"1" + b"".join(AIDS)
    assert parse_list(answer("382", b"100", "")) == Page(tuple(AIDS))


@pytest.mark.parametrize("aid", AIDS)
def test_ic_parameters_have_the_tags_of_a_real_host_in_their_order(aid: bytes) -> None:
    theirs = parse_ic_parameters(real("cup-0810-380-ic-param-ipaynow"))
    ours = parse_ic_parameters(answer("380", aid, ""))
    assert theirs is not None
    assert ours is not None
    assert theirs.aid == "A0000000031010"
    assert dict(theirs.tags)["DF11"] == "D84000A800"
    assert ours.request() == aid
    assert [(tag, len(value)) for tag, value in ours.tags] == [(tag, len(value)) for tag, value in theirs.tags]


# --- lists in pages ---


def entries(count: int) -> list[bytes]:
    return [bytes.fromhex("9F0605A0000003339F2201") + bytes([number]) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [0, 1, downloads.PAGE_ITEMS, downloads.PAGE_ITEMS + 1, 50])
def test_a_list_arrives_whole_page_by_page(count: int) -> None:
    """cup.md 5.10: ask again with the number received so far while the answer begins with 2."""
    known, received, asked = entries(count), list[bytes](), 0
    while True:
        told = downloads.page(known, downloads.list_request(len(received)))
        assert len(told) <= 512  # DE 62
        found = parse_list(told)
        received += found.items
        asked += 1
        if not found.more:
            break
    assert received == known
    assert asked == max(1, -(-count // downloads.PAGE_ITEMS))


def test_the_kinds_of_a_page() -> None:
    """cup.md 5.10: 0 nothing, 1 complete, 2 more follows, 3 last page."""
    known = entries(21)
    assert downloads.page([], b"100") == b"0"
    assert downloads.page(known, b"100")[:1] == b"2"
    assert downloads.page(known, b"120") == b"1" + known[20]
    assert downloads.page(known, b"121") == b"0"
    assert downloads.page(known[:2], b"1xx") == downloads.page(known[:2], b"") == b"1" + known[0] + known[1]
    assert parse_list(b"3" + known[0]) == Page((known[0],))
    assert downloads.list_request(7) == b"107"


@pytest.mark.parametrize("data", [b"", b"9", b"1\x9f\x22\x01\x08", b"1\x9f\x06\x05\xa0"])
def test_a_broken_list_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError, match="DE 62"):
        parse_list(data)


@pytest.mark.parametrize("data", [b"", b"2", b"1" + KEY_08, b"1\xdf\x02\x81\x90\x00"])
def test_a_broken_item_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError, match="DE 62"):
        parse_key(data)
    if data != b"1" + KEY_08:
        with pytest.raises(DecodeError, match="DE 62"):
            parse_ic_parameters(data)


# --- terminal parameters ---

#: cup.md 5.10: tag and width.
WIDTHS = {
    "12": 2,
    "13": 1,
    "14": 14,
    "15": 14,
    "16": 14,
    "17": 14,
    "18": 1,
    "19": 2,
    "20": 1,
    "21": 1,
    "22": 40,
    "23": 1,
    "24": 1,
    "25": 1,
    "26": 4,
}


def test_parameters_are_tag_and_value_without_separators() -> None:
    told = answer("360", b"", "TEST MERCHANT")
    at = 0
    for tag, width in WIDTHS.items():
        assert told[at : at + 2] == tag.encode()
        at += 2 + width
    assert at == len(told)
    assert len(told) <= 512
    assert b"22TEST MERCHANT" + b" " * 27 + b"23" in told


def test_the_terminal_reads_its_parameters() -> None:
    found = dict(parse_parameters(answer("360", b"", "TEST MERCHANT")))
    assert list(found) == list(WIDTHS)
    assert (found["12"], found["14"], found["22"], found["23"]) == ("30", "", "TEST MERCHANT", "3")  # rules.md 10
    assert downloads.parameter_name("22") == "merchant name"
    assert downloads.parameter_name("99") == "99"


@pytest.mark.parametrize(
    ("name", "read"),
    [("银联商户", "银联商户"), ("银" * 21, "银" * 20), ("A" + "银" * 20, "A" + "银" * 19), ("é", "é"), ("€", "?")],
)
def test_a_merchant_name_is_gbk_of_at_most_40_bytes(name: str, read: str) -> None:
    """A character of two bytes is never cut in half."""
    told = answer("360", b"", name)
    assert len(told) == sum(WIDTHS.values()) + 2 * len(WIDTHS)
    assert dict(parse_parameters(told))["22"] == read


@pytest.mark.parametrize("data", [b"9930", b"123", b"1", "银".encode("gbk")])
def test_broken_parameters_are_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError, match="DE 62"):
        parse_parameters(data)


@pytest.mark.parametrize("function", ["361", "362", "371", "381"])
def test_the_ends_and_the_status_carry_no_data(function: str) -> None:
    assert answer(function, b"", "TEST MERCHANT") == b""
