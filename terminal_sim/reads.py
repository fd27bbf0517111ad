"""How a line makes payloads of what it reads: by the length header, or (one-read-framing) one of each read.

Whatever line a terminal has asks here, the TCP one and those of the lab.
"""

from __future__ import annotations

from typing import Protocol

from specs.framing import LENGTH_BYTES, FrameFormat, FrameReader
from terminal_sim.firmware import Firmware


class Reader(Protocol):
    """Bytes of one connection in, payloads out."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take what one read has brought; the payloads that are complete now. Raises: FrameError."""


class OneRead:
    """Each read is a message: its length header is skipped and not looked at (failure-catalogue 72)."""

    def __init__(self, fmt: FrameFormat) -> None:
        self._skipped = LENGTH_BYTES[fmt.length]

    def feed(self, data: bytes) -> list[bytes]:
        """See Reader. b"" for a read that ends with its header."""
        return [data[self._skipped :]]


def reader(fmt: FrameFormat, firmware: Firmware) -> Reader:
    """The reader of a new connection."""
    return OneRead(fmt) if firmware.one_read_framing else FrameReader(fmt)
