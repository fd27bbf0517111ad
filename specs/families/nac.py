"""NAC / EDC: reading requests (nac.md); the module that `specs.families.family` hands out.

nac_table has the transactions, nac_totals the sums, nac_requests the writing, nac_answers the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

from specs.codes import is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families import common
from specs.families.nac_answers import read_answer, refusal_answer, write_answer
from specs.families.nac_requests import UPLOADS, reversal_of, write_request
from specs.families.nac_table import NAME, ON_PRE_AUTH, ORIGINAL_AMOUNT, classified
from specs.families.nac_totals import count, totals_of
from specs.families.table import Row
from specs.message import Message
from specs.mti import AUTHORISATION, FINANCIAL, REVERSAL, Mti
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
from specs.subfields import nac as sub
from specs.values import replace

_CARD_SOURCES = (2, 35, 45, 55, 57)
"""A sale shows its card by at least one of: number, tracks, chip, encrypted data (TLE)."""

_ENTRIES: Mapping[str, Entry] = {
    "01": Entry.MANUAL,
    "02": Entry.SWIPE,
    "03": Entry.QR,
    "05": Entry.CHIP,
    "07": Entry.TAP,
    "80": Entry.FALLBACK,
    "90": Entry.SWIPE,
    "91": Entry.TAP,
}


# --- reading a request ---


def read_request(message: Message, dialect: Dialect) -> Operation | Unreadable:
    """At the host: what does this message ask? See `specs.families.Family`."""
    numbered = bool(dialect.profile.get("de60_batch"))
    return common.read(message, classified(message, dialect), partial(_operation, numbered=numbered), dialect)


def tracks_encrypted(message: Message) -> bool:
    """Never by a key of ours: NAC's DE 57 belongs to its vendors (nac.md, section 3)."""
    return False


def in_clear(message: Message, tdk: bytes) -> Message:
    """Nothing to do: see `tracks_encrypted`."""
    return message


def _operation(message: Message, row: Row, *, numbered: bool) -> Operation:
    """numbered: six digits of DE 60 in a financial message are its batch (rules.md 1, `nac.de60_batch`)."""
    if row.kind in UPLOADS:
        read = common.operation(message, row, _ENTRIES)
        more = message[3].endswith("1")
        return replace(read, items=(_item(message, row, read),), more=more, amount=None, chip=None)
    if row.kind is Kind.SETTLE:
        read = common.operation(message, row, _ENTRIES, batch=_batch(message[60]))
        return replace(read, totals=totals_of(sub.parse_de63(message[63])))
    get = message.fields.get
    batch = get(60) if numbered and len(get(60, "")) == _BATCH_DIGITS else None
    invoice, reason = get(62, ""), get(39, "")
    read = common.operation(message, row, _ENTRIES, batch=batch, invoice=invoice, reason=reason)
    return read if row.kind in (Kind.ECHO, Kind.SIGN_ON) else _money(message, row, read)


_BATCH_DIGITS = 6


def _money(message: Message, row: Row, read: Operation) -> Operation:
    if row.kind is not Kind.REVERSAL and 2 not in row.required:
        common.require_card(message, _CARD_SOURCES)
    if row.kind is Kind.BALANCE:
        read = replace(read, amount=None)
    part = None if row.kind is Kind.REVERSAL else _part_of_amount(message)
    cash = row.kind is Kind.CASH_BACK
    original = _original(message, row, read)
    return say_more(
        read,
        original=original,
        tip=None if cash else part,
        cash=part if cash else None,
        rrn="" if original else message.get(37) or "",
        auth_code="" if original else message.get(38) or "",
        content=_content(message, read),
    )


def _part_of_amount(message: Message) -> int | None:
    """Tip or cash back, the 12 digits of DE 54 (nac.md 3). Raises: DecodeError."""
    value = message.get(54)
    if not value:
        return None
    part = sub.parse_de54(value)
    if not isinstance(part, int):
        raise DecodeError(54, 0, "a tip or cash amount of 12 digits", f"{len(value)} characters")
    return part


_NAMING = frozenset(
    {
        *(Kind.REVERSAL, Kind.VOID, Kind.PRE_AUTH_VOID, Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.REFUND),
        *ADJUSTMENTS,
    }
)


def _original(message: Message, row: Row, read: Operation) -> OriginalRef | None:
    """rules.md 1, column NAC; None where the message names none.

    DE 62 of a refund or completion is its own invoice number; of what changes or takes back another, the other's.
    """
    if row.kind not in _NAMING:
        return None
    named = OriginalRef(rrn=message.get(37) or "", auth_code=message.get(38) or "")
    match row.kind:
        case Kind.REVERSAL:
            return replace(named, stan=read.stan, invoice=read.invoice, amount=read.amount)
        case Kind.VOID | Kind.PRE_AUTH_VOID:
            # The original amount: 12 digits of DE 60, else DE 4, where 0 says nothing (nac.md 10).
            return replace(named, invoice=read.invoice, amount=_original_amount(message) or read.amount or None)
        case Kind.COMPLETION | Kind.COMPLETION_ADVICE:
            return named
        case Kind.REFUND if named.rrn.strip(" 0"):
            return replace(named, amount=_original_amount(message))
        case kind if kind in ADJUSTMENTS:
            return replace(named, invoice=read.invoice, amount=_original_amount(message))
    return None


