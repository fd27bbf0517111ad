"""NAC / EDC: reading and writing requests (nac.md); the module that `specs.families.family` hands out.

nac_table has the transactions, nac_totals the sums, nac_answers the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families import common
from specs.families.common import RequestMaker
from specs.families.nac_answers import read_answer, refusal_answer, write_answer
from specs.families.nac_table import ROWS, classified
from specs.families.nac_totals import count, format_totals, totals_of
from specs.families.table import Row, row_to_write
from specs.message import Message
from specs.operation import Entry, Kind, Operation, OriginalRef, Unreadable, UploadItem
from specs.subfields import nac as sub

DEFAULT_NII = common.DEFAULT_TPDU[3:6]
"""DE 24 of a terminal that was told none: the destination of the TPDU."""

_CARD_SOURCES = (2, 35, 45, 55, 57)
"""A sale shows its card by at least one of: number, tracks, chip, encrypted data (TLE)."""

_ENTRIES: Mapping[str, Entry] = {
    "01": Entry.MANUAL,
    "02": Entry.SWIPE,
    "03": Entry.QR,
    "05": Entry.CHIP,
    "07": Entry.TAP,
    "80": Entry.SWIPE,
    "90": Entry.SWIPE,
    "91": Entry.TAP,
}


# --- reading a request ---


def read_request(message: Message, dialect: Dialect) -> Operation | Unreadable:
    """At the host: what does this message ask? See `specs.families.Family`."""
    return common.read(message, classified(message, dialect), _operation, dialect)


def tracks_encrypted(message: Message) -> bool:
    """Never by a key of ours: NAC's DE 57 belongs to its vendors (nac.md, section 3)."""
    return False


def in_clear(message: Message, tdk: bytes) -> Message:
    """Nothing to do: see `tracks_encrypted`."""
    return message


def _operation(message: Message, row: Row) -> Operation:
    if row.kind is Kind.UPLOAD:
        read = common.operation(message, row, _ENTRIES)
        more = message[3].endswith("1")
        return replace(read, items=(_item(message, read),), more=more, amount=None)
    if row.kind is Kind.SETTLE:
        read = common.operation(message, row, _ENTRIES, batch=_batch(message[60]))
        return replace(read, totals=totals_of(sub.parse_de63(message[63])))
    read = common.operation(message, row, _ENTRIES, invoice=message.get(62) or "", reason=message.get(39) or "")
    return read if row.kind is Kind.ECHO else _money(message, row, read)


def _money(message: Message, row: Row, read: Operation) -> Operation:
    content = _content(message, read)
    if row.kind is Kind.VOID:
        return replace(read, original=_voided(message, read), content=content)
    if row.kind is Kind.REVERSAL:
        return replace(read, original=_named(message, stan=read.stan, amount=read.amount), content=content)
    common.require_card(message, _CARD_SOURCES)
    return replace(read, rrn=message.get(37) or "", auth_code=message.get(38) or "", content=content)


def _named(message: Message, *, stan: str = "", amount: int | None = None) -> OriginalRef:
    return OriginalRef(
        stan=stan,
        rrn=message.get(37) or "",
        invoice=message.get(62) or "",
        amount=amount,
        auth_code=message.get(38) or "",
    )


def _voided(message: Message, read: Operation) -> OriginalRef:
    """The original amount: 12 digits of DE 60, else DE 4, where 0 says nothing (nac.md 10)."""
    value = message.get(60) or ""
    private = sub.parse_de60(value) if len(value) == 12 else None
    stated = private.minor if isinstance(private, sub.OriginalAmount) else read.amount
    return _named(message, amount=stated or None)


def _batch(value: str) -> str:
    private = sub.parse_de60(value)
    if not isinstance(private, sub.BatchNumber):
        raise DecodeError(60, 0, "a batch number of 6 digits", f"{len(value)} characters")
    return private.batch


_UPLOADED_KINDS: Mapping[tuple[str, str], Kind] = {
    ("0200", "00"): Kind.SALE,
    ("0200", "02"): Kind.VOID,
    ("0200", "20"): Kind.REFUND,
    ("0220", "20"): Kind.REFUND,
}
"""Original MTI and first digits of DE 3 -> kind; what is built later stays unsaid."""


def _item(message: Message, read: Operation) -> UploadItem:
    private = sub.parse_de60(message[60])
    if not isinstance(private, sub.OriginalData):
        raise DecodeError(60, 0, "original MTI, STAN and RRN, 22 characters", f"{len(message[60])} characters")
    named = replace(_named(message, stan=private.stan), rrn=private.rrn or message.get(37) or "")
    return UploadItem(
        named,
        read.amount or 0,
        kind=_UPLOADED_KINDS.get((private.mti, read.processing_code[:2])),
        pan=read.card.pan if read.card else "",
    )


def _content(message: Message, read: Operation) -> tuple[tuple[str, str], ...]:
    return common.content(
        (
            ("processing_code", read.processing_code[:2]),
            ("amount", message.get(4)),
            ("pan", read.card.pan if read.card else ""),
            ("invoice", read.invoice),
            ("rrn", message.get(37)),
            ("cryptogram", common.cryptogram(message)),
        )
    )


# --- writing a request ---


