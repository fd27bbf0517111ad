"""ISO 8583:1987: which message is which transaction, and the presence of its data elements (iso87.md 3, rules.md 1).

Terminals differ in what they leave out: only DE 3, 4, 7, 11 and 41 are asked of every transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families.table import (
    ROWS_KEPT_MAX,
    Row,
    Signs,
    by_mti,
    classify,
    knows_mti,
    missing,
    told_shortly,
    unreadable,
)
from specs.message import Message
from specs.mti import Mti
from specs.operation import ADJUSTMENTS, Kind, Operation, Unreadable
from specs.subfields import iso87 as sub

NAME = "iso87"

AUTHORISED, BOOKED = "01", "02"
"""The class of the original in DE 90: a pre-authorisation, or a message that moved money."""
COMPLETES = "06"
"""DE 25 of a completion."""


@dataclass(frozen=True, slots=True)
class IsoRow(Row):
    """A transaction of this family.

    names = the first two digits of DE 90's MTI, "" when they do not decide. present: data elements that must be there
    for the message to be of this row (not for it to be complete). network = DE 70.
    """

    names: str = ""
    present: tuple[int, ...] = ()
    network: str = ""


@dataclass(frozen=True, slots=True)
class IsoSigns(Signs):
    """names None = no original is given (rules.md 1: a zero STAN in DE 90 names nothing)."""

    names: str | None = None
    network: str | None = None
    there: frozenset[int] = frozenset()

    def fit(self, row: Row) -> bool:
        """See `Signs.fit`."""
        assert isinstance(row, IsoRow), row.name
        return (
            Signs.fit(self, row)
            and row.names in ("", self.names)
            and row.network in ("", self.network)
            and self.there.issuperset(row.present)
        )


# --- transactions and the presence of their elements; DE 64 and 128 are the caller's ---

_MONEY = (3, 4, 7, 11, 41)
_PLACE = (12, 13, 18, 22, 25, 32, 37, 42, 49)
_CARD = (2, 14, 23, 35)
_MAY = (*_CARD, *_PLACE, 38, 52, 55)
_NAMING = (*_MAY, 90)

_AUTHORISATION_CODES = ("00", "03", "30")
"""DE 3 of a 0100 or 0120 that reserves."""


def _reservations(mti: str) -> tuple[IsoRow, ...]:
    """The rows of a 0100 or a 0120 that reserve; one that names an earlier reservation adds to it."""
    increment, fresh = Kind.PRE_AUTH_INCREMENT, Kind.PRE_AUTH
    return (
        *(
            IsoRow(
                "incremental authorization",
                mti,
                increment,
                code,
                required=(*_MONEY, 90),
                optional=_MAY,
                names=AUTHORISED,
            )
            for code in _AUTHORISATION_CODES
        ),
        *(
            IsoRow("pre-authorization", mti, fresh, code, required=_MONEY, optional=_MAY)
            for code in _AUTHORISATION_CODES
        ),
    )


_AUTHORISATION_ROWS = (
    IsoRow("pre-authorization void", "0100", Kind.PRE_AUTH_VOID, "02", required=(*_MONEY, 90), optional=_MAY),
    IsoRow("balance inquiry", "0100", Kind.BALANCE, "31", required=(3, 7, 11, 41), optional=(4, *_MAY)),
    *_reservations("0100"),
    *_reservations("0120"),
)

_FINANCIAL_ROWS = (
    IsoRow("completion", "0200", Kind.COMPLETION, "00", required=(*_MONEY, 90), optional=_MAY, names=AUTHORISED),
    IsoRow(
        *("completion by its approval code", "0200", Kind.COMPLETION, "00", COMPLETES),
        required=(*_MONEY, 25, 38),
        optional=_NAMING,
        present=(38,),
    ),
    IsoRow("sale", "0200", Kind.SALE, "00", required=_MONEY, optional=_MAY),
    IsoRow("cash advance", "0200", Kind.SALE, "01", required=_MONEY, optional=_MAY),
    IsoRow("void", "0200", Kind.VOID, "02", required=(*_MONEY, 90), optional=_MAY),
    IsoRow("sale with cash back", "0200", Kind.CASH_BACK, "09", required=_MONEY, optional=(*_MAY, 54)),
    IsoRow("refund", "0200", Kind.REFUND, "20", required=_MONEY, optional=_NAMING),
    IsoRow("void of a refund", "0200", Kind.VOID, "22", required=(*_MONEY, 90), optional=_MAY),
    IsoRow("balance inquiry", "0200", Kind.BALANCE, "31", required=(3, 7, 11, 41), optional=(4, *_MAY)),
    # The code of UnionPay's interbank inquiry (vector cups-interbank-1-0200); in 0100 it reserves.
    IsoRow("balance inquiry", "0200", Kind.BALANCE, "30", required=(3, 7, 11, 41), optional=(4, *_MAY)),
)

_ADVICE_MAY = (*_MAY, 39)
_ADVICE_ROWS = (
    IsoRow(
        *("completion advice", "0220", Kind.COMPLETION_ADVICE, "00"),
        required=(*_MONEY, 90),
        optional=_ADVICE_MAY,
        names=AUTHORISED,
    ),
    IsoRow(
        *("tip adjustment", "0220", Kind.TIP, "00"),
        required=(*_MONEY, 54, 90),
        optional=_ADVICE_MAY,
        names=BOOKED,
        present=(54,),
    ),
    IsoRow("adjustment", "0220", Kind.ADJUST, "00", required=(*_MONEY, 90), optional=_ADVICE_MAY, names=BOOKED),
    IsoRow(
        *("completion advice by its approval code", "0220", Kind.COMPLETION_ADVICE, "00", COMPLETES),
        required=(*_MONEY, 25),
        optional=(*_ADVICE_MAY, 90),
    ),
    IsoRow("offline sale", "0220", Kind.OFFLINE_SALE, "00", required=_MONEY, optional=_ADVICE_MAY),
    IsoRow("refund", "0220", Kind.REFUND, "20", required=_MONEY, optional=(*_ADVICE_MAY, 90)),
    IsoRow("offline cash advance", "0220", processing="01"),
    IsoRow("offline sale with cash back", "0220", processing="09"),
)

# Any DE 3: the original that DE 90 names says what it was, and an unknown one is answered 25 (rules.md 3).
_REVERSAL_MAY = (2, 14, 23, *_PLACE, 33, 38, 39, 54, 55, 90, 95)
_REVERSAL_ROWS = tuple(
    IsoRow("reversal", mti, Kind.REVERSAL, required=_MONEY, optional=_REVERSAL_MAY) for mti in ("0420", "0400")
)

_FIGURES = tuple(range(74, 82)) + tuple(range(86, 90)) + (97,)
_SETTLE_ROWS = tuple(
    IsoRow(
        *("reconciliation", mti, Kind.SETTLE),
        final=mti == "0520",
        required=(7, 11, 15, 41),
        optional=(12, 13, 32, 42, 50, 66, *_FIGURES, 99),
    )
    for mti in ("0500", "0520")
)

_NETWORK_KINDS = {"001": Kind.SIGN_ON, "002": Kind.SIGN_OFF, "301": Kind.ECHO}
_NETWORK_NAMES = {
    "001": "sign-on",
    "002": "sign-off",
    "301": "echo test",
    "101": "key change",
    "161": "key request",
    "201": "cut-off",
}
_NETWORK_ROWS = tuple(
    IsoRow(
        *(name, mti, _NETWORK_KINDS.get(network)),
        required=(7, 11, 70),
        optional=(12, 13, 32, 41, 42),
        network=network,
    )
    for mti in ("0800", "0820")
    for network, name in _NETWORK_NAMES.items()
)

_OTHER_ROWS = (
    IsoRow(
        *("result of an issuer script", "0620", Kind.SCRIPT_RESULT),
        required=(7, 11, 41, 55),
        optional=(2, 3, 4, 12, 13, 14, 22, 23, 25, 32, 37, 38, 39, 42, 49, 90),
        present=(55,),
    ),
    IsoRow("administrative advice", "0620"),
    IsoRow("administrative request", "0600"),
)

ROWS = (
    *_AUTHORISATION_ROWS,
    *_FINANCIAL_ROWS,
    *_ADVICE_ROWS,
    *_REVERSAL_ROWS,
    *_SETTLE_ROWS,
    *_NETWORK_ROWS,
    *_OTHER_ROWS,
)
_INDEX = by_mti(ROWS)


def classified(message: Message, dialect: Dialect) -> Row | Unreadable:
    """The row of a request, told by MTI, DE 3, 25 and 70, DE 90's MTI, and what else is there. Never raises."""
    return _known(message, dialect) or classified_with_care(message, dialect)


