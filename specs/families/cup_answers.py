"""UnionPay POS: writing and reading answers (cup.md 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from specs.codes import Refusal, for_refusal, is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError, EncodeError
from specs.families import common
from specs.families.common import AnswerMaker, AnswerRow, Reply
from specs.families.cup_table import DOWNLOADS, NAME, classified, private_of, tracks_encrypted
from specs.families.cup_totals import SIDES, settlement_of, totals_of
from specs.families.table import base_mti
from specs.message import Message
from specs.mti import RECONCILIATION, Mti
from specs.operation import Kind, Outcome, Unreadable, Verdict
from specs.subfields import cup as sub
from specs.subfields.amounts import AVAILABLE, AdditionalAmount
from specs.totals import Totals
from specs.track2 import Track2
from specs.values import replace

# --- writing an answer (cup.md 6.2) ---

_MONEY_ECHO = (3, 11, 25, 41, 42, 49, 53, 60)
_MONEY_MADE = (2, 12, 13, 14, 32, 37, 39, 44)
_REQUESTED = AnswerRow(_MONEY_ECHO, (*_MONEY_MADE, 4, 15, 38, 54, 55, 63))
_ADVISED = AnswerRow(_MONEY_ECHO, (*_MONEY_MADE, 4, 15, 63))
_UPLOADED = AnswerRow((11, 41, 42, 60), (12, 13, 32, 37, 39, 48))
_ANSWERS: Mapping[str, AnswerRow] = {
    "0100": _REQUESTED,
    "0200": _REQUESTED,
    "0220": _ADVISED,
    "0320": _UPLOADED,
    "0400": AnswerRow(_MONEY_ECHO, (*_MONEY_MADE, 4, 15, 55)),
    "0500": AnswerRow((11, 41, 42, 49, 60, 63), (12, 13, 15, 32, 37, 39, 48)),
    "0620": AnswerRow((3, 11, 25, 41, 42, 49, 60), (2, 4, 12, 13, 15, 32, 37, 39)),
}
"""By the MTI of the row; the kinds of `_ANSWERS_BY_KIND` have an answer of their own."""
_ANSWERS_BY_KIND: Mapping[Kind | None, AnswerRow] = {
    Kind.SIGN_ON: AnswerRow((11, 41, 42), (12, 13, 32, 37, 39, 60, 62)),
    Kind.SIGN_OFF: AnswerRow((11, 41, 42, 60), (12, 13, 32, 37, 39)),
    Kind.ECHO: AnswerRow((11, 41, 42, 60), (12, 13, 39)),
    Kind.DOWNLOAD: AnswerRow((11, 41, 42, 60), (12, 13, 37, 39, 62)),
    Kind.BALANCE: AnswerRow(_MONEY_ECHO, (*_MONEY_MADE, 54, 55)),
}

_VERDICT_CODES: Mapping[Verdict, str] = {
    Verdict.AGREED: sub.CODE_BALANCED,
    Verdict.DIFFERS: sub.CODE_NOT_BALANCED,
    Verdict.STILL_DIFFERS: sub.CODE_NOT_BALANCED,
    Verdict.UPLOAD_INCOMPLETE: sub.CODE_NOT_BALANCED,
    Verdict.CLOSED_OTHER: sub.CODE_ERROR,
    Verdict.NUMBER_STALE: sub.CODE_ERROR,
    Verdict.NUMBER_UNKNOWN: sub.CODE_ERROR,
}
NUMBER_UNKNOWN_CODE = for_refusal(NAME, Refusal.UNKNOWN_BATCH)
"""DE 39 of a 0510 whose batch number the host never opened: 22 (rules.md 6)."""


def write_answer(request: Message, outcome: Outcome, dialect: Dialect) -> Message:
    """At the host: the answer, without DE 64. See `specs.families.Family`.

    A 0510 carries DE 39 only in an error (then both codes are 3) or where the profile's settle_code asks for one. A
    request that cannot be classified is answered like an unreadable one.
    """
    row = classified(request, dialect)
    code = _answer_code(outcome)
    if isinstance(row, Unreadable):
        assert code, "an answer needs DE 39"
        extra = _error_codes(request)
        made = common.refusal_answer(request, code, outcome.at, dialect, _REFUSAL_ECHO, extra, outcome.request)
        assert made is not None, "no answer exists to this message"
        return made
    if row.kind is Kind.SETTLE:
        code = _settle_code(code, dialect)
    else:
        assert code, "an answer needs DE 39"
    answer = _ANSWERS_BY_KIND.get(row.kind) or _ANSWERS[row.mti]
    about = common.reply(request, outcome, row, dialect, code, _track_shown)
    return common.write_answer(about, answer, _ANSWER)


def _answer_code(outcome: Outcome) -> str:
    code = common.answer_code(NAME, outcome)
    return NUMBER_UNKNOWN_CODE if not code and outcome.verdict is Verdict.NUMBER_UNKNOWN else code


def _settle_code(code: str, dialect: Dialect) -> str:
    """A good 0510 has no DE 39 unless the profile wants it (cup.md 6.2)."""
    return str(dialect.profile.get("settle_code", "")) if not code or is_approved(NAME, code) else code


def _answer_pan(about: Reply) -> str | None:
    return about.request.get(2) or (about.track.pan if about.track else None)


def _answer_expiry(about: Reply) -> str | None:
    return about.request.get(14) or (about.track.expiry if about.track else None)


def _track_shown(request: Message) -> Track2 | None:
    """The track whose card number and expiry the answer has; one that cannot be read shows nothing."""
    try:
        return common.clear_track(request, tracks_encrypted(request))
    except DecodeError:
        return None


def _answer_44(about: Reply) -> str | None:
    outcome = about.outcome
    if not (outcome.issuer or outcome.acquirer):
        return None
    return _institutions(outcome.issuer, outcome.acquirer)


@lru_cache(maxsize=256)
def _institutions(issuer: str, acquirer: str) -> str:
    return sub.format_de44(sub.Institutions(issuer, acquirer))


def _answer_48(about: Reply) -> str | None:
    outcome, value = about.outcome, about.request.get(48)
    if about.row.kind is not Kind.SETTLE:
        return _answer_count(about) if about.row.carries(48) else None
    if about.code and not about.approved:
        codes = dict.fromkeys(SIDES, sub.CODE_ERROR)
    else:
        said = dict(outcome.sides)
        codes = {name: _side_code(said.get(name, outcome.verdict)) for name in SIDES}
    claimed = totals_of(sub.parse_settlement(value)) if value else Totals()
    try:
        return sub.format_settlement(settlement_of(outcome.totals or claimed, codes))
    except EncodeError:
        # 999 items and 12 digits are all that DE 48 holds. A batch beyond them must end too, and a terminal reads only
        # the codes (cup.md 5.5): the figures are then the terminal's own.
        return sub.format_settlement(settlement_of(claimed, codes))


def _side_code(verdict: Verdict | None) -> str:
    return _VERDICT_CODES[verdict] if verdict else sub.CODE_ERROR


def _answer_count(about: Reply) -> str | None:
    """The 0330 echoes the count of the 0320: N2 of a group, N4 of an end."""
    group = about.row.kind is Kind.UPLOAD
    if about.outcome.count is not None:
        form = sub.format_upload_count if group else sub.format_upload_end
        return form(about.outcome.count)
    return (about.request.get(48) or "")[: 2 if group else 4]


def _answer_54(about: Reply) -> str | None:
    """The balance of an inquiry, or what is left after a partial approval."""
    outcome = about.outcome
    if outcome.balance is None or not about.approved:
        return None
    if about.row.kind is not Kind.BALANCE and about.code != common.PARTIAL:
        return None
    currency = outcome.currency or about.request.get(49) or "156"
    return sub.format_de54([AdditionalAmount(_SAVINGS, AVAILABLE, currency, outcome.balance)])


_SAVINGS = "10"
"""Account type of DE 54 (cup.md 5.4)."""


def _answer_60(about: Reply) -> str:
    """Sign-on: 60.2 is the host's open batch."""
    private = private_of(about.request[60])
    return sub.format_de60(replace(private, batch=about.outcome.batch or private.batch))


