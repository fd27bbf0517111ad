"""ISO 8583:1987: reading and writing requests (iso87.md, rules.md 1); what `specs.families.family` hands out.

iso87_table has the transactions, iso87_totals the sums, iso87_answers the answers.

What an operation of this family says beside what all families say: `transmitted` is DE 7, and with the STAN and the
local time it names the message when a later one refers to it. So whoever writes a request fills `transmitted`,
`local_date` and `local_time`; whoever refers to it fills `original.stan`, `original.transmitted` and `original.mti`.
DE 37 of a request is the terminal's own number and lands in `rrn`; it names an original only in a refund without DE 90.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from specs.codes import Refusal, is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families import common
from specs.families.common import RequestMaker
from specs.families.iso87_answers import read_answer, refusal_answer, write_answer
from specs.families.iso87_table import AUTHORISED, COMPLETES, NAME, classified, original_of, row_to_write
from specs.families.iso87_totals import count, format_totals, in_dialect, stated, totals_of
from specs.families.table import Row, unreadable
from specs.message import Message
from specs.mti import NETWORK, RECONCILIATION, Mti
from specs.operation import Entry, Kind, Operation, OriginalRef, Unreadable, say_more
from specs.subfields import iso87 as sub
from specs.values import replace

DEFAULT_MERCHANT_TYPE = "5999"
"""DE 18 of a terminal that was told none: miscellaneous retail. A caller may replace it."""
DEFAULT_ACQUIRER = "000000"
"""DE 32 of a terminal that was told none."""

_CARD_SOURCES = (2, 35, 45, 55)

_ENTRIES: Mapping[str, Entry] = {
    "01": Entry.MANUAL,
    "02": Entry.SWIPE,
    "03": Entry.QR,
    "05": Entry.CHIP,
    "07": Entry.TAP,
    "80": Entry.FALLBACK,
    "90": Entry.SWIPE,
    "91": Entry.TAP,
    "95": Entry.CHIP,
}

# --- reading a request ---

#: Data elements that name an original in a message of these kinds; the rest name none.
_NAMES_AN_ORIGINAL = frozenset(
    {
        *(Kind.VOID, Kind.REVERSAL, Kind.REFUND, Kind.ADJUST, Kind.TIP, Kind.COMPLETION, Kind.COMPLETION_ADVICE),
        *(Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID, Kind.SCRIPT_RESULT),
    }
)
_AT_ITS_AMOUNT = frozenset({Kind.VOID, Kind.REVERSAL, Kind.PRE_AUTH_VOID})
"""DE 4 of these is the amount of what they take back."""
_SHOWS_NO_CARD = frozenset({Kind.VOID, Kind.REVERSAL, Kind.SCRIPT_RESULT})
"""May do without a card, though DE 90 named nothing."""


def read_request(message: Message, dialect: Dialect) -> Operation | Unreadable:
    """At the host: what does this message ask? See `specs.families.Family`."""
    row = classified(message, dialect)
    if not isinstance(row, Unreadable) and row.kind is Kind.REVERSAL and _in_part(message):
        return unreadable(message, Refusal.NOT_OFFERED, 95, "a reversal of the whole amount", "a replacement amount")
    return common.read(message, row, _operation, dialect)


def _in_part(message: Message) -> bool:
    """Whether DE 95 begins with an amount that replaces DE 4; zeros, or DE 4 itself, replace nothing."""
    return (message.get(95) or "")[:12].strip("0 ") != "" and message[95][:12] != message.get(4)


def tracks_encrypted(message: Message) -> bool:
    """Never: this family has no track key."""
    return False


def in_clear(message: Message, tdk: bytes) -> Message:
    """Nothing to do: see `tracks_encrypted`."""
    return message


def _operation(message: Message, row: Row) -> Operation:
    read = common.operation(message, row, _ENTRIES, reason=message.get(39) or "")
    if row.kind is Kind.SETTLE:
        if not stated(message.fields):
            raise DecodeError(74, 0, "the figures of DE 74-77 and 86-89", "none of them")
        day, currency = message[15], message.get(50) or ""
        return replace(read, day=day, currency=currency, totals=totals_of(message.fields), reason="")
    if Mti.parse(message.mti).message_class == NETWORK:
        return replace(read, reason="")
    named = original_of(message)
    read = say_more(read, currency=message.get(49) or "", content=_content(message, read, named))
    if named is None and row.kind not in _SHOWS_NO_CARD:
        common.require_card(message, _CARD_SOURCES)
    return _named(message, row, _parts(message, row, read), named)


def _parts(message: Message, row: Row, read: Operation) -> Operation:
    """The tip or the cash of DE 54."""
    if row.kind is Kind.TIP:
        return replace(read, tip=sub.part_of_de54(message[54], sub.GRATUITY))
    if row.kind is Kind.CASH_BACK and 54 in message:
        return replace(read, cash=sub.part_of_de54(message[54], sub.CASH))
    return read


def _named(message: Message, row: Row, read: Operation, named: sub.OriginalData | None) -> Operation:
    """Where the approval code and DE 37 belong, and how the message names its original."""
    code, own_number = message.get(38) or "", message.get(37) or ""
    if row.kind not in _NAMES_AN_ORIGINAL:
        return say_more(read, rrn=own_number, auth_code=code)
    original = OriginalRef(auth_code=code, amount=read.amount if row.kind in _AT_ITS_AMOUNT else None)
    if named is not None:
        original = replace(original, stan=named.stan, transmitted=named.transmitted.strip("0") and named.transmitted)
        original = replace(original, mti=named.mti)
    elif row.kind is Kind.REVERSAL:
        original = replace(original, stan=read.stan)  # rules.md 1: DE 90 absent or zeros: DE 11
    elif row.kind is Kind.REFUND:
        original, own_number = replace(original, rrn=own_number), ""
    nothing = row.kind in (Kind.REFUND, Kind.SCRIPT_RESULT) and original == OriginalRef()
    return say_more(read, rrn=own_number, original=None if nothing else original)


_CONTENT = ("processing_code", "amount", "pan", "currency", "original", "cryptogram")


def _content(message: Message, read: Operation, named: sub.OriginalData | None) -> tuple[tuple[str, str], ...]:
    """rules.md 1, row «same content means»; never DE 7, which a repeat may have anew."""
    get = message.fields.get
    values = (
        read.processing_code,
        get(4),
        read.card.pan if read.card else "",
        get(49),
        get(90) if named else None,
        common.cryptogram(message),
    )
    return common.content(_CONTENT, values)


# --- writing a request ---


def write_request(operation: Operation, dialect: Dialect) -> Message:
    """At the terminal: the request. See `specs.families.Family`.

    DE 18 and 32 are `DEFAULT_MERCHANT_TYPE` and `DEFAULT_ACQUIRER`; DE 90 has no institutions. The MTI in DE 90 is
    `original.mti`, else 0100 where a pre-authorisation is meant and 0200 elsewhere. A completion void is a void.
    """
    return in_dialect(common.write_request(operation, row_to_write(operation), _REQUEST, dialect), dialect)


_FROM_A_RESERVATION = frozenset({Kind.COMPLETION, Kind.COMPLETION_ADVICE, Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH_VOID})


def _de90(operation: Operation, row: Row) -> str | None:
    named = operation.original
    if named is None or not named.stan:
        return None
    mti = named.mti or (AUTHORISED if row.kind in _FROM_A_RESERVATION else "02") + "00"
    return sub.format_de90(sub.OriginalData(mti, named.stan, named.transmitted or "0" * 10))


def _de3(operation: Operation, row: Row) -> str:
    if operation.processing_code or row.kind is Kind.SCRIPT_RESULT:
        return operation.processing_code
    return row.processing.ljust(6, "0")


def _de25(operation: Operation, row: Row) -> str:
    return COMPLETES if row.kind in (Kind.COMPLETION, Kind.COMPLETION_ADVICE) else "00"


def _de37(operation: Operation, row: Row) -> str:
    named = operation.original
    if row.kind is Kind.REFUND and named and not named.stan:
        return named.rrn
    # DE 37 is the message's own number and comes back as it was sent; DE 90 names the original.
    return "" if named and operation.rrn == named.rrn else operation.rrn


def _de38(operation: Operation, row: Row) -> str:
    named = operation.original
    return named.auth_code if row.kind in _NAMES_AN_ORIGINAL and named else operation.auth_code


def _de54(operation: Operation, row: Row) -> str | None:
    part, kind = (operation.cash, sub.CASH) if row.kind is Kind.CASH_BACK else (operation.tip, sub.GRATUITY)
    if part is None:
        return None
    return sub.format_de54([sub.AdditionalAmount(sub.DEFAULT_ACCOUNT, kind, operation.currency or "000", part)])


def _figure(de: int) -> RequestMaker:
    def make(operation: Operation, row: Row) -> str | None:
        return format_totals(operation.totals).get(de) if operation.totals is not None else None

    return make


def _of_card(part: str) -> RequestMaker:
    """Number and expiry go out where the row has no track, or none was read."""

    def make(operation: Operation, row: Row) -> str | None:
        shown = operation.card and common.sends_number(operation, row)
        return str(getattr(operation.card, part)) if shown else None

    return make


_REQUEST: Mapping[int, RequestMaker] = {
    2: _of_card("pan"),
    3: _de3,
    4: lambda op, row: common.minor(op.amount),
    7: lambda op, row: op.transmitted,
    11: lambda op, row: op.stan,
    12: lambda op, row: op.local_time,
    13: lambda op, row: op.local_date,
    14: _of_card("expiry"),
    15: lambda op, row: op.day,
    18: lambda op, row: DEFAULT_MERCHANT_TYPE,
    22: lambda op, row: common.entry_mode(op),
    23: lambda op, row: op.card.sequence if op.card else None,
    25: _de25,
    32: lambda op, row: DEFAULT_ACQUIRER,
    33: lambda op, row: None,
    35: lambda op, row: op.card.track2 if op.card else None,
    37: _de37,
    38: _de38,
    39: lambda op, row: op.reason,
    41: lambda op, row: op.tid,
    42: lambda op, row: op.mid,
    49: lambda op, row: op.currency,
    50: lambda op, row: op.currency,
    52: lambda op, row: op.pin_block.hex().upper() if op.pin_block else None,
    54: _de54,
    55: lambda op, row: op.chip.hex().upper() if op.chip else None,
    66: lambda op, row: None,
    70: lambda op, row: getattr(row, "network", ""),
    90: _de90,
    95: lambda op, row: None,
    99: lambda op, row: None,
    **{de: _figure(de) for de in (*range(74, 82), *range(86, 90), sub.NET_DE)},
}


# --- what a terminal makes of a stored request ---

_KEPT = (2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 23, 25, 32, 33, 37, 38, 41, 42, 49, 54)


def reversal_of(request: Message, reason: str, dialect: Dialect, auth_code: str = "") -> Message:
    """The 0420 (profile `reversal_mti`: or 0400) to a stored request; DE 90 names it, DE 39 is the reason.

    It has the original's STAN, local time and date, so that its answer can be paired with nothing else, and no track.
    There is no clock here: DE 7 is the original's too, unless the caller replaces it; DE 90 keeps the original's.
    """
    named = sub.OriginalData(
        request.mti,
        request[11],
        request.get(7) or "0" * 10,
        request.get(32) or "",
        request.get(33) or "",
    )
    changes: dict[int, str | None] = {39: reason, 90: sub.format_de90(named)}
    made = common.reversal(request, _KEPT, changes | ({38: auth_code} if auth_code else {}))
    return replace(made, mti=str(dialect.profile.get("reversal_mti", "0420")))


def repeat_of(request: Message) -> Message:
    """The same message with the repeat digit set: 0220 -> 0221, 0420 -> 0421 (rules.md 2)."""
    return replace(request, mti=str(Mti.parse(request.mti).repeat()))


def copy_of(advice: Message, dialect: Dialect) -> Message:
    """This family has no upload: raises EncodeError."""
    raise EncodeError(0, "ISO 8583:1987 has no batch upload")


def fits(request: Message, answer: Message) -> str:
    """RT5 at the terminal: "" when the answer is one to this request, else the reason why not."""
    return common.fits(request, answer, {})


# --- MAC ---


def carries_mac(message: Message) -> bool:
    """Whether a message of this kind may carry a MAC: 01xx to 05xx, an answer only when DE 39 approves.

    iso87.md 3 has DE 64 and 128 optional everywhere: the profile `mac` decides whether there is any.
    """
    with_mac, is_answer = _mac_of(message.mti)
    return with_mac and (not is_answer or is_approved(NAME, message.get(39) or ""))


@lru_cache(maxsize=256)
def _mac_of(mti_text: str) -> tuple[bool, bool]:
    """Whether the class of this MTI may have a MAC, and whether the MTI is an answer's."""
    try:
        mti = Mti.parse(mti_text)
    except DecodeError:
        return False, False
    return mti.message_class <= RECONCILIATION, mti.is_answer


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
