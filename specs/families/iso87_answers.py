"""ISO 8583:1987: writing and reading answers (iso87.md 3 and 4, rules.md 6)."""

from __future__ import annotations

from collections.abc import Mapping

from specs.codes import for_refusal, is_approved
from specs.dialect import Dialect
from specs.errors import DecodeError
from specs.families import common
from specs.families.common import AnswerMaker, AnswerRow, Reply
from specs.families.iso87_table import NAME, classified
from specs.families.iso87_totals import format_totals, in_dialect, stated, totals_of
from specs.families.table import base_mti
from specs.message import Message
from specs.mti import RECONCILIATION, Mti
from specs.operation import ADJUSTMENTS, Kind, Outcome, Unreadable, Verdict
from specs.subfields import iso87 as sub
from specs.values import replace

# --- which elements an answer has ---

_WHO = (7, 11, 32, 41, 42)
_MONEY_ECHO = (2, 3, *_WHO, 25, 49, 90)
_FIGURES = (*range(74, 82), *range(86, 90), sub.NET_DE)

_MONEY = AnswerRow(_MONEY_ECHO, (4, 12, 13, 15, 37, 38, 39, 54, 55))
_UNDONE = AnswerRow(_MONEY_ECHO, (4, 12, 13, 15, 37, 39))
_NETWORK = AnswerRow((*_WHO, 70), (12, 13, 15, 39))
_ANSWERS: Mapping[Kind, AnswerRow] = {
    # The terminal's amount is the new total: nothing else can be meant.
    **dict.fromkeys(ADJUSTMENTS, AnswerRow((4, *_MONEY_ECHO), (12, 13, 15, 37, 38, 39))),
    Kind.REVERSAL: _UNDONE,
    Kind.SCRIPT_RESULT: _UNDONE,
    Kind.SETTLE: AnswerRow((*_WHO, 15, 50, 99), (12, 13, 39, 66, *_FIGURES)),
    **dict.fromkeys((Kind.SIGN_ON, Kind.SIGN_OFF, Kind.ECHO), _NETWORK),
}
"""Kind -> its answer; `_MONEY` for the rest."""

IN_BALANCE, OUT_OF_BALANCE, ERROR = "1", "2", "3"
"""DE 66 (iso87.md 4)."""

_VERDICT_CODES: Mapping[Verdict, str] = {
    Verdict.AGREED: IN_BALANCE,
    Verdict.DIFFERS: OUT_OF_BALANCE,
    Verdict.STILL_DIFFERS: OUT_OF_BALANCE,
    Verdict.UPLOAD_INCOMPLETE: OUT_OF_BALANCE,
    Verdict.CLOSED_OTHER: ERROR,
    Verdict.NUMBER_STALE: ERROR,
    Verdict.NUMBER_UNKNOWN: ERROR,
}
COMPARED_CODE = "00"
"""DE 39 of a 0510 or 0530 whatever the comparison said (rules.md 6): DE 66 says it."""
TOTALS_RESET = "97"
"""DE 39 of Australian networks for the same (iso87.md 4)."""

# --- writing an answer ---


def write_answer(request: Message, outcome: Outcome, dialect: Dialect) -> Message:
    """At the host: the answer. See `specs.families.Family`.

    DE 39 of a settlement is the outcome's code, else 00; DE 66 says the verdict. A request that cannot be classified
    is answered like an unreadable one.
    """
    row = classified(request, dialect)
    code = common.answer_code(NAME, outcome) or (COMPARED_CODE if outcome.verdict else "")
    assert code, "an answer needs DE 39"
    if isinstance(row, Unreadable):
        made = _refused(request, code, outcome.at, dialect)
        assert made is not None, "no answer exists to this message"
        return made
    assert row.kind is not None
    about = common.reply(request, outcome, row, dialect, code)
    return in_dialect(common.write_answer(about, _ANSWERS.get(row.kind, _MONEY), _ANSWER), dialect)


def _answer_54(about: Reply) -> str | None:
    """The balance of an inquiry, or what is left after a partial approval; of the account that DE 3 names."""
    balance = about.outcome.balance
    asked = about.row.kind is Kind.BALANCE or about.code == common.PARTIAL
    if balance is None or not about.approved or not asked:
        return None
    account = (about.request.get(3) or "")[2:4]
    currency = about.outcome.currency or about.request.get(49) or _NO_CURRENCY
    return sub.format_de54([sub.AdditionalAmount(account, sub.AVAILABLE, currency, balance)])


