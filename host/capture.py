"""`serve --capture FILE.pcapng`: what went over the lines, for Wireshark.

The tap is called in the loop's thread and only hands over; a thread of its own cuts the streams into frames, blanks
card data (host.masked_bytes), wraps them in TCP (host.pcapng) and writes each piece at once. Whatever goes wrong with
the file ends the capture, never the host: at its largest size, on a full disk, or when it cannot keep up it stops, says
so in the log and in /metrics, and keeps what is written.
"""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from queue import Full, Queue
from threading import Thread

import structlog

from host import pcapng
from host.clock import Clock
from host.errors import ConfigError
from host.masked_bytes import STAN_DE, Masked, broken_payload, masked_payload
from host.pcapng import INBOUND, OUTBOUND, Address
from specs.dialect import Dialect
from specs.errors import FrameError
from specs.framing import LENGTH_BYTES, read_length

log = structlog.get_logger("host.capture")

MEGABYTE = 1_000_000
SIZE_MB = 256
"""Largest file unless `--capture-mb` says otherwise: some 500,000 messages."""
EVENTS_MAX = 100_000
WAITING_BYTES_MAX = 64 * MEGABYTE
"""What may wait for the disk before the capture gives up; some ten seconds of a busy host."""
BROKEN_BYTES_MAX = 65_536
"""Of a stream that cannot be cut into frames, what is kept together: a card number may come in pieces."""
ASKED_MAX = 8
"""Requests of a line that are remembered for what their answers repeat."""
_END_S = 10.0

MADE_UP = (
    "Addresses, ports and messages are real, times are those of the host's clock; IP and TCP headers are made around "
    "each frame. Lines with TLS stand here in plain text."
)
MASKED = (
    "Card data is blanked in place: digits and bits are 0, text is *. Of what could not be decoded, nine or more "
    "digits in a row keep the first six."
)
CLEAR = "CARD NUMBERS, TRACKS AND PIN BLOCKS STAND HERE IN CLEAR (--capture-clear): test cards only."


@dataclass(slots=True)
class Counters:
    """For /metrics. Written by the capture's own thread."""

    capture_packets: int = 0
    capture_bytes: int = 0


@dataclass(slots=True)
class _Half:
    """One direction: the bytes that are no whole frame yet."""

    buffer: bytearray = field(default_factory=bytearray)
    broken: bool = False


@dataclass(slots=True)
class _Line:
    stream: pcapng.Stream
    interface: int
    dialect: Dialect | None
    asked: OrderedDict[str, Masked] = field(default_factory=OrderedDict)
    halves: Mapping[int, _Half] = field(default_factory=lambda: {INBOUND: _Half(), OUTBOUND: _Half()})


_Event = tuple[Callable[..., Iterable[bytes]], int, tuple[object, ...]]


def now_of(clock: Clock) -> Callable[[], int]:
    """The host's time in nanoseconds since 1970, to the microsecond."""
    return lambda: int(clock.now().timestamp() * 1_000_000) * 1_000


