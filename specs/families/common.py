"""What the readers and writers of all families share.

A family is a table of rows (specs.families.table: what a message is, which data elements it needs and may carry) and
two tables of makers (data element -> its value in a request, in an answer). Reading and writing walk the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from specs import tlv
from specs.codes import Refusal, for_refusal, is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families.table import Row, base_mti, missing, unreadable
from specs.framing import swap_tpdu
from specs.inspection import ALPHABETS
from specs.message import Message
from specs.mti import Mti
from specs.operation import ADJUSTMENTS, Card, Entry, Operation, Outcome, Unreadable, say_more, unsaid
from specs.track2 import Track2, parse_track2
from specs.values import quick_init, replace

DEFAULT_TPDU = "6000030000"
"""What a terminal sends before it is told its NII: destination 0003 (cup.md 1). A caller may replace it."""
DEFAULT_HEADER = "603100310000"
"""Application class 60, version 31, normal state (cup.md 1)."""


def read(
    message: Message, row: Row | Unreadable, build: Callable[[Message, Row], Operation], dialect: Dialect
) -> Operation | Unreadable:
    """The operation of a classified message: mandatory elements first, then whatever `build` makes of them."""
    if isinstance(row, Unreadable):
        return row
    if not message.fields.keys() >= row.needed and (fault := missing(message, row.required, dialect)) is not None:
        return fault
    try:
        return build(message, row)
    except DecodeError as error:
        return unreadable(message, Refusal.FORMAT, error.de, error.expected, error.got)


# --- elements that all families read alike ---


def digits(message: Message, de: int) -> str | None:
    """A digit string, None when absent. Raises: DecodeError for another character (a lenient listener lets it in)."""
    value = message.fields.get(de)
    if value is not None and not (value.isdigit() and value.isascii()):
        raise DecodeError(de, 0, "digits", "another character")
    return value


def amount(message: Message) -> int | None:
    """DE 4 in minor units, None when absent. Raises: DecodeError."""
    sent = digits(message, 4)
    return int(sent) if sent else None


def clear_track(message: Message, encrypted: bool) -> Track2 | None:
    """Track 2 when it came, in clear. Raises: DecodeError."""
    value = message.fields.get(35)
    return parse_track2(value) if value and not encrypted else None


def chip_track(message: Message) -> Track2 | None:
    """Track 2 equivalent data, tag 57 of DE 55; None without it or when it cannot be read."""
    if 55 not in message.fields:
        return None
    value = next((item.value.hex().upper() for item in _chip(message) if item.tag == "57"), None)
    try:
        return parse_track2(value.rstrip("F"), de=55) if value else None
    except DecodeError:
        return None


def card(message: Message, entries: Mapping[str, Entry], encrypted: bool) -> Card | None:
    """The card as the message shows it, None when it shows none. Raises: DecodeError for a clear track that is none.

    An encrypted track stays as sent and gives no card number: the host decrypts DE 35 first and clears DE 53 digit 3.
    """
    fields = message.fields
    if fields.keys().isdisjoint(_SHOWS_A_CARD):
        return None
    track = clear_track(message, encrypted) or chip_track(message)
    return Card(
        digits(message, 2) or (track.pan if track else ""),
        digits(message, 14) or (track.expiry if track else ""),
        fields.get(35, "").replace("=", "D"),
        fields.get(23, ""),
        entries.get(fields.get(22, "")[:2], Entry.UNKNOWN),
    )


_SHOWS_A_CARD = (2, 14, 22, 23, 35)


def require_card(message: Message, sources: Iterable[int]) -> None:
    """Raises: DecodeError when none of the elements that can show a card is there."""
    if message.fields.keys().isdisjoint(sources):
        raise DecodeError(2, 0, "a card number, track or code", "none of them")


def sends_number(operation: Operation, row: Row) -> bool:
    """Whether card number and expiry go in DE 2 and 14: the row has no track, or none was read (cup.md 6.1, C1)."""
    return not row.carries(35) or operation.card is None or not operation.card.track2


def entry_mode(operation: Operation) -> str:
    """DE 22 as a terminal sends it: two digits for the medium, 1 with a PIN, 2 without (cup.md 5.1, nac.md 3)."""
    medium = _MEDIA[operation.card.entry if operation.card else Entry.UNKNOWN]
    return medium + ("1" if operation.pin_block else "2")


_MEDIA: Mapping[Entry, str] = {
    Entry.UNKNOWN: "00",
    Entry.MANUAL: "01",
    Entry.SWIPE: "02",
    Entry.QR: "03",
    Entry.CHIP: "05",
    Entry.TAP: "07",
    Entry.FALLBACK: "80",
}


def operation(
    message: Message,
    row: Row,
    entries: Mapping[str, Entry],
    *,
    encrypted: bool = False,
    batch: str | None = None,
    invoice: str = "",
    reason: str = "",
) -> Operation:
    """What every family reads alike. tid and mid stay as sent, blanks included. Raises: DecodeError."""
    assert row.kind is not None, row.name
    mti = base_mti(message)
    assert mti is not None, "a row was found"
    if message.doubtful:  # its time is part of what a transaction is known by (rules.md, section 1)
        for de in (7, 12, 13):
            digits(message, de)
    get, read = message.fields.get, unsaid()
    said = vars(read)  # told one by one: to call the constructor with them costs as much as to read them
    said["kind"], said["key_layout"] = row.kind, row.key_layout
    said["final"], said["balanced"] = row.final, row.balanced
    said["advice"], said["repeat"] = mti.is_advice, mti.is_repeat
    said["tid"], said["mid"] = get(41, ""), get(42, "")
    said["stan"] = digits(message, 11) or ""
    said["batch"], said["invoice"], said["reason"] = batch, invoice, reason
    said["amount"] = amount(message)
    said["card"] = card(message, entries, encrypted)
    if block := get(52):
        said["pin_block"] = raw_bytes(52, block)
    said["processing_code"] = digits(message, 3) or ""
    said["local_date"], said["local_time"], said["transmitted"] = get(13, ""), get(12, ""), get(7, "")
    if chip := get(55):
        said["chip"] = _chip_bytes(chip)
    return say_more(read)


def _chip_bytes(value: str) -> bytes | None:
    """DE 55 as bytes; None when there are none, or it is no hex (a dialect may keep other text there)."""
    try:
        return bytes.fromhex(value) or None
    except ValueError:
        return None


def raw_bytes(de: int, value: str) -> bytes:
    """The bytes of a binary element. Raises: DecodeError."""
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise DecodeError(de, 0, "hex", "another character") from None


def content(names: Iterable[str], values: Iterable[str | None]) -> tuple[tuple[str, str], ...]:
    """The compared pairs of rules.md section 1; what the message does not carry is left out."""
    return tuple([(name, value) for name, value in zip(names, values, strict=True) if value])


def cryptogram(message: Message) -> str | None:
    """9F26 of DE 55 in hex; None when there is none or DE 55 cannot be read (nothing else looks into it)."""
    if 55 not in message.fields:
        return None
    return next((item.value.hex().upper() for item in _chip(message) if item.tag == "9F26"), None)


def chip_amount(message: Message) -> int:
    """9F02 of DE 55, the amount that the card saw, minor units; 0 when it is not there."""
    value = next((item.value.hex() for item in _chip(message) if item.tag == "9F02"), "")
    return int(value) if value.isdigit() and len(value) == 12 else 0


def _chip(message: Message) -> list[tlv.Tlv]:
    try:
        return tlv.parse(bytes.fromhex(message.get(55) or ""))
    except (ValueError, DecodeError):
        return []


_REVERSAL_TAGS = ("95", "9F1E", "9F10", "9F36", "DF31")
"""cup.md 5.6, reversal subset; none of them holds card data."""


def reversal(
    request: Message, keep: Iterable[int], changes: Mapping[int, str | None], *, encrypted: bool = False
) -> Message:
    """The 0400 to a stored request: the elements kept, the card number in place of the track, chip data cut down."""
    track = clear_track(request, encrypted)
    fields: dict[int, str | None] = {de: request.get(de) for de in keep}
    if track:
        fields[2] = fields.get(2) or track.pan
        fields[14] = fields.get(14) or track.expiry
    chip = [item for item in _chip(request) if item.tag in _REVERSAL_TAGS]
    fields[55] = tlv.build(chip).hex().upper() if chip else None
    fields |= changes
    return replace(request, mti="0400", fields={}).with_fields(fields)


# --- writing a request ---

RequestMaker = Callable[[Operation, Row], str | None]


def write_request(operation: Operation, row: Row, makers: Mapping[int, RequestMaker], dialect: Dialect) -> Message:
    """The request of one row. Raises: EncodeError naming a mandatory element that the operation says nothing of."""
    fields: dict[int, str] = {}
    for de in (*row.required, *row.optional):
        value = makers[de](operation, row)
        if value and (de in dialect.fields or de in row.required):
            fields[de] = value
        elif de in row.required:
            raise EncodeError(de, f"a {row.name} needs it")
    mti = Mti.parse(row.mti)
    return Message(
        mti=str(mti.repeat() if operation.repeat else mti),
        fields=fields,
        tpdu=DEFAULT_TPDU if dialect.frame.tpdu else "",
        header=DEFAULT_HEADER if dialect.frame.header else "",
    )


def minor(value: int | None) -> str | None:
    """An amount as DE 4, twelve digits; None stays None. Raises: EncodeError when it does not fit."""
    if value is not None and value >= 10**12:
        raise EncodeError(4, "the amount does not fit 12 digits")
    return None if value is None else f"{value:012d}"


# --- writing an answer ---


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """Which data elements an answer echoes, and which it makes; a made one may turn out absent."""

    echo: tuple[int, ...]
    made: tuple[int, ...]


@quick_init
@dataclass(frozen=True)
class Reply:
    """All that a maker of an answer's element may look at. code = DE 39, "" for none."""

    request: Message
    outcome: Outcome
    row: Row
    code: str
    approved: bool
    dialect: Dialect
    track: Track2 | None = None
    """The request's track 2 in clear, where the answer shows what is on it."""


