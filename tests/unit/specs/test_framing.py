"""FrameReader and frame: every length header, every way a stream can be cut."""

from __future__ import annotations

import pytest

from specs.errors import EncodeError, FrameError
from specs.framing import FrameFormat, FrameReader, frame, swap_tpdu

BIN2 = FrameFormat(length="bin2")
HELLO = b"hello"

# (format, the bytes of a frame with the payload "hello"), written out by hand
FRAMES = [
    (FrameFormat(length="bin2"), b"\x00\x05hello"),
    (FrameFormat(length="bin2", inclusive=True), b"\x00\x07hello"),
    (FrameFormat(length="bcd2"), b"\x00\x05hello"),
    (FrameFormat(length="bcd2", inclusive=True), b"\x00\x07hello"),
    (FrameFormat(length="ascii4"), b"0005hello"),
    (FrameFormat(length="ascii4", inclusive=True), b"0009hello"),
    (FrameFormat(length="none"), b"hello"),
]


@pytest.mark.parametrize(("fmt", "raw"), FRAMES)
def test_a_frame_is_written_and_read(fmt: FrameFormat, raw: bytes) -> None:
    assert frame(HELLO, fmt) == raw
    assert FrameReader(fmt).feed(raw) == [HELLO]


def test_bcd_and_binary_differ_from_ten_on() -> None:
    payload = bytes(83)
    assert frame(payload, FrameFormat(length="bcd2"))[:2] == b"\x00\x83"  # nac.md section 1: `00 83` = 83 bytes
    assert frame(payload, FrameFormat(length="bin2"))[:2] == b"\x00\x53"


@pytest.mark.parametrize(("fmt", "raw"), FRAMES[:-1])
def test_any_split_gives_the_same_payloads(fmt: FrameFormat, raw: bytes) -> None:
    stream = raw + raw
    for cut in range(len(stream) + 1):
        reader = FrameReader(fmt)
        got = reader.feed(stream[:cut]) + reader.feed(stream[cut:])
        assert got == [HELLO, HELLO]
        assert reader.pending == 0


def test_byte_by_byte_and_pending() -> None:
    reader = FrameReader(BIN2)
    seen = [(reader.feed(bytes([b])), reader.pending) for b in b"\x00\x03abc"]
    assert seen == [([], 1), ([], 2), ([], 3), ([], 4), ([b"abc"], 0)]


@pytest.mark.parametrize("raw", [b"\x00\x00", b"0000"])
def test_a_zero_length_is_a_keep_alive(raw: bytes) -> None:
    for inclusive in (False, True):
        fmt = FrameFormat(length="bin2" if len(raw) == 2 else "ascii4", inclusive=inclusive)
        assert FrameReader(fmt).feed(raw + raw) == [b"", b""]
        assert frame(b"", fmt) == raw


@pytest.mark.parametrize(
    ("fmt", "raw"),
    [
        (FrameFormat(length="bin2", max_bytes=100), b"\x00\x65"),
        (FrameFormat(length="bin2"), b"\x20\x01"),  # 8193
        (FrameFormat(length="bcd2"), b"\x00\x1a"),
        (FrameFormat(length="bcd2"), b"\xa0\x10"),
        (FrameFormat(length="ascii4"), b"00 5"),
        (FrameFormat(length="ascii4"), b"+005"),
        (FrameFormat(length="ascii4"), b"00\xb25"),  # a superscript two is a digit to str.isdigit
        (FrameFormat(length="bin2", inclusive=True), b"\x00\x01"),
        (FrameFormat(length="ascii4", inclusive=True), b"0003"),
    ],
)
def test_a_bad_length_is_refused_before_its_bytes_arrive(fmt: FrameFormat, raw: bytes) -> None:
    reader = FrameReader(fmt)
    with pytest.raises(FrameError):
        reader.feed(raw)
    with pytest.raises(FrameError):
        reader.feed(b"\x00\x01a")  # the stream stays lost


def test_the_largest_frame_passes() -> None:
    assert FrameReader(BIN2).feed(b"\x20\x00" + bytes(8192)) == [bytes(8192)]


def test_good_frames_before_a_bad_one_are_delivered_first() -> None:
    reader = FrameReader(FrameFormat(length="bcd2"))
    assert reader.feed(b"\x00\x01a\xff\xff") == [b"a"]
    assert reader.error is not None
    with pytest.raises(FrameError):
        reader.feed(b"")


def test_without_a_length_header_a_read_is_a_message() -> None:
    reader = FrameReader(FrameFormat(length="none", max_bytes=40))
    assert reader.feed(b"abc") == [b"abc"]
    assert reader.feed(b"") == []
    with pytest.raises(FrameError):
        reader.feed(bytes(41))


@pytest.mark.parametrize(
    ("fmt", "size"),
    [
        (FrameFormat(length="bin2"), 8193),
        (FrameFormat(length="ascii4", inclusive=True, max_bytes=9999), 9996),
        (FrameFormat(length="bcd2", max_bytes=20000), 10000),
    ],
)
def test_a_payload_that_does_not_fit_is_our_mistake(fmt: FrameFormat, size: int) -> None:
    with pytest.raises(EncodeError):
        frame(bytes(size), fmt)


def test_swap_tpdu() -> None:
    assert swap_tpdu("6000030000") == "6000000003"  # cup.md section 1
    assert swap_tpdu("") == ""
