"""NAC / EDC: writing and reading answers (nac.md 4 to 6)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.codes import for_refusal, is_approved
from specs.dialect import Dialect
from specs.errors import EncodeError
from specs.families import common
from specs.families.common import AnswerMaker, AnswerRow, Reply
from specs.families.nac_table import NAME, classified
from specs.families.nac_totals import format_totals, totals_of
from specs.message import Message
from specs.mti import RECONCILIATION, Mti
from specs.operation import FINANCIAL, RESERVATIONS, Kind, Outcome, Unreadable, Verdict
from specs.subfields import nac as sub
from specs.subfields.amounts import AMOUNT_LENGTH, AVAILABLE, AdditionalAmount
from specs.values import replace

# --- writing an answer ---

_ECHO = (3, 11, 24, 41)
_MONEY_MADE = (4, 12, 13, 37, 38, 39, 54, 55, 63)
_MONEY = AnswerRow(_ECHO, _MONEY_MADE)
_UPLOAD = AnswerRow(_ECHO, (4, 12, 13, 37, 39))
_ANSWERS: Mapping[Kind, AnswerRow] = {
    **dict.fromkeys(FINANCIAL | RESERVATIONS | {Kind.BALANCE}, _MONEY),
    Kind.REVERSAL: AnswerRow(_ECHO, (4, 12, 13, 37, 39, 55)),
    Kind.SETTLE: AnswerRow(_ECHO, (12, 13, 37, 39, 63)),
    Kind.UPLOAD: _UPLOAD,
    Kind.TC_UPLOAD: _UPLOAD,
    Kind.ECHO: AnswerRow(_ECHO, (12, 13, 39)),
    Kind.SIGN_ON: AnswerRow(_ECHO, (12, 13, 37, 39)),
}

AGREED_CODE, DIFFERS_CODE, NUMBER_CODE = "00", "95", "80"
CLOSED_CODE = "77"
"""Closed by the host with other totals than the terminal's (rules.md 6)."""

_VERDICT_CODES: Mapping[Verdict, str] = {
    Verdict.AGREED: AGREED_CODE,
    Verdict.DIFFERS: DIFFERS_CODE,
    Verdict.UPLOAD_INCOMPLETE: DIFFERS_CODE,
    Verdict.CLOSED_OTHER: CLOSED_CODE,
    Verdict.NUMBER_STALE: NUMBER_CODE,
    Verdict.NUMBER_UNKNOWN: NUMBER_CODE,
}


def write_answer(request: Message, outcome: Outcome, dialect: Dialect) -> Message:
    """At the host: the answer. See `specs.families.Family`.

    DE 39 of a 0510 is the outcome's code, else its verdict's: 00, 95, 77, 80. A request that cannot be classified is
    answered like an unreadable one.
    """
    row = classified(request, dialect)
    code = common.answer_code(NAME, outcome) or _verdict_code(outcome.verdict, dialect)
    assert code, "an answer needs DE 39"
    if isinstance(row, Unreadable):
        made = common.refusal_answer(request, code, outcome.at, dialect, _REFUSAL_ECHO, {})
        assert made is not None, "no answer exists to this message"
        return made
    assert row.kind is not None
    return common.write_answer(common.reply(request, outcome, row, dialect, code), _ANSWERS[row.kind], _ANSWER)


def _verdict_code(verdict: Verdict | None, dialect: Dialect) -> str:
    if verdict is Verdict.STILL_DIFFERS:
        return str(dialect.profile.get("final_not_agreed", CLOSED_CODE))
    return _VERDICT_CODES[verdict] if verdict else ""


def _answer_54(about: Reply) -> str | None:
    """The balance of an inquiry, or what is left after a partial approval, in the 20 characters of ISO 8583."""
    outcome = about.outcome
    asked = about.row.kind is Kind.BALANCE or about.code == common.PARTIAL
    if outcome.balance is None or not (about.approved and asked):
        return None
    account = about.request[3][2:4]
    return sub.format_de54([AdditionalAmount(account, AVAILABLE, outcome.currency or _NO_CURRENCY, outcome.balance)])


_NO_CURRENCY = "000"
"""NAC messages name no currency; the host's book may not know one either."""


def _answer_63(about: Reply) -> str | None:
    """0510: the host's totals in the form of the request; else, or when it has none, text for the slip."""
    totals = about.outcome.totals
    if about.row.kind is not Kind.SETTLE or totals is None:
        return about.outcome.text
    debit_groups = bool(about.dialect.profile.get("debit_groups"))
    try:
        return format_totals(totals, debit_groups=debit_groups, length=len(about.request[63]))
    except EncodeError:  # beyond 999 items or 12 digits: a batch like that must end too, without figures
        return about.outcome.text


_ANSWER: Mapping[int, AnswerMaker] = {
    **common.COMMON_ANSWER,
    54: _answer_54,
    63: _answer_63,
}

_REFUSAL_ECHO = (3, 4, 11, 24, 41)


def refusal_answer(request: Message, unreadable: Unreadable, at: str, dialect: Dialect) -> Message | None:
    """The answer to an unreadable request; see `specs.families.Family`."""
    code = for_refusal(NAME, unreadable.refusal)
    return common.refusal_answer(request, code, at, dialect, _REFUSAL_ECHO, {})


# --- reading an answer ---


def read_answer(message: Message, dialect: Dialect) -> Outcome:
    """At the terminal: what does the answer say? See `specs.families.Family`.

    The verdict of a 0510 follows from DE 39 and DE 3: 77 and 95 mean one thing after 920000, another after 960000.
    """
    outcome = common.answer_outcome(message, dialect)
    outcome = _with_balance(outcome, message)
    text = message.get(63) or ""
    if Mti.parse(message.mti).message_class != RECONCILIATION:
        return replace(outcome, text=text)
    outcome = replace(outcome, amount=None, verdict=_verdict(outcome.code, message.get(3) == _TRAILER))
    return replace(outcome, totals=totals_of(sub.parse_de63(text))) if _is_totals(text) else replace(outcome, text=text)


def _with_balance(outcome: Outcome, message: Message) -> Outcome:
    """DE 54 of 20 characters; in the answer to an inquiry 12 digits too. Elsewhere those are an echoed tip."""
    value = message.get(54) or ""
    inquiry = (message.get(3) or "").startswith("31")
    if not value or not (inquiry or len(value) % AMOUNT_LENGTH == 0):
        return outcome
    read = sub.parse_de54(value)
    if isinstance(read, int):
        return replace(outcome, balance=read)
    chosen = next((part for part in read if part.amount_type == AVAILABLE), read[0])
    return replace(outcome, balance=chosen.minor, currency=chosen.currency.replace(_NO_CURRENCY, ""))


_TRAILER = "960000"
_NUMBER_CODES = (NUMBER_CODE, "85")


def _verdict(code: str, trailer: bool) -> Verdict | None:
    if is_approved(NAME, code):
        return Verdict.AGREED
    if code == DIFFERS_CODE:
        return Verdict.UPLOAD_INCOMPLETE if trailer else Verdict.DIFFERS
    if code == CLOSED_CODE:
        return Verdict.STILL_DIFFERS if trailer else Verdict.CLOSED_OTHER
    return Verdict.NUMBER_STALE if code in _NUMBER_CODES else None


def _is_totals(text: str) -> bool:
    """One to six groups of digits; anything else in DE 63 is text (nac.md 5)."""
    return text.isascii() and text.isdigit() and len(text) in sub.TOTALS_LENGTHS