AnswerMaker = Callable[[Reply], str | None]


def answer_code(family: str, outcome: Outcome) -> str:
    """DE 39 as the engine said it, or the family's code for its refusal; "" when it said neither."""
    return outcome.code or (for_refusal(family, outcome.refusal) if outcome.refusal else "")


def _no_track(request: Message) -> Track2 | None:
    return None


def reply(
    request: Message,
    outcome: Outcome,
    row: Row,
    dialect: Dialect,
    code: str,
    track_of: Callable[[Message], Track2 | None] = _no_track,
) -> Reply:
    """Bundle what the makers need, without what a lenient listener let in and no answer can hold.

    track_of: what the answer needs of the request's track 2.
    """
    if request.doubtful:
        bad = [de for de, value in request.fields.items() if not _echoable(de, value, dialect)]
        request = request.with_fields(dict.fromkeys(bad))
    return Reply(request, outcome, row, code, is_approved(dialect.family, code), dialect, track_of(request))


def write_answer(about: Reply, answer: AnswerRow, makers: Mapping[int, AnswerMaker]) -> Message:
    """Echoed and made elements behind the answer's MTI, swapped TPDU and echoed header.

    What a user's dialect has no row for is left out.
    """
    fields = _echo(about.request, answer.echo, about.dialect)
    for de in answer.made:
        if value := makers[de](about):
            fields[de] = value
    known = about.dialect.fields
    if not fields.keys() <= known.keys():
        fields = {de: value for de, value in fields.items() if de in known}
    return _answer(about.request, fields, about.outcome.request)


