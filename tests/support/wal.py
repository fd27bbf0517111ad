"""A second opinion on SQLite's write-ahead log, by its file format alone (sqlite.org/fileformat2.html, section 4).

    log = Wal(wal_bytes)
    log.commits            # where each transaction ends, in bytes of the log
    Image(db_bytes, log)   # what a database is once so many of them are in it

Nothing here asks SQLite what it thinks.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

HEAD, FRAME_HEAD = 32, 24
MAGIC = {0x377F0682: "<", 0x377F0683: ">"}


def checksum(data: bytes, order: str, before: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Over a multiple of eight bytes, going on from `before`."""
    a, b = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for x, y in zip(words[::2], words[1::2], strict=True):
        a = (a + x + b) & 0xFFFFFFFF
        b = (b + y + a) & 0xFFFFFFFF
    return a, b


@dataclass(frozen=True)
class Frame:
    """One page in the log. end: the byte behind it; size: pages of the database after a commit, 0 = no commit."""

    page: int
    size: int
    start: int
    end: int
    before: tuple[int, int]


@dataclass
class Wal:
    """The frames that count: of this log's salt, each with the right running checksum, up to the last commit."""

    data: bytes
    page_size: int = 0
    salt: bytes = b""
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.data) < HEAD:
            return
        magic, _version, self.page_size, _number, _s1, _s2, a, b = struct.unpack(">8I", self.data[:HEAD])
        if magic not in MAGIC or checksum(self.data[: HEAD - 8], MAGIC[magic]) != (a, b):
            return
        self.salt = self.data[16:24]
        running, at = (a, b), HEAD
        while at + FRAME_HEAD + self.page_size <= len(self.data):
            after = self.follows(at, running, self.data)
            if after is None:
                break
            page, size = struct.unpack(">2I", self.data[at : at + 8])
            self.frames.append(Frame(page, size, at, at + FRAME_HEAD + self.page_size, running))
            running, at = after, self.frames[-1].end

    def follows(self, at: int, running: tuple[int, int], data: bytes) -> tuple[int, int] | None:
        """The running checksum behind the frame at a place, None when it is none of this log."""
        head, page = data[at : at + FRAME_HEAD], data[at + FRAME_HEAD : at + FRAME_HEAD + self.page_size]
        if head[8:16] != self.salt:
            return None
        order = MAGIC[struct.unpack(">I", self.data[:4])[0]]
        found = checksum(page, order, checksum(head[:8], order, running))
        return found if struct.pack(">2I", *found) == head[16:24] else None

    @property
    def commits(self) -> list[int]:
        """The byte behind each transaction's last frame."""
        return [frame.end for frame in self.frames if frame.size]

    def kept(self, good: int) -> int:
        """Of a copy that is good up to this byte: where its last whole transaction ends, 0 = none is whole."""
        return max((end for end in self.commits if end <= good), default=0)

    def good_after(self, spoilt: bytes, start: int, end: int) -> int:
        """Up to where a copy is good that differs between two bytes: to the first frame there that does not check."""
        if start < HEAD and spoilt[:HEAD] != self.data[:HEAD]:
            return 0
        for frame in self.frames:
            touched = frame.start < end and start < frame.end
            if touched and self.follows(frame.start, frame.before, spoilt) is None:
                return frame.start
        return len(self.data)


@dataclass
class Image:
    """A database file with the transactions of a log in it, up to a byte; only ever further."""

    data: bytearray
    log: Wal
    _next: int = 0

    def up_to(self, end: int) -> bytes:
        """The whole file once everything before this byte, the end of a transaction or 0, is in it."""
        size = 0
        while self._next < len(self.log.frames) and self.log.frames[self._next].end <= end:
            frame = self.log.frames[self._next]
            self._next += 1
            place = (frame.page - 1) * self.log.page_size
            if len(self.data) < place:
                self.data.extend(bytes(place - len(self.data)))
            self.data[place : place + self.log.page_size] = self.log.data[frame.start + FRAME_HEAD : frame.end]
            size = frame.size or size
        if size:
            del self.data[size * self.log.page_size :]
        plain = bytearray(self.data)
        plain[18:20] = b"\x01\x01"  # no write-ahead log of its own: it can be read as it stands
        return bytes(plain)


def backfilled(shared: bytes) -> int:
    """Frames that a checkpoint has moved, or begun to move, into the database: they are on disk in the log for good.

    shared: the -shm file, walformat.html 2.1: two copies of the index header (48 bytes each), then WalCkptInfo."""
    if len(shared) < 136:
        return 0
    return max(int.from_bytes(shared[at : at + 4], sys.byteorder) for at in (96, 128))


def spread(chance_of: Sequence[int]) -> str:
    """Smallest, middle and largest, for a report."""
    ordered = sorted(chance_of)
    return f"{ordered[0]:,} / {ordered[len(ordered) // 2]:,} / {ordered[-1]:,}" if ordered else "none"
