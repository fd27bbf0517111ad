"""UnionPay POS: writing requests, and the messages made from a stored one (cup.md 5 and 6.1)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.dialect import Dialect
from specs.errors import EncodeError
from specs.families import common
from specs.families.common import RequestMaker
from specs.families.cup_table import CHIP_UPLOADS, ROWS, private_of, tracks_encrypted
from specs.families.cup_totals import settlement_of
from specs.families.table import Row, row_to_write
from specs.message import Message
from specs.operation import ADJUSTMENTS, Entry, Kind, Operation, OriginalRef, UploadForm, UploadItem
from specs.subfields import cup as sub
from specs.subfields import cup_records as records
from specs.values import replace

_PLAIN_ROWS = tuple(row for row in ROWS if not row.condition)


def write_request(operation: Operation, dialect: Dialect) -> Message:
    """At the terminal: the request, without DE 64. See `specs.families.Family`.

    A track goes alone, as read; without one, from a chip and in every advice the card number and expiry go in DE 2 and
    14 (cup.md 6.1, C1). A reversal is better made by `reversal_of` from the stored request, a copy only by `copy_of`.
    """
    told = replace(operation, function=_function(operation))
    rows = _PLAIN_ROWS if operation.kind is Kind.REVERSAL else ROWS
    return common.write_request(told, row_to_write(told, rows), _REQUEST, dialect)


def _function(operation: Operation) -> str:
    """60.3 where it, and no more, tells one row of a kind from another."""
    match operation.kind:
        case Kind.TC_UPLOAD:
            form = _only_item(operation).form
            if (form, operation.balanced) not in CHIP_UPLOADS:
                raise EncodeError(60, f"an IC upload is a TC or a failed item, not a {form}")
            return CHIP_UPLOADS[form, operation.balanced]
        case Kind.UPLOAD if any(item.form is not UploadForm.GROUP for item in operation.items):
            raise EncodeError(60, "a copy is made from its advice")
        case Kind.UPLOAD:
            return "201"
        case Kind.DOWNLOAD if not operation.function:
            raise EncodeError(60, "which download")
    return operation.function


def reversal_of(request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
    """The 0400 to a stored request, without DE 64; reason as in `codes.ReversalReason` (cup.md 6.1, flows.md 4).

    The card number stands in for the track; from an encrypted track none can be had.
    """
    keep = (2, 3, 4, 11, 14, 22, 23, 25, 38, 41, 42, 49, 60, 61)
    changes: dict[int, str | None] = {39: reason}
    if auth_code:
        changes[38] = auth_code
    return common.reversal(request, keep, changes, encrypted=tracks_encrypted(request))


def repeat_of(request: Message) -> Message:
    """The same message again: terminals of this family do not set the repeat digit (rules.md, section 2)."""
    return request


_NOT_COPIED = (26, 35, 36, 52, 53, 64)
_IC_OFFLINE = "36"


def copy_of(advice: Message, dialect: Dialect) -> Message:
    """The 0320 to a stored 0220 (or 0200 of an IC offline sale): DE 22 digit 3 becomes 2, no track, PIN or MAC.

    STAN, batch and the rest of DE 60 stay those of the advice; the card number stands in for its track. Raises:
    EncodeError for a message that is uploaded in another form.
    """
    offline = advice.mti == "0200" and private_of(advice[60]).type_code == _IC_OFFLINE
    if not offline and advice.mti not in ("0220", "0221"):
        raise EncodeError(0, f"no copy is uploaded of a {advice.mti}")
    track = common.clear_track(advice, tracks_encrypted(advice))
    changes: dict[int, str | None] = dict.fromkeys(_NOT_COPIED)
    if track:
        changes |= {2: advice.get(2) or track.pan, 14: advice.get(14) or track.expiry}
    if mode := advice.get(22):
        changes[22] = mode[:2] + sub.WITHOUT_PIN
    return replace(advice.with_fields(changes), mti="0320")


# --- the elements ---


def _only_item(operation: Operation) -> UploadItem:
    if len(operation.items) != 1:
        raise EncodeError(62, "an IC upload carries one item")
    return operation.items[0]


def _de2(operation: Operation, row: Row) -> str | None:
    if row.kind is Kind.TC_UPLOAD:
        return _only_item(operation).pan
    return operation.card.pan if operation.card and _sends_number(operation, row) else None


def _de14(operation: Operation, row: Row) -> str | None:
    return operation.card.expiry if operation.card and _sends_number(operation, row) else None


def _sends_number(operation: Operation, row: Row) -> bool:
    """cup.md 6.1, C1; column «advice» has DE 2 as mandatory."""
    chip = operation.card is not None and operation.card.entry in (Entry.CHIP, Entry.TAP)
    return chip or row.mti == "0220" or common.sends_number(operation, row)


def _de4(operation: Operation, row: Row) -> str | None:
    """Of a tip the original amount, of an adjustment the new one without its tip (rules.md 1)."""
    if row.kind is Kind.TC_UPLOAD:
        return common.minor(_only_item(operation).amount)
    if operation.amount is None or row.kind not in ADJUSTMENTS:
        return common.minor(operation.amount)
    if operation.amount < (operation.tip or 0):
        raise EncodeError(4, "the new total is less than its tip")
    return common.minor(operation.amount - (operation.tip or 0))


_CONDITIONS: Mapping[str, str] = {"10": "06", "11": "06", "20": "06", "21": "06", "24": "06"}
"""60.1 -> DE 25 of the pre-authorisation family; 00 for all others."""


def _de25(operation: Operation, row: Row) -> str:
    return row.condition or _CONDITIONS.get(row.type_code, "00")


def _de48(operation: Operation, row: Row) -> str | None:
    if row.kind is Kind.SETTLE and operation.totals is not None:
        return sub.format_settlement(settlement_of(operation.totals, {}))
    if row.kind is Kind.UPLOAD:
        return sub.format_upload(
            [sub.UploadItem(bool(item.foreign), item.ref.stan, item.pan, item.amount) for item in operation.items]
        )
    if row.kind is Kind.UPLOAD_END and operation.count is not None:
        return sub.format_upload_end(operation.count)
    if row.kind in ADJUSTMENTS and operation.tip is not None:
        return sub.format_tip(operation.tip)
    return None


def _de53(operation: Operation, row: Row) -> str | None:
    """Present with a PIN or a track (cup.md 5.3)."""
    if operation.pin_block is None and not (operation.card and operation.card.track2):
        return None
    pin = sub.PIN_WITH_PAN if operation.pin_block else sub.NO_PIN
    return sub.format_de53(sub.SecurityControl(pin, sub.DOUBLE_LENGTH))


def _de55(operation: Operation, row: Row) -> str | None:
    chip = _only_item(operation).chip if row.kind is Kind.TC_UPLOAD else operation.chip
    return chip.hex().upper() if chip else None


_READER: Mapping[Entry, tuple[str, str]] = {Entry.CHIP: ("5", "1"), Entry.FALLBACK: ("5", "2"), Entry.TAP: ("6", "0")}
"""60.4 and 60.5: what the reader can, what became of the chip (cup.md 5.8); else a chip reader with nothing to say."""
_PARTIAL: Mapping[bool | None, str | None] = {None: None, True: "1", False: "0"}


def _de60(operation: Operation, row: Row) -> str | None:
    """11 digits in management messages; 60.4, 60.5 and, where something is to be said, 60.6 besides in financial ones.

    An IC upload goes under the batch of its item."""
    batch = operation.batch
    if row.kind is Kind.TC_UPLOAD:
        batch = _only_item(operation).ref.batch or batch
    if batch is None:
        return None
    told = sub.Private60(row.type_code or "00", batch, row.function or "000")
    if row.type_code:
        entry = operation.card.entry if operation.card else Entry.UNKNOWN
        capability, condition = _READER.get(entry, ("5", "0"))
        partial = _PARTIAL[operation.partial]
        told = replace(told, read_capability=capability, ic_condition=condition, partial_approval=partial)
    return sub.format_de60(told)


_BY_PHONE, _SMALL_AMOUNT = "01", "02"
_NOTHING, _ANY_DATE = "000000", "0000"
_NO_INSTITUTION = "0" * 11


def _de61(operation: Operation, row: Row) -> str | None:
    """cup.md 5.9: 12 digits of a void, 16 of the others, zeros of an increment, 29 of an offline sale."""
    if row.kind is Kind.OFFLINE_SALE:
        mode = _BY_PHONE if operation.auth_code else _SMALL_AMOUNT
        return sub.format_de61(sub.Original61(_NOTHING, _NOTHING, _ANY_DATE, mode, _NO_INSTITUTION))
    if row.kind is Kind.PRE_AUTH_INCREMENT:
        return sub.format_de61(sub.Original61(_NOTHING, _NOTHING, _ANY_DATE))
    if (named := operation.original) is None:
        return None
    date = None if row.kind is Kind.VOID else named.date or _ANY_DATE
    return sub.format_de61(sub.Original61(named.batch or _NOTHING, named.stan or _NOTHING, date))


def _de62(operation: Operation, row: Row) -> str | None:
    match row.kind:
        case Kind.DOWNLOAD:
            return operation.data.hex().upper()
        case Kind.TC_UPLOAD:
            return _chip_record(_only_item(operation))
    serial = operation.serial
    return sub.format_serial(sub.TerminalSerial(serial[:4], serial[4:])) if serial else None


_ENDED_BY_THE_CARD = "11"


def _chip_record(item: UploadItem) -> str:
    reason = item.reason or _ENDED_BY_THE_CARD if item.form is UploadForm.FAILED else ""
    record = records.ChipRecord(bool(item.foreign), item.amount, reason, item.currency or "156")
    return records.format_chip_record(record)


_ANY_ORGANISATION = "000"


def _de63(operation: Operation, row: Row) -> str | None:
    """The operator; of an advice the card organisation of the original, which a refund need not know (cup.md 5.11)."""
    if not row.type_code:
        return operation.operator.ljust(3) if operation.operator else None
    return operation.organisation or (_ANY_ORGANISATION if row.kind is Kind.REFUND else None)


def _named(operation: Operation) -> OriginalRef:
    """The original with the operation's own DE 37 and 38 where it says none."""
    ref = operation.original or OriginalRef()
    return replace(ref, rrn=ref.rrn or operation.rrn, auth_code=ref.auth_code or operation.auth_code)


_REQUEST: Mapping[int, RequestMaker] = {
    2: _de2,
    3: lambda op, row: op.processing_code or row.processing.ljust(6, "0"),
    4: _de4,
    11: lambda op, row: op.stan,
    14: _de14,
    22: lambda op, row: common.entry_mode(op),
    23: lambda op, row: op.card.sequence if op.card else None,
    25: _de25,
    26: lambda op, row: "12" if op.pin_block else None,
    35: lambda op, row: op.card.track2 if op.card else None,
    37: lambda op, row: _named(op).rrn,
    38: lambda op, row: _named(op).auth_code,
    39: lambda op, row: op.reason,
    41: lambda op, row: op.tid,
    42: lambda op, row: op.mid,
    48: _de48,
    49: lambda op, row: op.currency,
    52: lambda op, row: op.pin_block.hex().upper() if op.pin_block else None,
    53: _de53,
    55: _de55,
    60: _de60,
    61: _de61,
    62: _de62,
    63: _de63,
}
