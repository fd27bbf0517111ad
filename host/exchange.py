"""One request under way, and what can be said of its bytes without any books."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from host.engine.events import MacEvidence, Remark
from host.faults import Facts, Fault
from host.pan_hash import pan_hash
from host.server import Connection
from specs import masking, security
from specs.codec import encode_payload, mab, mac_de, sealed
from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError, SpecError
from specs.families import Family
from specs.framing import frame
from specs.inspection import Note, place
from specs.message import Message
from specs.operation import Operation, OriginalRef, Outcome, Unreadable
from specs.values import replace

HEX_LOGGED_MAX = 24
"""Bytes of an undecodable frame that a note shows: as a rule up to the bitmap."""
RAW_BYTES_MAX = 512
"""Bytes that the log keeps of what its elements cannot give back."""


@dataclass(slots=True)
class Exchange:
    """One request that is under way, from its frame to the bytes of its answer."""

    connection: Connection
    dialect: Dialect
    family: Family
    message: Message
    body: bytes = field(repr=False)
    clear: Message | None = None
    """The message with its tracks in clear, where they came encrypted; it is read, never logged or echoed."""
    operation: Operation | None = None
    notes: list[Note | str] = field(default_factory=list)
    in_row: int = 0
    shown: Mapping[int, str] = field(default_factory=dict)
    """The elements of the request as the log shows them."""
    frame: bytes = field(default=b"", repr=False)
    encoded: Outcome | None = None
    """The outcome that `frame` says."""
    fault: Fault | None = None
    struck: Fault | None = None
    """The rule that has struck the request on its way in; it meets no other."""
    raw: str = ""
    """What `kept_raw` made of bytes that `message` cannot give back; else ""."""


def payload_of(exchange: Exchange) -> bytes:
    """The payload that the request was read from."""
    message, form = exchange.message, exchange.dialect.frame
    head = (message.tpdu if form.tpdu else "") + (message.header if form.header else "")
    return bytes.fromhex(head) + exchange.body


def ask_of(exchange: Exchange) -> Operation | Unreadable:
    """What the message asks; what a lenient reading let through but no operation can hold is a format error."""
    try:
        return exchange.family.read_request(exchange.clear or exchange.message, exchange.dialect)
    except DecodeError as error:
        return format_refusal(error)
    except ValueError:
        return Unreadable(Refusal.FORMAT, 0, "values that fit their format", "something else (see the notes)")


def storable(operation: Operation, key: bytes) -> Operation:
    """The operation without card numbers in what the books keep of it, where a terminal sent one that does not belong.

    Invoice numbers (DE 62) are masked, alike at both ends of a reference, so a void still finds its sale. Compared
    content is hashed under the key of card numbers, since different values must stay different.
    """
    changes: dict[str, Any] = {}
    pan = operation.card.pan if operation.card else ""
    for name, value in operation.content:
        if name != "pan" and _tells(value, pan):
            changes["content"] = tuple((n, v if n == "pan" else _secret(v, pan, key)) for n, v in operation.content)
            break
    if (invoice := masking.mask_text(operation.invoice)) != operation.invoice:
        changes["invoice"] = invoice
    if operation.original is not None:
        changes["original"] = _storable_ref(operation.original)
    if operation.items:
        changes["items"] = tuple(replace(item, ref=_storable_ref(item.ref)) for item in operation.items)
    return replace(operation, **changes) if changes else operation


def _tells(value: str, pan: str) -> bool:
    """Whether a value shows a card number: any that a mask would hide, or the card's own."""
    return (pan != "" and pan in value) or masking.mask_text(value) != value


def _secret(value: str, pan: str, key: bytes) -> str:
    return pan_hash(key, value.encode("latin-1", "replace").hex()) if _tells(value, pan) else value


def _storable_ref(ref: OriginalRef) -> OriginalRef:
    return replace(ref, invoice=masking.mask_text(ref.invoice))


def format_refusal(error: SpecError) -> Unreadable:
    """A breach of the dialect as the refusal that says where it is; the words hold no value of the message."""
    if isinstance(error, DecodeError):
        return Unreadable(Refusal.FORMAT, error.de, error.expected, error.got)
    return Unreadable(Refusal.FORMAT, 0, str(error), "")


def facts_of(message: Message, operation: Operation) -> Facts:
    """What fault rules match on; amount in minor units, -1 = the message has none."""
    amount = operation.amount if operation.amount is not None else -1
    return Facts(operation.tid, message.mti, operation.kind.value, operation.stan, amount)


