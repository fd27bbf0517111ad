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
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from json.encoder import encode_basestring_ascii as quoted

import structlog

from host.delivery import UNDECIDED, WRITTEN_OTHERWISE, Delivery, effects_of, end_line, fate_of, fault_text
from host.doctor import Doctor, framing, greeting
from host.engine.context import Context
from host.engine.events import Decision, Event, Record, Remark, Request
from host.errors import Busy
from host.exchange import (
    Exchange,
    ask_of,
    facts_of,
    format_refusal,
    framed,
    kept_raw,
    mac_evidence,
    note_json,
    note_of,
    payload_of,
    placed,
    safe_hex,
    signed,
    storable,
)
from host.faults import Fault, FaultTable, Phase
from host.group import OnDone
from host.limits import LogRate
from host.link_faults import LinkFaults
from host.magic import fault_by_amount
from host.pan_hash import pan_hash
from host.rows import MessageRow, Row
from host.runner import Runner
from host.server import Connection
from specs import masking
from specs.bins import DIGITS_MAX, DOMESTIC, Bins
from specs.codec import decode_payload, inspect_payload
from specs.codes import Refusal
from specs.dialect import MAC_FIELDS, Dialect
from specs.errors import DecodeError, FrameError, SecurityError, SpecError
from specs.families import family
from specs.faults import Behind, Put
from specs.framing import LENGTH_BYTES, frame
from specs.inspection import Inspection, Note
from specs.kinds import Kind
from specs.message import Message
from specs.operation import Operation, Outcome, Unreadable
from specs.profile import Profile, profile_of
from specs.security import kcv

TrackKey = Callable[[str], bytes]
"""The working track key of a terminal by its id; b"" = it has none."""

log = structlog.get_logger("host.service")
CRASHES = "stop"
"""The action that ends the host itself."""
LINE_ENDS = frozenset({"reset", "fin", "half-open"})
_AFTER_THE_GATE = frozenset({Refusal.UNKNOWN_TYPE, Refusal.NOT_OFFERED})
"""12 and 40 stand behind terminal, merchant, sign-on and MAC (rules.md, section 2, order of checks)."""


