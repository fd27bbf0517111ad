"""UnionPay POS: reading requests (cup.md); the module that `specs.families.family` hands out.

cup_table has the transactions, cup_requests writes them, cup_answers has the answers, cup_totals the sums. An encrypted
track (DE 53 digit 3 = 1) is not decrypted by the reader: whoever has the track key calls `in_clear` before it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from specs.codes import is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError
from specs.families import common
from specs.families.cup_answers import read_answer, refusal_answer, write_answer
from specs.families.cup_requests import copy_of, repeat_of, reversal_of, write_request
from specs.families.cup_table import CHIP_UPLOADS, COPY, NAME, classified, private_of, tracks_encrypted
from specs.families.cup_totals import count, totals_of
from specs.families.table import Row
from specs.message import Message
from specs.mti import Mti
from specs.operation import (
    ADJUSTMENTS,
    Entry,
    Kind,
    Operation,
    OriginalRef,
    Unreadable,
    UploadForm,
    UploadItem,
    say_more,
)
from specs.security import decrypt_track
from specs.subfields import cup as sub
from specs.subfields import cup_records as records
from specs.values import replace

_CARD_SOURCES = (2, 35, 36, 55, 59)
"""A request shows its card by at least one of: number, tracks, chip, and DE 59 with the payer's code (QR)."""

_CARD_NEEDED = frozenset(
    {
        *(Kind.BALANCE, Kind.SALE, Kind.PRE_AUTH, Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID),
        *(Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.ADJUST, Kind.TIP),
    }
)
"""The kinds that make no sense without a card; void, refund and completion void name an original that has one."""

_ENTRIES: Mapping[str, Entry] = {
    sub.MANUAL: Entry.MANUAL,
    sub.MAGNETIC: Entry.SWIPE,
    sub.QR: Entry.QR,
    sub.CHIP: Entry.CHIP,
    sub.CONTACTLESS: Entry.TAP,
    sub.FALLBACK: Entry.FALLBACK,
    **dict.fromkeys(("90", "91", "92", "95", "96", "98"), Entry.TAP),
}

_PARTIAL: Mapping[str | None, bool] = {"0": False, "1": True}
"""60.6 -> whether a partial approval is welcome; anything else does not say."""


# --- reading a request ---


def read_request(message: Message, dialect: Dialect) -> Operation | Unreadable:
    """At the host: what does this message ask? See `specs.families.Family`."""
    return common.read(message, classified(message, dialect), _operation, dialect)


def _operation(message: Message, row: Row) -> Operation:
    private = private_of(message[60])
    read = common.operation(message, row, _ENTRIES, encrypted=tracks_encrypted(message), batch=private.batch)
    if row.type_code:
        return _money(message, row, read, private)
    return _management(message, row, read, private.type_code)


def _money(message: Message, row: Row, read: Operation, private: sub.Private60) -> Operation:
    if row.kind in _CARD_NEEDED:
        common.require_card(message, _CARD_SOURCES)
    original, get = _original(message, row, read), message.fields.get
    told = say_more(
        read,
        partial=_PARTIAL.get(private.partial_approval),
        currency=get(49, ""),
        reason=get(39, ""),
        original=original,
        organisation=_organisation(message) if row.carries(63) else "",
        content=_content(message, private.type_code, read),
        rrn="" if original else get(37, ""),
        auth_code="" if original else get(38, ""),
    )
    return _with_tip(message, told, row.kind)


def _with_tip(message: Message, read: Operation, kind: Kind | None) -> Operation:
    """A tip or adjustment: DE 4 and the tip of DE 48 make the new total (rules.md 5). Raises: DecodeError."""
    if kind not in ADJUSTMENTS:
        return read
    tip = sub.parse_tip(message[48]) if 48 in message else None
    total = (read.amount or 0) + (tip or 0)
    if total >= 10**12:
        raise DecodeError(48, 0, "a new total of 12 digits", "more")
    return replace(read, amount=total, tip=tip)


# --- the original that a message names (rules.md 1) ---