@lru_cache(maxsize=256)
def answer_mti(request_mti: str) -> str:
    """0200 -> 0210, 0401 -> 0410."""
    return str(Mti.parse(request_mti).response())


def _answer(request: Message, fields: Mapping[int, str], processing_request: str = "0") -> Message:
    header = request.header
    if header:
        header = header[:5] + processing_request + header[6:]
    doubtful = request.doubtful and frozenset(de for de in request.doubtful if fields.get(de) == request.get(de))
    return Message(answer_mti(request.mti), fields, swap_tpdu(request.tpdu), header, doubtful)


def refusal_answer(
    request: Message,
    code: str,
    at: str,
    dialect: Dialect,
    echo: Iterable[int],
    extra: Mapping[int, str],
    processing_request: str = "0",
) -> Message | None:
    """DE 39 = code over the elements that can be echoed; one whose value breaks the dialect is left out.

    None for a message that is no terminal's request: nothing could be paired with an answer.
    """
    if base_mti(request) is None:
        return None
    made = {de: value for de, value in {**_clock(at), 39: code, **extra}.items() if de in dialect.fields}
    return _answer(request, _echo(request, echo, dialect) | made, processing_request)


def _echo(request: Message, echo: Iterable[int], dialect: Dialect) -> dict[int, str]:
    """The elements that go back as they came; what a lenient listener let in and no answer can hold stays out."""
    fields, plain = request.fields, _plain_sizes(dialect)
    echoed = {}
    for de in echo:
        if (value := fields.get(de)) is not None:
            least, most, text = plain[de]
            fits = least <= len(value) <= most and (text or (value.isdecimal() and value.isascii()))
            if fits or _echoable(de, value, dialect):
                echoed[de] = value
    return echoed


