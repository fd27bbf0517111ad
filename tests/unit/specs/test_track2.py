"""Track 2 of the constructed frames and of dumps; the check digit."""

from __future__ import annotations

import pytest

from specs.errors import DecodeError
from specs.track2 import Track2, luhn_ok, parse_track2

PAN = "6223164991230014"


@pytest.mark.parametrize(
    ("track", "expected"),
    [
        (f"{PAN}D30122010000012345678", Track2(PAN, "3012", "201", "0000012345678")),
        (f"{PAN}=30122010000012345678", Track2(PAN, "3012", "201", "0000012345678")),
        ("6205500000000000004D23082201000082300", Track2("6205500000000000004", "2308", "220", "1000082300")),
        ("4111111111111111D2312", Track2("4111111111111111", "2312", "", "")),
        ("4111111111111111D231222", Track2("4111111111111111", "2312", "", "22")),
    ],
)
def test_parts(track: str, expected: Track2) -> None:
    assert parse_track2(track) == expected
    assert expected.format(track[len(expected.pan)]) == track


@pytest.mark.parametrize(
    ("track", "offset"),
    [
        ("", 0),
        ("D3012", 0),
        ("6" * 20 + "D3012", 0),
        (PAN, 16),
        (f"{PAN}F3012", 16),
        (f"{PAN}D301", 17),
        (f"{PAN}D491C8C34DB509A8C85E9", 17),
    ],
    ids=["empty", "no number", "long number", "no separator", "wrong separator", "short expiry", "encrypted"],
)
def test_errors_say_where_and_not_what(track: str, offset: int) -> None:
    with pytest.raises(DecodeError) as error:
        parse_track2(track)
    assert (error.value.de, error.value.offset) == (35, offset)
    assert PAN not in str(error.value)
    assert PAN not in repr(error.value)


def test_a_repr_is_masked() -> None:
    shown = repr(parse_track2(f"{PAN}D30122010000012345678"))
    assert PAN not in shown
    assert "3012" not in shown
    assert "622316******0014" in shown


@pytest.mark.parametrize(
    "pan",
    [
        PAN,
        "6216261000000000018",
        "4111111111111111",
        "5413330089020011",
        "378282246310005",
        "5555555555554444",
        "79927398713",
    ],
)
def test_published_test_numbers_have_a_right_check_digit(pan: str) -> None:
    assert luhn_ok(pan)
    assert not luhn_ok(pan[:-1] + str((int(pan[-1]) + 1) % 10))


@pytest.mark.parametrize("pan", ["", "abc", "62231649912300１4", "6223164991230014 "])
def test_no_number_no_check_digit(pan: str) -> None:
    assert not luhn_ok(pan)
