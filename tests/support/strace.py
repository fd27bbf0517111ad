"""Reading a system-call trace: for each answer on a terminal's line, was the log on disk before it left?

`strace -f -yy -e trace=…` writes one line a call, or two («unfinished …», «resumed») when another thread came between,
so the order of beginnings and ends is the order of lines:

    71 recvfrom(9<TCP:[127.0.0.1:40001->127.0.0.1:55000]>, "…", 262144, 0, NULL, NULL) = 85
    72 fdatasync(7</tmp/x/closeout.db-wal> <unfinished ...>
    71 epoll_wait(…
    72 <... fdatasync resumed>) = 0
    71 sendto(9<TCP:[127.0.0.1:40001->127.0.0.1:55000]>, "…", 67, 0, NULL, 0) = 67
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

RECEIVES = frozenset({"recvfrom", "recvmsg", "read", "readv"})
SENDS = frozenset({"sendto", "sendmsg", "write", "writev"})
SYNCS = frozenset({"fdatasync", "fsync"})
CALLS = tuple(sorted(RECEIVES | SENDS | SYNCS))

_LINE = re.compile(r"^(?P<pid>\d+)\s+(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<fd>\d+)<(?P<what>TCP[^\]]*\]|[^>]*)>")
_RESUMED = re.compile(r"^<\.\.\. (?P<name>\w+) resumed>")
_RESULT = re.compile(r".*= (?P<value>-?\d+)(?: |$)")


@dataclass(frozen=True)
class Call:
    """One call on a file. begun and ended: line numbers. result: what it returned, -1 for an error."""

    name: str
    target: str
    begun: int
    ended: int
    result: int


def calls(lines: Iterable[str]) -> Iterator[Call]:
    """The finished calls of a trace, in the order of their ends."""
    open_calls: dict[str, tuple[str, str, int]] = {}
    for number, text in enumerate(lines):
        line = _LINE.match(text)
        if line is None:
            continue
        pid, rest = line["pid"], line["rest"]
        result = _RESULT.match(rest)
        if found := _CALL.match(rest):
            if rest.rstrip().endswith("<unfinished ...>"):
                open_calls[pid] = (found["name"], found["what"], number)
            elif result:
                yield Call(found["name"], found["what"], number, number, int(result["value"]))
        elif (resumed := _RESUMED.match(rest)) and result and pid in open_calls:
            name, target, begun = open_calls.pop(pid)
            assert name == resumed["name"], text
            yield Call(name, target, begun, number, int(result["value"]))


@dataclass(frozen=True)
class Answer:
    """One send on a terminal's line, and whether a sync of the log ended between the last receipt and it."""

    line: str
    sent_at: int
    durable: bool


def answers(trace: Iterable[Call], port: int, log_suffix: str) -> list[Answer]:
    """Every answer on the lines of a listener's port. log_suffix: how the file's name ends ("-wal")."""
    all_calls = sorted(trace, key=lambda call: call.begun)
    local = re.compile(rf"TCP(?:v6)?:\[[^\]]*:{port}->")
    syncs = [c.ended for c in all_calls if c.name in SYNCS and c.target.endswith(log_suffix) and c.result == 0]
    received: dict[str, int] = {}
    found = []
    for call in all_calls:
        if not local.match(call.target):
            continue
        if call.name in RECEIVES and call.result > 0:
            received[call.target] = call.ended
        elif call.name in SENDS and call.result > 0:
            since = received.get(call.target, -1)
            durable = since >= 0 and any(since < ended < call.begun for ended in syncs)
            found.append(Answer(call.target, call.begun, durable))
    return found
