"""A NAC till of a few lines, for tests that need many of them or that send what no good terminal would.

It has no flash and owes nothing. Its frames are those of nac.md, section 9, with other numbers in them; the bytes of
the worked example there are what `test_raw_terminal` compares with.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from specs.codec import decode_payload, encode_payload
from specs.dialect import load
from specs.framing import FrameReader, frame
from specs.message import Message

NAC = load("nac")
TRACK2 = "4111111111111111D30122010000012345678"
"""The documented test card `foreign1`."""
ANSWER_S = 10.0


def sale(tid: str, stan: str, amount: int, mid: str = "123456789012345") -> Message:
    """A swiped sale. amount in minor units."""
    fields = {3: "000000", 4: f"{amount:012d}", 11: stan, 22: "022", 24: "003", 25: "00", 35: TRACK2, 41: tid, 42: mid}
    return Message("0200", fields | {62: stan}, tpdu="6000030000")


def reversal(tid: str, stan: str, amount: int, mid: str = "123456789012345") -> Message:
    """The 0400 of that sale; the card number stands in for the track."""
    fields = {2: TRACK2[:16], 3: "000000", 4: f"{amount:012d}", 11: stan, 14: "3012", 22: "022", 24: "003", 25: "00"}
    return Message("0400", fields | {41: tid, 42: mid, 62: stan}, tpdu="6000030000")


def echo(tid: str, stan: str) -> Message:
    """0800/990000."""
    return Message("0800", {3: "990000", 11: stan, 24: "003", 41: tid}, tpdu="6000030000")


def wire(message: Message) -> bytes:
    """The frame of a message."""
    return frame(encode_payload(message, NAC), NAC.frame)


@dataclass(slots=True)
class RawTerminal:
    """One connection to a NAC listener. A call that finds the line gone raises OSError or EOFError."""

    port: int
    answer_s: float = ANSWER_S
    _socket: socket.socket | None = None
    _reader: FrameReader = field(default_factory=lambda: FrameReader(NAC.frame))
    _waiting: list[bytes] = field(default_factory=list)

    def connect(self) -> RawTerminal:
        self.close()
        self._reader = FrameReader(NAC.frame)
        self._waiting = []
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=self.answer_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def send(self, data: bytes) -> None:
        assert self._socket is not None, "not connected"
        self._socket.sendall(data)

    def receive(self) -> Message:
        """The next message. Raises EOFError when the host closed the line, TimeoutError when nothing comes."""
        assert self._socket is not None, "not connected"
        while not self._waiting:
            data = self._socket.recv(65536)
            if not data:
                raise EOFError("the host closed the line")
            self._waiting += [payload for payload in self._reader.feed(data) if payload]
        return decode_payload(self._waiting.pop(0), NAC)

    def exchange(self, message: Message) -> Message:
        self.send(wire(message))
        return self.receive()

    def __enter__(self) -> RawTerminal:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()