_NO_CURRENCY = "000"


def _settled(about: Reply) -> str:
    """DE 66; 3 for a settlement that was refused."""
    verdict = about.outcome.verdict
    return _VERDICT_CODES[verdict] if verdict and (about.approved or about.code == TOTALS_RESET) else ERROR


def _figure(de: int) -> AnswerMaker:
    """In balance: the terminal's figure back. Otherwise the host's own (rules.md 6)."""

    def make(about: Reply) -> str | None:
        if about.outcome.verdict is Verdict.AGREED:
            return about.request.get(de)
        return format_totals(about.outcome.totals).get(de) if about.outcome.totals is not None else None

    return make


_ANSWER: Mapping[int, AnswerMaker] = {
    **common.COMMON_ANSWER,
    12: lambda r: r.request.get(12) or r.outcome.at[4:],
    13: lambda r: r.request.get(13) or r.outcome.at[:4],
    37: lambda r: r.request.get(37) or r.outcome.rrn,
    54: _answer_54,
    66: _settled,
    **{de: _figure(de) for de in _FIGURES},
}
"""Local time and RRN are the terminal's own where it sent them (iso87.md 3, column 0210: E)."""

_REFUSAL_ECHO = (2, 3, 4, 7, 11, 12, 13, 15, 25, 32, 37, 41, 42, 49, 50, 70, 90)


def refusal_answer(request: Message, unreadable: Unreadable, at: str, dialect: Dialect) -> Message | None:
    """The answer to an unreadable request; a settlement's has DE 66 = 3. See `specs.families.Family`."""
    return _refused(request, for_refusal(NAME, unreadable.refusal), at, dialect)


def _refused(request: Message, code: str, at: str, dialect: Dialect) -> Message | None:
    mti = base_mti(request)
    settling = mti is not None and mti.message_class == RECONCILIATION
    # DE 15 of another message is the host's own word.
    echo = [de for de in _REFUSAL_ECHO if de != 15 or settling]
    made = common.refusal_answer(request, code, "", dialect, echo, {66: ERROR} if settling else {})
    if made is None or not at:
        return made
    clock = {7: at, 12: at[4:], 13: at[:4]}
    return made.with_fields({de: value for de, value in clock.items() if de not in made})


# --- reading an answer ---


def read_answer(message: Message, dialect: Dialect) -> Outcome:
    """At the terminal: what does the answer say? See `specs.families.Family`.

    The verdict of a 0510 or 0530 is DE 66: 2 means one thing while the terminal may still send what it owes, another
    at the end. It is None when DE 39 refuses. `at` and `rrn` are mostly the terminal's own, echoed.
    """
    outcome = replace(common.answer_outcome(message, dialect), currency=message.get(49) or message.get(50) or "")
    mti = Mti.parse(message.mti)
    if mti.message_class == RECONCILIATION:
        verdict = _verdict(message.get(66), final=mti.function == _ADVICE_ANSWER)
        told = is_approved(NAME, outcome.code) or outcome.code == TOTALS_RESET
        totals = totals_of(message.fields) if stated(message.fields) else None
        return replace(outcome, amount=None, verdict=verdict if told else None, totals=totals)
    return replace(outcome, balance=_balance(message.get(54)))


_ADVICE_ANSWER = 3


def _verdict(code: str | None, *, final: bool) -> Verdict | None:
    if code == OUT_OF_BALANCE:
        return Verdict.STILL_DIFFERS if final else Verdict.DIFFERS
    return {IN_BALANCE: Verdict.AGREED, ERROR: Verdict.CLOSED_OTHER}.get(code or "")


def _balance(value: str | None) -> int | None:
    """The available amount, else the first; None when DE 54 cannot be read: the yes or no beside it stands."""
    try:
        amounts = sub.parse_de54(value or "")
    except DecodeError:
        return None
    return next((a.minor for a in amounts if a.amount_type == sub.AVAILABLE), amounts[0].minor)