def _original_amount(message: Message) -> int | None:
    value = message.get(60) or ""
    private = sub.parse_de60(value) if len(value) == ORIGINAL_AMOUNT else None
    return private.minor if isinstance(private, sub.OriginalAmount) else None


def _batch(value: str) -> str:
    private = sub.parse_de60(value)
    if not isinstance(private, sub.BatchNumber):
        raise DecodeError(60, 0, "a batch number of 6 digits", f"{len(value)} characters")
    return private.batch


_UPLOADED_KINDS: Mapping[tuple[str, str], Kind] = {
    ("0200", "00"): Kind.SALE,
    ("0200", "02"): Kind.VOID,
    ("0200", "09"): Kind.CASH_BACK,
    ("0200", "17"): Kind.CASH_BACK,
    ("0200", "20"): Kind.REFUND,
    ("0200", "22"): Kind.VOID,
    ("0220", "00"): Kind.OFFLINE_SALE,
    ("0220", "02"): Kind.ADJUST,
    ("0220", "20"): Kind.REFUND,
}
"""Original MTI and first digits of DE 3 -> kind; what is none of these stays unsaid."""
_COMPLETIONS: Mapping[Kind, Kind] = {
    Kind.SALE: Kind.COMPLETION,
    Kind.OFFLINE_SALE: Kind.COMPLETION_ADVICE,
}
"""What DE 25 = 06 makes of it, where a terminal sends it."""


def _item(message: Message, row: Row, read: Operation) -> UploadItem:
    """One record. A TC without original data belongs to the transaction of its own STAN (nac.md 3, DE 60)."""
    value = message.get(60) or ""
    chip_only = row.kind is Kind.TC_UPLOAD
    private = None if chip_only and len(value) != _ORIGINAL_DATA else sub.parse_de60(value)
    named = OriginalRef(read.stan, rrn=message.get(37) or "", invoice=message.get(62) or "")
    if isinstance(private, sub.OriginalData):
        named = replace(named, stan=private.stan, rrn=private.rrn or named.rrn)
    elif not chip_only:
        raise DecodeError(60, 0, "original MTI, STAN and RRN, 22 characters", f"{len(value)} characters")
    kind = _item_kind(message, private.mti) if isinstance(private, sub.OriginalData) else None
    return UploadItem(
        replace(named, auth_code=message.get(38) or ""),
        read.amount or 0,
        kind=None if chip_only else kind,
        pan=read.card.pan if read.card else "",
        form=UploadForm.TC if chip_only else UploadForm.GROUP,
        tip=None if kind is Kind.CASH_BACK else _part_of_amount(message),
        chip=read.chip,
    )


_ORIGINAL_DATA = 22
"""Characters of DE 60 where it names what is uploaded."""


def _item_kind(message: Message, mti: str) -> Kind | None:
    kind = _UPLOADED_KINDS.get((mti, message[3][:2]))
    return _COMPLETIONS.get(kind, kind) if kind and message.get(25) == ON_PRE_AUTH else kind


_CONTENT = ("processing_code", "amount", "pan", "invoice", "rrn", "cryptogram")


def _content(message: Message, read: Operation) -> tuple[tuple[str, str], ...]:
    get = message.fields.get
    values = (
        read.processing_code[:2],
        get(4),
        read.card.pan if read.card else "",
        read.invoice,
        get(37),
        common.cryptogram(message),
    )
    return common.content(_CONTENT, values)


# --- what a terminal does with its messages ---


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


# --- MAC ---


_WITH_MAC = frozenset({AUTHORISATION, FINANCIAL, REVERSAL})


def carries_mac(message: Message) -> bool:
    """Which messages have a MAC where the dialect has one at all: what moves money, and the answers that approve.

    The common core has none (nac.md 3): there [profile] mac is empty, and both ends ask it first.
    """
    with_mac, is_answer = _mac_of(message.mti)
    return with_mac and (not is_answer or is_approved(NAME, message.get(39) or ""))


@lru_cache(maxsize=256)
def _mac_of(mti_text: str) -> tuple[bool, bool]:
    """Whether the class of this MTI has a MAC, and whether the MTI is an answer's."""
    try:
        mti = Mti.parse(mti_text)
    except DecodeError:
        return False, False
    return mti.message_class in _WITH_MAC, mti.is_answer


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
