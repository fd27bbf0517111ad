"""Sale and balance inquiry: what they ask of the issuer, and the amounts that answer by themselves.

A sale debits (profile HC: approval = capture). A balance inquiry is an original too, with its own key, but moves no
money: its row ends `declined` with the issuer's code (00 included) and settlement `none`, so that nothing that counts
captured rows ever meets it; a reversal of it is 12, as for all that was never captured (rules.md, section 3).
"""

from __future__ import annotations

from host.engine.admission import admit, ask_issuer, declined
from host.engine.checks import Case
from host.engine.events import Decision
from host.engine.outcomes import APPROVED, PARTIAL
from specs.codes import RESPONSE_CODES, is_approved
from specs.operation import Kind

MAGIC_BASE, MAGIC_COUNT = 100_000, 100
"""1,000.00 to 1,000.99: the two last digits are the answer, where the family's table lists them (interface.md, 2)."""
BY_MAGIC_AMOUNT = "by magic amount"


def decide(case: Case) -> Decision:
    """A sale or a balance inquiry (or an original that is not offered: the checks say so)."""
    decided = admit(case)
    if decided is not None:
        return decided
    if case.operation.kind is Kind.BALANCE:
        return ask_issuer(case, "inquiry", amount=0, leg_amount=0)
    amount = case.operation.amount or 0
    code = magic_code(case.profile.family, amount, on=case.draft.ctx.settings.magic)
    if not code:
        return ask_issuer(case, "debit", amount=amount, leg_amount=amount)
    case.draft.note(BY_MAGIC_AMOUNT)
    if not is_approved(case.profile.family, code):
        return declined(case, None, code=code, note=BY_MAGIC_AMOUNT)
    # A yes by magic is still a real debit; 10 asks for half, so that the partial approval is one in all books.
    asked = amount // 2 if code == PARTIAL else amount
    return ask_issuer(case, "debit", amount=amount, leg_amount=asked, note=BY_MAGIC_AMOUNT)


def magic_code(family: str, amount: int, *, on: bool) -> str:
    """The code that this amount asks for; "" = an ordinary amount, 1,000.00 among them."""
    code = f"{amount - MAGIC_BASE:02d}" if on and MAGIC_BASE <= amount < MAGIC_BASE + MAGIC_COUNT else ""
    return code if code != APPROVED and code in RESPONSE_CODES[family] else ""
