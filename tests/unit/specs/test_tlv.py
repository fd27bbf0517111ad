"""BER-TLV with the chip data of public dumps and hand-made corner cases."""

from __future__ import annotations

import pytest

from specs.errors import DecodeError
from specs.tlv import Tlv, build, parse


def hx(text: str) -> bytes:
    return bytes.fromhex(text)


def test_chip_data_of_a_real_reversal() -> None:
    """Vector cup-0400-reversal-chip-citic: the subset of cup.md 5.6, read by hand."""
    data = hx("950508800470009F1E0838383434373034369F101307010103A02010010A0100000500004707A18D")
    assert [(item.tag, item.value.hex().upper()) for item in parse(data)] == [
        ("95", "0880047000"),
        ("9F1E", "3838343437303436"),
        ("9F10", "07010103A02010010A0100000500004707A18D"),
    ]
    assert build(parse(data)) == data


def test_order_and_repeated_tags_are_kept() -> None:
    """pyemv's reader drops the first of two scripts (72): a terminal would then run only one of them."""
    items = [Tlv("72", b"\x01"), Tlv("9F36", b"\x00\x1f"), Tlv("72", b"\x02\x03"), Tlv("91", b"")]
    assert build(items) == hx("720101" + "9F3602001F" + "72020203" + "9100")
    assert parse(build(items)) == items


@pytest.mark.parametrize(
    ("length", "head"),
    [(127, "9F107F"), (128, "9F108180"), (255, "9F1081FF"), (256, "9F10820100"), (512, "9F10820200")],
)
def test_long_lengths(length: int, head: str) -> None:
    items = [Tlv("9F10", b"x" * length)]
    assert build(items)[: len(hx(head))] == hx(head)
    assert parse(build(items)) == items


def test_padding_between_objects() -> None:
    assert parse(hx("0095010100009A010100")) == [Tlv("95", b"\x01"), Tlv("9A", b"\x01")]
    assert parse(b"") == []


def test_a_tag_of_three_bytes() -> None:
    assert parse(hx("DF810C0107")) == [Tlv("DF810C", b"\x07")]


def test_constructed() -> None:
    assert Tlv("72", b"").constructed
    assert Tlv("BF0C", b"").constructed
    assert not Tlv("9F36", b"").constructed


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("9F", 0),
        ("95", 1),
        ("9502AA", 2),
        ("950101" + "9F36", 5),
        ("9580", 1),
        ("9583000001AA", 1),
        ("9581", 1),
        ("9FFFFFFFFF0101", 0),
    ],
    ids=["half a tag", "no length", "short value", "second object", "indefinite", "3 bytes", "length cut", "long tag"],
)
def test_errors_say_where(data: str, offset: int) -> None:
    with pytest.raises(DecodeError) as error:
        parse(hx(data))
    assert (error.value.de, error.value.offset) == (55, offset)


def test_a_repr_shows_no_value() -> None:
    assert repr(Tlv("5A", hx("6223164991230014"))) == "Tlv(5A, 8 bytes)"
