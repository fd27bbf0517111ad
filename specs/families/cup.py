"""UnionPay POS: reading and writing requests (cup.md); the module that `specs.families.family` hands out.

cup_table has the transactions, cup_totals the sums, cup_answers the answers. An encrypted track (DE 53 digit 3 = 1) is
not decrypted by the reader: whoever has the track key calls `in_clear` before it reads the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specs.codes import is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families import common
from specs.families.common import RequestMaker
from specs.families.cup_answers import read_answer, refusal_answer, write_answer
from specs.families.cup_table import NAME, ROWS, classified, private_of, tracks_encrypted
from specs.families.cup_totals import count, settlement_of, totals_of
from specs.families.table import Row, row_to_write
from specs.message import Message
from specs.mti import Mti
from specs.operation import Entry, Kind, Operation, OriginalRef, Unreadable, UploadItem
from specs.security import decrypt_track
from specs.subfields import cup as sub

_CARD_SOURCES = (2, 35, 36, 55, 59)
"""A request shows its card by at least one of: number, tracks, chip, and DE 59 with the payer's code (QR)."""

_ENTRIES: Mapping[str, Entry] = {
    sub.MANUAL: Entry.MANUAL,
    sub.MAGNETIC: Entry.SWIPE,
    sub.QR: Entry.QR,
    sub.CHIP: Entry.CHIP,
    sub.CONTACTLESS: Entry.TAP,
    sub.FALLBACK: Entry.SWIPE,
    **dict.fromkeys(("90", "91", "92", "95", "96", "98"), Entry.TAP),
}


# --- reading a request ---


def read_request(message: Message, dialect: Dialect) -> Operation | Unreadable:
    """At the host: what does this message ask? See `specs.families.Family`."""
    return common.read(message, classified(message, dialect), _operation, dialect)


def _operation(message: Message, row: Row) -> Operation:
    private = private_of(message[60])
    read = common.operation(message, row, _ENTRIES, encrypted=tracks_encrypted(message), batch=private.batch)
    if row.type_code:
        return _money(message, row, read, private.type_code)
    return _management(message, row, read)


def _money(message: Message, row: Row, read: Operation, type_code: str) -> Operation:
    if row.kind in (Kind.SALE, Kind.BALANCE):
        common.require_card(message, _CARD_SOURCES)
    original = _original(message, row, read)
    return replace(
        read,
        currency=message.get(49) or "",
        reason=message.get(39) or "",
        original=original,
        content=_content(message, type_code, read),
        rrn="" if original else message.get(37) or "",
        auth_code="" if original else message.get(38) or "",
    )


def _original(message: Message, row: Row, read: Operation) -> OriginalRef | None:
    """rules.md 1: a void names it in DE 61, a reversal by its own DE 11 and 60.2 (its DE 61 is ignored)."""
    if row.kind is Kind.REVERSAL:
        return OriginalRef(read.stan, read.batch or "", amount=read.amount, auth_code=message.get(38) or "")
    if row.kind is Kind.VOID:
        named = sub.parse_de61(message[61])
        return OriginalRef(named.stan, named.batch, message.get(37) or "", auth_code=message.get(38) or "")
    return None


def _content(message: Message, type_code: str, read: Operation) -> tuple[tuple[str, str], ...]:
    return common.content(
        (
            ("processing_code", read.processing_code[:2]),
            ("type", type_code),
            ("amount", message.get(4)),
            ("pan", read.card.pan if read.card else ""),
            ("currency", message.get(49)),
            ("original", message.get(61) if read.kind is not Kind.REVERSAL else None),
            ("cryptogram", common.cryptogram(message)),
        )
    )


def _management(message: Message, row: Row, read: Operation) -> Operation:
    match row.kind:
        case Kind.SIGN_ON:
            return replace(read, operator=_operator(message), serial=_serial(message))
        case Kind.SETTLE:
            totals = totals_of(sub.parse_settlement(message[48]))
            return replace(read, operator=_operator(message), totals=totals, currency=message[49])
        case Kind.UPLOAD:
            return replace(read, items=tuple(_item(item, read) for item in sub.parse_upload(message[48])))
        case Kind.UPLOAD_END:
            return replace(read, count=sub.parse_upload_end(message[48]))
    return read


def _operator(message: Message) -> str:
    return (message.get(63) or "").rstrip()


def _serial(message: Message) -> str:
    """Licence and serial number of DE 62; acquirers agree on no form, so another one is not looked at."""
    try:
        terminal = sub.parse_serial(message.get(62) or "")
    except DecodeError:
        return ""
    return terminal.licence + terminal.serial


def _item(item: sub.UploadItem, read: Operation) -> UploadItem:
    return UploadItem(OriginalRef(item.stan, read.batch or ""), item.minor, pan=item.pan, foreign=item.foreign)


def with_clear_track(message: Message, track2: str) -> Message:
    """The message as if track 2 had come in clear; DE 53 digit 3 becomes 0."""
    control = message.get(53)
    return message.with_fields({35: track2, 53: control[:2] + "0" + control[3:] if control else None})


def in_clear(message: Message, tdk: bytes) -> Message:
    """Tracks 2 and 3 under their key made clear. Raises: SecurityError when they are under another."""
    found = {de: value for de in (35, 36) if (value := message.get(de)) is not None}
    clear = message.with_fields({de: decrypt_track(value, tdk) for de, value in found.items()})
    return with_clear_track(clear, clear[35]) if 35 in clear else clear