_NAMING = frozenset(
    {
        *(Kind.VOID, Kind.REFUND, Kind.PRE_AUTH_VOID, Kind.COMPLETION, Kind.COMPLETION_ADVICE),
        *(Kind.COMPLETION_VOID, Kind.ADJUST, Kind.TIP, Kind.SCRIPT_RESULT),
    }
)


def _original(message: Message, row: Row, read: Operation) -> OriginalRef | None:
    """What DE 61, 37 and 38 say; a reversal goes by its own DE 11 and 60.2, whatever its DE 61 says."""
    if row.kind is Kind.REVERSAL:
        return OriginalRef(read.stan, read.batch or "", amount=read.amount, auth_code=message.get(38) or "")
    if row.kind is Kind.PRE_AUTH_INCREMENT:
        named = _named(message)
        return None if named == OriginalRef() else named
    if row.kind not in _NAMING:
        return None
    if row.kind is Kind.REFUND and 37 not in message and 61 not in message:
        raise DecodeError(61, 0, "batch and STAN of the original, or its RRN in DE 37", "absent")
    return _named(message, amount=read.amount if row.kind is Kind.TIP else None)


def _named(message: Message, amount: int | None = None) -> OriginalRef:
    """Zeros in DE 61 name nothing, and its date 0000 is any."""
    told = sub.parse_de61(message[61]) if 61 in message else None
    return OriginalRef(
        stan=told.stan if told and told.given else "",
        batch=told.batch if told and told.given else "",
        rrn=message.get(37) or "",
        amount=amount,
        auth_code=message.get(38) or "",
        date=told.date if told and told.date and told.date.strip("0") else "",
    )


_CONTENT = ("processing_code", "type", "amount", "pan", "currency", "original", "cryptogram")


def _content(message: Message, type_code: str, read: Operation) -> tuple[tuple[str, str], ...]:
    get = message.fields.get
    values = (
        read.processing_code[:2],
        type_code,
        get(4),
        read.card.pan if read.card else "",
        get(49),
        get(61) if read.kind is not Kind.REVERSAL else None,
        common.cryptogram(message),
    )
    return common.content(_CONTENT, values)


# --- management, settlement, upload ---


def _management(message: Message, row: Row, read: Operation, type_code: str) -> Operation:
    match row.kind:
        case Kind.SIGN_ON:
            return replace(read, operator=_operator(message), serial=_serial(message))
        case Kind.DOWNLOAD:
            return replace(read, function=row.function, data=common.raw_bytes(62, message.get(62) or ""))
        case Kind.SETTLE:
            totals = totals_of(sub.parse_settlement(message[48]))
            return replace(read, operator=_operator(message), totals=totals, currency=message[49])
        case Kind.UPLOAD if row.function == COPY:
            return _copy(message, read, type_code)
        case Kind.UPLOAD:
            return replace(read, items=tuple(_item(item, read) for item in sub.parse_upload(message[48])))
        case Kind.TC_UPLOAD:
            return replace(read, items=(_chip_item(message, row, read),), amount=None)
        case Kind.UPLOAD_END:
            return replace(read, count=sub.parse_upload_end(message[48]))
        case Kind.SCRIPT_RESULT:
            original = _original(message, row, read)
            return replace(read, function=row.function, original=original, currency=message.get(49) or "")
    return read


def _operator(message: Message) -> str:
    return (message.get(63) or "").rstrip()


def _organisation(message: Message) -> str:
    return (message.get(63) or "")[:3].strip()


def _serial(message: Message) -> str:
    """Licence and serial number of DE 62; acquirers agree on no form, so another one is not looked at."""
    try:
        terminal = sub.parse_serial(message.get(62) or "")
    except DecodeError:
        return ""
    return terminal.licence + terminal.serial


def _item(item: sub.UploadItem, read: Operation) -> UploadItem:
    return UploadItem(OriginalRef(item.stan, read.batch or ""), item.minor, pan=item.pan, foreign=item.foreign)


_COPIED: Mapping[str, Kind] = {
    "24": Kind.COMPLETION_ADVICE,
    "25": Kind.REFUND,
    "30": Kind.OFFLINE_SALE,
    "32": Kind.ADJUST,
    "34": Kind.TIP,
    "36": Kind.OFFLINE_SALE,
}
"""60.1 of a copy -> the kind of its advice; another one stays unsaid."""
_DOMESTIC = ("CUP", "000")


