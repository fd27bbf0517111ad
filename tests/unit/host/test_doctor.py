"""Strangers' greetings (RFC 8446, RFC 9112, RFC 4253), and frames under other framings than the listener's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host.doctor import LOOKS_PER_S, Doctor, greeting
from specs.endpoint import parse
from specs.framing import FrameFormat, FrameReader

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vectors.json").read_text("utf-8"))
NAC_SALE = bytes.fromhex(
    "600000300002003020058020C000040000000000000100000001230022000300374111111111111111D301220100000123456780"
    "31323334353637383132333435363738393031323334350006303030303435"
)
"""nac.md, section 9, behind a TPDU: 83 bytes."""


@pytest.mark.parametrize(
    ("head", "who"),
    [
        (bytes.fromhex("160301020001000100"), "a TLS client"),
        (bytes.fromhex("160303004a010000460303"), "a TLS client"),
        (b"GET / HTTP/1.1", "an HTTP client"),
        (b"POST /pay HTTP/1.1", "an HTTP client"),
        (b"PRI * HTTP/2.0", "an HTTP client"),
        (b"SSH-2.0-OpenSSH_9.6", "an SSH client"),
    ],
)
def test_a_stranger_is_named(head: bytes, who: str) -> None:
    assert greeting(head).startswith(who)


def test_no_real_message_is_taken_for_a_stranger() -> None:
    assert len(VECTORS) == 80
    for row in VECTORS:
        raw = bytes.fromhex(row["hex"])
        for size in range(len(raw) + 1):
            assert greeting(raw[:size]) == "", row["name"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (bytes.fromhex("0083") + NAC_SALE, "nac://…?length=bcd2 (2-byte BCD length, TPDU, no header)"),
        (b"0083" + NAC_SALE, "nac://…?length=ascii4 (4-digit ASCII length, TPDU, no header)"),
        (
            bytes.fromhex("0055") + NAC_SALE,
            "nac://…?inclusive=1 (2-byte binary length that counts itself, TPDU, no header)",
        ),
        (bytes.fromhex("004E") + NAC_SALE[5:], "nac://…?tpdu=0 (2-byte binary length, no TPDU, no header)"),
        (NAC_SALE, "nac://…?length=none (no length header, TPDU, no header)"),
    ],
    ids=["bcd2", "ascii4", "inclusive", "no tpdu", "no length"],
)
def test_the_framing_that_would_have_fitted(frame: bytes, words: str) -> None:
    assert len(NAC_SALE) == 83
    dialect = parse("nac://127.0.0.1:1").dialect
    assert Doctor().look(frame, dialect, 0.0) == f"it reads clean as {words}"


def test_the_listener_s_own_reading_is_not_advised() -> None:
    dialect = parse("nac://127.0.0.1:1?length=bcd2").dialect
    assert Doctor().look(bytes.fromhex("0083") + NAC_SALE, dialect, 0.0) == ""


def test_garbage_fits_nothing() -> None:
    dialect = parse("cup://127.0.0.1:1").dialect
    for seed in range(50):
        noise = bytes((seed * 37 + n * n * 11 + n * 7) % 256 for n in range(90))
        assert Doctor(1000).look(noise, dialect, 0.0) == ""


def test_it_looks_a_few_times_a_second_only() -> None:
    doctor, dialect = Doctor(), parse("cup://127.0.0.1:1").dialect
    frame = bytes.fromhex("0053") + NAC_SALE
    looks = [doctor.look(frame, dialect, 7.0 + n / 1000) for n in range(LOOKS_PER_S + 5)]
    assert all(looks[:LOOKS_PER_S])
    assert looks[LOOKS_PER_S:] == [""] * 5
    assert doctor.look(frame, dialect, 8.0)


def test_an_unfinished_frame_says_how_much_of_it_came() -> None:
    reader = FrameReader(FrameFormat())
    assert reader.feed(b"\x00") == []
    assert (reader.pending, reader.announced, reader.unfinished) == (1, 0, b"\x00")
    assert reader.feed(b"\x53" + NAC_SALE[:38]) == []
    assert (reader.pending, reader.announced) == (40, 85)
    assert reader.feed(NAC_SALE[38:] + b"\x00") == [NAC_SALE]
    assert (reader.pending, reader.announced, reader.unfinished) == (1, 0, b"\x00")