# --- writing a request ---


def write_request(operation: Operation, dialect: Dialect) -> Message:
    """At the terminal: the request, without DE 64. See `specs.families.Family`.

    A track goes alone, as read; without one the card number and expiry go in DE 2 and 14 (cup.md 6.1, C1). The reversal
    of a stored request is better made by `reversal_of`, which also knows its DE 22 and 61.
    """
    return common.write_request(operation, row_to_write(operation, ROWS), _REQUEST, dialect)


def reversal_of(request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
    """The 0400 to a stored request, without DE 64; reason as in `codes.ReversalReason` (cup.md 6.1, flows.md 4).

    The card number stands in for the track; from an encrypted track none can be had.
    """
    keep = (2, 3, 4, 11, 14, 22, 23, 25, 38, 41, 42, 49, 60, 61)
    changes: dict[int, str | None] = {39: reason}
    if auth_code:
        changes[38] = auth_code
    return common.reversal(request, keep, changes, encrypted=tracks_encrypted(request))


def _de48(operation: Operation, row: Row) -> str | None:
    if row.kind is Kind.SETTLE and operation.totals is not None:
        return sub.format_settlement(settlement_of(operation.totals, {}))
    if row.kind is Kind.UPLOAD:
        return sub.format_upload(
            [sub.UploadItem(bool(item.foreign), item.ref.stan, item.pan, item.amount) for item in operation.items]
        )
    if row.kind is Kind.UPLOAD_END and operation.count is not None:
        return sub.format_upload_end(operation.count)
    return None


def _de53(operation: Operation, row: Row) -> str | None:
    """Present with a PIN or a track (cup.md 5.3)."""
    if operation.pin_block is None and not (operation.card and operation.card.track2):
        return None
    pin = sub.PIN_WITH_PAN if operation.pin_block else sub.NO_PIN
    return sub.format_de53(sub.SecurityControl(pin, sub.DOUBLE_LENGTH))


def _de60(operation: Operation, row: Row) -> str | None:
    """11 digits in management messages; 60.4 = 5 (chip reader) and 60.5 = 0 besides in financial ones."""
    if operation.batch is None:
        return None
    money = row.type_code != ""
    return sub.format_de60(
        sub.Private60(
            row.type_code or "00",
            operation.batch,
            row.function or "000",
            read_capability="5" if money else None,
            ic_condition="0" if money else None,
        )
    )


def _de61(operation: Operation, row: Row) -> str | None:
    named = operation.original
    return sub.format_de61(sub.Original61(named.batch, named.stan)) if named else None


def _de62(operation: Operation, row: Row) -> str | None:
    serial = operation.serial
    return sub.format_serial(sub.TerminalSerial(serial[:4], serial[4:])) if serial else None


_REQUEST: Mapping[int, RequestMaker] = {
    2: lambda op, row: op.card.pan if op.card and common.sends_number(op, row) else None,
    3: lambda op, row: op.processing_code or row.processing.ljust(6, "0"),
    4: lambda op, row: common.minor(op.amount),
    11: lambda op, row: op.stan,
    14: lambda op, row: op.card.expiry if op.card and common.sends_number(op, row) else None,
    22: lambda op, row: common.entry_mode(op),
    23: lambda op, row: op.card.sequence if op.card else None,
    25: lambda op, row: row.condition or "00",
    26: lambda op, row: "12" if op.pin_block else None,
    35: lambda op, row: op.card.track2 if op.card else None,
    37: lambda op, row: op.original.rrn if op.original else None,
    38: lambda op, row: op.original.auth_code if op.original else None,
    39: lambda op, row: op.reason,
    41: lambda op, row: op.tid,
    42: lambda op, row: op.mid,
    48: _de48,
    49: lambda op, row: op.currency,
    52: lambda op, row: op.pin_block.hex().upper() if op.pin_block else None,
    53: _de53,
    55: lambda op, row: None,  # chip data come with the chip operations
    60: _de60,
    61: _de61,
    62: _de62,
    63: lambda op, row: op.operator.ljust(3) if op.operator else None,
}


def repeat_of(request: Message) -> Message:
    """The same message again: terminals of this family do not set the repeat digit (rules.md, section 2)."""
    return request


def copy_of(advice: Message, dialect: Dialect) -> Message:
    """Not yet."""
    raise EncodeError(0, "this family uploads no copies")


def fits(request: Message, answer: Message) -> str:
    """RT5 at the terminal: "" when the answer is one to this request, else the reason why not."""
    return common.fits(request, answer, {})


# --- totals and MAC ---

_WITH_MAC = ("0100", "0200", "0220", "0400", "0620")
"""security.md 6; their answers only when they approve."""


def carries_mac(message: Message) -> bool:
    """Whether a message of this kind carries DE 64 (security.md 6); an answer does when its DE 39 approves."""
    try:
        mti = Mti.parse(message.mti)
    except DecodeError:
        return False
    request = str(replace(mti, function=mti.function - mti.is_answer, origin=mti.origin - mti.is_repeat))
    return request in _WITH_MAC and (not mti.is_answer or is_approved(NAME, message.get(39) or ""))


__all__ = [
    "carries_mac",
    "copy_of",
    "count",
    "fits",
    "in_clear",
    "read_answer",
    "read_request",
    "refusal_answer",
    "repeat_of",
    "reversal_of",
    "tracks_encrypted",
    "with_clear_track",
    "write_answer",
    "write_request",
]