def mac_evidence(exchange: Exchange) -> MacEvidence:
    """What the engine needs to verify the MAC (DE 64 or 128); it has the keys, the edge has the bytes."""
    required = exchange.family.carries_mac(exchange.message)
    fields = exchange.message.fields
    de = mac_de(fields)
    value = fields.get(de)
    if not required or value is None:
        return MacEvidence(b"", None, required, de)
    try:
        received = bytes.fromhex(value)
    except ValueError:
        received = b""  # a lenient listener let it in: it is a MAC, and a wrong one
    return MacEvidence(mab(exchange.body, fields, exchange.dialect), received, required, de)


def signed(answer: Message, dialect: Dialect, key: bytes, algorithm: str) -> tuple[Message, bytes]:
    """The answer with its MAC (security.md, section 3: over MTI to the last element before it, with its bit set), and
    its payload."""
    return sealed(answer, dialect, lambda covered: security.MAC_ALGORITHMS[algorithm](key, covered))


def framed(answer: Message, dialect: Dialect, payload: bytes = b"") -> bytes:
    """The answer with its length header. An answer that the dialect cannot carry is our own mistake.

    payload: what it is written as, where that is known.
    """
    try:
        return frame(payload or encode_payload(answer, dialect), dialect.frame)
    except EncodeError as error:
        # Our own mistake: the line is better silent than wrong, and the terminal's reversal will find the books.
        raise AssertionError(f"the answer {answer.describe()} cannot be written: {error}") from error


def placed(exchange: Exchange, said: Iterable[str | Remark]) -> list[Note | str]:
    """What the engine said, with the byte that it is about; a plain sentence has none."""
    return [note if isinstance(note, str) else note_of(exchange, note) for note in said]


def note_of(exchange: Exchange, why: Remark | Unreadable) -> Note:
    """A breach that is known by its data element, at its byte: where the element begins, or where it would."""
    error = DecodeError(why.de, place(why.de, exchange.body, exchange.dialect), why.expected, why.got)
    spec = exchange.dialect.fields.get(why.de)
    words = [f"{error} ({spec.name})" if spec else str(error)]
    if isinstance(why, Remark) and why.more:
        words.append(why.more)
    return Note(error.de, error.offset, error.expected, error.got, "; ".join(words))


def note_json(note: Note | str) -> dict[str, object]:
    """A note as the log keeps it; a plain sentence has no place in the message."""
    if isinstance(note, str):
        return {"de": 0, "offset": 0, "expected": "", "got": "", "message": note}
    shown: dict[str, object] = {"de": note.de, "offset": note.offset, "expected": note.expected, "got": note.got}
    return shown | {"message": note.message}


def safe_hex(data: bytes) -> str:
    """The first bytes of something unreadable, without what may be a card number: stars."""
    return masked_hex(data[:HEX_LOGGED_MAX]) + ("…" if len(data) > HEX_LOGGED_MAX else "")


def kept_raw(payload: bytes, message: Message | None, dialect: Dialect, most: int = RAW_BYTES_MAX) -> str:
    """A payload in hex for the log, at most `most` bytes: what its `fields` do not show, this does not show either.

    message: what could be read of it, None for nothing. Where the reader lost its way every long run of digits is cut.
    """
    if message is None or message.doubtful >= message.fields.keys():
        return masked_hex(payload[:most])
    text, shown = payload.hex().upper(), message.masked()
    hidden = [value for de, value in message.fields.items() if shown[de] != value]
    forms = {form for value in hidden for form in _on_the_wire(value, dialect)}
    for form in sorted(forms, key=len, reverse=True):  # a short value may be part of a long one
        text = text.replace(form, "*" * len(form))
    # A number may also lie across elements that were misread: then no element shows it whole.
    text, plain = masking.mask_anywhere(text), payload.decode(dialect.encodings.codec, "replace")
    across = masking.mask_anywhere(plain)
    pairs = ("**" if across[at] != plain[at] else text[2 * at : 2 * at + 2] for at in range(len(plain)))
    return "".join(pairs)[: 2 * most]


def _on_the_wire(value: str, dialect: Dialect) -> Iterator[str]:
    """How a value may stand in the hex of its message: packed, or a byte a character."""
    written = value.encode(dialect.encodings.codec, "replace").hex().upper()
    yield from filter(None, (value.replace("=", "D").upper(), written))


def masked_hex(data: bytes) -> str:
    """Bytes that nobody could read: of long runs of digits, packed or as characters of either code, the first six."""
    text = masking.mask_digits(data.hex().upper())
    text = _EBCDIC_RUN.sub(lambda run: run[0][:_EBCDIC_SHOWN] + "*" * (len(run[0]) - _EBCDIC_SHOWN), text)
    plain = data.decode("latin-1")
    hidden = masking.mask_text(plain)
    assert len(hidden) == len(plain), "masks keep the length"
    return "".join("**" if hidden[i] != plain[i] else text[2 * i : 2 * i + 2] for i in range(len(plain)))


_EBCDIC_RUN = re.compile(r"(?:F[0-9]){9,}")
_EBCDIC_SHOWN = 2 * 6