def _answer_62(about: Reply) -> str | None:
    """The keys of a sign-on, the data of a download."""
    outcome = about.outcome
    if not about.approved:
        return None
    if about.row.kind is Kind.DOWNLOAD:
        return (outcome.data or b"").hex().upper()
    return sub.format_keys(outcome.keys) if outcome.keys else None


def _answer_63(about: Reply) -> str:
    """The card organisation; an advice has said it itself (cup.md 5.11)."""
    told = (about.request.get(63) or "")[:3] if about.row.carries(63) else ""
    return _organisation(about.outcome.organisation or told)


@lru_cache(maxsize=256)
def _organisation(name: str) -> str:
    return sub.format_de63(sub.Private63(name))


_ANSWER: Mapping[int, AnswerMaker] = {
    **common.COMMON_ANSWER,
    2: _answer_pan,
    14: _answer_expiry,
    32: lambda r: r.outcome.acquirer,
    44: _answer_44,
    48: _answer_48,
    54: _answer_54,
    60: _answer_60,
    62: _answer_62,
    63: _answer_63,
}

_REFUSAL_ECHO = (3, 4, 11, 25, 41, 42, 49, 60)


def refusal_answer(request: Message, unreadable: Unreadable, at: str, dialect: Dialect) -> Message | None:
    """The answer to an unreadable request; a 0510 carries both codes 3 besides DE 39. See `specs.families.Family`."""
    code = for_refusal(NAME, unreadable.refusal)
    return common.refusal_answer(request, code, at, dialect, _REFUSAL_ECHO, _error_codes(request))