class Service:
    """Shape: `received` and `broken` are the server's handlers; `rows` is the runner's hook before each commit."""

    def __init__(
        self,
        faults: FaultTable,
        pan_key: bytes,
        track_key: TrackKey = lambda _tid: b"",
        bins: Bins | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._faults = faults
        self._pan_key = pan_key
        self._digest = hashlib.blake2b(key=pan_key[:32], digest_size=16)
        self._track_key = track_key
        self._organisation = lru_cache(maxsize=4096)((bins or Bins()).organisation)
        self._doctor = Doctor()
        self._unread_log = LogRate(now=monotonic)
        self._monotonic = monotonic
        self._profiles: dict[Dialect, Profile] = {}
        self._tokens = itertools.count(1)
        self._under_way: dict[int, Exchange] = {}
        self._outbox: deque[Exchange] = deque()
        self._flush_is_due = False
        """Whether the loop has been asked to look into the outbox and has not begun to."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: Runner | None = None
        self._delivery: Delivery | None = None
        self.link_faults = LinkFaults(faults)
        """What the rules do to the issuer's link: its `strikes` is for the link to ask."""

    def start(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        """Join writer and loop; before this nothing may arrive."""
        self._runner = runner
        self._loop = loop
        self._delivery = Delivery(loop, in_force=self._faults.has)

    @property
    def under_way(self) -> int:
        """Requests that wait for their answer."""
        return len(self._under_way)

    # ---- in: the loop's thread

    def received(self, connection: Connection, payload: bytes, struck: Fault | None = None) -> None:
        """A payload arrived: an operation for the engine, or a refusal that is only logged and answered.

        struck: the rule that has changed it, or its time, on the way in.
        """
        dialect = connection.endpoint.dialect
        try:
            message = decode_payload(payload, dialect)
        except (DecodeError, FrameError) as error:
            self._misread(connection, payload, error, struck)
            return
        self._ask(self._exchange(connection, message, payload[dialect.frame.prefix_bytes :], [], struck))

    def _misread(self, connection: Connection, payload: bytes, error: SpecError, struck: Fault | None) -> None:
        """It breaks the dialect: read on where the listener is lenient and the reader found its way, else refuse."""
        dialect = connection.endpoint.dialect
        seen = inspect_payload(payload, dialect)
        if seen.message is None:
            self._hopeless(connection, payload, seen, struck)
            return
        # Bytes behind the last element belong to no message, so no MAC covers them.
        body = payload[dialect.frame.prefix_bytes :]
        body = body[: seen.read_to] if seen.complete else body
        exchange = self._exchange(connection, seen.message, body, list(seen.notes), struck)
        exchange.raw = kept_raw(payload, seen.message, dialect)
        if not seen.complete:
            exchange.notes += self._would_fit(connection, payload)
        if connection.endpoint.strict or dialect.strict or not seen.complete:
            self._refuse(exchange, format_refusal(error))
            return
        self._ask(exchange)

    def _ask(self, exchange: Exchange) -> None:
        """What the message asks goes to the engine; what asks nothing is refused."""
        message = exchange.message
        if exchange.family.tracks_encrypted(message):
            self._clear_tracks(exchange)
        operation = ask_of(exchange)
        if isinstance(operation, Unreadable):
            self._turn_away(exchange, operation)
            return
        exchange.operation = storable(operation, self._pan_key)
        self._take(exchange, exchange.operation)

    def _clear_tracks(self, exchange: Exchange) -> None:
        """Undo the track encryption of DE 53 digit 3; what cannot be undone is noted and read as it came."""
        tdk = self._track_key(exchange.message.get(41) or "")
        if not tdk:
            exchange.notes.append("the tracks are encrypted, and this terminal has no track key: 60.3 = 004 gives one")
            return
        try:
            exchange.clear = exchange.family.in_clear(exchange.message, tdk)
        except SecurityError as error:
            exchange.notes.append(f"{error}; its check value is {kcv(tdk).hex().upper()}")

    def _exchange(
        self,
        connection: Connection,
        message: Message,
        body: bytes,
        notes: list[Note | str],
        struck: Fault | None = None,
    ) -> Exchange:
        dialect = connection.endpoint.dialect
        notes += fault_text(struck)
        return Exchange(connection, dialect, family(dialect.family), message, body, notes=notes, struck=struck)

    def _take(self, exchange: Exchange, operation: Operation) -> None:
        assert self._runner is not None
        assert self._delivery is not None
        exchange.connection.tid = operation.tid
        if self._delivery.waits and exchange.struck is None:
            self._delivery.passed(operation.tid)
        fault: Fault | None = None
        if not self._faults.empty and exchange.struck is None:
            facts = facts_of(exchange.message, operation)
            fault = self._faults.fires(facts, Phase.BEFORE_COMMIT) or self._faults.fires(facts, Phase.AFTER_COMMIT)
        if fault is None and self._runner.settings.magic:
            fault = fault_by_amount(operation)
        if fault is not None and fault.inward and fault.action not in UNDECIDED:
            self._spoil_request(exchange, operation, fault)
            return
        if fault is not None and fault.phase is Phase.BEFORE_COMMIT and fault.action != CRASHES:
            self._spoil_before(exchange, fault)
            return
        exchange.fault = fault
        self._decide(exchange, operation)

    def _turn_away(self, exchange: Exchange, unreadable: Unreadable) -> None:
        """A type that is not served comes late in the order of checks: who speaks, and with which key, is first."""
        ordered = unreadable.refusal in _AFTER_THE_GATE and unreadable.tid
        if not ordered or exchange.family.refusal_answer(exchange.message, unreadable, "", exchange.dialect) is None:
            self._refuse(exchange, unreadable)
            return
        _explain(exchange, unreadable)
        other = Operation(Kind.OTHER, unreadable.tid, mid=unreadable.mid, stan=unreadable.stan)
        self._decide(exchange, other, unserved=unreadable.refusal)

    def _decide(self, exchange: Exchange, operation: Operation, *, unserved: Refusal | None = None) -> None:
        """Queue it for the engine; 96 when the queue is full."""
        token = next(self._tokens)
        self._under_way[token] = exchange
        try:
            self._submit(self._request(exchange, operation, token, unserved), self._decided)
        except Busy:
            del self._under_way[token]
            self._no_room(exchange)

    def _no_room(self, exchange: Exchange) -> None:
        """96 at once: nothing is booked, and there is no room for a log line either (host.limits counts it)."""
        trouble = Unreadable(Refusal.OWN_TROUBLE, 0, "room in the queue", "none")
        answer = exchange.family.refusal_answer(exchange.message, trouble, "", exchange.dialect)
        if answer is not None:
            exchange.frame = framed(answer, exchange.dialect)
        self._speak(exchange)

    def _submit(self, event: Request | Record, done: OnDone | None = None) -> None:
        assert self._runner is not None
        self._runner.submit(event, done)

    def _request(
        self, exchange: Exchange, operation: Operation, token: int, unserved: Refusal | None = None
    ) -> Request:
        card = operation.card
        pan = card.pan if card else ""
        scheme = self._organisation(pan[:DIGITS_MAX]) if pan else ""
        return Request(
            token=token,
            operation=operation,
            profile=self._profile(exchange.dialect),
            dialect=exchange.dialect.name,
            mac=mac_evidence(exchange),
            peer=exchange.connection.peer,
            pan_hash=pan_hash(self._pan_key, pan),
            pan_masked=masking.mask_pan(pan) if pan else "",
            organisation=scheme,
            foreign=bool(scheme) and scheme != DOMESTIC,
            item_hashes=tuple([pan_hash(self._pan_key, item.pan) for item in operation.items]),
            unserved=unserved,
        )

    def _profile(self, dialect: Dialect) -> Profile:
        if dialect not in self._profiles:
            self._profiles[dialect] = profile_of(dialect.name, dialect.profile)
        return self._profiles[dialect]

    def broken(self, connection: Connection, error: FrameError, data: bytes) -> None:
        """The stream cannot be cut into frames, or ended inside one: log what came and why; the server closes the line.

        data: from the length header that is wrong, or that of the unfinished frame.
        """
        dialect = connection.endpoint.dialect
        words = greeting(data) or self._doctor.look(data, dialect, self._monotonic())
        text = "; ".join(dict.fromkeys(filter(None, (str(error), words))))
        note = Note(0, error.offset, error.expected or framing(dialect), error.got or safe_hex(data), text)
        # No payload was handed over, so no request ends with this.
        exchange, rows = self._unreadable(connection, [note], data)
        self._record(exchange, rows, counted=False)

    def _hopeless(self, connection: Connection, payload: bytes, seen: Inspection, struck: Fault | None) -> None:
        """Not even an MTI and a bitmap: nothing can be paired, so the line is closed after the log line."""
        notes: list[Note | str] = [*seen.notes, *self._would_fit(connection, payload), *fault_text(struck)]
        exchange, rows = self._unreadable(connection, notes, payload)
        self._record(exchange, rows)
        connection.close()

    def _would_fit(self, connection: Connection, payload: bytes) -> list[str]:
        """Which listener would have read this: as it was cut, else as it came, since the cut itself may be wrong."""
        dialect, now = connection.endpoint.dialect, self._monotonic()
        words = self._doctor.look(frame(payload, dialect.frame), dialect, now)
        at = connection.latest.find(payload) - LENGTH_BYTES[dialect.frame.length]
        if not words and at >= 0:
            words = self._doctor.look(connection.latest[at:], dialect, now)
        return [words] if words else []

    def _unreadable(
        self, connection: Connection, notes: list[Note | str], data: bytes
    ) -> tuple[Exchange, Callable[[Context], tuple[Row, ...]]]:
        """What `/messages` keeps of bytes that are no message. The program's log has one line a listener in a while: a
        scanner makes thousands a second."""
        exchange = self._exchange(connection, Message(mti=""), b"", notes)
        exchange.raw = kept_raw(data, None, exchange.dialect)
        if times := self._unread_log.due(connection.endpoint.url):
            log.warning("unreadable bytes", peer=connection.peer, why=note_json(notes[0]), times=times)
        return exchange, lambda ctx: (self._in_row(ctx, exchange, 0),)

    def _refuse(self, exchange: Exchange, unreadable: Unreadable) -> None:
        """Answer what cannot be an operation: no books, but the log line is durable before the answer leaves."""
        _explain(exchange, unreadable)

        def rows(ctx: Context) -> tuple[Row, ...]:
            at = ctx.host_time
            answer = exchange.family.refusal_answer(exchange.message, unreadable, at, exchange.dialect)
            received = self._in_row(ctx, exchange, 0)
            if answer is None:
                return (received,)
            exchange.frame = framed(answer, exchange.dialect)
            return received, self._out_row(ctx, exchange, answer, 0)

        self._record(exchange, rows, or_close=True)

    def _record(
        self,
        exchange: Exchange,
        rows: Callable[[Context], tuple[Row, ...]],
        *,
        or_close: bool = False,
        counted: bool = True,
    ) -> None:
        """Log without books; then the answer leaves.

        or_close: what cannot be answered ends its line. counted: the line counts a request that ends with this.
        """

        def done(_event: Event, _decision: Decision, _outcome: Outcome | None) -> None:
            assert self._loop is not None
            if or_close and not exchange.frame:
                self._loop.call_soon_threadsafe(exchange.connection.close)
            self._speak(exchange)

        try:
            self._submit(Record(rows), done if counted else None)
        except Busy:
            log.warning("no answer: the writer's queue is full", peer=exchange.connection.peer)
            if counted:
                exchange.connection.request_ended()

    def _spoil_before(self, exchange: Exchange, fault: Fault) -> None:
        """A fault before the commit: nothing is decided, nothing is booked; the log says which rule did it."""
        exchange.notes += fault_text(fault)

        def rows(ctx: Context) -> tuple[Row, ...]:
            received = self._in_row(ctx, exchange, 0)
            if fault.action != "answer":
                return (received,)
            operation = exchange.operation
            assert operation is not None
            at = ctx.host_time
            outcome = Outcome(code=fault.rc, at=at, business_date=ctx.business_date.isoformat())
            answer = exchange.family.write_answer(exchange.message, outcome, exchange.dialect)
            exchange.frame = framed(answer, exchange.dialect)
            return received, self._out_row(ctx, exchange, answer, 0)

        if fault.action in LINE_ENDS:
            end_line(exchange.connection, fault.action)
        self._record(exchange, rows)

    def _spoil_request(self, exchange: Exchange, operation: Operation, fault: Fault) -> None:
        """A fault on the way in that lets the request arrive: changed, late, twice or behind others."""
        assert self._loop is not None
        assert self._delivery is not None
        connection, form = exchange.connection, exchange.dialect.frame

        def arrives(data: bytes) -> None:
            self.received(connection, data[LENGTH_BYTES[form.length] :], fault)

        for place, effect in enumerate(effects_of(fault, frame(payload_of(exchange), form), exchange.dialect)):
            if place:
                connection.request_again()
            if isinstance(effect, Behind):
                self._delivery.hold(operation.tid, effect.frames, partial(arrives, effect.data))
            elif isinstance(effect, Put) and effect.after_s:
                self._loop.call_later(effect.after_s, arrives, effect.data)
            else:
                assert isinstance(effect, Put), effect
                arrives(effect.data)

    # ---- before the commit: the writer's thread

    def rows(
        self, ctx: Context, event: Request, decision: Decision, outcome: Outcome | None, waited: bool
    ) -> list[Row]:
        """The log lines that belong into this group's commit; encodes the answer when there is one.

        Called when a request is decided (outcome None: it waits for its issuer or for another), and with
        `waited` when its outcome comes. After a commit that failed it is called again, so it only ever replaces.
        """
        exchange = self._under_way.get(event.token)
        if exchange is None:
            return []
        made: list[Row] = []
        fault, said = exchange.fault, decision.notes
        if outcome is not None and fault is not None and fault.action == CRASHES and fault.phase is Phase.BEFORE_COMMIT:
            log.warning("the host ends by a fault rule, before the commit", rule=fault.id)
            assert self._delivery is not None
            self._delivery.die()
        if decision.asks and not self._faults.empty and exchange.operation is not None:
            said += fault_text(self.link_faults.note(decision.asks, facts_of(exchange.message, exchange.operation)))
        if not waited:
            made.append(self._in_row(ctx, exchange, decision.txn_id, said))
        if outcome is not None:
            answer = self._answer(exchange, decision, outcome)
            said = fault_text(exchange.fault, answer) + (decision.notes if waited else ())
            made.append(self._out_row(ctx, exchange, answer, decision.txn_id, said))
        return made

    def _answer(self, exchange: Exchange, decision: Decision, outcome: Outcome) -> Message:
        answer = exchange.family.write_answer(exchange.message, outcome, exchange.dialect)
        answer, exchange.frame = self._written(exchange, decision, answer)
        exchange.encoded = outcome
        fault = exchange.fault
        if fault is not None and fault.action in WRITTEN_OTHERWISE:
            (put,) = effects_of(
                fault, exchange.frame, exchange.dialect, lambda told: self._resealed(exchange, decision, told)
            )
            assert isinstance(put, Put)
            exchange.frame = put.data
            answer = decode_payload(put.data[LENGTH_BYTES[exchange.dialect.frame.length] :], exchange.dialect)
        return answer

    def _written(self, exchange: Exchange, decision: Decision, answer: Message) -> tuple[Message, bytes]:
        """The answer with its MAC, and its frame."""
        payload = b""
        if decision.sign_key and decision.mac and exchange.family.carries_mac(answer):
            answer, payload = signed(answer, exchange.dialect, bytes.fromhex(decision.sign_key), decision.mac)
        return answer, framed(answer, exchange.dialect, payload)

    def _resealed(self, exchange: Exchange, decision: Decision, told: Message) -> bytes:
        """A changed answer with a right MAC, where one of its kind has one."""
        return self._written(exchange, decision, told.with_fields(dict.fromkeys(MAC_FIELDS)))[1]

    def _in_row(self, ctx: Context, exchange: Exchange, txn_id: int, said: tuple[str | Remark, ...] = ()) -> MessageRow:
        notes = [*exchange.notes, *placed(exchange, said)] if said else exchange.notes
        exchange.shown = exchange.message.masked()
        row = self._row(ctx, exchange, "in", exchange.message, exchange.shown, exchange.body, notes, txn_id)
        exchange.in_row = row.id
        return row

    def _out_row(
        self, ctx: Context, exchange: Exchange, answer: Message, txn_id: int, said: tuple[str | Remark, ...] = ()
    ) -> MessageRow:
        notes = placed(exchange, said) if said else []
        shown = _shown_beside(exchange, answer)
        return self._row(ctx, exchange, "out", answer, shown, exchange.frame, notes, txn_id)

    def _row(
        self,
        ctx: Context,
        exchange: Exchange,
        direction: str,
        message: Message,
        shown: Mapping[int, str],
        raw: bytes,
        notes: list[Note | str],
        txn_id: int,
    ) -> MessageRow:
        """shown: the elements of the message, masked. raw: the bytes that came, or that leave."""
        asked = direction == "in"
        operation = exchange.operation
        return MessageRow(
            id=ctx.ids.new(MessageRow.__name__),
            at=ctx.stamp,
            direction=direction,
            peer=exchange.connection.peer,
            dialect=exchange.dialect.name,
            tid=shown.get(41, ""),
            mti=message.mti,
            kind=operation.kind.value if operation else "",
            stan=shown.get(11, ""),
            code=shown.get(39, ""),
            rrn=shown.get(37, ""),
            auth_code=shown.get(38, ""),
            txn_id=txn_id,
            reply_to=0 if asked else exchange.in_row,
            fields=_fields_json(shown),
            notes=json.dumps([note_json(note) for note in notes], ensure_ascii=False) if notes else "[]",
            fate="" if asked else fate_of(exchange.fault, message),
            digest=self._digest_of(raw) if raw else "",
            raw=exchange.raw if asked else "",
        )

    def _digest_of(self, raw: bytes) -> str:
        made = self._digest.copy()  # of a start that has the key already
        made.update(raw)
        return made.hexdigest()

    # ---- out: after the commit

    def _decided(self, event: Event, decision: Decision, outcome: Outcome | None) -> None:
        """The runner has committed (writer's thread): from here on the answer may leave. outcome None: say nothing.

        A crash just before the commit leaves nothing: the terminal gets no answer and its reversal meets 25 or 12. A
        crash just after it leaves the books as they must be and no answer: the reversal or the repeat finds them.
        """
        assert isinstance(event, Request)
        exchange = self._under_way.pop(event.token, None)
        if exchange is None:
            return
        if outcome is None:
            exchange.frame = b""  # what was encoded for a commit that nobody knows of must never leave
            self._speak(exchange)
            return
        if exchange.encoded is not outcome:
            # The commit failed: what was encoded for it must never leave; this outcome (96) has no books behind it.
            self._answer(exchange, decision, outcome)
        self._speak(exchange)

    def _speak(self, exchange: Exchange) -> None:
        assert self._loop is not None
        self._outbox.append(exchange)
        if not self._flush_is_due:
            self._flush_is_due = True
            self._loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        """Everything that is ready leaves, each answer in one write; what has none ends here too (loop's thread)."""
        assert self._delivery is not None
        self._flush_is_due = False  # first: what comes from here on asks anew
        while self._outbox:
            exchange = self._outbox.popleft()
            if exchange.frame:
                self._delivery.deliver(exchange)
            exchange.connection.request_ended()


def _explain(exchange: Exchange, unreadable: Unreadable) -> None:
    """Why a message is no operation, for its log line; what the reader has said of that element is not said twice."""
    if not any(isinstance(note, Note) and note.de == unreadable.de for note in exchange.notes):
        exchange.notes.append(note_of(exchange, unreadable))


def _shown_beside(exchange: Exchange, answer: Message) -> Mapping[int, str]:
    """The answer, masked; what it only echoes looks as it did in the request: there its card number was at hand."""
    shown = answer.masked()
    said, asked = answer.fields, exchange.message.fields
    for de, text in exchange.shown.items():
        if said.get(de) == asked[de]:
            shown[de] = text
    return shown


def _fields_json(shown: Mapping[int, str]) -> str:
    """{"2": "...", ...} as json.dumps writes it; twice a message, so without a general encoder."""
    values = "".join(shown.values())
    if len(quoted(values)) > len(values) + 2:  # more than the two quotes: something has to be escaped
        return "{" + ", ".join([f'"{de}": {quoted(value)}' for de, value in shown.items()]) + "}"
    pieces = [*_json_form(tuple(shown))]
    pieces[1::2] = shown.values()
    return "".join(pieces)


@lru_cache(maxsize=1024)
def _json_form(elements: tuple[int, ...]) -> tuple[str, ...]:
    """Keys and quotes of these elements, with an empty place for each value: messages come in few shapes."""
    if not elements:
        return ("{}",)
    keys = [f'"{de}": "' for de in elements]
    between = [piece for key in keys[1:] for piece in ("", f'", {key}')]
    return ("{" + keys[0], *between, "", '"}')
