"""`acquirer-host messages export`: the message log of a running host or of a store, for other programs.

jsonl   the API's shape, one message a line, with all that the log has of it
hex     one line a message: direction, time, TID, MTI, the frame in hex with its length header
pcap    pcapng as `serve --capture` writes it, the TCP made up around the frames

The log keeps elements and not bytes, so frames are made again: of `raw` where the elements cannot give the bytes back,
else of `fields` under their dialect. What is masked there is masked here: stars are zeros where only digits or bits may
stand. TPDU and message header are the usual ones, an answer's addresses swapped.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from host import pcapng
from host.api.control import program_version
from host.commands.reading import PAGES_MAX, Shape, Source
from host.desk import LIMIT_MAX, Desk
from host.errors import ConfigError
from host.masked_bytes import STAN_DE, bytes_of, rebuilt
from specs.dialect import Dialect, builtin, load
from specs.endpoint import DEFAULT_PORTS, parse
from specs.errors import EncodeError
from specs.families.common import DEFAULT_HEADER, DEFAULT_TPDU
from specs.framing import frame, swap_tpdu

FORMS = ("jsonl", "pcap", "hex")
NEVER_LEFT = frozenset({"dropped", "reset", "stalled", "no-connection"})
"""Fates of answers that were not on the line: they are in the log, and not in a pcapng."""
COMMENT = (
    "Made from the message log by `acquirer-host messages export --pcap`, not taken off the line. Terminals and times "
    "are real; the frames are made again from the logged elements, what is masked there is 0 (text: *), TPDU and "
    "message header are the usual ones; IP and TCP headers and the host's address are made up."
)
MISREAD_MAX = 1_000
"""Misread requests that are remembered for their answers, which come soon."""
HOST_ADDRESS = "127.0.0.1"
Dialects = Mapping[str, Dialect]


@dataclass(slots=True)
class Left:
    """What could not be told, for the last line on stderr."""

    unknown: set[str] = field(default_factory=set)
    no_bytes: int = 0
    never_left: int = 0

    def words(self) -> list[str]:
        """One sentence each."""
        said = []
        for name in sorted(self.unknown):
            said.append(f"dialect {name} is not known here: name its file or listener URL with --dialect")
        if self.no_bytes:
            said.append(f"{self.no_bytes} messages cannot be made again and were left out")
        if self.never_left:
            said.append(
                f"{self.never_left} answers that never were on the line were left out (their fate is in --jsonl)"
            )
        return said


def dialects(named: Iterable[str]) -> dict[str, Dialect]:
    """Name in the log -> dialect. named: TOML files, or listener URLs whose options matter. Raises SpecError."""
    found = {name: load(name) for name in builtin()}
    for text in named:
        dialect = parse(text).dialect if "://" in text else load(text)
        found[dialect.name] = dialect
    return found


def rows(source: Source, filters: Mapping[str, object], after: str, limit: int | None) -> Iterator[Shape]:
    """Messages of the log, oldest first, page by page; limit None = all."""
    left = limit
    for _ in range(PAGES_MAX):
        size = LIMIT_MAX if left is None else min(left, LIMIT_MAX)
        if not size:
            return
        asked = dict(filters) | {"limit": size} | ({"after": after} if after else {})

        def local(desk: Desk, after: str = after, size: int = size) -> Shape:
            return desk.messages(dict(filters), after, size)

        page = source.get("/messages", local, asked)
        yield from page["items"]
        left = None if left is None else left - len(page["items"])
        after = str(page["next"] or "")
        if not after:
            return
    raise ConfigError(f"more than {PAGES_MAX * LIMIT_MAX} messages: go on with --after {after}")


def export(form: str, found: Iterable[Shape], known: Dialects, out: BinaryIO) -> Left:
    """Write the messages in one of FORMS; what could not be told."""
    left = Left()
    if form == "jsonl":
        for row in found:
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    elif form == "hex":
        for row, data in _frames(found, known, left):
            head = f"{row['direction']:<3} {row['at']} {row['tid'] or '-'} {row['mti'] or '-'}"
            out.write(f"{head} {data.hex().upper()}\n".encode())
    else:
        for block in _pcap(found, known, left):
            out.write(block)
    return left


def _frames(found: Iterable[Shape], known: Dialects, left: Left) -> Iterator[tuple[Shape, bytes]]:
    misread: OrderedDict[str, Shape] = OrderedDict()
    for row in found:
        if row.get("raw"):
            misread[row["id"]] = row
            if len(misread) > MISREAD_MAX:
                misread.popitem(last=False)
        elif row["reply_to"] in misread:
            row = row | {"fields": _without_echo(row["fields"], misread[row["reply_to"]]["fields"])}
        dialect = known.get(row["dialect"])
        if dialect is None:
            left.unknown.add(row["dialect"])
            left.no_bytes += 1
            continue
        try:
            yield row, _frame(row, dialect)
        except (EncodeError, ValueError):
            left.no_bytes += 1


def _without_echo(fields: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, str]:
    """An answer to a misread request shows nothing of it again but the STAN: a card number may lie across elements."""
    stan = str(STAN_DE)
    return {de: "*" * len(v) if asked.get(de) == v and de != stan else v for de, v in fields.items()}


def _frame(row: Shape, dialect: Dialect) -> bytes:
    """The frame of one row. Raises EncodeError when neither its bytes nor its elements can give it."""
    if row.get("raw"):
        # What was no message at all is kept from its first byte on, whatever that was.
        data = bytes_of(row["raw"])
        return frame(data, dialect.frame) if row["mti"] else data
    if not row["mti"]:
        raise EncodeError(0, "nothing is kept of it")
    tpdu = DEFAULT_TPDU if row["direction"] == "in" else swap_tpdu(DEFAULT_TPDU)
    fields = {int(de): str(value) for de, value in row["fields"].items()}
    return frame(rebuilt(fields, row["mti"], dialect, tpdu=tpdu, header=DEFAULT_HEADER), dialect.frame)


def _pcap(found: Iterable[Shape], known: Dialects, left: Left) -> Iterator[bytes]:
    """One section; each terminal's address is one stream, opened at its first message."""
    yield pcapng.section(COMMENT, f"acquirer-host {program_version()}")
    streams: dict[tuple[str, str], pcapng.Stream] = {}
    interfaces: dict[str, int] = {}
    at_ns = 0
    for row, data in _frames(found, known, left):
        if row["fate"] in NEVER_LEFT:
            left.never_left += 1
            continue
        name = row["dialect"]
        if name not in interfaces:
            interfaces[name] = len(interfaces)
            yield pcapng.interface(f"{name} (log)")
        at_ns = int(datetime.fromisoformat(row["at"]).timestamp() * 1_000) * 1_000_000
        packets: list[tuple[bytes, int]] = []
        key = (name, row["peer"])
        if key not in streams:
            local = (HOST_ADDRESS, DEFAULT_PORTS.get(known[name].family, 8583))
            streams[key] = pcapng.Stream(_address(row["peer"]), local, len(streams) + 1)
            packets += streams[key].open()
        packets += streams[key].data(pcapng.INBOUND if row["direction"] == "in" else pcapng.OUTBOUND, data)
        comment = " ".join(filter(None, (row["id"], row["fate"])))
        for packet, direction in packets:
            yield pcapng.packet(interfaces[name], at_ns, packet, flags=direction, comment=comment)
    for (name, _), stream in streams.items():
        for packet, direction in stream.close("fin"):
            yield pcapng.packet(interfaces[name], at_ns, packet, flags=direction)


def write_to(path: Path | None, stdout: BinaryIO) -> AbstractContextManager[BinaryIO]:
    """Where the export goes: a file that is there whole or not at all, else standard output."""
    return nullcontext(stdout) if path is None else _whole_file(path)


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as out:
            yield out
        temporary.replace(path)
    except OSError as error:
        raise ConfigError(f"--output {path}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _address(peer: str) -> pcapng.Address:
    host, _, port = peer.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0
