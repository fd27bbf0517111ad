"""NAC / EDC: which message is which transaction, and the presence of its data elements (nac.md 4)."""

from __future__ import annotations

from specs.dialect import Dialect
from specs.families.table import Row, Signs, by_mti, classify, knows_mti, missing, reversals_of
from specs.message import Message
from specs.operation import Kind, Unreadable

NAME = "nac"

# --- transactions and the presence of their elements (nac.md 4); DE 64 is the caller's ---

_MONEY = (3, 4, 11, 22, 24, 25, 41, 42)
_NETWORK = (3, 11, 24, 41)

_FINANCIAL_ROWS = (
    Row(
        *("sale", "0200", Kind.SALE, "00"),
        reversible=True,
        required=(*_MONEY, 62),
        optional=(2, 14, 23, 35, 52, 55),
    ),
    # DE 37 or else DE 62 and DE 4 name the sale (rules.md 1): so 37 and 60 may be absent, and with them 12, 13 and 14.
    Row(
        *("void", "0200", Kind.VOID, "02"),
        reversible=True,
        required=(2, *_MONEY, 62),
        optional=(12, 13, 14, 23, 37, 38, 60),
    ),
    Row("sale with cash back", "0200", processing="09", reversible=True),
    Row("sale with cash back", "0200", processing="17", reversible=True),
    Row("refund", "0200", processing="20", reversible=True),
    Row("refund", "0220", processing="20"),
    Row("void of a refund", "0200", processing="22", reversible=True),
    Row("balance inquiry", "0200", processing="31"),
    Row("balance inquiry", "0100", processing="31"),
    Row("pre-authorization", "0100", processing="30", reversible=True),
    Row("offline sale or completion", "0220", processing="00"),
    Row("tip adjustment", "0220", processing="02"),
)

_MANAGEMENT_ROWS = (
    Row("settlement", "0500", Kind.SETTLE, "920000", required=(*_NETWORK, 42, 60, 63)),
    Row("settlement trailer", "0500", Kind.SETTLE, "960000", final=True, required=(*_NETWORK, 42, 60, 63)),
    Row("upload of chip data (TC)", "0320", processing="94"),
    Row(
        *("batch upload", "0320", Kind.UPLOAD),
        required=(2, 3, 4, 11, 24, 41, 42, 60),
        optional=(12, 13, 14, 22, 23, 25, 37, 38, 39, 62),
    ),
    Row("test", "0800", Kind.ECHO, "990000", required=_NETWORK, optional=(42,)),
    Row("log-on", "0800", processing="920000"),
    Row("key download", "0800", processing="970000"),
    Row("key download", "0800", processing="810000"),
)

ROWS = (
    *_FINANCIAL_ROWS,
    # rules.md 1: TID, STAN, DE 3, DE 4 find the original; DE 62, 37 and the card number are compared when sent.
    *reversals_of(_FINANCIAL_ROWS, required=_MONEY, optional=(2, 12, 13, 14, 23, 37, 38, 39, 55, 60, 62)),
    *_MANAGEMENT_ROWS,
)
_INDEX = by_mti(ROWS)


def classified(message: Message, dialect: Dialect) -> Row | Unreadable:
    """The row of a request, told by MTI and DE 3."""
    if 3 not in message and knows_mti(_INDEX, message):
        return missing(message, (3,), dialect) or classify(message, _INDEX, Signs())
    return classify(message, _INDEX, Signs(message.get(3)))