def write_request(operation: Operation, dialect: Dialect) -> Message:
    """At the terminal: the request. See `specs.families.Family`.

    DE 24 is `DEFAULT_NII`. An upload takes one item: DE 3 is the original's with the «more» digit, and the card, time
    and date of the original stand in the operation (nac.md 4 and 6).
    """
    return common.write_request(operation, row_to_write(operation, ROWS), _REQUEST, dialect)


def reversal_of(request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
    """The 0400 to a stored request: same STAN, DE 3, 4, 41, 42, 62, no track (nac.md 7).

    The reason is for the terminal's own log: NAC sends no DE 39 in a reversal.
    """
    keep = (2, 3, 4, 11, 12, 13, 14, 22, 23, 24, 25, 37, 38, 41, 42, 54, 60, 62)
    return common.reversal(request, keep, {38: auth_code} if auth_code else {})


def _de60(operation: Operation, row: Row) -> str | None:
    named = operation.original
    match row.kind:
        case Kind.SETTLE if operation.batch is not None:
            return sub.format_de60(sub.BatchNumber(operation.batch))
        case Kind.VOID if named and named.amount is not None:
            return sub.format_de60(sub.OriginalAmount(named.amount))
        case Kind.UPLOAD:
            ref = _only_item(operation).ref
            return sub.format_de60(sub.OriginalData(_ORIGINAL_MTI, ref.stan, ref.rrn or None))
    return None


_ORIGINAL_MTI = "0200"
"""Sale, void and refund are all 0200 at this terminal; advices come with the operations that send them."""


def _only_item(operation: Operation) -> UploadItem:
    if len(operation.items) != 1:
        raise EncodeError(60, "a 0320 carries one item")
    return operation.items[0]


def _ref(operation: Operation, row: Row) -> OriginalRef | None:
    return _only_item(operation).ref if row.kind is Kind.UPLOAD else operation.original


def _de3(operation: Operation, row: Row) -> str:
    """Of an upload: the original's, last digit 1 while more follow (nac.md 4)."""
    if row.kind is not Kind.UPLOAD:
        return operation.processing_code or row.processing.ljust(6, "0")
    kind = _only_item(operation).kind
    first = next((code for (_, code), known in _UPLOADED_KINDS.items() if known is kind), "00")
    return (operation.processing_code or first.ljust(6, "0"))[:5] + ("1" if operation.more else "0")


def _de63(operation: Operation, row: Row) -> str | None:
    return format_totals(operation.totals) if operation.totals is not None else None


def _de4(operation: Operation, row: Row) -> str | None:
    return common.minor(_only_item(operation).amount if row.kind is Kind.UPLOAD else operation.amount)


def _de2(operation: Operation, row: Row) -> str | None:
    if row.kind is Kind.UPLOAD:
        return _only_item(operation).pan
    return operation.card.pan if operation.card and common.sends_number(operation, row) else None


def _de62(operation: Operation, row: Row) -> str | None:
    ref = _ref(operation, row)
    return operation.invoice or (ref.invoice if ref else None)


def _of_ref(part: str) -> RequestMaker:
    def make(operation: Operation, row: Row) -> str | None:
        ref = _ref(operation, row)
        return str(getattr(ref, part)) if ref else None

    return make


def _de39(operation: Operation, row: Row) -> str | None:
    """An uploaded item was approved; a reversal gives no reason in NAC."""
    return "00" if row.kind is Kind.UPLOAD else None


_REQUEST: Mapping[int, RequestMaker] = {
    2: _de2,
    3: _de3,
    4: _de4,
    11: lambda op, row: op.stan,
    12: lambda op, row: op.local_time,
    13: lambda op, row: op.local_date,
    14: lambda op, row: op.card.expiry if op.card and common.sends_number(op, row) else None,
    22: lambda op, row: common.entry_mode(op),
    23: lambda op, row: op.card.sequence if op.card else None,
    24: lambda op, row: DEFAULT_NII,
    25: lambda op, row: "00",
    35: lambda op, row: op.card.track2 if op.card else None,
    37: _of_ref("rrn"),
    38: _of_ref("auth_code"),
    39: _de39,
    41: lambda op, row: op.tid,
    42: lambda op, row: op.mid,
    52: lambda op, row: op.pin_block.hex().upper() if op.pin_block else None,
    55: lambda op, row: None,  # chip data come with the chip operations
    60: _de60,
    62: _de62,
    63: _de63,
}


_MAY_LACK: Mapping[str, frozenset[int]] = {"0330": frozenset({4})}


def repeat_of(request: Message) -> Message:
    """The same message again: terminals of this family do not set the repeat digit (rules.md, section 2)."""
    return request


def copy_of(advice: Message, dialect: Dialect) -> Message:
    """Not yet."""
    raise EncodeError(0, "this family uploads no copies")


def fits(request: Message, answer: Message) -> str:
    """RT5 at the terminal: "" when the answer is one to this request, else the reason why not. 0330 may lack DE 4."""
    return common.fits(request, answer, _MAY_LACK)


# --- totals and MAC ---


def carries_mac(message: Message) -> bool:
    """Never: the common core of NAC has no MAC; zeros or nothing stand in DE 64 (nac.md 3)."""
    return False


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
    "write_answer",
    "write_request",
]
