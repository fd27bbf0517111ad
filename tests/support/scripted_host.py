"""A host peer for terminal tests: small books, answers from a table, misbehaviour on request; no code of `host`.

It speaks through the specs families, so it is no witness for the wire format (the vectors are); it is one for what the
terminal does: every request it got stands in `seen`, what it holds booked in `books`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from specs import codec
from specs.dialect import Dialect
from specs.families import family
from specs.message import Message
from specs.operation import Kind, Operation, Outcome, Unreadable, Verdict
from specs.profile import profile_of
from specs.security import MAC_ALGORITHMS
from specs.testcards import organisation
from specs.totals import BatchItem, Totals
from terminal_sim.errors import LineLost, NotConnected

# security.md section 1, worked example: DE 62 of 40 bytes under the documented TMK, and its clear MAK.
KEY_BLOCK = bytes.fromhex(
    "20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03"
)
MAK = bytes.fromhex("1C2A3B4C5D6E7F80")
AT = "1121093015"


@dataclass
class Booked:
    """One transaction as the host holds it. state: captured | voided | reversed."""

    kind: Kind
    stan: str
    batch: str
    amount: int
    foreign: bool = False
    state: str = "captured"
    original: str = ""


Reply = list[bytes | Exception]
#: Takes the request and the honest reply (payloads), returns what really comes back; an exception ends the line.
Fault = Callable[["ScriptedHost", Message, Reply], Reply]


def drop(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
    """The reply is lost (after the commit)."""
    return []


def hang_up(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
    """The connection ends in place of the reply."""
    return [LineLost("reset by peer")]


def garbage(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
    """Bytes that are no message in place of the reply."""
    return [b"\x60\x00\x00\x00\x03" + b"\xff" * 20]


def code(value: str) -> Fault:
    """The reply with another DE 39 and no MAC; what the host has booked stays."""

    def fault(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        answer = host.decode(reply[0])
        return [host.encode(answer.with_fields({39: value, 64: None}))]

    return fault


def change(changes: dict[int, str | None], *, then_honest: bool = False) -> Fault:
    """The reply with elements changed, behind it the honest one if asked."""

    def fault(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
        changed: Reply = [host.encode(host.decode(reply[0]).with_fields(changes))]
        return changed + reply if then_honest else changed

    return fault


def unheard(host: ScriptedHost, request: Message, reply: Reply) -> Reply:
    """Marker: the request is lost before the host (see ScriptedHost.receive)."""
    return []


@dataclass
class ScriptedHost:
    """The peer. faults: (MTI, nth of that MTI) -> fault. extra: booked items that the terminal knows nothing of."""

    dialect: Dialect
    batch: str = "000001"
    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    extra: list[BatchItem] = field(default_factory=list)
    down: bool = False
    seen: list[Message] = field(default_factory=list)
    books: dict[str, Booked] = field(default_factory=dict)
    tombstones: set[str] = field(default_factory=set)
    staged: list[str] = field(default_factory=list)
    closed: dict[str, tuple[Totals, dict[str, Booked]]] = field(default_factory=dict)
    verdicts: dict[str, Outcome] = field(default_factory=dict)
    refuse_numbers: set[str] = field(default_factory=set)
    queue: deque[bytes | Exception] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.family = family(self.dialect.family)
        self.mac = profile_of(self.dialect.name, self.dialect.profile).mac
        self.counts: dict[str, int] = {}

    # --- the line (terminal_sim.driver.Line)

    def open(self) -> None:
        if self.down:
            raise NotConnected("refused")

    def send(self, payload: bytes, timeout_s: float) -> None:
        self.queue.extend(self.receive(payload))

    def receive(self, payload: bytes | float) -> Reply | bytes | None:  # type: ignore[override]
        raise NotImplementedError

    def close(self) -> None:
        self.queue.clear()
