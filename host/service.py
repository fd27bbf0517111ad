"""One frame from end to end: read it, have it decided, write the answer, log both.

Two threads meet here. The loop's thread reads frames and writes bytes; the runner's writer thread decides and, just
before its commit, asks for the rows of the message log, so that the log and the books become durable together. The
answer is encoded there too and leaves after the commit.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import structlog

from host.engine.context import Context
from host.engine.events import Decision, Event, MacEvidence, Record, Request
from host.errors import Busy
from host.faults import Facts, Fault, FaultTable, Phase
from host.group import OnDone
from host.pan_hash import pan_hash
from host.rows import MessageRow, Row
from host.runner import Runner
from host.server import Connection
from specs import masking, security
from specs.codec import decode_payload, encode, encode_payload, inspect_payload, mab, split_payload
from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError, FrameError, SpecError
from specs.families import Family, family
from specs.framing import frame
from specs.inspection import Note
from specs.message import Message
from specs.operation import Operation, Outcome, Unreadable
from specs.profile import Profile, profile_of
from specs.testcards import organisation

log = structlog.get_logger("host.service")

DOMESTIC = "CUP"
HEX_LOGGED_MAX = 24
"""Bytes of an undecodable frame that the log keeps: up to the bitmap, before any card number."""


@dataclass(slots=True)
class Exchange:
    """One request that is under way, from its frame to the bytes of its answer."""

    connection: Connection
    dialect: Dialect
    family: Family
    message: Message
    body: bytes
    operation: Operation | None = None
    notes: list[Note | str] = field(default_factory=list)
    in_row: int = 0
    frame: bytes = b""
    encoded: Outcome | None = None
    """The outcome that `frame` says."""
    fault: Fault | None = None


class Service:
    """Shape: `received` and `broken` are the server's handlers; `rows` is the runner's hook before each commit."""

    def __init__(self, faults: FaultTable, pan_key: bytes) -> None:
        self._faults = faults
        self._pan_key = pan_key
        self._profiles: dict[Dialect, Profile] = {}
        self._tokens = itertools.count(1)
        self._under_way: dict[int, Exchange] = {}
        self._outbox: deque[Exchange] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: Runner | None = None

    def start(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        self._runner = runner
        self._loop = loop

    @property
    def under_way(self) -> int:
        """Requests that wait for their answer."""
        return len(self._under_way)

    # ---- in: the loop's thread

    def received(self, connection: Connection, payload: bytes) -> None:
        """A payload arrived: an operation for the engine, or a refusal that is only logged and answered."""
        dialect = connection.endpoint.dialect
        try:
            _, _, body = split_payload(payload, dialect)
            message = decode_payload(payload, dialect)
            notes: list[Note | str] = []
        except (DecodeError, FrameError) as error:
            seen = inspect_payload(payload, dialect)
            if seen.message is None:
                self._hopeless(connection, payload, error)
                return
            body, message, notes = payload[dialect.frame.prefix_bytes :], seen.message, list(seen.notes)
            if dialect.strict or not seen.complete:
                self._refuse(self._exchange(connection, message, body, notes), _format(error))
                return
        exchange = self._exchange(connection, message, body, notes)
        operation = _read(exchange)
        if isinstance(operation, Unreadable):
            self._refuse(exchange, operation)
            return
        exchange.operation = operation
        self._take(exchange, operation)

    def _exchange(self, connection: Connection, message: Message, body: bytes, notes: list[Note | str]) -> Exchange:
        dialect = connection.endpoint.dialect
        return Exchange(connection, dialect, family(dialect.family), message, body, notes=notes)

    def _take(self, exchange: Exchange, operation: Operation) -> None:
        facts = _facts(exchange.message, operation)
        fault = self._faults.fires(facts, Phase.BEFORE_COMMIT)
        if fault is not None:
            self._spoil_before(exchange, fault)
            return
        exchange.fault = self._faults.fires(facts, Phase.AFTER_COMMIT)
        token = next(self._tokens)
        self._under_way[token] = exchange
        try:
            self._submit(self._request(exchange, operation, token), self._decided)
        except Busy:
            del self._under_way[token]
            exchange.notes.append("the writer's queue is full")
            self._refuse(exchange, Unreadable(Refusal.OWN_TROUBLE, 0, "room in the queue", "none"))

    def _submit(self, event: Request | Record, done: OnDone | None = None) -> None:
        assert self._runner is not None
        self._runner.submit(event, done)

    def _request(self, exchange: Exchange, operation: Operation, token: int) -> Request:
        card = operation.card
        pan = card.pan if card else ""
        scheme = organisation(pan) if pan else ""
        return Request(
            token=token,
            operation=operation,
            profile=self._profile(exchange.dialect),
            dialect=exchange.dialect.name,
            mac=_evidence(exchange),
            peer=exchange.connection.peer,
            pan_hash=pan_hash(self._pan_key, pan),
            pan_masked=masking.mask_pan(pan) if pan else "",
            organisation=scheme,
            foreign=bool(scheme) and scheme != DOMESTIC,
            item_hashes=tuple(pan_hash(self._pan_key, item.pan) for item in operation.items),
        )

    def _profile(self, dialect: Dialect) -> Profile:
        if dialect not in self._profiles:
            self._profiles[dialect] = profile_of(dialect.name, dialect.profile)
        return self._profiles[dialect]

    def broken(self, connection: Connection, error: FrameError, data: bytes) -> None:
        """The stream cannot be cut into frames: log what came and why; the server closes the line."""
        self._log_only(connection, [Note(0, 0, "a frame of this listener", _safe_hex(data), str(error))])

    def _hopeless(self, connection: Connection, payload: bytes, error: SpecError) -> None:
        """Not even an MTI and a bitmap: nothing can be paired, so the line is closed after the log line."""
        self._log_only(connection, [Note(0, 0, "MTI and bitmap", _safe_hex(payload), str(error))])
        connection.close()

    def _log_only(self, connection: Connection, notes: list[Note | str]) -> None:
        exchange = self._exchange(connection, Message(mti=""), b"", notes)
        log.warning("unreadable bytes", peer=connection.peer, why=_note_json(notes[0]))
        self._record(exchange, lambda ctx: (self._in_row(ctx, exchange, 0),))

    def _refuse(self, exchange: Exchange, unreadable: Unreadable) -> None:
        """Answer what cannot be an operation: no books, but the log line is durable before the answer leaves."""
        said = f"DE {unreadable.de}: expected {unreadable.expected}, got {unreadable.got}"
        exchange.notes.append(said if unreadable.de else f"{unreadable.refusal}: {unreadable.expected}")

        def rows(ctx: Context) -> tuple[Row, ...]:
            at = ctx.now.strftime("%m%d%H%M%S")
            answer = exchange.family.refusal_answer(exchange.message, unreadable, at, exchange.dialect)
            received = self._in_row(ctx, exchange, 0)
            if answer is None:
                return (received,)
            exchange.frame = _frame(answer, exchange.dialect)
            return received, self._out_row(ctx, exchange, answer, 0)

        self._record(exchange, rows, or_close=True)

    def _record(
        self, exchange: Exchange, rows: Callable[[Context], tuple[Row, ...]], *, or_close: bool = False
    ) -> None:
        """Log without books; then the answer leaves. or_close: what cannot be answered ends its line."""

        def done(_event: Event, _decision: Decision, _outcome: Outcome | None) -> None:
            assert self._loop is not None
            if exchange.frame:
                self._speak(exchange)
            elif or_close:
                self._loop.call_soon_threadsafe(exchange.connection.close)

        try:
            self._submit(Record(rows), done)
        except Busy:
            log.warning("no answer: the writer's queue is full", peer=exchange.connection.peer)

    def _spoil_before(self, exchange: Exchange, fault: Fault) -> None:
        """A fault before the commit: nothing is decided, nothing is booked; the log says which rule did it."""
        exchange.notes += _fault_text(fault)

        def rows(ctx: Context) -> tuple[Row, ...]:
            received = self._in_row(ctx, exchange, 0)
            if fault.action != "answer":
                return (received,)
            operation = exchange.operation
            assert operation is not None
            at = ctx.now.strftime("%m%d%H%M%S")
            outcome = Outcome(code=fault.rc, at=at, business_date=ctx.business_date.isoformat())
            answer = exchange.family.write_answer(exchange.message, outcome, exchange.dialect)
            exchange.frame = _frame(answer, exchange.dialect)
            return received, self._out_row(ctx, exchange, answer, 0)

        if fault.action == "reset":
            exchange.connection.reset()
        self._record(exchange, rows)

    # ---- before the commit: the writer's thread

    def rows(
        self, ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
    ) -> Iterable[Row]:
        """The log lines that belong into this group's commit; encodes the answer when there is one.

        Called when a request is decided (outcome None: it waits for its issuer or for another), and with
        `waited` when its outcome comes. After a commit that failed it is called again, so it only ever replaces.
        """
        exchange = self._under_way.get(event.token)
        if exchange is None:
            return
        if not waited:
            yield self._in_row(ctx, exchange, decision.txn_id, decision.notes)
        if outcome is not None:
            answer = self._answer(exchange, decision, outcome)
            said = _fault_text(exchange.fault) + (decision.notes if waited else ())
            yield self._out_row(ctx, exchange, answer, decision.txn_id, said)

    def _answer(self, exchange: Exchange, decision: Decision, outcome: Outcome) -> Message:
        answer = exchange.family.write_answer(exchange.message, outcome, exchange.dialect)
        if exchange.fault is not None and exchange.fault.action == "answer":
            answer = _spoken_otherwise(answer, exchange.fault.rc)
        if decision.sign_key and decision.mac and exchange.family.carries_mac(answer):
            answer = _sign(answer, exchange.dialect, bytes.fromhex(decision.sign_key), decision.mac)
        exchange.frame, exchange.encoded = _frame(answer, exchange.dialect), outcome
        return answer

    def _in_row(self, ctx: Context, exchange: Exchange, txn_id: int, said: tuple[str, ...] = ()) -> MessageRow:
        row = self._row(ctx, "in", exchange, exchange.message, exchange.body, [*exchange.notes, *said], txn_id)
        exchange.in_row = row.id
        return row

    def _out_row(
        self, ctx: Context, exchange: Exchange, answer: Message, txn_id: int, said: tuple[str, ...] = ()
    ) -> MessageRow:
        row = self._row(ctx, "out", exchange, answer, exchange.frame, list(said), txn_id)
        return replace(row, reply_to=exchange.in_row, fate=_fate(exchange.fault))

    def _row(
        self,
        ctx: Context,
        direction: str,
        exchange: Exchange,
        message: Message,
        raw: bytes,
        notes: list[Note | str],
        txn_id: int,
    ) -> MessageRow:
        return MessageRow(
            id=ctx.ids.new(MessageRow.__name__),
            at=ctx.now.isoformat(timespec="milliseconds"),
            direction=direction,
            peer=exchange.connection.peer,
            dialect=exchange.dialect.name,
            tid=message.get(41) or "",
            mti=message.mti,
            kind=exchange.operation.kind.value if exchange.operation else "",
            stan=message.get(11) or "",
            code=message.get(39) or "",
            rrn=message.get(37) or "",
            auth_code=message.get(38) or "",
            txn_id=txn_id,
            reply_to=0,
            fields=json.dumps({str(de): value for de, value in message.masked().items()}, ensure_ascii=True),
            notes=json.dumps([_note_json(note) for note in notes], ensure_ascii=False),
            fate="",
            digest=hashlib.blake2b(raw, key=self._pan_key[:32], digest_size=16).hexdigest() if raw else "",
        )

    # ---- out: after the commit

    def _decided(self, event: Event, decision: Decision, outcome: Outcome | None) -> None:
        """The runner has committed (writer's thread): from here on the answer may leave. outcome None: say nothing.

        A crash just before the commit leaves nothing: the terminal gets no answer and its reversal meets 25 or 12. A
        crash just after it leaves the books as they must be and no answer: the reversal or the repeat finds them.
        """
        assert isinstance(event, Request)
        exchange = self._under_way.pop(event.token, None)
        if exchange is None or outcome is None:
            return
        if exchange.encoded is not outcome:
            # The commit failed: what was encoded for it must never leave; this outcome (96) has no books behind it.
            self._answer(exchange, decision, outcome)
        self._speak(exchange)

    def _speak(self, exchange: Exchange) -> None:
        assert self._loop is not None
        first = not self._outbox
        self._outbox.append(exchange)
        if first:
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        """Everything that is ready leaves, each answer in one write (the loop's thread)."""
        while self._outbox:
            exchange = self._outbox.popleft()
            _DELIVERY.get(exchange.fault.action if exchange.fault else "", _send)(self._loop, exchange)


# ---- the ways an answer can go


def _send(_loop: asyncio.AbstractEventLoop | None, exchange: Exchange) -> None:
    if not exchange.connection.send(exchange.frame):
        log.info("answer not delivered: the line is gone", peer=exchange.connection.peer, mti=exchange.message.mti)


def _drop(_loop: asyncio.AbstractEventLoop | None, _exchange: Exchange) -> None:
    """The books stand, the answer is lost: what a terminal must survive."""


def _delay(loop: asyncio.AbstractEventLoop | None, exchange: Exchange) -> None:
    assert loop is not None
    assert exchange.fault is not None
    loop.call_later(exchange.fault.delay_s, _send, loop, exchange)


def _reset(_loop: asyncio.AbstractEventLoop | None, exchange: Exchange) -> None:
    exchange.connection.reset()


def _half(loop: asyncio.AbstractEventLoop | None, exchange: Exchange) -> None:
    """Half the frame, then a RST once the bytes are out."""
    assert loop is not None
    exchange.connection.send(exchange.frame[: len(exchange.frame) // 2])
    loop.call_later(0.05, exchange.connection.reset)


_DELIVERY: dict[str, Callable[[asyncio.AbstractEventLoop | None, Exchange], None]] = {
    "drop": _drop,
    "delay": _delay,
    "reset": _reset,
    "truncate+reset": _half,
}


def _fault_text(fault: Fault | None) -> tuple[str, ...]:
    if fault is None:
        return ()
    return (f"fault {fault.id}: {fault.name} ({fault.action} at {fault.point}), {fault.phase.replace('-', ' the ')}",)


def _fate(fault: Fault | None) -> str:
    """What will become of the answer, as far as it is known at the commit."""
    if fault is None or fault.action == "answer":
        return "sent"
    return {"drop": "dropped", "delay": "delayed", "reset": "reset", "truncate+reset": "truncated"}[fault.action]


# ---- pure helpers


def _read(exchange: Exchange) -> Operation | Unreadable:
    """What the message asks; what a lenient reading let through but no operation can hold is a format error."""
    try:
        return exchange.family.read_request(exchange.message, exchange.dialect)
    except DecodeError as error:
        return _format(error)
    except ValueError:
        return Unreadable(Refusal.FORMAT, 0, "values that fit their format", "something else (see the notes)")


def _format(error: SpecError) -> Unreadable:
    if isinstance(error, DecodeError):
        return Unreadable(Refusal.FORMAT, error.de, error.expected, error.got)
    return Unreadable(Refusal.FORMAT, 0, str(error), "")


def _facts(message: Message, operation: Operation) -> Facts:
    amount = operation.amount if operation.amount is not None else -1
    return Facts(operation.tid, message.mti, operation.kind.value, operation.stan, amount)


def _evidence(exchange: Exchange) -> MacEvidence:
    required = exchange.family.carries_mac(exchange.message)
    value = exchange.message.get(64)
    if not required or value is None:
        return MacEvidence(b"", None, required)
    return MacEvidence(mab(exchange.body, exchange.message, exchange.dialect), bytes.fromhex(value), required)


def _sign(answer: Message, dialect: Dialect, key: bytes, algorithm: str) -> Message:
    """The answer with its MAC (security.md, section 3: over MTI to DE 63, with bit 64 set)."""
    blank = answer.with_fields({64: "0" * 16})
    covered = mab(encode(blank, dialect), blank, dialect)
    return answer.with_fields({64: security.MAC_ALGORITHMS[algorithm](key, covered).hex().upper()})


def _spoken_otherwise(answer: Message, code: str) -> Message:
    """The lying host: another response code than the books have, and no authorisation code with a refusal."""
    changes: dict[int, str | None] = {39: code}
    if code != "00":
        changes |= {38: None, 54: None, 64: None}
    return answer.with_fields(changes)


def _frame(answer: Message, dialect: Dialect) -> bytes:
    try:
        return frame(encode_payload(answer, dialect), dialect.frame)
    except EncodeError as error:
        # Our own mistake: the line is better silent than wrong, and the terminal's reversal will find the books.
        raise AssertionError(f"the answer {answer.describe()} cannot be written: {error}") from error


def _note_json(note: Note | str) -> dict[str, object]:
    if isinstance(note, str):
        return {"de": 0, "offset": 0, "expected": "", "got": "", "message": note}
    shown: dict[str, object] = {"de": note.de, "offset": note.offset, "expected": note.expected, "got": note.got}
    return shown | {"message": note.message}


def _safe_hex(data: bytes) -> str:
    """The first bytes of something unreadable; longer runs of digits may be a card number and are starred."""
    return masking.mask_text(data[:HEX_LOGGED_MAX].hex().upper()) + ("…" if len(data) > HEX_LOGGED_MAX else "")