def _known(message: Message, dialect: Dialect) -> Row | None:
    """The row of what names no original, looked up by all that tells it; None: the careful road is to say what it is.

    Of a doubtful message nothing is kept: its digits may be those of a card.
    """
    fields = message.fields
    told = fields.get(3), fields.get(25), fields.get(70)
    if message.doubtful or 90 in fields or not told_shortly(*told):
        return None
    return _row_of(dialect, message.mti, *told, (38 in fields, 54 in fields, 55 in fields))


_TOLD_BY_PRESENCE = (38, 54, 55)
assert {de for row in ROWS for de in row.present} == set(_TOLD_BY_PRESENCE)


@lru_cache(maxsize=ROWS_KEPT_MAX)
def _row_of(
    dialect: Dialect,
    mti: str,
    processing: str | None,
    condition: str | None,
    network: str | None,
    has: tuple[bool, bool, bool],
) -> Row | None:
    """The row of every message that has these and no DE 90; None when it has none that can be served."""
    told = {3: processing, 25: condition, 70: network}
    there = dict.fromkeys([de for de, sent in zip(_TOLD_BY_PRESENCE, has, strict=True) if sent], "0")
    found = classified_with_care(Message(mti).with_fields(told | there), dialect)
    return found if isinstance(found, Row) else None


