"""A host peer for terminal tests: small books, answers from a table, misbehaviour on request; no code of `host`.

It speaks through the specs families, so it is no witness for the wire format (the vectors are); it is one for what the
terminal does: every request it got stands in `seen`, what it holds booked in `books`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from specs import codec, downloads
from specs.dialect import Dialect
from specs.families import family
from specs.message import Message
from specs.operation import ADJUSTMENTS, FINANCIAL, VOIDS, Kind, Operation, OriginalRef, Outcome, Unreadable, Verdict
from specs.profile import profile_of
from specs.security import MAC_ALGORITHMS
from specs.testcards import organisation
from specs.totals import BatchItem, Totals
from terminal_sim.errors import LineLost, NotConnected

# security.md section 1, worked example: DE 62 of 40 bytes under the documented TMK, and its clear MAK.
KEY_BLOCK = bytes.fromhex("20B8F49A36BB00C1A7D0F45A040F6A2E80F75CD9D021D1D9B117ECCD0000000000000000D07D8D03")
MAK = bytes.fromhex("1C2A3B4C5D6E7F80")
AT = "1121093015"


@dataclass
class Booked:
    """One transaction as the host holds it. state: captured | voided | reversed. adjusted: another stands in its place.

    of: what a void takes back. day: the settlement date, MMDD.
    """

    kind: Kind
    stan: str
    batch: str
    amount: int
    foreign: bool = False
    state: str = "captured"
    original: str = ""
    adjusted: bool = False
    of: Kind | None = None
    day: str = ""


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


@dataclass
class ScriptedHost:
    """The peer. faults: (MTI, nth of that MTI) -> fault; unheard: requests lost before the host, named the same way.

    extra: items in the host's batch that the terminal knows nothing of. refuse_numbers: batch numbers that are answered
    22 (CUP) or 80 (NAC).
    """

    dialect: Dialect
    batch: str = "000001"
    faults: dict[tuple[str, int], Fault] = field(default_factory=dict)
    unheard: set[tuple[str, int]] = field(default_factory=set)
    extra: list[BatchItem] = field(default_factory=list)
    refuse_numbers: set[str] = field(default_factory=set)
    decline: dict[int, str] = field(default_factory=dict)
    """Amount -> response code of a sale that is declined."""
    chip: bytes | Callable[[bytes], bytes] | None = None
    """DE 55 of every answer to a sale or pre-authorisation with chip data, or what makes it of the request's."""
    asks: dict[str, str] = field(default_factory=dict)
    """MTI of a request -> header digit 6 of its answers."""
    day: str = "1121"
    """The business date of what is booked now, MMDD."""
    seen: list[Message] = field(default_factory=list)
    books: dict[str, Booked] = field(default_factory=dict)
    tombstones: set[str] = field(default_factory=set)
    staged: list[str] = field(default_factory=list)
    uploaded: list[tuple[str, str, int]] = field(default_factory=list)
    """Form, STAN and amount of every record of every 0320, in the order of arrival."""
    closed: dict[str, tuple[Totals, Outcome]] = field(default_factory=dict)
    disputed: Outcome | None = None

    def __post_init__(self) -> None:
        self.family = family(self.dialect.family)
        self.mac = profile_of(self.dialect.name, self.dialect.profile).mac
        self.counts: dict[str, int] = {}
        self.ended: dict[str, list[str]] = {}

    # --- what tests look at

    def mtis(self) -> list[str]:
        return [message.mti for message in self.seen]

    def sent(self, mti: str) -> list[Message]:
        """The requests of one kind, in order."""
        return [message for message in self.seen if message.mti == mti]

    def live(self) -> dict[str, int]:
        """STAN -> amount of the sales that stand."""
        found = self.books.values()
        return {item.stan: item.amount for item in found if item.kind is Kind.SALE and item.state == "captured"}

    def standing(self) -> dict[str, tuple[Kind, int]]:
        """STAN -> kind and amount of everything that stands and moves money."""
        return {
            b.stan: (b.kind, b.amount)
            for b in self.books.values()
            if b.kind in FINANCIAL and b.state == "captured" and not b.adjusted
        }

    # --- bytes

    def decode(self, payload: bytes | Exception) -> Message:
        assert isinstance(payload, bytes)
        return codec.decode_payload(payload, self.dialect)

    def encode(self, message: Message) -> bytes:
        return codec.encode_payload(message, self.dialect)

    def receive(self, payload: bytes) -> Reply:
        """One request; what comes back."""
        request = self.decode(payload)
        self.seen.append(request)
        nth = self.counts[request.mti] = self.counts.get(request.mti, 0) + 1
        if (request.mti, nth) in self.unheard:
            return []
        reply: Reply = [self.encode(self._sealed(self._answer(request)))]
        fault = self.faults.get((request.mti, nth))
        return fault(self, request, reply) if fault else reply

    def _sealed(self, answer: Message) -> Message:
        if not self.mac or not self.family.carries_mac(answer):
            return answer
        return answer.with_fields({64: self._mac(answer)})

    def _mac(self, message: Message) -> str:
        room = message.with_fields({64: "00" * 8})
        covered = codec.mab(codec.encode(room, self.dialect), room, self.dialect)
        return MAC_ALGORITHMS[self.mac](MAK, covered).hex().upper()

    # --- decisions

    def _answer(self, request: Message) -> Message:
        operation = self.family.read_request(request, self.dialect)
        assert not isinstance(operation, Unreadable), operation
        if self.mac and self.family.carries_mac(request) and request.get(64) != self._mac(request):
            outcome = Outcome(code="A0")
        else:
            outcome = getattr(self, "_" + operation.kind.replace("-", "_"))(operation)
        rrn = f"{len(self.seen):012d}"
        told = replace(outcome, at=AT, rrn=outcome.rrn or rrn, request=self.asks.get(request.mti, outcome.request))
        return self.family.write_answer(request, told, self.dialect)

    def _sign_on(self, operation: Operation) -> Outcome:
        return Outcome(code="00", keys=KEY_BLOCK, batch=self.batch)

    def _sign_off(self, operation: Operation) -> Outcome:
        return Outcome(code="00")

    _echo = _script_result = _sign_off

    def _download(self, operation: Operation) -> Outcome:
        return Outcome(code="00", data=downloads.answer(operation.function, operation.data, "SCRIPTED SHOP"))

    def _balance(self, operation: Operation) -> Outcome:
        return Outcome(code="00", balance=12345, currency="156")

    def _sale(self, operation: Operation) -> Outcome:
        assert operation.amount is not None
        assert operation.card is not None
        if operation.stan in self.tombstones:
            return Outcome(code="12")
        if operation.batch and operation.batch in (self.refuse_numbers | self.closed.keys()):
            return Outcome(code="22", request="3")
        if operation.amount in self.decline:
            return Outcome(code=self.decline[operation.amount])
        return self._book(operation, organisation(operation.card.pan))

    _cash_back = _pre_auth = _pre_auth_increment = _sale

    def _book(
        self, operation: Operation, scheme: str, original: Booked | None = None, kind: Kind | None = None
    ) -> Outcome:
        assert operation.amount is not None
        batch = operation.batch or self.batch
        foreign = scheme != "CUP" and self.dialect.family == "cup"
        before = self.books.get(operation.stan)
        repeated = operation.advice and before is not None and before.amount == operation.amount
        assert before is None or repeated, "the terminal used a STAN twice"
        if not repeated:
            self.books[operation.stan] = Booked(
                kind or operation.kind,
                operation.stan,
                batch,
                operation.amount,
                foreign,
                original=original.stan if original else "",
                of=original.kind if original and operation.kind in VOIDS else None,
                day=self.day,
            )
        return Outcome(
            code="00",
            auth_code="A12345",
            amount=operation.amount,
            organisation=scheme,
            issuer="03080000",
            acquirer="48520000",
            business_date=self.day,
            chip=self._chip_of(operation.chip),
        )

    def _chip_of(self, request: bytes | None) -> bytes | None:
        if request is None:
            return None
        return self.chip(request) if callable(self.chip) else self.chip

    def _named(self, named: OriginalRef | None, kinds: frozenset[Kind] = FINANCIAL) -> Booked | None:
        """What a message names: by STAN, else by invoice, else by RRN (the number of the message here)."""
        if named is None:
            return None
        for booked in self.books.values():
            if booked.kind in kinds and booked.stan in (named.stan, named.invoice):
                return booked
        rrns = {f"{at:012d}": message.get(11) or "" for at, message in enumerate(self.seen, 1)}
        found = self.books.get(rrns.get(named.rrn, ""))
        return found if found and found.kind in kinds else None

    def _void(self, operation: Operation) -> Outcome:
        named = operation.original
        assert named is not None
        sale = next((b for b in self.books.values() if named.stan == b.stan or named.invoice == b.stan), None)
        if sale is None:
            return Outcome(code="25")
        if sale.state != "captured":
            return Outcome(code="12")
        standing = next((b for b in self.books.values() if self._stands_for(b, sale)), sale)
        if operation.amount != standing.amount:
            return Outcome(code="64")
        sale.state = standing.state = "voided"
        completed = sale.kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE)
        kind = Kind.COMPLETION_VOID if completed else Kind.VOID
        return self._book(operation, "VIS" if sale.foreign else "CUP", original=sale, kind=kind)

    _completion_void = _void

    def _stands_for(self, booked: Booked, sale: Booked) -> bool:
        return booked.kind in ADJUSTMENTS and booked.original == sale.stan and not booked.adjusted

    def _pre_auth_void(self, operation: Operation) -> Outcome:
        reserved = self._reserved(operation)
        if reserved is None:
            return Outcome(code="25")
        if reserved.state != "captured":
            return Outcome(code="12")
        reserved.state = "voided"
        return self._book(operation, "CUP", original=reserved)

    def _reserved(self, operation: Operation) -> Booked | None:
        """The pre-authorisation that is named, by its STAN or, as the wire has it, by its code: all have the same."""
        named = self._named(operation.original, frozenset({Kind.PRE_AUTH}))
        kinds = [b for b in self.books.values() if b.kind is Kind.PRE_AUTH and b.state != "reversed"]
        return named or (kinds[-1] if kinds else None)

    def _completion(self, operation: Operation) -> Outcome:
        if operation.amount in self.decline:
            return Outcome(code=self.decline[operation.amount])
        reserved = self._reserved(operation)
        if reserved is None:
            return Outcome(code="25")
        return self._book(operation, "CUP", original=reserved)

    _completion_advice = _completion

    def _advice(self, operation: Operation) -> Outcome:
        assert operation.card is not None
        if operation.amount in self.decline:
            return Outcome(code=self.decline[operation.amount])
        return self._book(operation, operation.organisation or organisation(operation.card.pan))

    _offline_sale = _advice

    def _refund(self, operation: Operation) -> Outcome:
        assert operation.amount is not None
        sale = self._named(operation.original)
        if operation.amount in self.decline:
            return Outcome(code=self.decline[operation.amount])
        return self._book(operation, operation.organisation or "CUP", original=sale)

    def _adjust(self, operation: Operation) -> Outcome:
        assert operation.amount is not None
        if operation.amount in self.decline:
            return Outcome(code=self.decline[operation.amount])
        sale = self._named(operation.original)
        if sale is None:
            return Outcome(code="25")
        for booked in self.books.values():
            if booked is sale or self._stands_for(booked, sale):
                booked.adjusted = booked.stan != operation.stan
        return self._book(operation, "VIS" if sale.foreign else "CUP", original=sale)

    _tip = _adjust

    def _reversal(self, operation: Operation) -> Outcome:
        named = operation.original
        assert named is not None
        booked = self.books.get(named.stan)
        if booked is None:
            self.tombstones.add(named.stan)
            return Outcome(code="25")
        assert booked.amount == operation.amount, "the reversal does not fit its original"
        if booked.state == "captured" and booked.original and booked.kind in (*VOIDS, Kind.PRE_AUTH_VOID):
            sale = self.books[booked.original]
            for again in (sale, *(b for b in self.books.values() if self._stands_for(b, sale))):
                again.state = "captured"
        booked.state = "reversed"
        return Outcome(code="00", amount=booked.amount, business_date=booked.day)

    # --- settlement

    def totals(self, day: str = "") -> Totals:
        """What the host counts in its open batch, or on one day of it."""
        both = profile_of(self.dialect.name, self.dialect.profile).reversed == "both"
        items = [
            BatchItem(b.kind, b.amount, b.foreign, b.state == "voided", b.adjusted, b.state == "reversed", b.of)
            for b in self.books.values()
            if (b.state != "reversed" or (both and b.kind not in VOIDS))
            and b.batch not in self.closed
            and day in ("", b.day)
            and b.kind in FINANCIAL
        ]
        return self.family.count([*items, *self.extra])

    def _settle(self, operation: Operation) -> Outcome:
        assert operation.totals is not None
        number = operation.batch or self._number_of(operation.day)
        if number in self.closed:
            totals, outcome = self.closed[number]
            same = not totals.differing(operation.totals)
            return outcome if same else replace(outcome, verdict=Verdict.CLOSED_OTHER)
        if number in self.refuse_numbers:
            return Outcome(code="22" if self.mac else "80")
        ours = self.totals(operation.day)
        wrong = ours.differing(operation.totals)
        verdict = Verdict.DIFFERS if wrong else Verdict.AGREED
        if operation.final:
            verdict = Verdict.AGREED if not wrong else Verdict.STILL_DIFFERS
        sides = tuple((side, Verdict.DIFFERS if side in wrong else Verdict.AGREED) for side in ("domestic", "foreign"))
        outcome = Outcome(code="", verdict=verdict, sides=sides if self.mac else (), totals=ours)
        if verdict is Verdict.DIFFERS:
            self.disputed = outcome
        else:
            self._close(number, operation.totals, outcome)
        return outcome

    def _number_of(self, day: str) -> str:
        """ISO 87: the open batch if it holds anything of that day, else the last one closed then (rules.md 6)."""
        numbers = [b.batch for b in self.books.values() if b.day == day]
        waiting = [number for number in numbers if number not in self.closed]
        return (waiting or numbers or [self.batch])[-1]

    def _close(self, number: str, totals: Totals, outcome: Outcome) -> None:
        self.closed[number] = (totals, outcome)
        self.ended[number] = sorted(self.staged)
        self.batch = f"{int(number) % 999999 + 1:06d}"
        self.extra = []
        self.staged = []
        self.disputed = None

    def _upload(self, operation: Operation) -> Outcome:
        for item in operation.items:
            if item.ref.stan not in self.staged:
                self.staged.append(item.ref.stan)
        self.uploaded += [(item.form.value, item.ref.stan, item.amount) for item in operation.items]
        return Outcome(code="00", amount=operation.items[0].amount, count=len(operation.items))

    _tc_upload = _upload

    def _upload_end(self, operation: Operation) -> Outcome:
        assert operation.batch is not None
        if self.disputed is not None:
            self._close(operation.batch, self.totals(), self.disputed)
        return Outcome(code="00", count=operation.count)


class ScriptedLine:
    """terminal_sim.driver.Line into a ScriptedHost, without time: silence is the deadline."""

    def __init__(self, host: ScriptedHost, *, down: bool = False) -> None:
        self.host = host
        self.down = down
        self._replies: deque[bytes | Exception] = deque()

    def open(self) -> None:
        if self.down:
            raise NotConnected("connection refused")

    def send(self, payload: bytes, timeout_s: float) -> None:
        self._replies.extend(self.host.receive(payload))

    def receive(self, deadline: float) -> bytes | None:
        if not self._replies:
            return None
        reply = self._replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    def close(self) -> None:
        self._replies.clear()