@lru_cache(maxsize=64)
def _plain_sizes(dialect: Dialect) -> Mapping[int, tuple[int, int, bool]]:
    """DE -> from and up to how many characters any text, or else any digits, can be echoed; 0 for what is rare."""
    sizes: dict[int, tuple[int, int, bool]] = {}
    for de in range(2, 129):
        spec = dialect.fields.get(de)
        if spec is None or spec.format == "x+n":
            sizes[de] = (1, 0, False)
        else:
            sizes[de] = (spec.max if spec.length == "fixed" else 0, spec.max, spec.is_text)
    return sizes


def _echoable(de: int, value: str, dialect: Dialect) -> bool:
    spec = dialect.fields.get(de)
    if spec is None or len(value) > spec.max or (spec.length == "fixed" and len(value) != spec.max):
        return False
    if spec.is_text or (value.isascii() and value.isdecimal()):
        return spec.format != "x+n"
    return ALPHABETS[spec.format].fullmatch(value) is not None


def _clock(at: str) -> dict[int, str]:
    """DE 12 and 13 of "MMDDhhmmss"; nothing of ""."""
    return {12: at[4:], 13: at[:4]} if at else {}


def settlement_date(business_date: str) -> str:
    """DE 15 of "YYYY-MM-DD" or "MMDD"."""
    return business_date.replace("-", "")[-4:]


def _approved_amount(about: Reply) -> str | None:
    """DE 4: what was approved; else, and of every tip or adjustment, as it was sent."""
    said = about.outcome.amount
    if said is None or not about.approved or about.row.kind in ADJUSTMENTS:
        return about.request.get(4)
    return minor(said)


#: What every family makes alike in an answer.
COMMON_ANSWER: Mapping[int, AnswerMaker] = {
    4: _approved_amount,
    12: lambda r: r.outcome.at[4:],
    13: lambda r: r.outcome.at[:4],
    15: lambda r: settlement_date(r.outcome.business_date),
    37: lambda r: r.outcome.rrn,
    38: lambda r: r.outcome.auth_code if r.approved else None,
    39: lambda r: r.code,
    55: lambda r: r.outcome.chip.hex().upper() if r.outcome.chip else None,
}


# --- reading an answer ---


def answer_outcome(message: Message, dialect: Dialect, *, code_needed: bool = True) -> Outcome:
    """What every family reads alike in an answer.

    Raises: DecodeError for a message that is no answer, and for one without DE 39 where there must be one.
    """
    if not Mti.parse(message.mti).is_answer:
        raise DecodeError(0, 0, "the MTI of an answer", message.mti)
    code = message.get(39) or ""
    if code_needed and not code:
        raise DecodeError(39, 0, "a response code", "absent")
    return Outcome(
        code=code,
        at=(message.get(13) or "") + (message.get(12) or ""),
        business_date=message.get(15) or "",
        rrn=message.get(37) or "",
        auth_code=message.get(38) or "",
        amount=amount(message) if is_approved(dialect.family, code) else None,
        chip=_chip_bytes(message.get(55) or ""),
    )


PARTIAL = "10"
"""Partial approval: the only answer whose DE 4 is not the request's (response-codes.md)."""


def fits(request: Message, answer: Message, may_lack: Mapping[str, frozenset[int]]) -> str:
    """RT5: "" when the answer is one to this request, else the first reason why not.

    may_lack: MTI of an answer -> elements that it need not echo. What the request does not carry is not compared.
    """
    expected = answer_mti(request.mti)
    if answer.mti != expected:
        return f"MTI {answer.mti}, not {expected}"
    code = answer.get(39)
    for de in (3, 4, 11, 41):
        if de not in request or (de == 4 and code == PARTIAL):
            continue
        if de not in answer:
            if de not in may_lack.get(answer.mti, frozenset()):
                return f"DE {de} is absent"
        elif answer[de] != request[de]:
            return f"DE {de} is not the request's"
    if code in (None, "00") and 42 in answer and 42 in request and answer[42] != request[42]:
        return "DE 42 is not the request's"
    return ""
