"""How a line makes payloads of what it reads: by the length header, or as a firmware does that deviates there.

Whatever line a terminal has asks here, the TCP one and those of the lab. A reader is made for each connection, and gets
what the one before has left in the buffer (`kept`).
"""

from __future__ import annotations

from typing import Protocol

from specs.errors import FrameError
from specs.framing import LENGTH_BYTES, FrameFormat, FrameReader
from terminal_sim.firmware import Firmware, Rest


class Reader(Protocol):
    """Bytes of one connection in, payloads out."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what one read has brought; the payloads that are complete now. Raises: FrameError."""

    def ended(self) -> list[bytes]:
        """The connection has ended; what is made of a frame that was not whole then."""

    @property
    def unfinished(self) -> bytes:
        """The beginning of a frame of which more is to come."""

    @property
    def kept(self) -> bytes:
        """What the reader of the next connection finds."""


class Whole:
    """A payload is what its length header says, and nothing outlives its connection."""

    def __init__(self, fmt: FrameFormat) -> None:
        self._frames = FrameReader(fmt)

    def feed(self, data: bytes) -> list[bytes]:
        """See Reader."""
        return self._frames.feed(data)

    def ended(self) -> list[bytes]:
        """Nothing: half a message says nothing."""
        return []

    @property
    def unfinished(self) -> bytes:
        """See Reader."""
        return self._frames.unfinished

    @property
    def kept(self) -> bytes:
        """Nothing."""
        return b""


class OneRead(Whole):
    """Each read is a message: its length header is skipped and not looked at (failure-catalogue 72)."""

    def __init__(self, fmt: FrameFormat) -> None:
        super().__init__(fmt)
        self._skipped = LENGTH_BYTES[fmt.length]

    def feed(self, data: bytes) -> list[bytes]:
        """See Reader. b"" for a read that ends with its header."""
        return [data[self._skipped :]]


class OldBytes(Whole):
    """One buffer for all messages, never cleared: of a cut one the rest is what stood there before, which are the bytes
    of the message before it (failure-catalogue 71). Bounded by the largest frame."""

    def __init__(self, fmt: FrameFormat, kept: bytes) -> None:
        super().__init__(fmt)
        self._own = LENGTH_BYTES[fmt.length]
        self._buffer = kept

    def feed(self, data: bytes) -> list[bytes]:
        """See Reader."""
        payloads = self._frames.feed(data)
        for payload in payloads:
            self._write(payload)
        return payloads

    def ended(self) -> list[bytes]:
        """So much of the buffer as the length header has announced."""
        announced = self._frames.announced
        if not announced:
            return []
        self._write(self._frames.unfinished[self._own :])
        return [self._buffer.ljust(announced, b"\0")[: announced - self._own]]

    @property
    def kept(self) -> bytes:
        """The buffer as it is."""
        return self._buffer

    def _write(self, payload: bytes) -> None:
        self._buffer = payload + self._buffer[len(payload) :]


class OneStream(Whole):
    """All lines are one stream: what is left of one stands before the next, and a length that cannot be one costs what
    has come, not the line (failure-catalogue 74)."""

    def __init__(self, fmt: FrameFormat, kept: bytes) -> None:
        super().__init__(fmt)
        self._fmt = fmt
        self._frames.feed(kept)

    def feed(self, data: bytes) -> list[bytes]:
        """See Reader. Never raises."""
        try:
            payloads = self._frames.feed(data)
        except FrameError:
            payloads = []
        if self._frames.error is not None:
            self._frames = FrameReader(self._fmt)
        return payloads

    @property
    def kept(self) -> bytes:
        """The frame that is not whole yet, or is none."""
        return self._frames.unfinished


def reader(fmt: FrameFormat, firmware: Firmware, kept: bytes = b"") -> Reader:
    """The reader of a new connection. kept: of the one before it, since the power is on."""
    if firmware.one_read_framing:
        return OneRead(fmt)
    match firmware.unfinished:
        case Rest.PARSED:
            return OldBytes(fmt, kept)
        case Rest.KEPT:
            return OneStream(fmt, kept)
        case Rest.DROPPED:
            return Whole(fmt)
