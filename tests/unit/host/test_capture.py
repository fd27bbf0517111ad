"""`serve --capture` without a network: what the file holds, what it must not hold, and what ends it.

Bytes are taken apart by hand here (RFC 791, RFC 9293, the pcapng draft); tshark reads whole days in tests/e2e.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from host.capture import Capture
from host.clock import Clock
from host.commands import serve
from host.commands.serve import Options
from host.errors import ConfigError
from host.masked_bytes import broken_payload, masked_payload
from specs.codec import decode_payload, encode_payload
from specs.dialect import load
from specs.framing import frame
from specs.message import Message
from tests.unit.host.test_service import SALE

PAN, TRACK_REST = "4111111111111111", "30122010000012345678"  # of SALE, nac.md section 9
NAC, CUP, ISO = load("nac"), load("cup"), load("iso87")
AT = 1_772_442_000_123_456_000
PORT = 8584


@dataclass
class Packet:
    """One packet of the file."""

    source: tuple[str, int]
    flags: int
    sequence: int
    acknowledged: int
    data: bytes
    comment: str
    at_ns: int


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4) == (length,)
        yield kind, data[at + 8 : at + length - 4]
        at += length


def options(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while (code := struct.unpack_from("<H", data, at)[0]) != 0:
        (size,) = struct.unpack_from("<H", data, at + 2)
        found[code] = data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
    return found


def ones_sum(data: bytes) -> int:
    """RFC 1071: over data with its checksum in place it is all ones."""
    total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def packets(path: Path) -> list[Packet]:
    found = []
    for kind, body in blocks(path.read_bytes()):
        if kind != 6:
            continue
        _, high, low, size, original = struct.unpack_from("<IIIII", body)
        assert size == original
        raw, more = body[20 : 20 + size], options(body[20 + size + -size % 4 :])
        if raw[0] >> 4 == 4:
            assert ones_sum(raw[:20]) == 0xFFFF
            assert int.from_bytes(raw[2:4], "big") == size
            addresses, segment, length = raw[12:20], raw[20:], struct.pack(">xBH", 6, size - 20)
        else:
            assert int.from_bytes(raw[4:6], "big") == size - 40
            addresses, segment, length = raw[8:40], raw[40:], struct.pack(">II", size - 40, 6)
        assert ones_sum(addresses + length + segment) == 0xFFFF
        port, _, sequence, acknowledged, words, flags = struct.unpack_from(">HHIIBB", segment)
        source = str(ipaddress.ip_address(addresses[: len(addresses) // 2]))
        data = segment[(words >> 4) * 4 :]
        comment = more.get(1, b"").decode()
        found.append(Packet((source, port), flags, sequence, acknowledged, data, comment, high << 32 | low))
    return found


def begin(path: Path, **how: object) -> Capture:
    capture = Capture(path, now_ns=lambda: AT, program="test", **how)  # type: ignore[arg-type]
    capture.start()
    capture.listening(PORT, NAC)
    return capture


def dial(capture: Capture, serial: int = 1, peer: str = "192.0.2.7") -> None:
    capture.opened(serial, ("127.0.0.1" if "." in peer else "::1", PORT), (peer, 50_000))


def test_a_line_is_a_tcp_stream_with_right_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    dial(capture)
    question, answer = frame(SALE, NAC.frame), frame(bytes(3000), NAC.frame)
    capture.received(1, question)
    capture.sent(1, answer)
    capture.closed(1, "fin")
    capture.close()
    seen = packets(path)
    assert [p.flags for p in seen] == [0x02, 0x12, 0x10, 0x18, 0x10, 0x10, 0x18, 0x11, 0x11, 0x10]
    assert [len(p.data) for p in seen] == [0, 0, 0, len(question), 1460, 1460, 82, 0, 0, 0]
    assert {p.source for p in seen} == {("192.0.2.7", 50_000), ("127.0.0.1", PORT)}
    assert {p.at_ns for p in seen} == {AT}
    upto: dict[tuple[str, int], int] = {}
    for p in seen:
        assert upto.setdefault(p.source, p.sequence) == p.sequence, "no byte is missing or comes twice"
        upto[p.source] = (p.sequence + len(p.data) + bool(p.flags & 0x03)) % 2**32
        others = [n for source, n in upto.items() if source != p.source]
        assert p.acknowledged == (others[0] if p.flags & 0x10 else 0)
    assert path.stat().st_mode & 0o777 == 0o600


def test_ipv6_and_a_reset(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    dial(capture, peer="2001:db8::7")
    capture.closed(1, "rst")
    capture.close()
    seen = packets(path)
    assert [p.flags for p in seen] == [0x02, 0x12, 0x10, 0x14]
    assert seen[0].source == ("2001:db8::7", 50_000)


def test_card_data_is_blanked_and_all_else_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    dial(capture)
    capture.received(1, frame(SALE, NAC.frame)[:9])
    capture.received(1, frame(SALE, NAC.frame)[9:])
    capture.close()
    (kept,) = [p.data for p in packets(path) if p.data]
    track = bytes.fromhex("4111111111111111D3012201000001234567") + b"\x80"
    hidden = bytes.fromhex("4111110000001111D0000000000000000000") + b"\x00"
    assert frame(SALE, NAC.frame).count(track) == 1
    assert kept == frame(SALE, NAC.frame).replace(track, hidden)


def test_capture_clear_keeps_every_byte_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path, clear=True)
    dial(capture)
    capture.received(1, frame(SALE, NAC.frame))
    capture.close()
    assert [p.data for p in packets(path) if p.data] == [frame(SALE, NAC.frame)]
    _, section = next(blocks(path.read_bytes()))
    assert b"IN CLEAR" in options(section[16:])[1]


@pytest.mark.parametrize("cut", [20, 40, 44, 50, 60])
def test_half_a_frame_is_kept_without_its_card_number(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    dial(capture)
    capture.received(1, frame(SALE, NAC.frame)[:cut])
    capture.closed(1, "rst")
    capture.close()
    (piece,) = [p for p in packets(path) if p.data]
    assert (len(piece.data), piece.comment) == (cut, "not a whole frame")
    assert bytes.fromhex(PAN)[:5] not in piece.data


@pytest.mark.parametrize("step", [1, 7, 500])
def test_what_is_no_frame_is_kept_without_its_card_number(tmp_path: Path, step: int) -> None:
    """A browser's GET, however it comes in: digits in ASCII, in BCD and in EBCDIC."""
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    dial(capture)
    data = b"GET /?pan=" + PAN.encode() + b" " + bytes.fromhex(PAN) + b" " + PAN.encode("cp500") + b" HTTP/1.1"
    for at in range(0, len(data), step):
        capture.received(1, data[at : at + step])
    capture.closed(1, "fin")
    capture.close()
    kept = b"".join(p.data for p in packets(path))
    assert len(kept) == len(data)
    assert kept.startswith(b"GET")
    for form in (PAN.encode(), bytes.fromhex(PAN), PAN.encode("cp500")):
        assert form[: len(form) // 2 + 1] not in kept


def cup_message(**fields: str) -> bytes:
    given = {11: "000001", 41: "T0000001"} | {int(name[2:]): value for name, value in fields.items()}
    return encode_payload(Message("0200", given, "6000030000", "603100310000"), CUP)


def test_pin_block_keys_and_chip_data_are_blanked() -> None:
    payload = cup_message(de52="0123456789ABCDEF", de62="11" * 24, de55="5A086223164991230014" + "9F2608" + "AB" * 8)
    masked = masked_payload(payload, CUP)
    assert masked.clean
    kept = masked.data
    shown = decode_payload(kept, CUP)
    assert (shown[52], shown[62], len(kept)) == ("0" * 16, "00" * 24, len(payload))
    assert shown[55] == "5A08" + "00" * 8 + "9F2608" + "AB" * 8


def test_an_answer_hides_what_it_repeats_of_its_request() -> None:
    """DE 57 of the answer has the request's number, which no answer tells to be one (its check digit is wrong)."""
    asked = masked_payload(cup_message(de2="6223164991230015", de57="X6223164991230015"), CUP)
    payload = cup_message(de57="X6223164991230015")
    assert decode_payload(masked_payload(payload, CUP, {"000001": asked}).data, CUP)[57] == "X622316******0015"
    assert decode_payload(masked_payload(payload, CUP, {"000002": asked}).data, CUP)[57] == "X6223164991230015"


def test_an_answer_repeats_nothing_of_a_request_that_was_misread_but_its_stan() -> None:
    """The number lies across DE 3 and DE 4, which are no card data by themselves."""
    broken = cup_message(de3="541333", de4="008902001100", de25="00") + b"\x00"
    asked = masked_payload(broken, CUP)
    assert not asked.clean
    answer = cup_message(de3="541333", de4="008902001100", de39="30")
    shown = decode_payload(masked_payload(answer, CUP, {"000001": asked}).data, CUP)
    assert dict(shown.fields) == {3: "000000", 4: "0" * 12, 11: "000001", 39: "30", 41: "********"}


def test_a_filler_of_the_terminal_s_own_stays() -> None:
    """NAC pads an odd track with 0; a terminal may send F there, and that is to be seen (not in what is hidden)."""
    odd = SALE.replace(bytes.fromhex("80313233"), bytes.fromhex("8F313233"))
    masked = masked_payload(odd, NAC)
    assert masked.clean
    kept = masked.data
    assert len(kept) == len(odd)
    assert kept[:20] == odd[:20]


def test_ascii_and_hex_of_iso87_are_blanked_in_place() -> None:
    fields = {2: PAN, 3: "000000", 4: "000000001000", 11: "000001", 35: f"{PAN}D{TRACK_REST}", 41: "T0000001"}
    payload = encode_payload(Message("0200", fields | {52: "0123456789ABCDEF"}), ISO)
    kept = masked_payload(payload, ISO).data
    shown = decode_payload(kept, ISO)
    assert (shown[2], shown[35], shown[52]) == ("4111110000001111", "4111110000001111D" + "0" * 20, "0" * 16)
    assert len(kept) == len(payload)


def test_a_line_of_an_unknown_listener_is_kept_by_the_digit_rule() -> None:
    assert PAN.encode() not in broken_payload(b"0200" + PAN.encode(), None)


def test_the_largest_size_stops_the_capture_and_not_the_host(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path, bytes_max=3_000)
    for serial in range(1, 40):
        dial(capture, serial)
        capture.received(serial, frame(SALE, NAC.frame))
        capture.closed(serial, "fin")
    capture.close()
    assert "reached" in capture.stopped
    assert 2_000 < path.stat().st_size <= 3_000
    assert packets(path), "what is written is whole"
    with pytest.raises(ConfigError, match="already"):
        begin(path, bytes_max=1_000)


def test_a_full_disk_stops_the_capture_and_not_the_host(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    capture = begin(path)
    full = os.open("/dev/full", os.O_WRONLY)
    capture._file.write = lambda data: os.write(full, data)  # type: ignore[union-attr, method-assign]
    dial(capture)
    capture.received(1, frame(SALE, NAC.frame))
    capture.close()
    os.close(full)
    assert "No space left" in capture.stopped
    assert [kind for kind, _ in blocks(path.read_bytes())] == [0x0A0D0D0A]


def test_a_file_that_a_crash_has_torn_goes_on_behind_its_last_whole_block(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    for serial in (1, 2):
        capture = begin(path)
        dial(capture, serial)
        capture.closed(serial, "fin")
        capture.close()
        if serial == 1:
            whole = path.read_bytes()
            path.write_bytes(whole + whole[-60:-7])
    assert len(packets(path)) == 2 * 6
    assert [kind for kind, _ in blocks(path.read_bytes())].count(0x0A0D0D0A) == 2
    assert path.read_bytes().startswith(whole)


def test_a_file_of_another_kind_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "letters.txt"
    path.write_text("dear diary")
    with pytest.raises(ConfigError, match="no pcapng"):
        begin(path)
    assert path.read_text() == "dear diary"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Options(capture_clear=True), "--capture-clear: there is no --capture"),
        (Options(capture=Path("no/such/folder/x.pcapng")), "--capture no/such/folder/x.pcapng: No such file"),
    ],
)
def test_a_capture_that_cannot_be_is_told_before_anything_is_opened(options: Options, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        serve._capture(options, Clock())
