"""Cutting a byte stream into frames and putting the length header before one.

    length 2-4 | TPDU 5 | message header 6 | MTI bitmap fields
               '---------------- payload -----------------'

Source: cup.md section 1, nac.md section 1, iso87.md section 1; largest frame: rules.md section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from specs.errors import EncodeError, FrameError, FrameTooLong

LengthHeader = Literal["bin2", "bcd2", "ascii4", "none"]
#: Bytes of each length header, in the order in which people should be told of them.
LENGTH_BYTES: dict[str, int] = {"bin2": 2, "bcd2": 2, "ascii4": 4, "none": 0}
#: How people and `decode --json` name them.
LENGTH_TITLES: dict[str, str] = {
    "bin2": "2-byte binary",
    "bcd2": "2-byte BCD",
    "ascii4": "4-digit ASCII",
    "none": "none",
}
LARGEST: dict[str, int] = {"bin2": 0xFFFF, "bcd2": 9999, "ascii4": 9999}
"""What a length header of each kind can say at most."""
TPDU_BYTES = 5
HEADER_BYTES = 6
FRAME_BYTES_MAX = 8192


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """How a connection frames messages. inclusive: the length counts itself. Units: header and max_bytes in bytes."""

    length: LengthHeader = "bin2"
    inclusive: bool = False
    tpdu: bool = True
    header: int = 0
    max_bytes: int = FRAME_BYTES_MAX

    def __post_init__(self) -> None:
        assert self.length in LENGTH_BYTES, self.length
        assert self.header in (0, HEADER_BYTES), self.header
        assert self.max_bytes > 0, self.max_bytes

    @property
    def prefix_bytes(self) -> int:
        """Bytes before the MTI in a payload: TPDU and message header."""
        return (TPDU_BYTES if self.tpdu else 0) + self.header


def read_length(raw: bytes, fmt: FrameFormat) -> int:
    """Payload bytes that a length header announces; 0 = keep-alive.

    Raises: FrameError for digits that are none, a length below its own size, or one above `max_bytes`.
    """
    announced = _announced(raw, fmt.length)
    if fmt.inclusive and announced:
        own = LENGTH_BYTES[fmt.length]
        if announced < own:
            raise FrameError(f"the length {announced} counts itself and must be at least {own}")
        announced -= own
    if announced > fmt.max_bytes:
        raise FrameTooLong(f"a frame of {announced} bytes is larger than {fmt.max_bytes}")
    return announced


def _announced(raw: bytes, kind: str) -> int:
    if kind == "bin2":
        return int.from_bytes(raw, "big")
    digits = raw.hex() if kind == "bcd2" else raw.decode("latin-1")
    if not (digits.isascii() and digits.isdigit()):
        raise FrameError(f"a length header of {LENGTH_TITLES[kind]} digits was expected, got bytes {raw.hex().upper()}")
    return int(digits)


class FrameReader:
    """Bytes in, payloads out, however they are split or joined.

    A payload comes without its length header; b"" is a keep-alive (length zero). Without a length header every read is
    one payload. Good frames before a bad one are delivered first: the error is then in `error` and is raised by the
    next feed. After an error the stream cannot be trusted: every later feed raises it again.
    """

    def __init__(self, fmt: FrameFormat) -> None:
        self._fmt = fmt
        self._own = LENGTH_BYTES[fmt.length]
        self._buffer = bytearray()
        self.error: FrameError | None = None

    @property
    def pending(self) -> int:
        """Bytes of an unfinished frame, its length header included."""
        return len(self._buffer)

    @property
    def unfinished(self) -> bytes:
        """The bytes of the unfinished frame, its length header included; for whoever must say why it was given up."""
        return bytes(self._buffer)

    @property
    def announced(self) -> int:
        """How many bytes the unfinished frame will have, its length header included; 0 = not even that is known."""
        own = self._own
        if self.error is not None or not own or len(self._buffer) < own:
            return 0
        return own + read_length(bytes(self._buffer[:own]), self._fmt)

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, return the payloads that are now complete. Raises FrameError (see the class)."""
        if self.error is not None:
            raise self.error
        if self._fmt.length == "none":
            return self._unframed(data)
        self._buffer += data
        payloads: list[bytes] = []
        start = 0
        try:
            while (end := self._frame_end(start)) is not None:
                payloads.append(bytes(self._buffer[start + self._own : end]))
                start = end
        except FrameError as error:
            self.error = error
            if not payloads:
                raise
        del self._buffer[:start]
        return payloads

    def _frame_end(self, start: int) -> int | None:
        """Where the frame that begins at start ends, None while it is incomplete."""
        body, held = start + self._own, len(self._buffer)
        if held < body:
            return None
        end = body + read_length(bytes(self._buffer[start:body]), self._fmt)
        return end if end <= held else None

    def _unframed(self, data: bytes) -> list[bytes]:
        if len(data) > self._fmt.max_bytes:
            self.error = FrameTooLong(f"a message of {len(data)} bytes is larger than {self._fmt.max_bytes}")
            raise self.error
        return [data] if data else []


def frame(payload: bytes, fmt: FrameFormat) -> bytes:
    """The payload behind its length header. Raises EncodeError when it is longer than the frame may be."""
    announced = len(payload) + (LENGTH_BYTES[fmt.length] if fmt.inclusive and payload else 0)
    if len(payload) > fmt.max_bytes or announced > LARGEST.get(fmt.length, announced):
        raise EncodeError(0, f"a frame of {len(payload)} bytes is longer than its length header allows")
    if fmt.length == "none":
        return payload
    if fmt.length == "bin2":
        return announced.to_bytes(2, "big") + payload
    digits = f"{announced:04d}"
    return (bytes.fromhex(digits) if fmt.length == "bcd2" else digits.encode("ascii")) + payload


def swap_tpdu(tpdu: str) -> str:
    """The TPDU of an answer: source and destination change places. "6000030000" -> "6000000003"; "" stays ""."""
    return tpdu[:2] + tpdu[6:10] + tpdu[2:6]
