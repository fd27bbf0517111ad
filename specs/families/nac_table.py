"""NAC / EDC: which message is which transaction, and the presence of its data elements (nac.md 4)."""

from __future__ import annotations

from functools import lru_cache

from specs.dialect import Dialect
from specs.families.table import (
    ROWS_KEPT_MAX,
    Row,
    Signs,
    by_mti,
    classify,
    knows_mti,
    missing,
    reversals_of,
    told_shortly,
)
from specs.message import Message
from specs.operation import Kind, Unreadable

NAME = "nac"

# --- transactions and the presence of their elements (nac.md 4); DE 64 is the caller's ---

_MONEY = (3, 4, 11, 22, 24, 25, 41, 42)
_NETWORK = (3, 11, 24, 41)
_CARD = (2, 14, 23, 35, 52, 55)
# DE 37 or else DE 62 and DE 4 name the original (rules.md 1): so 37 and 60 may be absent, and with them 12, 13 and 14.
_OF_ORIGINAL = (12, 13, 14, 23, 37, 38, 60)

ON_PRE_AUTH = "06"
"""DE 25 of what belongs to a pre-authorisation (nac.md 3); of a 0200 or 0220 it tells a completion from a sale."""
_TIP, _ADJUSTED = "tip", "adjusted"
"""What DE 54 and the original amount in DE 60 say of a 0220."""

_FINANCIAL_ROWS = (
    Row(
        *("completion", "0200", Kind.COMPLETION, "00"),
        condition=ON_PRE_AUTH,
        reversible=True,
        required=(*_MONEY, 38, 62),
        optional=(*_CARD, 37, 54),
    ),
    Row(
        *("sale", "0200", Kind.SALE, "00"),
        reversible=True,
        required=(*_MONEY, 62),
        optional=(*_CARD, 54),
    ),
    Row(
        *("void", "0200", Kind.VOID, "02"),
        reversible=True,
        required=(2, *_MONEY, 62),
        optional=(*_OF_ORIGINAL, 55),
    ),
    *(
        Row(
            *("sale with cash back", "0200", Kind.CASH_BACK, code),
            reversible=True,
            required=(*_MONEY, 54, 62),
            optional=_CARD,
        )
        for code in ("09", "17")
    ),
    Row(
        *("refund", "0200", Kind.REFUND, "20"),
        reversible=True,
        required=(*_MONEY, 62),
        optional=(*_CARD, *_OF_ORIGINAL),
    ),
    Row(
        *("refund advice", "0220", Kind.REFUND, "20"),
        required=(*_MONEY, 62),
        optional=(*_CARD, *_OF_ORIGINAL),
    ),
    Row(
        *("void of a refund", "0200", Kind.VOID, "22"),
        reversible=True,
        required=(2, *_MONEY, 62),
        optional=(*_OF_ORIGINAL, 55),
    ),
    *(
        Row(
            *("balance inquiry", mti, Kind.BALANCE, "31"),
            required=(3, 11, 22, 24, 25, 41, 42),
            optional=(*_CARD, 62),
        )
        for mti in ("0100", "0200")
    ),
    Row(
        *("pre-authorization", "0100", Kind.PRE_AUTH, "30"),
        reversible=True,
        required=_MONEY,
        optional=(*_CARD, 54, 62),
    ),
    # nac.md has no such message: ours.
    Row(
        *("pre-authorization void", "0100", Kind.PRE_AUTH_VOID, "02"),
        reversible=True,
        required=(2, *_MONEY),
        optional=(*_OF_ORIGINAL, 62),
    ),
    # MID, card and DE 38 name the pre-authorisation (rules.md 1).
    Row(
        *("completion advice", "0220", Kind.COMPLETION_ADVICE, "00"),
        condition=ON_PRE_AUTH,
        required=(2, *_MONEY, 12, 13, 38, 62),
        optional=(14, 23, 37, 54, 55),
    ),
    *(
        Row(name, "0220", kind, code, function=told, required=(2, *_MONEY, 62), optional=(*_OF_ORIGINAL, 54, 55))
        for name, kind, code, told in (
            ("tip adjustment", Kind.TIP, "02", _TIP),
            ("adjustment", Kind.ADJUST, "02", ""),
            ("tip adjustment", Kind.TIP, "00", _TIP),
            ("adjustment", Kind.ADJUST, "00", _ADJUSTED),
        )
    ),
    # A small amount may be sold without any approval: DE 38 is not asked for.
    Row(
        *("offline sale", "0220", Kind.OFFLINE_SALE, "00"),
        required=(2, *_MONEY, 12, 13, 14, 62),
        optional=(23, 37, 38, 54, 55),
    ),
)

