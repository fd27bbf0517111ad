"""Blocks of a pcapng file, and the TCP that a capture shows: pure, bytes out.

The host sees the streams and not the packets, so the packets are made here: IP and TCP headers with right checksums and
numbers around bytes that really went over the line. A file has one section: a header, one interface a listener,
packets. Source: draft-ietf-opsawg-pcapng; RFC 791, 8200, 9293.
"""

from __future__ import annotations

import io
import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

RAW_IP = 101
"""LINKTYPE_RAW: the packet begins with its IPv4 or IPv6 header."""
SEGMENT_BYTES_MAX = 1460
"""What fits an Ethernet frame; a longer message goes in several segments."""
WINDOW = 65_535
ACK_EVERY = 32_768
"""Bytes that may go one way unanswered before the other end acknowledges them, so that no window looks full."""
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
INBOUND, OUTBOUND = 1, 2

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
_BYTE_ORDER = 0x1A2B3C4D
_COMMENT, _USER_APPLICATION, _INTERFACE_NAME, _RESOLUTION, _PACKET_FLAGS = 1, 4, 2, 9, 2
_NANOSECONDS = 9
Address = tuple[str, int]


def section(comment: str, program: str) -> bytes:
    """The header of a section. comment: for whoever opens the file."""
    body = struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1)
    return _block(SECTION, body + _options((_COMMENT, comment.encode()), (_USER_APPLICATION, program.encode())))


def interface(name: str) -> bytes:
    """One interface, numbered from 0 in the order in which they stand; its times are nanoseconds."""
    resolution = (_RESOLUTION, bytes([_NANOSECONDS]))
    return _block(INTERFACE, struct.pack("<HHI", RAW_IP, 0, 0) + _options((_INTERFACE_NAME, name.encode()), resolution))


def packet(number: int, at_ns: int, data: bytes, *, flags: int, comment: str = "") -> bytes:
    """One packet on the interface of this number. at_ns: since 1970. flags: INBOUND, OUTBOUND."""
    head = struct.pack("<IIIII", number, at_ns >> 32 & 0xFFFFFFFF, at_ns & 0xFFFFFFFF, len(data), len(data))
    options = [(_PACKET_FLAGS, struct.pack("<I", flags))]
    if comment:
        options.insert(0, (_COMMENT, comment.encode()))
    return _block(PACKET, head + _padded(data) + _options(*options))


def whole_blocks(file: BinaryIO) -> int:
    """Bytes of a file up to the end of its last whole block: what follows was torn by a crash. -1: no file of ours."""
    start = file.read(12)
    if start[:4] != struct.pack("<I", SECTION) or start[8:] != struct.pack("<I", _BYTE_ORDER):
        return -1
    at, size = 0, file.seek(0, io.SEEK_END)
    while at + 12 <= size:
        file.seek(at + 4)
        length = int.from_bytes(file.read(4), "little")
        if length < 12 or length % 4 or at + length > size:
            break
        file.seek(at + length - 4)
        if int.from_bytes(file.read(4), "little") != length:
            break
        at += length
    return at


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _options(*options: tuple[int, bytes]) -> bytes:
    # A comment is cut at what its 16-bit length can say.
    made = b"".join(struct.pack("<HH", code, len(value[:65_000])) + _padded(value[:65_000]) for code, value in options)
    return made + bytes(4)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


# ---- TCP


@dataclass(slots=True)
class _End:
    """One end of a stream: the number of its next byte, and how many of its bytes the other has not acknowledged."""

    address: Address
    packed: bytes
    next: int
    unacknowledged: int = 0
    packets: int = 0


class Stream:
    """One TCP connection as packets. terminal: who dialled; host: who listens. serial: gives it numbers of its own.

    Addresses are IPv4 or IPv6, both of one kind; ports as they really were.
    """

    def __init__(self, terminal: Address, host: Address, serial: int) -> None:
        first, second = _pair(terminal[0], host[0])
        self._six = len(first) == 16
        start = serial * 0x9E3779B1
        self._terminal = _End(terminal, first, start & 0xFFFFFFFF)
        self._host = _End(host, second, start * 7 & 0xFFFFFFFF)

    def open(self) -> Iterator[tuple[bytes, int]]:
        """The handshake: (packet, direction) each."""
        yield self._packet(INBOUND, SYN)
        yield self._packet(OUTBOUND, SYN | ACK)
        yield self._packet(INBOUND, ACK)

    def data(self, direction: int, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Bytes that went one way, in segments."""
        sender, _ = self._ends(direction)
        for at in range(0, len(data), SEGMENT_BYTES_MAX):
            piece = data[at : at + SEGMENT_BYTES_MAX]
            if sender.unacknowledged + len(piece) > ACK_EVERY:
                yield self._packet(INBOUND + OUTBOUND - direction, ACK)
            sender.unacknowledged += len(piece)
            yield self._packet(direction, PSH | ACK if at + len(piece) == len(data) else ACK, piece)

    def close(self, how: str) -> Iterator[tuple[bytes, int]]:
        """The end: "rst", else both say FIN. Who was first is not known; the host is shown to be."""
        if how == "rst":
            yield self._packet(OUTBOUND, RST | ACK)
            return
        yield self._packet(OUTBOUND, FIN | ACK)
        yield self._packet(INBOUND, FIN | ACK)
        yield self._packet(OUTBOUND, ACK)

    def _ends(self, direction: int) -> tuple[_End, _End]:
        return (self._terminal, self._host) if direction == INBOUND else (self._host, self._terminal)

    def _packet(self, direction: int, flags: int, data: bytes = b"") -> tuple[bytes, int]:
        sender, receiver = self._ends(direction)
        acknowledged = receiver.next if flags & ACK else 0
        receiver.unacknowledged = 0
        maximum = struct.pack(">BBH", 2, 4, SEGMENT_BYTES_MAX) if flags & SYN else b""
        words = 5 + len(maximum) // 4
        ports = (sender.address[1], receiver.address[1])
        head = struct.pack(">HHIIBBHHH", *ports, sender.next, acknowledged, words << 4, flags, WINDOW, 0, 0) + maximum
        length = len(head) + len(data)
        pseudo = struct.pack(">I3xB", length, 6) if self._six else struct.pack(">xBH", 6, length)
        checksum = _checksum(sender.packed + receiver.packed + pseudo + head + data)
        segment = head[:16] + struct.pack(">H", checksum) + head[18:] + data
        sender.next = (sender.next + len(data) + bool(flags & (SYN | FIN))) & 0xFFFFFFFF
        sender.packets += 1
        return self._ip(sender, receiver, segment), direction

    def _ip(self, sender: _End, receiver: _End, segment: bytes) -> bytes:
        if self._six:
            return struct.pack(">IHBB", 6 << 28, len(segment), 6, 64) + sender.packed + receiver.packed + segment
        number = sender.packets & 0xFFFF
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), number, 0x4000, 64, 6, 0)
        head += sender.packed + receiver.packed
        return head[:10] + struct.pack(">H", _checksum(head)) + head[12:] + segment


def _pair(first: str, second: str) -> tuple[bytes, bytes]:
    """Both addresses in the one kind that fits both; what is no address at all is 192.0.2.1 (RFC 5737)."""
    found = [_address(first), _address(second)]
    if len({address.version for address in found}) == 2:
        found = [ipaddress.IPv6Address(f"::ffff:{a}") if a.version == 4 else a for a in found]
    return found[0].packed, found[1].packed


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ipaddress.IPv4Address("192.0.2.1")


def _checksum(data: bytes) -> int:
    """RFC 1071: the ones' complement of the ones' complement sum of 16-bit words."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