def _copy(message: Message, read: Operation, type_code: str) -> Operation:
    """A 0220 again as 0320: its own DE 11 and 60.2 name the item (rules.md 1, «upload item»)."""
    kind, organisation = _COPIED.get(type_code), _organisation(message)
    whole = _with_tip(message, read, kind)
    item = UploadItem(
        OriginalRef(read.stan, read.batch or ""),
        whole.amount or 0,
        kind=kind,
        pan=read.card.pan if read.card else "",
        foreign=organisation not in _DOMESTIC if organisation else None,
        form=UploadForm.COPY,
        currency=message.get(49) or "",
        tip=whole.tip,
        chip=read.chip,
    )
    auth_code = message.get(38) or "" if kind is Kind.OFFLINE_SALE else ""
    return replace(read, items=(item,), amount=None, organisation=organisation, auth_code=auth_code)


_FORMS = {function: form for (form, _), function in CHIP_UPLOADS.items()}


def _chip_item(message: Message, row: Row, read: Operation) -> UploadItem:
    """DE 62 where it is there and in the form that we know; else DE 4, else 9F02 of the chip data."""
    try:
        record = records.parse_chip_record(message[62]) if 62 in message else None
    except DecodeError:
        record = None
    amount = record.minor if record else read.amount
    return UploadItem(
        OriginalRef(read.stan, read.batch or ""),
        common.chip_amount(message) if amount is None else amount,
        pan=read.card.pan if read.card else "",
        foreign=record.foreign if record else None,
        form=_FORMS[row.function],
        reason=record.reason if record else "",
        currency=record.currency if record else "",
        chip=read.chip,
    )


def with_clear_track(message: Message, track2: str) -> Message:
    """The message as if track 2 had come in clear; DE 53 digit 3 becomes 0."""
    control = message.get(53)
    return message.with_fields({35: track2, 53: control[:2] + "0" + control[3:] if control else None})


def in_clear(message: Message, tdk: bytes) -> Message:
    """Tracks 2 and 3 under their key made clear. Raises: SecurityError when they are under another."""
    found = {de: value for de in (35, 36) if (value := message.get(de)) is not None}
    clear = message.with_fields({de: decrypt_track(value, tdk) for de, value in found.items()})
    return with_clear_track(clear, clear[35]) if 35 in clear else clear


# --- does the answer fit; which messages carry a MAC ---

_MAY_LACK: Mapping[str, frozenset[int]] = {"0330": frozenset({3, 4}), "0630": frozenset({3, 4})}
"""cup.md 6.2: a 0330 echoes neither, even to a copy that has both; of the 0630 it says nothing."""


def fits(request: Message, answer: Message) -> str:
    """RT5 at the terminal: "" when the answer is one to this request, else the reason why not.

    Echo tests and downloads need no DE 11: there 60.3 tells one answer from another.
    """
    why = common.fits(request, answer, _MAY_LACK)
    if why or 11 in request or 60 not in request or 60 not in answer:
        return why
    return "" if answer[60][8:11] == request[60][8:11] else "60.3 is not the request's"


_WITH_MAC = ("0100", "0200", "0220", "0400", "0620")
"""security.md 6; their answers only when they approve."""


def carries_mac(message: Message) -> bool:
    """Whether a message of this kind carries DE 64 (security.md 6); an answer does when its DE 39 approves."""
    with_mac, is_answer = _mac_of(message.mti)
    return with_mac and (not is_answer or is_approved(NAME, message.get(39) or ""))


@lru_cache(maxsize=256)
def _mac_of(mti_text: str) -> tuple[bool, bool]:
    """Whether the request of this MTI has a MAC, and whether the MTI is an answer's."""
    try:
        mti = Mti.parse(mti_text)
    except DecodeError:
        return False, False
    request = str(replace(mti, function=mti.function - mti.is_answer, origin=mti.origin - mti.is_repeat))
    return request in _WITH_MAC, mti.is_answer


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