_MANAGEMENT_ROWS = (
    Row("settlement", "0500", Kind.SETTLE, "920000", required=(*_NETWORK, 42, 60, 63)),
    Row("settlement trailer", "0500", Kind.SETTLE, "960000", final=True, required=(*_NETWORK, 42, 60, 63)),
    Row(
        *("upload of chip data (TC)", "0320", Kind.TC_UPLOAD, "94"),
        required=(3, 11, 24, 41, 42, 55),
        optional=(2, 4, 12, 13, 14, 22, 23, 25, 37, 38, 39, 60, 62),
    ),
    Row(
        *("batch upload", "0320", Kind.UPLOAD),
        required=(2, 3, 4, 11, 24, 41, 42, 60),
        optional=(12, 13, 14, 22, 23, 25, 37, 38, 39, 54, 55, 62),
    ),
    Row("test", "0800", Kind.ECHO, "990000", required=_NETWORK, optional=(42,)),
    Row("log-on", "0800", Kind.SIGN_ON, "920000", required=(3, 11, 41), optional=(24, 42)),  # HPDH sends no DE 24
    Row("key download", "0800", processing="970000"),
    Row("key download", "0800", processing="810000"),
)

ROWS = (
    *_FINANCIAL_ROWS,
    # rules.md 1: TID, STAN, DE 3, DE 4 find the original; DE 62, 37 and the card number are compared when sent.
    *reversals_of(_FINANCIAL_ROWS, required=_MONEY, optional=(2, 12, 13, 14, 23, 37, 38, 39, 54, 55, 60, 62)),
    *_MANAGEMENT_ROWS,
)
_INDEX = by_mti(ROWS)


def classified(message: Message, dialect: Dialect) -> Row | Unreadable:
    """The row of a request, told by MTI and DE 3; of a request or advice of type 00 and 02 by DE 25, 54 and 60 too."""
    return _known(message, dialect) or classified_with_care(message, dialect)


def _known(message: Message, dialect: Dialect) -> Row | None:
    """The row, looked up by all that tells it; None where the careful road is to say what the message is.

    Of a doubtful message nothing is kept: its digits may be those of a card.
    """
    fields = message.fields
    told = fields.get(3), fields.get(25)
    if message.doubtful or not told_shortly(*told):
        return None
    has_part, has_amount = bool(fields.get(54)), len(fields.get(60, "")) == ORIGINAL_AMOUNT
    return _row_of(dialect, message.mti, *told, 38 in fields, has_part, has_amount)


@lru_cache(maxsize=ROWS_KEPT_MAX)
def _row_of(
    dialect: Dialect,
    mti: str,
    processing: str | None,
    condition: str | None,
    has_code: bool,
    has_part: bool,
    has_amount: bool,
) -> Row | None:
    """The row of every message that has these; None when it has none that can be served."""
    told = {3: processing, 25: condition, 38: "0" if has_code else None, 54: "0" if has_part else None}
    told[60] = "0" * ORIGINAL_AMOUNT if has_amount else None
    found = classified_with_care(Message(mti).with_fields(told), dialect)
    return found if isinstance(found, Row) else None


def classified_with_care(message: Message, dialect: Dialect) -> Row | Unreadable:
    """See `classified`, which must say the same of every message."""
    if 3 not in message and knows_mti(_INDEX, message):
        return missing(message, (3,), dialect) or classify(message, _INDEX, Signs())
    return classify(message, _INDEX, Signs(message.get(3), _condition(message), function=_told(message)))


def _condition(message: Message) -> str | None:
    """A 0200 without an approval code completes nothing, whatever its DE 25."""
    return None if message.mti.startswith("020") and 38 not in message else message.get(25)


def _told(message: Message) -> str | None:
    """Whether a 0220 changes a sale: always with DE 3 02xxxx, with 00xxxx by the original amount in DE 60."""
    kind = (message.get(3) or "")[:2]
    adjusted = kind == "02" or (kind == "00" and len(message.get(60) or "") == ORIGINAL_AMOUNT)
    if not (adjusted and message.mti.startswith("022")):
        return None
    return _TIP if message.get(54) else _ADJUSTED


ORIGINAL_AMOUNT = 12
"""Characters of DE 60 where it is an original amount (rules.md 1)."""
