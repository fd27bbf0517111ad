"""Sales of every sort and the balance inquiry: what they ask of the issuer, and the amounts that answer by themselves.

A balance inquiry is an original too, with its own key, but moves no money: its row ends `declined` with the issuer's
code (00 included) and settlement `none`, so that nothing that counts captured rows ever meets it; a reversal of it is
12, as for all that was never captured (rules.md, section 3).
"""

from __future__ import annotations

from host.engine.asks import DEBIT, HOLD, INQUIRY
from host.engine.case import Case, Plan
from host.engine.outcomes import APPROVED, PARTIAL
from host.rows import Txn
from specs.codes import RESPONSE_CODES, is_approved
from specs.operation import Kind

MAGIC_BASE, MAGIC_COUNT = 100_000, 100
"""1,000.00 to 1,000.99: the two last digits are the answer, where the family's table lists them (interface.md, 2)."""
BY_MAGIC_AMOUNT = "by magic amount"


def inquire(case: Case) -> Plan:
    """A question without an amount."""
    return Plan(INQUIRY, 0)


def plan(case: Case) -> Plan:
    """A sale debits under HC and holds under TC; a pre-authorisation always holds. Never a magic answer to an advice:
    it tells what has happened."""
    amount = case.operation.amount or 0
    later = case.profile.capture == "TC" and not case.carried
    purpose = HOLD if later or case.kind is Kind.PRE_AUTH else DEBIT
    on = case.draft.ctx.settings.magic and not case.operation.advice
    code = magic_code(case.profile.family, amount, on=on)
    if not code:
        return Plan(purpose, amount, amount)
    case.draft.note(BY_MAGIC_AMOUNT)
    if not is_approved(case.profile.family, code):
        return Plan("", amount, code=code, note=BY_MAGIC_AMOUNT)
    # A yes by magic is still a real debit; 10 asks for half, so that the partial approval is one in all books.
    asked = amount // 2 if code == PARTIAL else amount
    return Plan(purpose, amount, asked, note=BY_MAGIC_AMOUNT)


def yes_code(case: Case, txn: Txn) -> str:
    """DE 39 of its whole approval, which the issuer's cryptogram covers."""
    return magic_yes(case.profile.family, txn) or APPROVED


def magic_yes(family: str, txn: Txn) -> str:
    """The code of a yes that was asked for by its amount; "" = an ordinary yes."""
    return magic_code(family, txn.amount, on=txn.note == BY_MAGIC_AMOUNT)


def magic_code(family: str, amount: int, *, on: bool) -> str:
    """The code that this amount asks for; "" = an ordinary amount, 1,000.00 among them."""
    code = f"{amount - MAGIC_BASE:02d}" if on and MAGIC_BASE <= amount < MAGIC_BASE + MAGIC_COUNT else ""
    return code if code != APPROVED and code in RESPONSE_CODES[family] else ""
