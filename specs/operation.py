"""The dialect-neutral words for what a message asks and what the answer says.

A family (specs.families) turns a Message into an Operation and an Outcome into a Message at the host, and the other way
round at the terminal. The engine never sees a data element; a family never sees a balance.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from specs import masking
from specs.codes import Refusal
from specs.kinds import ADJUSTMENTS as ADJUSTMENTS
from specs.kinds import DEBITS as DEBITS
from specs.kinds import FINANCIAL as FINANCIAL
from specs.kinds import RESERVATIONS as RESERVATIONS
from specs.kinds import REVERSIBLE as REVERSIBLE
from specs.kinds import VOIDS as VOIDS
from specs.kinds import Kind as Kind
from specs.totals import Totals
from specs.values import quick_init


class Entry(StrEnum):
    """How the card was read, DE 22 digits 1-2."""

    MANUAL = "manual"
    SWIPE = "swipe"
    CHIP = "chip"
    TAP = "tap"
    FALLBACK = "fallback"
    """The stripe of a chip card whose chip could not be read (DE 22 80x)."""
    QR = "qr"
    UNKNOWN = "unknown"


@quick_init
@dataclass(frozen=True, repr=False)
class Card:
    """The card as the message shows it. pan "" = not sent. track2 with separator D. expiry YYMM or ""."""

    pan: str
    expiry: str = ""
    track2: str = ""
    sequence: str = ""
    entry: Entry = Entry.UNKNOWN

    def __repr__(self) -> str:
        return f"Card({masking.mask_pan(self.pan) if self.pan else '-'}, {self.entry})"


@dataclass(frozen=True, slots=True)
class OriginalRef:
    """How a message names its original; a field that the wire does not carry is "" or None.

    date: MMDD of CUP's DE 61, "" when not given or 0000 (= any). transmitted: DE 7 (MMDDhhmmss) and mti: the MTI, both
    of ISO 87's DE 90. amount: the original amount, where the message says it (CUP tip: DE 4; NAC void, tip: DE 60).
    Source: rules.md, section 1, «The original that a message names».
    """

    stan: str = ""
    batch: str = ""
    rrn: str = ""
    invoice: str = ""
    amount: int | None = None
    auth_code: str = ""
    date: str = ""
    transmitted: str = ""
    mti: str = ""


class UploadForm(StrEnum):
    """What a record of an upload is. The two CUP chip forms: 203/205 a TC, 204/206 an item that failed at the card."""

    GROUP = "group"
    """CUP 0320/201, up to eight records; NAC 0320, one."""
    COPY = "copy"
    """CUP: a 0220 again as 0320, with its own STAN, batch and DE 60."""
    TC = "tc"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, repr=False)
class UploadItem:
    """One record of a batch upload.

    kind None = the wire does not say (CUP groups). pan "" = the wire does not carry it. ref names the original.
    foreign None = not said. reason: of a FAILED chip item (cup.md 5.10: 05 ARPC wrong and card approved, 11 AAC …).
    tip: part of `amount` (CUP copies of a tip: `amount` is the new total). chip: DE 55 as sent.
    """

    ref: OriginalRef
    amount: int
    kind: Kind | None = None
    pan: str = ""
    foreign: bool | None = None
    form: UploadForm = UploadForm.GROUP
    reason: str = ""
    currency: str = ""
    tip: int | None = None
    chip: bytes | None = None

    def __repr__(self) -> str:
        return f"UploadItem({self.ref}, {self.amount}, {self.kind}, {masking.mask_pan(self.pan) if self.pan else '-'})"


@quick_init
@dataclass(frozen=True)
class Operation:
    """One request or advice, whichever end looks at it.

    Units: amount in minor units; stan 6 digits ("" when the message carries none); batch 6 digits as on the wire, None
    when the wire carries none. tid and mid are as sent, blanks included. rrn and auth_code are those of a request that
    names no original; otherwise they stand in `original`. Card data, PIN block and content do not show in repr().
    content = what is compared to tell a repeat from another transaction under the same key (rules.md, section 1):
    pairs (name, value); a name absent on one side is not compared. Card numbers in it are replaced by the caller's hash
    before anything is stored.
    """

    kind: Kind
    tid: str
    mid: str = ""
    stan: str = ""
    batch: str | None = None
    amount: int | None = None
    currency: str = ""
    card: Card | None = None
    pin_block: bytes | None = field(default=None, repr=False)
    advice: bool = False
    repeat: bool = False
    processing_code: str = ""
    invoice: str = ""
    original: OriginalRef | None = None
    reason: str = ""
    totals: Totals | None = None
    items: tuple[UploadItem, ...] = ()
    count: int | None = None
    final: bool = False
    """SETTLE only: True for the trailer after a batch upload (NAC 960000)."""
    balanced: bool = False
    """UPLOAD_END and TC_UPLOAD: the settlement balanced (CUP 60.3 = 207, 203, 204), as against 202, 205, 206."""
    key_layout: int = 0
    """SIGN_ON only: bytes of the key field asked for: 24, 40 or 60 (CUP 60.3 = 001, 003, 004); 0 = none."""
    operator: str = ""
    serial: str = ""
    organisation: str = ""
    more: bool = False
    """UPLOAD only: more records follow (NAC DE 3 last digit 1)."""
    content: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    rrn: str = ""
    auth_code: str = ""
    local_date: str = ""
    local_time: str = ""
    transmitted: str = ""
    """DE 7, MMDDhhmmss (ISO 87)."""
    day: str = ""
    """SETTLE in ISO 87: the settlement date DE 15, MMDD, that the figures are for."""
    tip: int | None = None
    """The tip, minor units (CUP DE 48 of 32 and 34, else DE 54); `amount` is the new total, tip included."""
    cash: int | None = None
    """CASH_BACK: the cash part of `amount`, minor units (DE 54)."""
    chip: bytes | None = field(default=None, repr=False)
    """DE 55 as sent, BER-TLV."""
    partial: bool | None = None
    """Whether the terminal takes a partial approval (CUP 60.6); None = not said, which counts as yes."""
    function: str = ""
    """DOWNLOAD: 60.3 (360, 361, 362, 370, 371, 372, 380, 381, 382). SCRIPT_RESULT: 951."""
    data: bytes = field(default=b"", repr=False)
    """DOWNLOAD: DE 62 as sent."""

    @property
    def happened(self) -> bool:
        """Whether it is past already, so that nobody can decline it: an advice, and the chip's offline sale, which CUP
        sends as a request (60.1 = 36)."""
        return self.advice or self.kind is Kind.OFFLINE_SALE

    def __post_init__(self) -> None:
        assert self.amount is None or self.amount >= 0, "amounts are never negative on the wire"


def say_more(read: Operation, /, **said: Any) -> Operation:
    """The same operation with more said of it: for its maker alone, before anybody else has seen it.

    A reader learns an operation in two steps, and a copy of forty fields would cost as much as either.
    """
    cells = read.__dict__
    cells.update(said)
    assert len(cells) == _FIELDS, f"no field: {list(cells)[_FIELDS:]}"
    return read


def unsaid() -> Operation:
    """An operation of which nothing is said yet, every field as by default: for its maker alone, as `say_more`."""
    made = object.__new__(Operation)
    made.__dict__.update(_UNSAID)
    return made


_UNSAID = dict(vars(Operation(Kind.OTHER, tid="")))
_FIELDS = len(_UNSAID)


class Verdict(StrEnum):
    """What the host says of a settlement (rules.md, section 6); a family has the code for each."""

    AGREED = "agreed"
    DIFFERS = "differs"
    STILL_DIFFERS = "still-differs"
    UPLOAD_INCOMPLETE = "upload-incomplete"
    CLOSED_OTHER = "closed-other-totals"
    NUMBER_STALE = "number-stale"
    NUMBER_UNKNOWN = "number-unknown"


@quick_init
@dataclass(frozen=True)
class Outcome:
    """The answer, neutral to the wire; the same value at both ends (what a field does not carry is "" or None).

    code: DE 39; "" = the answer carries none (CUP 0510). at: "MMDDhhmmss" host local time. business_date: "YYYY-MM-DD"
    at the host, "MMDD" as far as the wire tells at the terminal.
    amount: what the answer says was approved. sides: (side, verdict) for dialects that answer side by side.
    keys: the key field of a sign-on answer, wrapped under the terminal's master key (never clear).
    request: CUP header digit 6, "0" = none, "1" parameters, "2" status, "3" sign on again, "4" CA keys, "5" IC
    parameters (cup.md, section 1).
    """

    code: str
    refusal: Refusal | None = None
    at: str = ""
    business_date: str = ""
    rrn: str = ""
    auth_code: str = ""
    amount: int | None = None
    balance: int | None = None
    currency: str = ""
    batch: str | None = None
    keys: bytes | None = field(default=None, repr=False)
    totals: Totals | None = None
    verdict: Verdict | None = None
    sides: tuple[tuple[str, Verdict], ...] = ()
    count: int | None = None
    request: str = "0"
    issuer: str = ""
    acquirer: str = ""
    organisation: str = ""
    text: str = ""
    chip: bytes | None = field(default=None, repr=False)
    """DE 55 of the answer: 91 (ARPC and its response code), 71, 72 (scripts)."""
    data: bytes | None = field(default=None, repr=False)
    """DOWNLOAD: DE 62 of the answer."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that decodes but cannot be an Operation: the host answers with `refusal`'s code.

    de: the data element at fault, 0 when none; expected/got in safe words (never card data).
    """

    refusal: Refusal
    de: int
    expected: str
    got: str
    tid: str = ""
    mid: str = ""
    stan: str = ""
