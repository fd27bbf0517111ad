"""NAC / EDC: writing requests (nac.md 3 to 7)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from specs.dialect import Dialect
from specs.errors import EncodeError
from specs.families import common
from specs.families.common import RequestMaker
from specs.families.nac_table import ON_PRE_AUTH, ROWS
from specs.families.nac_totals import format_totals
from specs.families.table import Row, row_to_write
from specs.message import Message
from specs.operation import ADJUSTMENTS, FINANCIAL, RESERVATIONS, VOIDS, Kind, Operation, OriginalRef, UploadItem
from specs.subfields import nac as sub
from specs.values import replace

DEFAULT_NII = common.DEFAULT_TPDU[3:6]
"""DE 24 of a terminal that was told none: the destination of the TPDU."""

UPLOADS = frozenset({Kind.UPLOAD, Kind.TC_UPLOAD})


def write_request(operation: Operation, dialect: Dialect) -> Message:
    """At the terminal: the request. See `specs.families.Family`.

    DE 24 is `DEFAULT_NII`. The void of a completion is a void like any other, the void of a refund one with
    processing code 22xxxx. An upload takes one item: DE 3 is the original's with the «more» digit, and the card, time
    and date of the original stand in the operation (nac.md 4 and 6).
    """
    if operation.kind is Kind.COMPLETION_VOID:
        operation = replace(operation, kind=Kind.VOID)
    makers = _makers(bool(dialect.profile.get("debit_groups")))
    written = common.write_request(operation, row_to_write(operation, ROWS), makers, dialect)
    if dialect.profile.get("de60_batch") and operation.kind in FINANCIAL | RESERVATIONS and 60 not in written:
        return written.with_fields({60: operation.batch})
    return written


def reversal_of(request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
    """The 0400 to a stored request: same STAN, DE 3, 4, 41, 42, 62, no track (nac.md 7).

    The reason is for the terminal's own log: NAC sends no DE 39 in a reversal.
    """
    keep = (2, 3, 4, 11, 12, 13, 14, 22, 23, 24, 25, 37, 38, 41, 42, 54, 60, 62)
    return common.reversal(request, keep, {38: auth_code} if auth_code else {})


# --- the item of an upload ---

_ITEM_CODES: Mapping[Kind, tuple[str, str]] = {
    Kind.SALE: ("0200", "00"),
    Kind.CASH_BACK: ("0200", "09"),
    Kind.COMPLETION: ("0200", "00"),
    Kind.VOID: ("0200", "02"),
    Kind.COMPLETION_VOID: ("0200", "02"),
    Kind.REFUND: ("0200", "20"),
    Kind.OFFLINE_SALE: ("0220", "00"),
    Kind.COMPLETION_ADVICE: ("0220", "00"),
    Kind.ADJUST: ("0220", "02"),
    Kind.TIP: ("0220", "02"),
}
"""Kind -> original MTI and first digits of DE 3; an adjusted sale is uploaded as the sale that it was (nac.md 6)."""
_COMPLETIONS = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE})


def _only_item(operation: Operation) -> UploadItem:
    if len(operation.items) != 1:
        raise EncodeError(60, "a 0320 carries one item")
    return operation.items[0]


def _item_codes(operation: Operation) -> tuple[str, str]:
    item = _only_item(operation)
    mti, code = _ITEM_CODES.get(item.kind or Kind.SALE, _ITEM_CODES[Kind.SALE])
    return item.ref.mti or mti, code


def _uploads(row: Row) -> bool:
    return row.kind in UPLOADS


# --- the data elements ---


def _de2(operation: Operation, row: Row) -> str | None:
    if _uploads(row) and (pan := _only_item(operation).pan):
        return pan
    return operation.card.pan if operation.card and common.sends_number(operation, row) else None


def _de3(operation: Operation, row: Row) -> str:
    """Of an upload: the original's, last digit 1 while more follow (nac.md 4)."""
    if not _uploads(row):
        return operation.processing_code or row.processing.ljust(6, "0")
    first = row.processing or _item_codes(operation)[1]
    return (operation.processing_code or first.ljust(6, "0"))[:5] + ("1" if operation.more else "0")


def _de4(operation: Operation, row: Row) -> str | None:
    return common.minor(_only_item(operation).amount if _uploads(row) else operation.amount)


def _de25(operation: Operation, row: Row) -> str:
    """A reversal is told apart by DE 3 alone."""
    if row.kind is Kind.REVERSAL:
        return "00"
    kind = _only_item(operation).kind if _uploads(row) else row.kind
    return ON_PRE_AUTH if kind in _COMPLETIONS | RESERVATIONS else "00"


def _de39(operation: Operation, row: Row) -> str | None:
    """An uploaded item was approved; a reversal gives no reason in NAC."""
    return "00" if _uploads(row) else None


def _de54(operation: Operation, row: Row) -> str | None:
    """The part of DE 4 that is cash or a tip."""
    part = operation.cash if row.kind is Kind.CASH_BACK else operation.tip
    if _uploads(row):
        part = _only_item(operation).tip
    return None if part is None else sub.format_de54(part)


def _de55(operation: Operation, row: Row) -> str | None:
    chip = _only_item(operation).chip if _uploads(row) else operation.chip
    return chip.hex().upper() if chip else None


def _de60(operation: Operation, row: Row) -> str | None:
    named = operation.original
    if row.kind is Kind.SETTLE:
        return None if operation.batch is None else sub.format_de60(sub.BatchNumber(operation.batch))
    if row.kind in VOIDS | ADJUSTMENTS | {Kind.PRE_AUTH_VOID} and named and named.amount is not None:
        return sub.format_de60(sub.OriginalAmount(named.amount))
    if _uploads(row):
        ref = _only_item(operation).ref
        return sub.format_de60(sub.OriginalData(_item_codes(operation)[0], ref.stan, ref.rrn or None))
    return None


def _de62(operation: Operation, row: Row) -> str | None:
    ref = _ref(operation, row)
    return operation.invoice or (ref.invoice if ref else None)


def _ref(operation: Operation, row: Row) -> OriginalRef | None:
    return _only_item(operation).ref if _uploads(row) else operation.original


def _de37(operation: Operation, row: Row) -> str:
    ref = _ref(operation, row)
    return ref.rrn if ref else operation.rrn


def _de38(operation: Operation, row: Row) -> str:
    ref = _ref(operation, row)
    return ref.auth_code if ref else operation.auth_code


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
    25: _de25,
    35: lambda op, row: op.card.track2 if op.card else None,
    37: _de37,
    38: _de38,
    39: _de39,
    41: lambda op, row: op.tid,
    42: lambda op, row: op.mid,
    52: lambda op, row: op.pin_block.hex().upper() if op.pin_block else None,
    54: _de54,
    55: _de55,
    60: _de60,
    62: _de62,
}


@cache
def _makers(debit_groups: bool) -> Mapping[int, RequestMaker]:
    def totals(operation: Operation, row: Row) -> str | None:
        return format_totals(operation.totals, debit_groups=debit_groups) if operation.totals is not None else None

    return {**_REQUEST, 63: totals}
