"""The transaction table of a family: its rows, and which row a message is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from specs.codes import Refusal
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.masking import PAN_DIGITS_MIN
from specs.message import Message
from specs.mti import Mti
from specs.operation import FINANCIAL, RESERVATIONS, Kind, Operation, Unreadable
from specs.values import replace


@dataclass(frozen=True, slots=True)
class Row:
    """One transaction of a family.

    Shape: mti with the repeat digit cleared; processing = the first digits of DE 3, condition = DE 25, type_code and
    function = 60.1 and 60.3 of CUP, each "" when it does not decide. kind None: known, not offered by this host.
    required and optional name the data elements of a request apart from the MAC.
    """

    name: str
    mti: str
    kind: Kind | None = None
    processing: str = ""
    condition: str = ""
    type_code: str = ""
    function: str = ""
    reversible: bool = False
    required: tuple[int, ...] = ()
    optional: tuple[int, ...] = ()
    key_layout: int = 0
    final: bool = False
    balanced: bool = False
    needed: frozenset[int] = field(init=False, repr=False, compare=False)
    """`required` as a set."""
    known: frozenset[int] = field(init=False, repr=False, compare=False)
    """`required` and `optional`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "needed", frozenset(self.required))
        object.__setattr__(self, "known", self.needed.union(self.optional))

    def carries(self, de: int) -> bool:
        """Whether a request of this row may hold the data element."""
        return de in self.known


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells one row from another in a message, beside its MTI; None = the message has no such element."""

    processing: str | None = None
    condition: str | None = None
    type_code: str | None = None
    function: str | None = None

    def fit(self, row: Row) -> bool:
        """Whether every sign that the row asks for is there."""
        return (
            (self.processing or "").startswith(row.processing)
            and row.condition in ("", self.condition)
            and row.type_code in ("", self.type_code)
            and row.function in ("", self.function)
        )


def reversals_of(rows: Iterable[Row], required: tuple[int, ...], optional: tuple[int, ...]) -> tuple[Row, ...]:
    """The 0400 rows: a message that names a reversible row by its own signs (cup.md 4, last «reversal?» column)."""
    return tuple(
        replace(
            row,
            name=f"reversal of {row.name}",
            mti="0400",
            kind=Kind.REVERSAL if row.kind else None,
            required=required,
            optional=optional,
        )
        for row in rows
        if row.reversible
    )


Index = Mapping[str, tuple[Row, ...]]

ROWS_KEPT_MAX = 4_096
"""Ways of telling a row that each family keeps: terminals have a few dozen, and noise must not fill the memory."""


def told_shortly(*values: str | None) -> bool:
    """Whether what tells a row is too short to hold a card number: a user's dialect may give DE 3 room for one, and
    look-ups are kept as long as the program runs."""
    return len("".join(filter(None, values))) < PAN_DIGITS_MIN


def by_mti(rows: Iterable[Row]) -> Index:
    """The rows grouped by MTI, their order kept: the first that fits is the one."""
    index: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        index[row.mti] = (*index.get(row.mti, ()), row)
    return MappingProxyType(index)


def base_mti(message: Message) -> Mti | None:
    """The request's MTI, None when it is none that a terminal sends (an answer, an issuer's, or no MTI at all)."""
    return _request_mti(message.mti)


@lru_cache(maxsize=256)
def _request_mti(text: str) -> Mti | None:
    try:
        mti = Mti.parse(text)
    except DecodeError:
        return None
    return mti if (mti.is_request or mti.is_advice) and mti.origin in (0, 1) else None


@lru_cache(maxsize=256)
def _base(text: str) -> str:
    """The MTI with its repeat digit cleared; what is no request's stays as it is and has no row."""
    mti = _request_mti(text)
    return str(replace(mti, origin=0)) if mti else text


def classify(message: Message, index: Index, signs: Signs) -> Row | Unreadable:
    """The row of a message, or why it has none that can be served."""
    rows = index.get(_base(message.mti), ()) if base_mti(message) else ()
    found = next((row for row in rows if signs.fit(row)), None)
    if found is None:
        return unreadable(message, Refusal.UNKNOWN_TYPE, 0, "a transaction of this dialect", _told(message, signs))
    if found.kind is None:
        return unreadable(message, Refusal.NOT_OFFERED, 0, "a transaction that this host offers", found.name)
    return found


def knows_mti(index: Index, message: Message) -> bool:
    """Whether any transaction of the family has the message's MTI."""
    return base_mti(message) is not None and _base(message.mti) in index


def _told(message: Message, signs: Signs) -> str:
    """The signs of a message in safe words."""
    words = {
        "MTI": message.mti,
        "DE 3": signs.processing,
        "DE 25": signs.condition,
        "60.1": signs.type_code,
        "60.3": signs.function,
    }
    return ", ".join(f"{name} {value}" for name, value in words.items() if value is not None)


def unreadable(message: Message, refusal: Refusal, de: int, expected: str, got: str) -> Unreadable:
    """The refusal with what is known of the sender."""
    return Unreadable(refusal, de, expected, got, message.get(41) or "", message.get(42) or "", message.get(11) or "")


def missing(message: Message, des: Iterable[int], dialect: Dialect) -> Unreadable | None:
    """The first of these data elements that the message lacks, as a format error."""
    for de in des:
        if de not in message:
            name = dialect.fields[de].name if de in dialect.fields else f"DE {de}"
            return unreadable(message, Refusal.FORMAT, de, f"DE {de} ({name})", "absent")
    return None


def row_to_write(operation: Operation, rows: Iterable[Row]) -> Row:
    """The row that says this operation; a reversal is told by its processing code. Raises: EncodeError."""
    for row in rows:
        same = (row.kind, row.final, row.balanced) == (operation.kind, operation.final, operation.balanced)
        same = same and operation.function in ("", row.function)
        if row.kind in FINANCIAL | RESERVATIONS and Mti.parse(row.mti).is_advice != operation.advice:
            continue
        layouts = row.key_layout == operation.key_layout or operation.kind is not Kind.SIGN_ON
        if (
            same
            and layouts
            and operation.processing_code.startswith(row.processing if operation.processing_code else "")
        ):
            return row
    raise EncodeError(3, f"this dialect has no {operation.kind} of this shape")