def classified_with_care(message: Message, dialect: Dialect) -> Row | Unreadable:
    """See `classified`, which must say the same of every message."""
    try:
        named = original_of(message)
    except DecodeError as error:
        return unreadable(message, Refusal.FORMAT, error.de, error.expected, error.got)
    signs = IsoSigns(
        processing=message.get(3),
        condition=message.get(25),
        names=named.mti[:2] if named else None,
        network=message.get(70),
        there=frozenset(message.fields),
    )
    if knows_mti(_INDEX, message):
        fault = missing(message, _TOLD_BY.get(message.mti[:2], ()), dialect)
        if fault is not None:
            return fault
    return classify(message, _INDEX, signs)


_TOLD_BY = {"01": (3,), "02": (3,), "08": (70,)}
"""Message class -> what decides between its transactions."""


def original_of(message: Message) -> sub.OriginalData | None:
    """DE 90 when it names something (rules.md 1). Raises: DecodeError."""
    value = message.get(90)
    data = sub.parse_de90(value) if value else None
    return data if data and data.given else None


# --- which row says an operation ---

_WRITTEN_AS = {Kind.COMPLETION_VOID: Kind.VOID}
"""The wire has one void: what it takes back follows from the original that DE 90 names."""


def row_to_write(operation: Operation) -> IsoRow:
    """The row that says this operation. Raises: EncodeError."""
    kind = _WRITTEN_AS.get(operation.kind, operation.kind)
    for row in ROWS:
        if row.kind is kind and _says(row, operation):
            return row
    raise EncodeError(3, f"this dialect has no {operation.kind} of this shape")


def _says(row: IsoRow, operation: Operation) -> bool:
    if row.kind is Kind.SETTLE:
        return row.final == operation.final
    if Mti.parse(row.mti).is_advice != (operation.advice or row.kind in _ADVICES):
        return False
    if row.names and not (operation.original and operation.original.stan):
        return False
    return operation.processing_code.startswith(row.processing if operation.processing_code else "")


_ADVICES = ADJUSTMENTS | {Kind.COMPLETION_ADVICE, Kind.OFFLINE_SALE, Kind.SCRIPT_RESULT}
"""The kinds that no request says: `Operation.advice` need not be set."""


__all__ = [
    "AUTHORISED",
    "BOOKED",
    "COMPLETES",
    "NAME",
    "ROWS",
    "IsoRow",
    "classified",
    "original_of",
    "row_to_write",
]