class Capture:
    """A `Tap` (host.server). `start`, then `listening` for each listener, at the end `close`.

    path: a new file, or one of ours, to which a section is added. bytes_max: of the whole file.
    """

    def __init__(
        self,
        path: Path,
        *,
        now_ns: Callable[[], int],
        program: str,
        clear: bool = False,
        bytes_max: int = SIZE_MB * MEGABYTE,
    ) -> None:
        self.path = path
        self.counters = Counters()
        self.stopped = ""
        self._now_ns = now_ns
        self._program = program
        self._clear = clear
        self._bytes_max = bytes_max
        self._dialects: dict[int, Dialect] = {}
        self._events: Queue[_Event | None] = Queue(EVENTS_MAX)
        self._bytes_in = self._bytes_done = 0
        self._lines: dict[int, _Line] = {}
        self._interfaces: dict[str, int] = {}
        self._size = 0
        self._file: FileIO | None = None
        self._thread = Thread(target=self._run, name="capture", daemon=True)

    def start(self) -> None:
        """Open the file and begin. Raises ConfigError for a file that cannot be added to."""
        try:
            self._file = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
            self._size = self._room()
            comment = f"{CLEAR if self._clear else MASKED} {MADE_UP}"
            self._write([pcapng.section(comment, self._program)])
        except OSError as error:
            raise ConfigError(f"--capture {self.path}: {error.strerror or error}") from error
        self._thread.start()

    def _room(self) -> int:
        """Where to go on: what a crash has torn at the end goes."""
        assert self._file is not None
        if self._file.seek(0, os.SEEK_END) == 0:
            return 0
        self._file.seek(0)
        size = pcapng.whole_blocks(self._file)
        if size < 0:
            raise ConfigError(f"--capture {self.path}: this is no pcapng file of ours; name another")
        if size >= self._bytes_max:
            raise ConfigError(f"--capture {self.path}: it has {size} bytes already; name another, or a larger size")
        self._file.truncate(size)
        self._file.seek(size)
        return size

    def listening(self, port: int, dialect: Dialect) -> None:
        """What is spoken at this port; what comes from any other is kept by the digit rule."""
        self._dialects[port] = dialect

    # ---- the tap: the loop's thread

    def opened(self, serial: int, local: Address, peer: Address) -> None:
        """A terminal has dialled in."""
        self._hand_over(self._opened, 0, serial, local, peer)

    def received(self, serial: int, data: bytes) -> None:
        """Bytes of the terminal."""
        self._hand_over(self._data, len(data), serial, INBOUND, data)

    def sent(self, serial: int, data: bytes) -> None:
        """Bytes to the terminal."""
        self._hand_over(self._data, len(data), serial, OUTBOUND, data)

    def closed(self, serial: int, how: str) -> None:
        """The line has ended: "fin" or "rst"."""
        self._hand_over(self._closed, 0, serial, how)

    def close(self) -> None:
        """Write what is left; waits a while for the disk."""
        if self._file is None:
            return
        try:
            self._events.put(None, timeout=_END_S)
        except Full:
            self._stop("it could not keep up")
        self._thread.join(_END_S)

    def _hand_over(self, handle: Callable[..., Iterable[bytes]], size: int, *what: object) -> None:
        if self.stopped:
            return
        if self._bytes_in - self._bytes_done > WAITING_BYTES_MAX:
            self._stop("it could not keep up")
            return
        try:
            self._events.put_nowait((handle, self._now_ns(), what))
            self._bytes_in += size
        except Full:
            self._stop("it could not keep up")

    # ---- the thread of its own

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            if self.stopped:
                continue  # the queue is emptied, so that nobody who hands over ever waits
            handle, at_ns, what = event
            try:
                self._write(handle(at_ns, *what))
            except OSError as error:
                self._stop(error.strerror or str(error))
            except Exception as error:
                # Our own mistake must not take the host with it; the words hold no byte of a message.
                self._stop(f"{type(error).__name__} in the capture")
            self._bytes_done += len(what[-1]) if isinstance(what[-1], bytes) else 0
        assert self._file is not None
        self._file.close()

    def _write(self, blocks: Iterable[bytes]) -> None:
        """Whole blocks or none: what does not fit any more ends the capture."""
        assert self._file is not None
        data = b"".join(blocks)
        if self._size + len(data) > self._bytes_max:
            self._stop(f"the file has reached {self._bytes_max // MEGABYTE} MB")
            return
        try:
            written = self._file.write(data)
            if written != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._file.truncate(self._size)
            raise
        self._size += len(data)
        self.counters.capture_bytes += len(data)

    def _stop(self, why: str) -> None:
        if not self.stopped:
            self.stopped = why
            log.warning("the capture has stopped, the host goes on", file=str(self.path), why=why)

    def _opened(self, at_ns: int, serial: int, local: Address, peer: Address) -> Iterator[bytes]:
        dialect = self._dialects.get(local[1])
        name = f"{dialect.name if dialect else 'unknown'} {local[0]}:{local[1]}"
        if name not in self._interfaces:
            self._interfaces[name] = len(self._interfaces)
            yield pcapng.interface(name)
        line = _Line(pcapng.Stream(peer, local, serial), self._interfaces[name], dialect)
        self._lines[serial] = line
        yield from self._packets(line, at_ns, line.stream.open())

    def _data(self, at_ns: int, serial: int, direction: int, data: bytes) -> Iterator[bytes]:
        line = self._lines.get(serial)
        if line is None:
            return
        half = line.halves[direction]
        half.buffer += data
        for frame in _cut(half, line.dialect):
            shown, comment = self._shown(line, direction, frame)
            yield from self._packets(line, at_ns, line.stream.data(direction, shown), comment)
        if half.broken and len(half.buffer) > BROKEN_BYTES_MAX:
            yield from self._rest(line, direction, at_ns)

    def _closed(self, at_ns: int, serial: int, how: str) -> Iterator[bytes]:
        line = self._lines.pop(serial, None)
        if line is None:
            return
        for direction in (INBOUND, OUTBOUND):
            yield from self._rest(line, direction, at_ns)
        yield from self._packets(line, at_ns, line.stream.close(how))

    def _rest(self, line: _Line, direction: int, at_ns: int) -> Iterator[bytes]:
        """What never became a frame."""
        half = line.halves[direction]
        if not half.buffer:
            return
        head = 0 if half.broken or line.dialect is None else LENGTH_BYTES[line.dialect.frame.length]
        data = bytes(half.buffer)
        half.buffer.clear()
        if not self._clear:
            data = data[:head] + broken_payload(data[head:], line.dialect)
        yield from self._packets(line, at_ns, line.stream.data(direction, data), "not a whole frame")

    def _shown(self, line: _Line, direction: int, frame: bytes) -> tuple[bytes, str]:
        """A whole frame as the file may have it, and what is to be said of it."""
        assert line.dialect is not None
        head = LENGTH_BYTES[line.dialect.frame.length]
        if self._clear or len(frame) == head:
            return frame, ""
        asked = line.asked if direction == OUTBOUND else None
        kept = masked_payload(frame[head:], line.dialect, asked)
        if kept.message is not None and direction == INBOUND:
            line.asked[kept.message.get(STAN_DE) or ""] = kept
            if len(line.asked) > ASKED_MAX:
                line.asked.popitem(last=False)
        return frame[:head] + kept.data, "" if kept.clean else f"not a clean message of {line.dialect.name}"

    def _packets(
        self, line: _Line, at_ns: int, packets: Iterable[tuple[bytes, int]], comment: str = ""
    ) -> Iterator[bytes]:
        for data, direction in packets:
            self.counters.capture_packets += 1
            yield pcapng.packet(line.interface, at_ns, data, flags=direction, comment=comment)


def _cut(half: _Half, dialect: Dialect | None) -> Iterator[bytes]:
    """Whole frames with their length header, as they came; marks the half broken at a length that cannot be."""
    if dialect is None:
        half.broken = True
    if half.broken or dialect is None:
        return
    own = LENGTH_BYTES[dialect.frame.length]
    if not own:
        yield bytes(half.buffer)
        half.buffer.clear()
        return
    while len(half.buffer) >= own:
        try:
            end = own + read_length(bytes(half.buffer[:own]), dialect.frame)
        except FrameError:
            half.broken = True
            return
        if len(half.buffer) < end:
            return
        yield bytes(half.buffer[:end])
        del half.buffer[:end]