def _error_codes(request: Message) -> dict[int, str]:
    """DE 48 of a refused 0500: both codes 3."""
    mti = base_mti(request)
    if mti is None or mti.message_class != RECONCILIATION:
        return {}
    return {48: sub.format_settlement(settlement_of(_claimed(request), dict.fromkeys(SIDES, sub.CODE_ERROR)))}


def _claimed(request: Message) -> Totals:
    """The totals of a 0500, zeros when they cannot be read."""
    try:
        return totals_of(sub.parse_settlement(request.get(48) or ""))
    except DecodeError:
        return Totals()


# --- reading an answer ---


def read_answer(message: Message, dialect: Dialect) -> Outcome:
    """At the terminal: what does the answer say? See `specs.families.Family`.

    60.2 is the host's word only in an 0810; elsewhere it is an echo and stays out. Sides and verdict of an 0510 are
    empty when DE 39 says error, but for 22: the number is unknown.
    """
    mti = Mti.parse(message.mti)
    settling = mti.message_class == RECONCILIATION
    outcome = common.answer_outcome(message, dialect, code_needed=not settling)
    outcome = replace(
        outcome,
        request=message.header[5:6] or "0",
        currency=message.get(49) or "",
        acquirer=message.get(32) or "",
    )
    if 44 in message:
        ids = sub.parse_de44(message[44])
        outcome = replace(outcome, issuer=ids.issuer, acquirer=ids.acquirer or outcome.acquirer)
    if 54 in message:
        outcome = replace(outcome, balance=_balance(message[54]))
    match message.mti:
        case "0510":
            return _read_settlement(message, outcome)
        case "0330":
            return replace(outcome, count=_read_count(message.get(48)))
        case "0110" | "0210" | "0230":
            return _read_money(message, outcome)
    if (message.get(60) or "")[8:11] in DOWNLOADS:
        return replace(outcome, data=_read_data(message, outcome))
    return _read_sign_on(message, outcome) if message.mti == "0810" else outcome


def _read_data(message: Message, outcome: Outcome) -> bytes | None:
    if not is_approved(NAME, outcome.code) or 62 not in message:
        return None
    return common.raw_bytes(62, message[62])


_ADJUSTING = ("32", "34")


def _read_money(message: Message, outcome: Outcome) -> Outcome:
    """DE 4 of a tip or adjustment is what was sent, not the new total that was approved."""
    private = message.get(63) or ""
    amount = None if (message.get(60) or "")[:2] in _ADJUSTING else outcome.amount
    return replace(outcome, amount=amount, organisation=private[:3].strip(), text=private[3:].rstrip())


def _balance(value: str) -> int:
    amounts = sub.parse_de54(value)
    available = [a.minor for a in amounts if a.amount_type == AVAILABLE]
    return available[0] if available else amounts[0].minor


def _read_sign_on(message: Message, outcome: Outcome) -> Outcome:
    batch = sub.parse_de60(message[60]).batch if 60 in message else None
    good = is_approved(NAME, outcome.code) and 62 in message
    return replace(outcome, batch=batch, keys=sub.parse_keys(message[62]) if good else None)


_CODE_VERDICTS: Mapping[str, Verdict] = {
    sub.CODE_BALANCED: Verdict.AGREED,
    sub.CODE_NOT_BALANCED: Verdict.DIFFERS,
    sub.CODE_ERROR: Verdict.CLOSED_OTHER,
}


def _read_settlement(message: Message, outcome: Outcome) -> Outcome:
    if outcome.code and not is_approved(NAME, outcome.code):
        return replace(outcome, verdict=Verdict.NUMBER_UNKNOWN if outcome.code == NUMBER_UNKNOWN_CODE else None)
    if 48 not in message:
        raise DecodeError(48, 0, "settlement totals with their codes", "absent")
    settlement = sub.parse_settlement(message[48])
    verdicts = []
    for name, side in zip(SIDES, (settlement.domestic, settlement.foreign), strict=True):
        if side.code not in _CODE_VERDICTS:
            raise DecodeError(48, 0, f"{name} reconciliation code 1, 2 or 3", side.code)
        verdicts.append((name, _CODE_VERDICTS[side.code]))
    return replace(outcome, totals=totals_of(settlement), sides=tuple(verdicts), verdict=_worst(v for _, v in verdicts))


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    order = (Verdict.AGREED, Verdict.DIFFERS, Verdict.CLOSED_OTHER)
    return max(verdicts, key=order.index)


def _read_count(value: str | None) -> int | None:
    """The echoed count; hosts disagree on it, so another form says nothing (cup.md 8)."""
    return int(value) if value and value.isdigit() and len(value) in (2, 4) else None
