"""Private data elements of CUP: DE 22, 44, 48, 53, 54, 60, 61, 62, 63 (cup.md section 5).

Values are those of `Message.fields`: digit strings for BCD elements, text for 44, 54 and 63, upper-case hex for 62.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from specs.errors import DecodeError, EncodeError
from specs.masking import mask_pan
from specs.security import KEY_LAYOUTS
from specs.subfields.amounts import AdditionalAmount, format_amounts, parse_amounts
from specs.subfields.reader import Reader, digits_field, number_field, text_field

# --- DE 22 ---

MANUAL, MAGNETIC, QR, CHIP, CONTACTLESS, FALLBACK = "01", "02", "03", "05", "07", "80"
WITH_PIN, WITHOUT_PIN, PIN_UNSPECIFIED = "1", "2", "0"


@dataclass(frozen=True, slots=True)
class EntryMode:
    """How the card was read. Shape: medium two digits, pin one digit (1 entered, 2 none, 0 not said)."""

    medium: str
    pin: str = PIN_UNSPECIFIED


def parse_de22(value: str) -> EntryMode:
    """Read DE 22, three digits. Raises: DecodeError."""
    reader = Reader(22, value)
    mode = EntryMode(reader.digits(2, "entry medium"), reader.digits(1, "PIN capability"))
    reader.end("the entry mode")
    return mode


def format_de22(mode: EntryMode) -> str:
    """The inverse of `parse_de22`. Raises: EncodeError."""
    return digits_field(22, mode.medium, 2, "entry medium") + digits_field(22, mode.pin, 1, "PIN capability")


# --- DE 44 ---

_ID_WIDTH = 11


@dataclass(frozen=True, slots=True)
class Institutions:
    """Issuer and acquirer, printed on the slip; without their blank filling."""

    issuer: str
    acquirer: str


def parse_de44(value: str) -> Institutions:
    """Read two ids of 11 characters; blanks missing or left over at the end do no harm. Raises: DecodeError."""
    if not _ID_WIDTH < len(value) <= 25:
        raise DecodeError(44, 0, "12 to 25 characters", f"{len(value)} characters")
    return Institutions(value[:_ID_WIDTH].rstrip(), value[_ID_WIDTH : 2 * _ID_WIDTH].rstrip())


def format_de44(institutions: Institutions) -> str:
    """22 characters. Raises: EncodeError."""
    issuer = text_field(44, institutions.issuer, _ID_WIDTH, "issuer id")
    return issuer + text_field(44, institutions.acquirer, _ID_WIDTH, "acquirer id")


# --- DE 48 of settlement ---

CODE_REQUEST, CODE_BALANCED, CODE_NOT_BALANCED, CODE_ERROR = "0", "1", "2", "3"
"""Reconciliation codes: 0 in a 0500; 1 agreed, 2 not agreed, 3 error or closed already with other totals."""
SETTLEMENT_DIGITS = 62


@dataclass(frozen=True, slots=True)
class Side:
    """Domestic or foreign cards. Units: minor units. On the wire amount stands before count (cup.md 8)."""

    debit_minor: int = 0
    debit_count: int = 0
    credit_minor: int = 0
    credit_count: int = 0
    code: str = CODE_REQUEST


@dataclass(frozen=True, slots=True)
class Settlement:
    """DE 48 of 0500 and 0510."""

    domestic: Side
    foreign: Side


def parse_settlement(value: str) -> Settlement:
    """Read the 62 digits. Raises: DecodeError."""
    reader = Reader(48, value)
    settlement = Settlement(_read_side(reader, "domestic"), _read_side(reader, "foreign"))
    reader.end("the settlement totals")
    return settlement


def format_settlement(settlement: Settlement) -> str:
    """62 digits. Raises: EncodeError for an amount or count that does not fit."""
    return "".join(
        number_field(48, side.debit_minor, 12, "debit amount")
        + number_field(48, side.debit_count, 3, "debit count")
        + number_field(48, side.credit_minor, 12, "credit amount")
        + number_field(48, side.credit_count, 3, "credit count")
        + digits_field(48, side.code, 1, "reconciliation code")
        for side in (settlement.domestic, settlement.foreign)
    )


def _read_side(reader: Reader, name: str) -> Side:
    return Side(
        reader.number(12, f"{name} debit amount"),
        reader.number(3, f"{name} debit count"),
        reader.number(12, f"{name} credit amount"),
        reader.number(3, f"{name} credit count"),
        reader.one_of("0123", f"{name} reconciliation code"),
    )


# --- DE 48 of the batch upload ---

UPLOAD_ITEMS_MAX = 8
"""2 + 8 x 40 = 322 digits, the largest DE 48."""
_KINDS = "00", "01"


@dataclass(frozen=True, slots=True)
class UploadItem:
    """One magnetic online transaction of a 0320/201. Units: minor; the wire does not say what kind it was."""

    foreign: bool
    stan: str
    pan: str
    minor: int

    def __repr__(self) -> str:
        side = "foreign" if self.foreign else "domestic"
        return f"UploadItem({side}, STAN {self.stan}, {mask_pan(self.pan)}, {self.minor})"


def parse_upload(value: str) -> tuple[UploadItem, ...]:
    """Read N2 count and that many items of 40 digits. Raises: DecodeError."""
    reader = Reader(48, value)
    count = reader.number(2, "number of items")
    if not 1 <= count <= UPLOAD_ITEMS_MAX:
        raise DecodeError(48, 0, f"1 to {UPLOAD_ITEMS_MAX} items", f"{count}")
    items = tuple(_read_item(reader) for _ in range(count))
    reader.end(f"{count} items")
    return items


def format_upload(items: Sequence[UploadItem]) -> str:
    """The inverse of `parse_upload`. Raises: EncodeError."""
    if not 1 <= len(items) <= UPLOAD_ITEMS_MAX:
        raise EncodeError(48, f"takes 1 to {UPLOAD_ITEMS_MAX} items, not {len(items)}")
    return f"{len(items):02d}" + "".join(
        _KINDS[item.foreign]
        + digits_field(48, item.stan, 6, "STAN")
        + digits_field(48, item.pan.zfill(20), 20, "card number")
        + number_field(48, item.minor, 12, "amount")
        for item in items
    )


def parse_upload_count(value: str) -> int:
    """The count a 0330 echoes; what follows it is not looked at. Raises: DecodeError."""
    return Reader(48, value).number(2, "number of items")


def format_upload_count(count: int) -> str:
    """DE 48 of the 0330 to a 0320/201. Raises: EncodeError."""
    return number_field(48, count, 2, "number of items")


def parse_upload_end(value: str) -> int:
    """The total number of items of a 0320/202 or 207, N4. Raises: DecodeError."""
    reader = Reader(48, value)
    total = reader.number(4, "number of transactions uploaded")
    reader.end("the number of transactions uploaded")
    return total


def format_upload_end(total: int) -> str:
    """The inverse of `parse_upload_end`. Raises: EncodeError."""
    return number_field(48, total, 4, "number of transactions uploaded")


def parse_tip(value: str) -> int:
    """The tip of a 0220 adjustment, N12, minor units. Raises: DecodeError."""
    reader = Reader(48, value)
    minor = reader.number(12, "tip")
    reader.end("the tip")
    return minor


def format_tip(minor: int) -> str:
    """The inverse of `parse_tip`. Raises: EncodeError."""
    return number_field(48, minor, 12, "tip")


def _read_item(reader: Reader) -> UploadItem:
    start = reader.at
    kind = reader.digits(2, "card kind")
    if kind not in _KINDS:
        raise DecodeError(48, start, "card kind 00 or 01", kind)
    stan, pan = reader.digits(6, "STAN"), reader.digits(20, "card number").lstrip("0")
    return UploadItem(kind == "01", stan, pan, reader.number(12, "amount"))


# --- DE 53 ---

NO_PIN, PIN_WITHOUT_PAN, PIN_WITH_PAN = "0", "1", "2"
SINGLE_LENGTH, DOUBLE_LENGTH, SM4 = "0", "6", "3"


@dataclass(frozen=True, slots=True)
class SecurityControl:
    """How PIN and tracks are protected. Shape: digit 1, digit 2, digit 3 = 1, the 13 digits after them."""

    pin: str = NO_PIN
    keys: str = SINGLE_LENGTH
    tracks_encrypted: bool = False
    rest: str = "0" * 13


def parse_de53(value: str) -> SecurityControl:
    """Read 16 digits. Hosts disagree on all but digit 1: nothing is refused for its value. Raises: DecodeError."""
    reader = Reader(53, value)
    pin, keys = reader.digits(1, "PIN format"), reader.digits(1, "key kind")
    tracks = reader.digits(1, "track encryption")
    rest = reader.digits(13, "the rest")
    reader.end("the security control")
    return SecurityControl(pin, keys, tracks == "1", rest)


def format_de53(control: SecurityControl) -> str:
    """The inverse of `parse_de53`. Raises: EncodeError."""
    head = digits_field(53, control.pin, 1, "PIN format") + digits_field(53, control.keys, 1, "key kind")
    return head + ("1" if control.tracks_encrypted else "0") + digits_field(53, control.rest, 13, "the rest")


# --- DE 54 ---


def parse_de54(value: str) -> tuple[AdditionalAmount, ...]:
    """The balance of an answer: one group of 20 characters, seldom more. Raises: DecodeError."""
    return parse_amounts(value)


def format_de54(amounts: Sequence[AdditionalAmount]) -> str:
    """The inverse of `parse_de54`. Raises: EncodeError."""
    return format_amounts(amounts)


# --- DE 60 ---


class _Part(NamedTuple):
    name: str
    width: int


_PRIVATE60_TAIL = (
    _Part("function", 3),
    _Part("read_capability", 1),
    _Part("ic_condition", 1),
    _Part("partial_approval", 1),
    _Part("account_type", 3),
)
"""60.3 to 60.7, each there only as far as the declared digits go."""


@dataclass(frozen=True, slots=True)
class Private60:
    """DE 60. Shape: digit strings; None from where the element ends; `rest` is what follows the last whole part."""

    type_code: str
    batch: str
    function: str | None = None
    read_capability: str | None = None
    ic_condition: str | None = None
    partial_approval: str | None = None
    account_type: str | None = None
    rest: str = ""


def parse_de60(value: str) -> Private60:
    """Read 60.1 and 60.2, then as many sub-fields as there are digits (cup.md 5.8). Raises: DecodeError."""
    reader = Reader(60, value)
    type_code, batch = reader.digits(2, "transaction type code"), reader.digits(6, "batch number")
    tail: dict[str, str] = {}
    for part in _PRIVATE60_TAIL:
        taken = reader.optional_digits(part.width, part.name.replace("_", " "))
        if taken is None:
            break
        tail[part.name] = taken
    return Private60(type_code, batch, **tail, rest=reader.digits(reader.left, "the rest") if reader.left else "")


def format_de60(private: Private60) -> str:
    """The inverse of `parse_de60`. Raises: EncodeError, also for a sub-field after one that is None."""
    head = digits_field(60, private.type_code, 2, "transaction type code")
    out = [head, digits_field(60, private.batch, 6, "batch number")]
    ended = False
    for part in _PRIVATE60_TAIL:
        value: str | None = getattr(private, part.name)
        if value is not None and ended:
            raise EncodeError(60, f"{part.name} after a sub-field that is absent")
        ended = ended or value is None
        if value is not None:
            out.append(digits_field(60, value, part.width, part.name))
    return "".join(out) + private.rest


# --- DE 61 ---


@dataclass(frozen=True, slots=True)
class Original61:
    """The original message. Shape: batch six digits, STAN six; date MMDD (0000 = not known); then the mode of
    authorization (00 POS, 01 phone, 02 small amount) and the authorizing institution, up to 11 digits."""

    batch: str
    stan: str
    date: str | None = None
    mode: str | None = None
    institution: str | None = None

    @property
    def given(self) -> bool:
        """An incremental pre-authorization sends zeros: they name nothing."""
        return (self.batch + self.stan).strip("0") != ""


def parse_de61(value: str) -> Original61:
    """Read 12, 16, 18 or up to 29 digits from left to right. Raises: DecodeError."""
    reader = Reader(61, value)
    batch, stan = reader.digits(6, "original batch number"), reader.digits(6, "original STAN")
    date = reader.digits(4, "original date") if reader.left else None
    mode = reader.digits(2, "authorization mode") if reader.left else None
    institution = reader.digits(min(reader.left, _ID_WIDTH), "authorizing institution") if reader.left else None
    reader.end("the original message")
    return Original61(batch, stan, date, mode, institution)


def format_de61(original: Original61) -> str:
    """The inverse of `parse_de61`. Raises: EncodeError, also for a sub-field after one that is None."""
    parts = (original.date, original.mode, original.institution)
    if any(part is not None and before is None for before, part in pairwise(parts)):
        raise EncodeError(61, "a sub-field after one that is absent")
    out = digits_field(61, original.batch, 6, "original batch number") + digits_field(
        61, original.stan, 6, "original STAN"
    )
    if original.date is not None:
        out += digits_field(61, original.date, 4, "original date")
    if original.mode is not None:
        out += digits_field(61, original.mode, 2, "authorization mode")
    if original.institution is not None:
        width = min(max(len(original.institution), 1), _ID_WIDTH)
        out += digits_field(61, original.institution, width, "authorizing institution")
    return out


# --- DE 62 ---

_SERIAL_LABEL = "Sequence No"


@dataclass(frozen=True, slots=True)
class TerminalSerial:
    """DE 62 of a sign-on request: licence of 4 characters, serial number (8, by the declared length 12)."""

    licence: str
    serial: str


def parse_serial(value: str) -> TerminalSerial:
    """Read the registry text of a sign-on request, given as hex. Raises: DecodeError."""
    reader = Reader(62, _bytes62(value).decode("latin-1"))
    if reader.text(len(_SERIAL_LABEL), "label") != _SERIAL_LABEL:
        raise DecodeError(62, 0, f"the text «{_SERIAL_LABEL}»", "another text")
    length = reader.number(2, "length of licence and serial")
    licence, serial = reader.text(4, "licence"), reader.text(max(length - 4, 0), "serial number")
    reader.end("the serial number")
    return TerminalSerial(licence, serial)


def format_serial(terminal: TerminalSerial) -> str:
    """The inverse of `parse_serial`, in hex. Raises: EncodeError."""
    if len(terminal.licence) != 4:
        raise EncodeError(62, "licence must have 4 characters")
    length = number_field(62, 4 + len(terminal.serial), 2, "length of licence and serial")
    return f"{_SERIAL_LABEL}{length}{terminal.licence}{terminal.serial}".encode("latin-1").hex().upper()


def parse_keys(value: str) -> bytes:
    """The wrapped working keys of a sign-on answer, for `security.unwrap_keys`. Raises: DecodeError."""
    keys = _bytes62(value)
    if len(keys) not in KEY_LAYOUTS:
        raise DecodeError(62, 0, f"{' or '.join(map(str, KEY_LAYOUTS))} bytes of keys", f"{len(keys)} bytes")
    return keys


def format_keys(keys: bytes) -> str:
    """The inverse of `parse_keys`. Raises: EncodeError."""
    if len(keys) not in KEY_LAYOUTS:
        raise EncodeError(62, f"no key layout of {len(keys)} bytes")
    return keys.hex().upper()


def _bytes62(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise DecodeError(62, 0, "hex", "other characters") from None


# --- DE 63 ---

_REMARK_WIDTH = 20


@dataclass(frozen=True, slots=True)
class Private63:
    """DE 63. Shape: organisation three characters (in 0800 and 0500 the operator), then up to three remarks of 20
    characters, None where the element ends before them. Text is one character a byte; `remark_text` reads its GBK."""

    organisation: str
    issuer_remark: str | None = None
    centre_remark: str | None = None
    acquirer_remark: str | None = None


def parse_de63(value: str) -> Private63:
    """Read 2 or 3 characters and up to three remarks, the last of which may be short. Raises: DecodeError."""
    if not 2 <= len(value) <= 3 + 3 * _REMARK_WIDTH:
        raise DecodeError(63, 0, f"2 to {3 + 3 * _REMARK_WIDTH} characters", f"{len(value)} characters")
    remarks = [value[at : at + _REMARK_WIDTH] or None for at in range(3, 3 + 3 * _REMARK_WIDTH, _REMARK_WIDTH)]
    return Private63(value[:3], *remarks)


def format_de63(private: Private63) -> str:
    """The inverse of `parse_de63`: each remark is filled to 20 bytes. Raises: EncodeError."""
    remarks = (private.issuer_remark, private.centre_remark, private.acquirer_remark)
    if any(remark is not None and before is None for before, remark in pairwise(remarks)):
        raise EncodeError(63, "a remark after one that is absent")
    filled = (text_field(63, remark, _REMARK_WIDTH, "remark") for remark in remarks if remark is not None)
    return text_field(63, private.organisation, 3, "card organisation") + "".join(filled)


def remark_text(remark: str) -> str:
    """The GBK text of a remark, as people read it; bytes that are none become replacement characters."""
    return remark.encode("latin-1", "replace").decode("gbk", "replace").rstrip()
