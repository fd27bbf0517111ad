"""A host without sockets and a till that sends it whatever a test says, frame by frame, for both dialects.

    host = WireHost("cup")                       # service, runner and store are the real ones; the clock is not
    host.sign_on()
    answer = host.ask(host.sale(101, 10_000))    # the decoded answer, or None for silence
    host.ask(host.reversal(101, 10_000))
    host.ask(host.settle(102, "000000010000001" …))

Messages are made of data elements as cup.md and nac.md have them, not by the writers of specs.families, so that what
a test expects comes from the documents. DE 64 is made with the key that the last 0810 brought, unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from host.checker import report
from host.checker.books import HostBooks
from host.clock import Clock
from host.engine.context import Settings
from host.faults import FaultTable
from host.issuer.cards import index_test_cards
from host.issuer.link import FaultKind, ImmediateLink, LinkFault
from host.rows import Alarm, Batch, MessageRow, Posting, Txn
from host.runner import Runner
from host.server import Connection
from host.service import Service
from host.store.store import open_store
from specs import security
from specs.codec import decode_payload, encode, encode_payload, mab
from specs.endpoint import parse
from specs.framing import FrameReader
from specs.message import Message
from specs.profile import profile_of

R = TypeVar("R")

START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=UTC)
TID, MID = "12345678", "123456789012345"
TMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
"""security.md, worked example: the documented test key."""
PAN = "6223164991230014"
FOREIGN_PAN = "4111111111111111"


class _Line:
    """What the service knows of a connection; `heard` collects what was sent on it."""

    peer = "192.0.2.1:1024"
    latest = b""

    def __init__(self, url: str) -> None:
        self.endpoint = parse(url)
        self.heard: list[bytes] = []
        self.closed = False

    def send(self, frame: bytes) -> bool:
        self.heard += FrameReader(self.endpoint.dialect.frame).feed(frame)
        return not self.closed

    def close(self) -> None:
        self.closed = True

    reset = close

    def request_ended(self) -> None:
        """Nothing waits on this line."""


class _Loop:
    def call_soon_threadsafe(self, act: Callable[[], None]) -> None:
        act()


class WireHost:
    """See the module. line: the connection of the last message. key: the MAK, b"" before the first 0810."""

    def __init__(self, dialect: str, *, magic: bool = False, **settings: Any) -> None:
        self.url = f"{dialect}://127.0.0.1:1"
        self.dialect = parse(self.url).dialect
        self.nac = self.dialect.family == "nac"
        self.clock = Clock(UTC, START, running=False)
        self.store = open_store("sqlite://", seed=7, created_at=START.isoformat())
        self.issuer_faults: list[LinkFault] = []
        self.settings = Settings(magic=magic, **settings)
        self.key = self.pik = b""
        self.line = _Line(self.url)
        self.start()

    def start(self) -> None:
        """The process starts, over the books as they are."""
        self.service = Service(FaultTable(), self.store.pan_hash_key)
        link = ImmediateLink(self.store, index_test_cards(self.store.pan_hash_key), self.issuer_faults)
        profiles = {self.dialect.name: profile_of(self.dialect.name, self.dialect.profile)}
        self.runner = Runner(
            self.store, self.clock, self.settings, link, before_commit=self.service.rows, profiles=profiles
        )
        self.service.start(self.runner, cast(Any, _Loop()))
        self.runner.run_until_quiet()

    # ---- the line

    def ask(self, message: Message, *, mac: bytes | None = None) -> Message | None:
        """Send it on a line of its own; the first answer that came by the time nothing moves."""
        self.line = self.send(message, mac=mac)
        self.runner.run_until_quiet()
        return self.heard(self.line)

    def code(self, message: Message, *, mac: bytes | None = None) -> str:
        """DE 39 of the answer; «silence» without one, «none» when it has none."""
        answer = self.ask(message, mac=mac)
        return "silence" if answer is None else answer.get(39) or "none"

    def send(self, message: Message, *, mac: bytes | None = None) -> _Line:
        """Hand it to the host and do not wait. mac: these eight bytes; b"" sends none; None makes the right one."""
        return self.send_raw(encode_payload(self.with_mac(message, mac), self.dialect))

    def new_line(self) -> _Line:
        return _Line(self.url)

    def send_raw(self, payload: bytes) -> _Line:
        line = self.new_line()
        self.service.received(cast(Connection, line), payload)
        return line

    def heard(self, line: _Line) -> Message | None:
        return decode_payload(line.heard[0], self.dialect) if line.heard else None

    def with_mac(self, message: Message, mac: bytes | None = None) -> Message:
        if self.nac or message.mti[:3] not in ("010", "020", "022", "040", "042", "062") or mac == b"":
            return message
        if mac is None:
            mac = self.mac_of(message)
        return message.with_fields({64: mac.hex().upper()})

    def mac_of(self, message: Message) -> bytes:
        """security.md 3, under the key that the till has."""
        blank = message.with_fields({64: "0" * 16})
        covered = mab(encode(blank, self.dialect), blank, self.dialect)
        return security.mac_ecb(self.key or b"\x01" * 8, covered)

    def later(self, seconds: float) -> None:
        """Time passes for the host, in steps no longer than a sweep would see."""
        self.clock.advance(seconds)
        self.runner.tick()
        self.runner.run_until_quiet()

    def issuer(self, kind: str, on: str = "any", times: int = -1, seconds: float = 0.0) -> None:
        """From now on the issuer's link fails so; `issuer_faults.clear()` ends it."""
        self.issuer_faults.append(LinkFault(FaultKind(kind), on, times, seconds))

    # ---- messages

    def message(self, mti: str, fields: dict[int, str | None]) -> Message:
        header = "" if self.nac else "603100310000"
        base = {41: TID, 42: MID}
        if self.nac:
            base[24] = "003"
        made: dict[int, str | None] = {**base, **fields}
        kept = {de: value for de, value in made.items() if value is not None}
        return Message(mti, kept, tpdu="6000030000", header=header)

    def sign_on(self, stan: int = 1, batch: str = "000001", layout: str = "003", **other: str) -> Message:
        """0800, and its keys put to use; the answer."""
        fields: dict[int, str | None] = {11: six(stan), 60: f"00{batch}{layout}", 63: "01 "}
        answer = self.ask(self.message("0800", fields | dict(_numbered(other))))
        assert answer is not None
        if 62 in answer:
            keys = security.unwrap_keys(TMK, bytes.fromhex(answer[62]))
            self.key, self.pik = keys.mak, keys.pik
        return answer

    def sale(self, stan: int, amount: int, *, batch: str = "000001", pan: str = PAN, **other: str | None) -> Message:
        """A swiped sale (track 2). Other data elements as de4="…"; None leaves one out."""
        fields: dict[int, str | None] = {3: "000000", 4: twelve(amount), 11: six(stan), 22: "022", 25: "00"}
        fields |= {35: f"{pan}D30122010000012345678"[:37]}
        if self.nac:
            fields |= {62: six(stan)}
        else:
            fields |= {49: "156", 53: "0600000000000000", 60: f"22{batch}00050"}
        return self.message("0200", fields | dict(_numbered(other)))

    def balance(self, stan: int, *, batch: str = "000001", pan: str = PAN, **other: str | None) -> Message:
        made = self.sale(stan, 0, batch=batch, pan=pan, de4=None, de3="310000", de60=f"01{batch}00050")
        return made.with_fields(dict(_numbered(other)))

    def void(
        self,
        stan: int,
        amount: int,
        *,
        of: int,
        rrn: str | None = None,
        batch: str = "000001",
        of_batch: str | None = None,
        **other: str | None,
    ) -> Message:
        """CUP: DE 61 batch + STAN; NAC: DE 37, DE 62 of the sale, DE 60 its amount."""
        fields: dict[int, str | None] = {2: PAN, 4: twelve(amount), 11: six(stan), 14: "3012", 22: "012", 25: "00"}
        fields |= {37: rrn}
        if self.nac:
            fields |= {3: "020000", 60: twelve(amount) if amount else None, 62: six(of)}
        else:
            fields |= {3: "200000", 49: "156", 60: f"23{batch}00050", 61: (of_batch or batch) + six(of)}
        return self.message("0200", fields | dict(_numbered(other)))

    def reversal(
        self, stan: int, amount: int, *, batch: str = "000001", void: bool = False, pan: str = PAN, **other: str | None
    ) -> Message:
        """0400 of a sale, or of a void; the card number stands in for the track."""
        fields: dict[int, str | None] = {2: pan, 4: twelve(amount), 11: six(stan), 14: "3012", 22: "022", 25: "00"}
        if self.nac:
            fields |= {3: "020000" if void else "000000", 62: six(stan)}
        else:
            kind = "23" if void else "22"
            fields |= {3: "200000" if void else "000000", 39: "98", 49: "156", 60: f"{kind}{batch}00050"}
        return self.message("0400", fields | dict(_numbered(other)))

    def settle(
        self, stan: int, *sums: tuple[int, int], batch: str = "000001", final: bool = False, **other: str | None
    ) -> Message:
        """0500. sums: (count, amount); CUP up to four: domestic debit and credit, foreign; NAC two: sales, refunds."""
        if self.nac:
            groups = [*sums, *[(0, 0)] * 6][:6]
            text = "".join(f"{count:03d}{amount:012d}" for count, amount in groups)
            fields: dict[int, str | None] = {3: "960000" if final else "920000", 11: six(stan), 60: batch, 63: text}
            return self.message("0500", fields | dict(_numbered(other)))
        four = [*sums, *[(0, 0)] * 4][:4]
        digits = [f"{amount:012d}{count:03d}" for count, amount in four]
        fields = {11: six(stan), 48: f"{digits[0]}{digits[1]}0{digits[2]}{digits[3]}0", 49: "156"}
        fields |= {60: f"00{batch}201", 63: "01 "}
        return self.message("0500", fields | dict(_numbered(other)))

    def upload(
        self, stan: int, *items: tuple[int, int], batch: str = "000001", pan: str = PAN, foreign: bool = False
    ) -> Message:
        """CUP 0320/201 of these (STAN, amount); NAC one 0320 a call."""
        if self.nac:
            ((item, amount),) = items
            fields: dict[int, str | None] = {2: pan, 3: "000001", 4: twelve(amount), 11: six(stan), 12: "090000"}
            fields |= {13: "0302", 14: "3012", 22: "022", 25: "00", 37: " " * 12, 60: f"0200{six(item)}" + " " * 12}
            return self.message("0320", fields | {62: six(item)})
        kind = "01" if foreign else "00"
        text = f"{len(items):02d}" + "".join(f"{kind}{six(s)}{pan:0>20}{twelve(a)}" for s, a in items)
        return self.message("0320", {11: six(stan), 48: text, 60: f"00{batch}201"})

    def end(self, stan: int, count: int, *, batch: str = "000001", function: str = "202") -> Message:
        return self.message("0320", {11: six(stan), 48: f"{count:04d}", 60: f"00{batch}{function}"})

    def manage(self, stan: int | None, function: str, *, batch: str = "000001") -> Message:
        """0820: sign-off 002, echo 301; NAC test 0800/990000."""
        if self.nac:
            return self.message("0800", {3: "990000", 11: six(stan or 0)})
        return self.message("0820", {11: six(stan) if stan else None, 60: f"00{batch}{function}"})

    # ---- the books

    def rows(self, table: type[R], **where: object) -> list[R]:
        return self.store.reader().select(table, where)

    def txn(self, stan: int) -> Txn:
        """The newest row under a STAN."""
        return self.rows(Txn, stan=six(stan))[-1]

    def batches(self) -> list[tuple[str, str]]:
        """(number, state) of all batches, oldest first."""
        return [(b.number, b.state.value) for b in self.rows(Batch)]

    def alarms(self) -> list[str]:
        return [a.code for a in self.rows(Alarm)]

    def notes(self) -> str:
        """The notes of the last message that came in."""
        return [m for m in self.rows(MessageRow) if m.direction == "in"][-1].notes

    def payable(self) -> int:
        """What the acquirer owes merchants; what cardholders owe the issuer must be the same once all is acked."""
        return -sum(p.amount for p in self.rows(Posting) if p.book == "acquirer" and p.account.startswith("merchant-"))

    def charged(self) -> int:
        """What cardholders owe the issuer."""
        return sum(p.amount for p in self.rows(Posting) if p.book == "issuer" and p.account.startswith("cardholder:"))

    def check(self) -> HostBooks:
        """A1-A10 over the books as they stand; no event may have failed."""
        books = self.store.reader().load_books()
        found = report.check(books, {})
        assert not found, report.render(found)
        assert self.runner.counters.decisions_failed == 0, "an event could not be decided: see the log"
        return books


def six(number: int) -> str:
    return f"{number:06d}"


def twelve(amount: int) -> str:
    return f"{amount:012d}"


def _numbered(other: dict[str, str | None] | dict[str, str]) -> list[tuple[int, str | None]]:
    """de4="…" -> (4, "…")."""
    return [(int(name.removeprefix("de")), value) for name, value in other.items()]
